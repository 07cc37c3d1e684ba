"""Indicators that count and divide cases, in polars: all areas and window ends at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import polars as pl

from tests.oracle.frames_cases import FACTOR, of_kind, open_cases
from tests.oracle.frames_windows import NEVER, View, in_areas, percent
from tests.oracle.records import DAY, HOUR, MINUTE

AREA = ("area", "end")
VALUE = pl.col("value")
Values = Callable[[View], pl.LazyFrame]


def entered(v: View, kinds: Iterable[str], *statuses: str) -> pl.LazyFrame:
    """Each case once per window end with a transition into any of the statuses inside the window."""
    found = of_kind(v, *kinds).filter(pl.col("status").is_in(statuses))
    return v.at_ends(found, pl.col("ts"), pl.col("ts") + v.window).unique(["case", "end"])


def counted(rows: pl.LazyFrame, *lengths: int) -> pl.LazyFrame:
    """How many cases there are in each area."""
    return in_areas(rows, *lengths).group_by(AREA).agg(value=pl.len().cast(pl.Float64))


def together(a: pl.LazyFrame, b: pl.LazyFrame) -> pl.LazyFrame:
    """Two counts side by side, ``value`` and ``other``, 0 where only one is there."""
    both = a.join(b.select(*AREA, other=VALUE), on=AREA, how="full", coalesce=True)
    return both.with_columns(pl.col("value", "other").fill_null(0.0))


def everywhere(v: View, found: pl.LazyFrame, *lengths: int) -> pl.LazyFrame:
    """The same with 0 in every other area and window."""
    areas = in_areas(pl.LazyFrame({"cell": v.city.cells}), *lengths).select("area").unique()
    every = areas.join(v.ends(), how="cross").join(found, on=AREA, how="left")
    return every.with_columns(VALUE.fill_null(0.0))


def share(kind: str, part: tuple[str, ...], others: tuple[str, ...]) -> Values:
    """Cases that entered one status, of these and those that entered another, as two sets."""

    def value(v: View) -> pl.LazyFrame:
        both = together(counted(entered(v, [kind], *part)), counted(entered(v, [kind], *others)))
        total = VALUE + pl.col("other")
        return both.filter(total > 0).with_columns(VALUE * 100 / total)

    return value


def rework_rate(v: View) -> pl.LazyFrame:
    """Cases sent back of those checked."""
    back, checked = (counted(entered(v, ["ev_grid_case"], *s)) for s in (("rework",), ("verified", "rework")))
    both = together(back, checked).filter(pl.col("other") > 0)
    return both.with_columns(VALUE * 100 / pl.col("other"))


def due(kind: str, since: str, status: str, within: int | None = None, *, late_too: bool = False) -> Values:
    """Share of the cases due that had the status by their deadline, or (``late_too``) by now."""

    def value(v: View) -> pl.LazyFrame:
        known = v.at_ends(of_kind(v, kind), pl.col("ts"), pl.lit(NEVER)).sort("ts", maintain_order=True)
        first = {
            name: pl.col("ts").filter(pl.col("status") == s).min()
            for name, s in {"since": since, "done": status, "rejected": "rejected"}.items()
        }
        severity = pl.col("severity").filter(pl.col("severity") > 0).last().fill_null(1)
        cases = known.group_by("case", "cell", "sla", "end").agg(severity=severity, **first)
        allowed = pl.col("sla") * pl.col("severity").replace_strict(FACTOR, return_dtype=pl.Float64)
        deadline = pl.col("since") + (allowed if within is None else pl.lit(within))
        dated = cases.filter(pl.col("rejected").is_null()).with_columns(deadline=deadline)
        inside = (pl.col("deadline") > pl.col("end") - v.window) & (pl.col("deadline") <= pl.col("end"))
        limit = pl.col("end") if late_too else pl.col("deadline")
        done = (pl.col("done") <= limit).fill_null(value=False)
        return in_areas(dated.filter(inside)).group_by(AREA).agg(value=percent(done))

    return value


def utility_outage_open(v: View) -> pl.LazyFrame:
    """Open outages, each level of severity twice as heavy as the one below; 0 elsewhere."""
    kind = "ev_utility_outage"
    known = v.at_ends(of_kind(v, kind), pl.col("ts"), pl.lit(NEVER)).sort("ts", maintain_order=True)
    severity = pl.col("severity").filter(pl.col("severity") > 0).last().fill_null(1)
    grave = known.group_by("case", "end").agg(severity=severity)
    weighted = open_cases(v, kind).join(grave, on=["case", "end"])
    weight = 2.0 ** (pl.col("severity") - 1)
    return everywhere(v, in_areas(weighted).group_by(AREA).agg(value=weight.sum()))


def market_churn(v: View) -> pl.LazyFrame:
    """Openings less closings, of both; 0 elsewhere."""
    opened, shut = (counted(entered(v, [f"ev_market_{s}"], "closed"), 9, 7) for s in ("open", "close"))
    both = together(opened, shut)
    churn = (VALUE - pl.col("other")) / (VALUE + pl.col("other")).clip(1.0)
    return everywhere(v, both.select(*AREA, value=churn), 9, 7)


GRID, HOT = "ev_grid_case", "ev_hotline"

COUNTS: Mapping[str, tuple[int, int, Values]] = {
    "grid_cases.filing_rate": (DAY, HOUR, share(GRID, ("accepted",), ("rejected",))),
    "grid_cases.closure_rate": (DAY, HOUR, due(GRID, "accepted", "closed", late_too=True)),
    "grid_cases.rework_rate": (DAY, HOUR, rework_rate),
    "grid_cases.dispatch_ontime_rate": (DAY, HOUR, due(GRID, "accepted", "dispatched", 30 * MINUTE)),
    "hotline.ontime_closure_rate": (DAY, HOUR, due(HOT, "reported", "closed")),
    "hotline.satisfaction_rate": (7 * DAY, HOUR, share(HOT, ("feedback_good",), ("feedback_bad",))),
    "heat_power.utility_outage_open": (HOUR, 15 * MINUTE, utility_outage_open),
    "enterprise.appeal_ontime_rate": (7 * DAY, HOUR, due("ev_enterprise_appeal", "reported", "closed")),
    "enterprise.service_ontime_rate": (DAY, HOUR, due("ev_gov_service", "accepted", "closed")),
    "enterprise.hazard_rectify_rate": (7 * DAY, HOUR, due("ev_safety_hazard", "reported", "verified")),
    "enterprise.market_churn": (7 * DAY, 6 * HOUR, market_churn),
}
"""Window and hop in ms, and the values of every indicator."""
