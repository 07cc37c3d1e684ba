"""Cases of every type for random cities: chains of statuses, repeated and out of order, on time and late."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.oracle.records import DAY, HOUR, MINUTE, Transition
from tests.oracle.settled import SEVERITY_FACTOR, metric_rows

Chain = tuple[str, ...]
Life = tuple[int, int]
SECOND = 1000

LOOP: Chain = ("reported", "accepted", "dispatched", "arrived", "handled", "verified", "closed")
RUSH: tuple[Chain, ...] = (
    ("reported",),
    ("reported", "accepted", "arrived"),
    ("reported", "arrived", "closed"),
    ("reported", "reported", "arrived"),
    ("reported", "closed"),
    ("reported", "rejected"),
)
PLAIN: tuple[Chain, ...] = (
    ("reported",),
    ("reported", "reported"),
    ("reported", "rejected"),
    ("reported", "closed"),
)
WORK: tuple[Chain, ...] = (
    LOOP,
    LOOP,
    (
        "reported",
        "accepted",
        "dispatched",
        "returned",
        "dispatched",
        "handled",
        "verified",
        "rework",
        "closed",
    ),
    ("accepted", "closed"),
    ("accepted", "dispatched"),
    ("reported", "rejected"),
    ("reported", "accepted", "rejected"),
    ("reported", "accepted", "handled", "rework", "rework", "verified"),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How cases of a type live.

    ``back``: how long before the city's hours the first status may lie; ``since``: the status whose
    deadline, rather, shall lie about there; ``placed``: records say to the metre where they are; ``groups``:
    cases share channels; ``history``: some are reported on earlier days, too.
    """

    chains: tuple[Chain, ...]
    back: int
    since: str = ""
    placed: bool = False
    groups: bool = False
    history: bool = False


KINDS = {
    "ev_grid_case": Kind(WORK, DAY, "accepted", history=True),
    "ev_hotline": Kind(
        (
            LOOP,
            ("reported", "closed", "feedback_good"),
            ("reported", "closed", "feedback_bad"),
            ("reported",),
        ),
        DAY,
        "reported",
        history=True,
    ),
    "ev_enterprise_appeal": Kind((("reported", "closed"), ("reported",)), 6 * DAY, "reported"),
    "ev_gov_service": Kind((("accepted", "closed"), ("reported", "accepted", "rejected")), DAY, "accepted"),
    "ev_safety_hazard": Kind((("reported", "verified"), ("reported", "handled")), 6 * DAY, "reported"),
    "ev_traffic_accident": Kind(RUSH, HOUR),
    "ev_road_breakdown": Kind(RUSH, HOUR),
    "ev_manhole": Kind((*PLAIN, LOOP, ("reported", "accepted")), 5 * HOUR, placed=True),
    "ev_dispute": Kind(PLAIN, 20 * HOUR),
    "ev_police_call": Kind(RUSH, 5 * HOUR),
    "ev_fire_alarm": Kind(RUSH, 5 * HOUR),
    "ev_ems_call": Kind(RUSH, 5 * HOUR),
    "ev_elevator_entrapment": Kind(RUSH, 5 * HOUR),
    "ev_utility_outage": Kind(PLAIN, 5 * HOUR),
    "ev_gas_leak": Kind(PLAIN, HOUR),
    "ev_waterlogging": Kind((*PLAIN, ("reported", "accepted")), HOUR),
    "ev_fever_visit": Kind(PLAIN, DAY, history=True),
    "ev_ili_case": Kind(PLAIN, 6 * DAY, placed=True, groups=True),
    "ev_foodborne_case": Kind(PLAIN, 2 * DAY, placed=True, groups=True),
    "ev_lab_positive": Kind(PLAIN, DAY, history=True),
    "ev_forest_smoke": Kind(PLAIN, HOUR, placed=True),
    "ev_satellite_hotspot": Kind(PLAIN, HOUR, placed=True),
    "ev_market_open": Kind((("closed",), ("closed", "closed")), 6 * DAY),
    "ev_market_close": Kind((("closed",),), 6 * DAY),
}
"""All types of cases of the catalogue."""

Spot = Callable[[Random, str], tuple[float, float]]
"""A place in a cell."""

STEPS = (0, 3 * MINUTE, 20 * MINUTE, 3 * HOUR)
"""The longest that a step to the next status takes, each as likely."""


@dataclass(frozen=True, slots=True)
class Town:
    """Where cases may lie: cells, places within them, the hours lived, and days of history before."""

    cells: Sequence[str]
    spot: Spot
    life: Life
    days: int


def cases(r: Random, town: Town, each: int, kinds: Iterable[str]) -> tuple[Transition, ...]:
    """Transitions of cases of some types in order of arrival.

    A case of no interest every 4 min keeps the file's clock going; before the city's hours all come in time.
    """
    first, last = town.life
    arrivals = [
        (ts, 0, Transition(f"pulse-{ts}", "ev_market_open", "reported", ts, town.cells[-1]))
        for ts in range(first, last + 1, 4 * MINUTE)
    ]
    for name in sorted(kinds):
        kind = KINDS[name]
        for i in range(r.randint(5, 9) * each):
            case = list(_case(r, f"{name}-{i}", name, kind, town))
            old = bool(case) and case[0].ts < first and r.random() < 0.15
            for t in case:
                arrivals += _arrival(r, t, first, late=old)
        if kind.history:
            arrivals += [(t.ts, 1, t) for t in _history(r, name, kind, town)]
    return tuple(t for _, _, t in sorted(arrivals, key=lambda a: a[:2]))


def _arrival(r: Random, t: Transition, first: int, *, late: bool) -> Iterator[tuple[int, int, Transition]]:
    when = t.ts
    if when >= first or late:
        # Not before the file's clock is trusted, which takes five records (R6).
        when = max(when, first + HOUR // 2) if late else when
        when += r.randrange(9 * SECOND) + (r.randrange(2 * HOUR) if r.random() < 0.2 else 0)
        if r.random() < 0.1:
            yield when + r.randrange(MINUTE), r.getrandbits(30), t
    yield when, r.getrandbits(30), t


def _case(r: Random, name: str, code: str, kind: Kind, town: Town) -> Iterable[Transition]:
    first, last = town.life
    severity = r.choice([None, None, 1, 2, 3, 4])
    ts = r.randrange(first - kind.back if r.random() < 0.6 else first - HOUR, last - 5 * MINUTE)
    if kind.since and r.random() < 0.75:
        ts -= round(metric_rows()[code].sla * MINUTE * SEVERITY_FACTOR[severity or 1])
    cell, channel = r.choice(town.cells), r.choice("xyz") if kind.groups and r.random() < 0.7 else None
    chain = list(r.choice(kind.chains))
    if r.random() < 0.1:
        r.shuffle(chain)
    step = 1
    for status in chain:
        if ts > last:
            return
        # Of two records of one instant nobody can say which is the later one: then one of them says little.
        told = step > 0 and (step == 1 or r.random() < 0.3)
        cell = r.choice(town.cells) if told and step > 1 and r.random() < 0.5 else cell
        place = town.spot(r, cell) if told and kind.placed else None
        given = severity if step else None
        yield Transition(name, code, status, ts, cell if told else None, given, channel, place)
        step = r.randrange(r.choice(STEPS) + 1) * r.choice([1, 1, 8])
        ts += step
        severity = r.choice([severity, severity, None, 4])


def _history(r: Random, code: str, kind: Kind, town: Town) -> Iterable[Transition]:
    """One-line cases on earlier days, most in the same hours of the day."""
    first, last = town.life
    for day in range(1, town.days + 1):
        for i in range(r.randint(0, 4)):
            span = (first - 2 * HOUR, last) if r.random() < 0.7 else (first - DAY, last)
            ts = r.randrange(*span) - day * DAY
            place = None
            cell = r.choice(town.cells)
            if kind.placed:
                place = town.spot(r, cell)
            yield Transition(f"{code}-{day}d{i}", code, "reported", ts, cell, None, None, place)
