"""The fifteen indicators a second time: all areas and window ends at once, by joins and groups of polars.

``table(records, cells, first, last)`` gives every value there is. No code of the engine is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import polars as pl

from tests.oracle.frames_cases import entered, incident_rate, ontime_closure_rate, open_cases
from tests.oracle.frames_windows import SERIES, View, frames, in_areas, not_below, percent, quantiles
from tests.oracle.records import DAY, HOUR, LOCAL, MINUTE, Records

AREA = ("area", "end")
VALUE = pl.col("value")
MINUTES = pl.len() * pl.col("period").first()
"""Data of a series in ms: readings times its own period."""

BREAKS = pl.DataFrame(
    {
        "index": [0.0, 50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 500.0],
        "pm25": [0.0, 35.0, 75.0, 115.0, 150.0, 250.0, 350.0, 500.0],
        "pm10": [0.0, 50.0, 150.0, 250.0, 350.0, 420.0, 500.0, 600.0],
        "so2": [0.0, 150.0, 500.0, 650.0, 800.0, None, None, None],
        "no2": [0.0, 100.0, 200.0, 700.0, 1200.0, 2340.0, 3090.0, 3840.0],
        "o3": [0.0, 160.0, 200.0, 300.0, 400.0, 800.0, 1000.0, 1200.0],
        "co": [0.0, 5.0, 10.0, 35.0, 60.0, 90.0, 120.0, 150.0],
    }
)
"""HJ 633-2012, table 1: 24 h columns of the particles, 1 h columns of the gases."""


def per_series(rows: pl.LazyFrame, value: pl.Expr, least: int = 0) -> pl.LazyFrame:
    """One value for each series and window end with at least so many ms of data."""
    groups = rows.group_by("metric", *SERIES, "end").agg(value=value, data=MINUTES)
    return groups.filter(pl.col("data") >= least)


def per_area(rows: pl.LazyFrame, value: pl.Expr) -> pl.LazyFrame:
    """One value for each area and window end."""
    return in_areas(rows).group_by(AREA).agg(value=value)


def beside(rows: pl.LazyFrame, other: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Rows of areas with the value another metric of the same sensor has there."""
    there = in_areas(other).select(*AREA, "sensor", VALUE.alias(name))
    return rows.join(there, on=[*AREA, "sensor"])


def line(x: pl.Expr, *points: tuple[float, float]) -> pl.Expr:
    """Piecewise-linear interpolation, clamped at both ends."""
    pieces = [(x1 - x0, (y1 - y0) / (x1 - x0), x0) for (x0, y0), (x1, y1) in pairwise(points)]
    climbs = [(x - x0).clip(0.0, width) * slope for width, slope, x0 in pieces]
    return points[0][1] + pl.sum_horizontal(climbs)


def congestion_index(v: View) -> pl.LazyFrame:
    """Length-weighted travel time against free flow, on the scale of 0 to 10."""
    harmonic = pl.len() / (1 / VALUE.clip(1.0)).sum()
    speeds = in_areas(per_series(v.reached("road_speed"), harmonic.clip(3.0)))
    roads = beside(speeds, v.held("road_segment_length"), "length")
    roads = beside(roads, v.held("road_freeflow_speed"), "free")
    length, delay = pl.col("length"), (pl.col("free") / VALUE).clip(1.0)
    ratio = (length * delay).sum() / length.sum()
    bands = ((1.0, 0.0), (1.2, 2.0), (1.5, 4.0), (1.8, 6.0), (2.1, 8.0), (2.5, 10.0))
    return roads.group_by(AREA).agg(value=ratio).with_columns(line(VALUE, *bands).alias("value"))


def occupancy_rate(v: View) -> pl.LazyFrame:
    """Occupied share of the spaces of lots that report both; a lot counts 120 % at most."""
    lots = beside(in_areas(v.mean_held("parking_occupied")), v.held("parking_total"), "spaces")
    spaces = pl.col("spaces")
    taken = pl.min_horizontal(VALUE, 1.2 * spaces)
    return lots.group_by(AREA).agg(value=100 * taken.sum() / spaces.sum())


def bin_overflow_share(v: View) -> pl.LazyFrame:
    """Share of the bins with a held fill level that are at least 90 % full."""
    return per_area(v.held("bin_fill"), percent(not_below(VALUE, 90.0)))


def construction_exceedance(v: View) -> pl.LazyFrame:
    """Worst energy mean with at least 15 minutes of data, above the limit of day or night."""
    energy = (10 * (10 ** (VALUE / 10)).mean().log10()).alias("value")
    worst = per_area(per_series(v.reached("site_noise_laeq"), energy, 15 * MINUTE), VALUE.max())
    hour = (pl.col("end") + LOCAL) % DAY / HOUR
    day = (hour > 6) & (hour <= 22)
    return worst.with_columns(VALUE - pl.when(day).then(pl.lit(70.0)).otherwise(pl.lit(55.0)))


def accuracy_rate(v: View) -> pl.LazyFrame:
    """Correct records of those checked, the engine's own readings among them."""
    marks = v.at_ends(v.city.marks.lazy(), pl.col("ts"), pl.col("ts") + v.window)
    own = marks.select("cell", "end", checked=pl.lit(1.0), correct=pl.col("correct").cast(pl.Float64))
    told = v.inside("ds_records_checked", "ds_records_correct").select(
        "cell",
        "end",
        checked=pl.when(pl.col("metric") == "ds_records_checked").then(VALUE).otherwise(pl.lit(0.0)),
        correct=pl.when(pl.col("metric") == "ds_records_correct").then(VALUE).otherwise(pl.lit(0.0)),
    )
    both = pl.concat([own, told])
    rate = 100 * pl.col("correct").sum() / pl.col("checked").sum()
    return in_areas(both, 9, 7).group_by(AREA).agg(value=rate)


def rain_warning_level(v: View) -> pl.LazyFrame:
    """Worst gauge on the scale of rainstorm signals; a sum needs data for four fifths of its hours."""
    signals = {3: ((4.0, 100.0), (3.0, 50.0)), 6: ((2.0, 50.0),), 12: ((1.0, 50.0),)}
    found = []
    for hours, steps in signals.items():
        groups = per_series(v.inside("rain_1m", window=hours * HOUR), VALUE.sum())
        enough = groups.filter(not_below(pl.col("data"), 0.8 * hours * HOUR))
        levels = [
            pl.when(not_below(VALUE, bound)).then(pl.lit(n)).otherwise(pl.lit(0.0)) for n, bound in steps
        ]
        found.append(enough.with_columns(value=pl.max_horizontal(levels)))
    return per_area(pl.concat(found), VALUE.max())


def rain_1h_max(v: View) -> pl.LazyFrame:
    """Greatest sum of one hour over gauges with 48 minutes of data."""
    return per_area(per_series(v.inside("rain_1m"), VALUE.sum(), 48 * MINUTE), VALUE.max())


def ponding_depth_max(v: View) -> pl.LazyFrame:
    """Greatest median depth of a gauge."""
    return per_area(quantiles(v.reached("ponding_depth"), 0.5, *SERIES, "end"), VALUE.max())


def waterlogging_risk(v: View) -> pl.LazyFrame:
    """The worst street's weighted mean of rain, depth, pipe fill and reports."""
    pipes = beside(_streets(v.held("pipe_level")), v.held("pipe_diameter"), "diameter")
    reports = _streets(entered(v, "ev_waterlogging", status="reported"))
    fills = pipes.with_columns(VALUE / pl.col("diameter"))
    rain = per_series(v.inside("rain_1m"), VALUE.sum())
    measured = [
        _streets(rain).group_by(AREA).agg(x=VALUE.max() / 50, w=pl.lit(0.35)),
        _streets(v.held("ponding_depth")).group_by(AREA).agg(x=VALUE.max() / 0.40, w=pl.lit(0.35)),
        quantiles(fills, 0.95, *AREA).select(*AREA, x=(VALUE - 0.5) / 0.7, w=pl.lit(0.20)),
    ]
    terms = pl.concat(measured)
    known = terms.select(AREA).unique()
    counted = reports.group_by(AREA).agg(x=pl.len() / 5)
    told = known.join(counted, on=AREA, how="left").select(
        *AREA, x=pl.col("x").fill_null(0.0), w=pl.lit(0.10)
    )
    w, x = pl.col("w"), pl.col("x").clip(0.0, 1.0)
    risk = 100 * (w * x).sum() / w.sum()
    streets = pl.concat([terms, told]).group_by(AREA).agg(value=risk)
    upward = in_areas(streets.select("end", "value", cell="area"), 9, 7)
    return upward.group_by(AREA).agg(VALUE.max())


def _streets(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.with_columns(area=pl.col("cell").str.head(9))


def leak_lel_max(v: View) -> pl.LazyFrame:
    """Greatest 95th percentile of a detector, at least 5 while a report is open."""
    detectors = quantiles(v.reached("gas_lel"), 0.95, *SERIES, "end").select("cell", "end", "value")
    reports = open_cases(v, "ev_gas_leak").select("cell", "end", value=pl.lit(5.0))
    return per_area(pl.concat([detectors, reports]), VALUE.max())


def air_quality_index(v: View) -> pl.LazyFrame:
    """Greatest index of six pollutants, each the mean of stations with 45 minutes of data."""
    long = BREAKS.unpivot(index="index", variable_name="metric", value_name="x0").drop_nulls()
    after = [pl.col(c).shift(-1).over("metric").alias(c[:-1] + "1") for c in ("x0", "y0")]
    points = long.rename({"index": "y0"}).with_columns(after).lazy()
    stations = in_areas(per_series(v.reached(*BREAKS.columns[1:]), VALUE.mean(), 45 * MINUTE))
    means = stations.group_by("metric", *AREA).agg(VALUE.mean())
    x0, x1, y0, y1 = (pl.col(c) for c in ("x0", "x1", "y0", "y1"))
    pieces = means.join(points, on="metric").filter((x0 <= VALUE) & ((x1 > VALUE) | x1.is_null()))
    index = pl.when(x1.is_null()).then(y0).otherwise(y0 + (y1 - y0) * (VALUE - x0) / (x1 - x0))
    whole = (index - 1e-9 * index.clip(1.0)).ceil()
    return pieces.group_by(AREA).agg(value=whole.max())


def voltage_violation_share(v: View) -> pl.LazyFrame:
    """Share of the readings of live meters outside 198 to 235.4 V."""
    live = v.inside("supply_voltage").filter(not_below(VALUE, 20.0))
    return per_area(live, percent(~(not_below(VALUE, 198.0) & not_below(pl.lit(235.4), VALUE))))


def bus_punctuality(v: View) -> pl.LazyFrame:
    """Share of the arrivals at most 1 min early and 3 min late."""
    ontime = not_below(VALUE, -60.0) & not_below(pl.lit(180.0), VALUE)
    return per_area(v.inside("bus_arrival_deviation"), percent(ontime))


INDICATORS: Mapping[str, tuple[int, int, Callable[[View], pl.LazyFrame]]] = {
    "traffic.congestion_index": (15 * MINUTE, 5 * MINUTE, congestion_index),
    "traffic.incident_rate": (HOUR, 5 * MINUTE, incident_rate),
    "parking.occupancy_rate": (15 * MINUTE, 5 * MINUTE, occupancy_rate),
    "environment_sanitation.bin_overflow_share": (HOUR, 15 * MINUTE, bin_overflow_share),
    "noise.construction_exceedance": (20 * MINUTE, 5 * MINUTE, construction_exceedance),
    "data_quality.accuracy_rate": (DAY, HOUR, accuracy_rate),
    "grid_cases.ontime_closure_rate": (DAY, HOUR, ontime_closure_rate),
    "weather.rain_warning_level": (12 * HOUR, 5 * MINUTE, rain_warning_level),
    "weather.rain_1h_max": (HOUR, 5 * MINUTE, rain_1h_max),
    "drainage.ponding_depth_max": (5 * MINUTE, MINUTE, ponding_depth_max),
    "drainage.waterlogging_risk": (HOUR, 5 * MINUTE, waterlogging_risk),
    "gas.leak_lel_max": (5 * MINUTE, MINUTE, leak_lel_max),
    "air.aqi": (HOUR, 15 * MINUTE, air_quality_index),
    "heat_power.voltage_violation_share": (HOUR, 15 * MINUTE, voltage_violation_share),
    "transit.bus_punctuality": (HOUR, 15 * MINUTE, bus_punctuality),
}
"""Window and hop in ms, and the values of every indicator."""


def table(records: Records, cells: Iterable[str], first: int, last: int) -> pl.DataFrame:
    """Every value of every indicator: indicator, area, window_end (epoch ms from first to last), value."""
    city = frames(records, cells, first, last)

    def rows(name: str) -> pl.LazyFrame:
        window, hop, value = INDICATORS[name]
        found = value(View(city, window, hop)).filter(VALUE.is_finite())
        columns = {"area": pl.col("area"), "window_end": pl.col("end"), "value": VALUE}
        return found.select(indicator=pl.lit(name), **columns)

    return pl.concat([rows(name) for name in INDICATORS]).collect()
