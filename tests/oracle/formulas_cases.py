"""Indicators made of cases by hand: ``Area -> value | None``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tests.oracle.area import Area
from tests.oracle.case_sets import Dated, accepted_open, due, entered, in_order, opened, took
from tests.oracle.formulas import Value, not_below, percent, quantile
from tests.oracle.places import Point, clusters
from tests.oracle.records import DAY, MINUTE
from tests.oracle.settled import Case

LOOP = ("reported", "accepted", "dispatched", "handled", "verified", "closed")
CALLS = {"ev_police_call": 600, "ev_fire_alarm": 300, "ev_ems_call": 900}
OVERDUE = ("ev_grid_case", "ev_manhole", "ev_waterlogging")


def share_of(part: int, whole: int) -> Value:
    """Percentage, None of nothing."""
    return 100 * part / whole if whole else None


def ontime(
    kind: str, since: str, status: str = "closed", within: int | None = None
) -> Callable[[Area], Value]:
    """Share of the cases due that had the status by their deadline."""
    return lambda a: percent([_by(c, status, d, a.end) for c, d in due(a, kind, since, within)])


def _by(c: Case, status: str, deadline: float, end: int) -> bool:
    first = c.first(status, end)
    return first is not None and first <= deadline


def closure_rate(a: Area) -> Value:
    """Share of the grid cases due that are closed by now."""
    cases = due(a, "ev_grid_case", "accepted")
    return percent([c.first("closed", a.end) is not None for c, _ in cases])


def filing_rate(a: Area) -> Value:
    """Cases accepted of those accepted or rejected."""
    accepted, rejected = (len(entered(a, "ev_grid_case", s)) for s in ("accepted", "rejected"))
    return share_of(accepted, accepted + rejected)


def rework_rate(a: Area) -> Value:
    """Cases sent back of those checked."""
    checked = len(entered(a, "ev_grid_case", "verified", "rework"))
    return share_of(len(entered(a, "ev_grid_case", "rework")), checked)


def overdue(a: Area) -> Dated:
    """Open cases accepted in the window, with their deadlines."""
    return accepted_open(a, OVERDUE)


def overdue_open_share(a: Area) -> Value:
    """Share of the open cases that are late; 0 without any."""
    return percent([a.end > d for _, d in overdue(a)]) or 0.0


def loop_completeness(a: Area) -> Value:
    """Share of the cases closed that went through all steps in order."""
    closed = entered(a, ("ev_grid_case", "ev_hotline"), "closed")
    return percent([in_order(c, LOOP, a.end) for c in closed])


def dispute_rate(a: Area) -> Value:
    """Disputes: reports of one cell that follow within 30 minutes are one."""
    found = []
    for c in entered(a, "ev_dispute", "reported"):
        stamps = [t.ts for t in c.by(a.end) if t.status == "reported" and t.ts > a.end - a.window]
        found.append(Point(c.cell or "", None, min(stamps)))
    return clusters(found, None, 30 * MINUTE)


def satisfaction_rate(a: Area) -> Value:
    """Good feedback of all feedback."""
    good, bad = (len(entered(a, "ev_hotline", f"feedback_{s}")) for s in ("good", "bad"))
    return share_of(good, good + bad)


def utility_outage_open(a: Area) -> Value:
    """Open outages, each level of severity twice as heavy as the one below."""
    return float(sum(2 ** (c.severity(a.end) - 1) for c in opened(a, "ev_utility_outage")))


def entrapment_response(a: Area) -> Value:
    """Longest wait in minutes of those trapped in a lift."""
    waits = [took(c, "reported", "arrived", a.end) for c in entered(a, "ev_elevator_entrapment", "reported")]
    return max((w / 60 for w in waits if w is not None), default=0.0)


def market_churn(a: Area) -> Value:
    """Openings less closings, of both."""
    opened_, shut = (len(entered(a, f"ev_market_{s}", "closed")) for s in ("open", "close"))
    return (opened_ - shut) / max(opened_ + shut, 1)


def responses(a: Area) -> list[float]:
    """Times to arrival against the target of the call; those still waiting once they are late."""
    kinds: Sequence[str] = tuple(CALLS)
    both = {c.transitions[0].case: c for c in entered(a, kinds, "arrived")}
    both |= {c.transitions[0].case: c for c in opened(a, kinds, before="arrived")}
    found = []
    for c in both.values():
        seconds = took(c, "reported", "arrived", a.end)
        if seconds is not None:
            ratio = seconds / CALLS[c.kind]
            if c.first("arrived", a.end) is not None or not not_below(1.0, ratio):
                found.append(ratio)
    return found


def response_time_p90(a: Area) -> Value:
    """90th percentile of the times to arrival against their targets."""
    found = responses(a)
    return quantile(found, 0.9) if found else None


def largest_group(a: Area, kind: str, window: int | None = None) -> int:
    """Most cases of one channel and place, or of one cell where the channel is unknown."""
    groups: Counter[tuple[object, ...]] = Counter()
    for c in entered(a, kind, "reported", window=window):
        channel = c.channel(a.end)
        groups[c.cell, channel, c.place if channel else None] += 1
    return max(groups.values(), default=0)


def cluster_index(a: Area) -> Value:
    """Largest group of one institution against what has to be reported."""
    return max(largest_group(a, "ev_ili_case") / 10, largest_group(a, "ev_foodborne_case", 3 * DAY) / 5)
