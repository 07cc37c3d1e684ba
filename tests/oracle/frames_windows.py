"""Raw records as polars frames, and every way a reading or a status can matter to a window end.

A second set of means beside ``settled``: each reading is given the span of window ends it counts for, and the
span is exploded. Nothing here uses the engine or the plain oracle's settling; only ``metrics.csv`` is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import polars as pl

from tests.oracle.records import DAY, HOUR, LOCAL, MINUTE, Records

METRICS_CSV = Path(__file__).resolve().parents[2] / "indicators" / "data" / "metrics.csv"
NEVER = 2**60
SERIES = ("sensor", "cell", "period")
"""What tells the series of one metric apart (the period goes with the sensor)."""

READING = {"sensor": pl.String, "metric": pl.String, "value": pl.Float64, "ts": pl.Int64, "cell": pl.String}
TRANSITION = {
    "case": pl.String,
    "kind": pl.String,
    "status": pl.String,
    "ts": pl.Int64,
    "cell": pl.String,
    "severity": pl.Int64,
    "channel": pl.String,
}
LISTED = {
    "sensor": pl.String,
    "cell": pl.String,
    "metric": pl.String,
    "own_period": pl.Int64,
    "retired": pl.Boolean,
}


@dataclass(frozen=True, slots=True)
class CityFrames:
    """A city in order of its own time.

    ``readings``: sensor, metric, cell, period, hold, ts, value, next (ts of the next one of the series),
    retired;
    ``marks``: cell, ts, correct, one row per record checked; ``transitions``: case, kind, status, ts, cell
    (the case's), severity, sla (ms). ``cells``: all there are; window ends lie in ``first`` to ``last``.
    """

    readings: pl.DataFrame
    marks: pl.DataFrame
    transitions: pl.DataFrame
    cells: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class View:
    """A city as one indicator sees it; every method gives one row per thing and window ``end``."""

    city: CityFrames
    window: int
    hop: int

    def ends(self) -> pl.LazyFrame:
        """All window ends, whole hops since local midnight."""
        return self.at_ends(pl.LazyFrame({"from": [self.city.first]}), pl.col("from"), pl.lit(NEVER)).select(
            "end"
        )

    def at_ends(self, rows: pl.LazyFrame, begin: pl.Expr, until: pl.Expr) -> pl.LazyFrame:
        """Each row once for every window end in [begin, until)."""
        local = pl.max_horizontal(begin, pl.lit(self.city.first)) + LOCAL
        start = (local + (self.hop - 1)) // self.hop * self.hop - LOCAL
        stop = pl.min_horizontal(until, pl.lit(self.city.last + 1))
        spans = rows.with_columns(start=start, stop=stop).filter(pl.col("start") < pl.col("stop"))
        ends = pl.int_ranges("start", "stop", self.hop).alias("end")
        return spans.with_columns(ends).drop("start", "stop").explode("end")

    def metric(self, *codes: str) -> pl.LazyFrame:
        """Settled readings of some metrics."""
        return self.city.readings.lazy().filter(pl.col("metric").is_in(codes))

    def inside(self, *codes: str, window: int | None = None) -> pl.LazyFrame:
        """Readings for the ends whose window (end - window, end] holds them."""
        return self.at_ends(self.metric(*codes), pl.col("ts"), pl.col("ts") + (window or self.window))

    def reached(self, *codes: str) -> pl.LazyFrame:
        """As ``inside``, and where that leaves a series empty its latest reading of the last two periods."""
        back = self.metric(*codes).filter(2 * pl.col("period") > self.window)
        until = pl.min_horizontal("next", pl.col("ts") + 2 * pl.col("period") + 1)
        return pl.concat([self.inside(*codes), self.at_ends(back, pl.col("ts") + self.window, until)])

    def held(self, code: str) -> pl.LazyFrame:
        """The value each sensor holds: until its next reading, at most for ``hold``."""
        until = pl.min_horizontal("next", pl.col("ts") + pl.col("hold") + 1)
        return self.at_ends(self.metric(code), pl.col("ts"), until)

    def mean_held(self, code: str) -> pl.LazyFrame:
        """Mean of the held value over the covered part of the window, one row per series and end."""
        over = pl.min_horizontal("next", pl.col("ts") + pl.col("hold"))
        lasting = self.metric(code).with_columns(over=over)
        seen = self.at_ends(lasting, pl.col("ts"), pl.col("over") + self.window)
        begin = pl.max_horizontal("ts", pl.col("end") - self.window)
        spans = seen.with_columns(span=pl.min_horizontal("over", "end") - begin).filter(pl.col("span") > 0)
        area = (pl.col("value") * pl.col("span")).sum() / pl.col("span").sum()
        return spans.group_by(*SERIES, "end").agg(area.alias("value"))


def frames(records: Records, cells: Iterable[str], first: int, last: int) -> CityFrames:
    """Records of arrival as frames; ``first`` and ``last`` in epoch ms bound the window ends."""
    rows = [astuple(r) for r in records.readings]
    arrived = pl.DataFrame(rows, schema=READING, orient="row", strict=False).join(metrics(), on="metric")
    fits = pl.col("value").is_between(pl.col("low"), pl.col("high"))
    settled = _settled(arrived.filter(fits), records)
    refused = arrived.filter(~fits).select("cell", "ts", correct=pl.lit(value=False))
    right = settled.select("cell", "ts", correct=pl.lit(value=True))
    marks = pl.concat([refused, right])
    return CityFrames(settled, marks, _transitions(records), tuple(cells), first, last)


@cache
def metrics() -> pl.DataFrame:
    """The catalogue: metric, low, high, resolution, period and sla in ms (0: none), reference."""
    unit = pl.col("sampling_period").str.tail(1).replace_strict({"m": MINUTE, "h": HOUR, "d": DAY}, default=0)
    number = pl.col("sampling_period").str.extract(r"^(\d+)").cast(pl.Int64).fill_null(0)
    floats = dict.fromkeys(("range_min", "range_max", "sla_h", "resolution"), pl.Float64)
    return pl.read_csv(METRICS_CSV, schema_overrides=floats).select(
        metric="code",
        low=pl.col("range_min").fill_null(float("-inf")),
        high=pl.col("range_max").fill_null(float("inf")),
        resolution=pl.col("resolution").fill_null(1.0),
        usual=number * unit,
        reference=pl.col("kind") == "reference",
        sla=(pl.col("sla_h") * 60).round().fill_null(0).cast(pl.Int64) * MINUTE,
    )


def _settled(valid: pl.DataFrame, records: Records) -> pl.DataFrame:
    rows = [astuple(r)[: len(LISTED)] for r in records.listed]
    listed = pl.DataFrame(rows, schema=LISTED, orient="row")
    own = listed.unique("sensor", keep="last", maintain_order=True).select("sensor", "own_period", "retired")
    series = ["sensor", "metric", "cell"]
    last = valid.unique([*series, "ts"], keep="last", maintain_order=True)
    period = pl.when(pl.col("own_period") > 0).then("own_period").otherwise("usual")
    dated = last.join(own, on="sensor", how="left").with_columns(period=period)
    return dated.sort(*series, "ts").select(
        *series,
        "period",
        "ts",
        hold=pl.when("reference").then(pl.lit(48 * HOUR)).otherwise(3 * pl.col("period")),
        value=(pl.col("value") / pl.col("resolution")).round() * pl.col("resolution"),
        next=pl.col("ts").shift(-1).over(series).fill_null(NEVER),
        retired=pl.col("retired").fill_null(value=False),
    )


def _transitions(records: Records) -> pl.DataFrame:
    rows = [astuple(t)[: len(TRANSITION)] for t in records.transitions]
    found = pl.DataFrame(rows, schema=TRANSITION, orient="row").sort("ts", maintain_order=True)
    place = pl.col("cell").drop_nulls().first().over("case")
    kind = pl.col("kind").first().over("case")
    allowed = metrics().select("sla", kind="metric")
    placed = found.with_columns(cell=place, kind=kind).filter(pl.col("cell").is_not_null())
    return placed.join(allowed, on="kind", how="left", maintain_order="left")


def in_areas(rows: pl.LazyFrame, *lengths: int) -> pl.LazyFrame:
    """Each row once for every area its ``cell`` lies in: codes of the given lengths, and the city."""
    codes = [pl.col("cell").str.head(n) for n in lengths or (11, 9, 7)]
    return rows.with_columns(area=pl.concat_list(*codes, pl.lit("city"))).explode("area")


def quantiles(rows: pl.LazyFrame, q: float, *by: str) -> pl.LazyFrame:
    """Quantile of ``value`` by SAS definition 5: the mean of two neighbours where q * n is whole."""
    k, n = q * pl.len().over(by), pl.len().over(by)
    whole = k.round()
    exact = (k - whole).abs() <= 1e-9 * pl.max_horizontal(k, pl.lit(1.0))
    low = pl.when(exact).then(pl.max_horizontal(whole, pl.lit(1.0))).otherwise(k.ceil())
    high = pl.when(exact).then(pl.min_horizontal(whole + 1, n)).otherwise(k.ceil())
    rank = pl.col("value").rank("ordinal").over(by)
    return rows.filter(rank.is_between(low, high)).group_by(by).agg(pl.col("value").mean())


def not_below(a: pl.Expr, b: float | pl.Expr) -> pl.Expr:
    """``a >= b`` with the language's tolerance."""
    bound = pl.lit(b) if isinstance(b, float) else b
    return a >= bound - 1e-9 * pl.max_horizontal(pl.lit(1.0), a.abs(), bound.abs())


def percent(flag: pl.Expr) -> pl.Expr:
    """Percentage of rows whose flag is true."""
    return 100 * flag.cast(pl.Float64).mean()
