"""The indicators made of cases, in polars: one row per area and window end."""

from __future__ import annotations

import polars as pl

from tests.oracle.frames_windows import NEVER, View, in_areas, percent

FACTOR = {1: 1.0, 2: 0.5, 3: 0.25, 4: 0.125}
"""Share of the allowed time a severity leaves."""


def of_kind(v: View, *kinds: str) -> pl.LazyFrame:
    """Transitions of some case types."""
    return v.city.transitions.lazy().filter(pl.col("kind").is_in(kinds))


def entered(v: View, *kinds: str, status: str) -> pl.LazyFrame:
    """Each case once per window end with a transition into the status inside the window."""
    found = of_kind(v, *kinds).filter(pl.col("status") == status)
    return v.at_ends(found, pl.col("ts"), pl.col("ts") + v.window).unique(["case", "end"])


def incident_rate(v: View) -> pl.LazyFrame:
    """Accidents and half the breakdowns reported; 0 in every area and window without one."""
    found = entered(v, "ev_traffic_accident", "ev_road_breakdown", status="reported")
    weight = pl.when(pl.col("kind") == "ev_road_breakdown").then(pl.lit(0.5)).otherwise(pl.lit(1.0))
    sums = in_areas(found).group_by("area", "end").agg(value=weight.sum())
    areas = in_areas(pl.LazyFrame({"cell": v.city.cells})).select("area").unique()
    every = areas.join(v.ends(), how="cross").join(sums, on=["area", "end"], how="left")
    return every.with_columns(pl.col("value").fill_null(0.0))


def heard_of(v: View, *kinds: str) -> pl.DataFrame:
    """Areas with a case of these types, and when the first record of one is dated (``since``, epoch ms)."""
    return in_areas(of_kind(v, *kinds)).group_by("area").agg(since=pl.col("ts").min()).collect()


def ontime_closure_rate(v: View) -> pl.LazyFrame:
    """Share of the grid cases due in the window that were closed by their deadline."""
    known = v.at_ends(of_kind(v, "ev_grid_case"), pl.col("ts"), pl.lit(NEVER)).sort("ts", maintain_order=True)
    first = {s: pl.col("ts").filter(pl.col("status") == s).min() for s in ("accepted", "closed", "rejected")}
    severity = pl.col("severity").filter(pl.col("severity") > 0).last().fill_null(1)
    cases = known.group_by("case", "cell", "sla", "end").agg(severity=severity, **first)
    allowed = pl.col("sla") * pl.col("severity").replace_strict(FACTOR, return_dtype=pl.Float64)
    dated = cases.filter(pl.col("rejected").is_null()).with_columns(deadline=pl.col("accepted") + allowed)
    inside = (pl.col("deadline") > pl.col("end") - v.window) & (pl.col("deadline") <= pl.col("end"))
    ontime = (pl.col("closed") <= pl.col("deadline")).fill_null(value=False)
    return in_areas(dated.filter(inside)).group_by("area", "end").agg(value=percent(ontime))


def open_cases(v: View, kind: str) -> pl.LazyFrame:
    """Each case once per window end at which it is known and neither rejected nor closed."""
    ended = pl.col("ts").filter(pl.col("status").is_in(["rejected", "closed"])).min().fill_null(NEVER)
    spans = of_kind(v, kind).group_by("case", "cell").agg(known=pl.col("ts").min(), ended=ended)
    return v.at_ends(spans, pl.col("known"), pl.col("ended"))
