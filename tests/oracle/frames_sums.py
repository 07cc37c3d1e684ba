"""Indicators of readings made of sums, means, extremes, counts and order statistics, in polars.

As in ``frames``: all areas and window ends at once, by joins and groups; no code of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from tests.oracle.frames import AREA, VALUE, beside, per_area, per_series
from tests.oracle.frames_windows import SERIES, View, in_areas, not_below, percent, quantiles
from tests.oracle.records import DAY, HOUR, MINUTE

Values = Callable[[View], pl.LazyFrame]
STREETS = (9, 7)
"""Lengths of the codes of streets and districts."""

ENERGY = (10 * (10 ** (VALUE / 10)).mean().log10()).alias("value")


def over_sensors(rows: pl.LazyFrame, q: float) -> pl.LazyFrame:
    """A quantile over the sensors of an area."""
    return quantiles(in_areas(rows), q, *AREA)


def medians(v: View, metric: str) -> pl.LazyFrame:
    """The median of each sensor."""
    return quantiles(v.reached(metric), 0.5, *SERIES, "end")


def worst_mean(limits: Mapping[str, float]) -> Values:
    """The worst mean of any sensor against the limit of its metric."""

    def value(v: View) -> pl.LazyFrame:
        means = per_series(v.reached(*limits), VALUE.mean())
        limit = pl.col("metric").replace_strict(limits, return_dtype=pl.Float64)
        return per_area(means.with_columns(VALUE / limit), VALUE.max())

    return value


def pressure_min(metric: str) -> Values:
    """5th percentile over sensors of the median."""
    return lambda v: over_sensors(medians(v, metric), 0.05)


def congested_mileage_share(v: View) -> pl.LazyFrame:
    """Share of the length of segments no faster than in a severe jam of their class."""
    harmonic = pl.len() / (1 / VALUE.clip(1.0)).sum()
    roads = in_areas(per_series(v.reached("road_speed"), harmonic))
    roads = beside(beside(roads, v.held("road_class"), "class"), v.held("road_segment_length"), "length")
    kind = pl.col("class")
    severe = pl.when(kind == 1).then(pl.lit(20.0)).when(kind == 2).then(pl.lit(15.0)).otherwise(pl.lit(10.0))
    slow = not_below(severe, VALUE)
    length = pl.col("length")
    share = 100 * length.filter(slow).sum() / length.sum()
    return roads.group_by(AREA).agg(value=share)


def streetlight_on_rate(v: View) -> pl.LazyFrame:
    """Share of the lamps that are to burn and take 5 W or more."""
    on = v.held("streetlight_on_cmd").filter(VALUE == 1).select("sensor", "cell", "end")
    power = per_series(v.reached("streetlight_power"), VALUE.mean()).select("sensor", "cell", "end", "value")
    lamps = on.join(power, on=["sensor", "cell", "end"], how="left")
    return per_area(lamps, percent(not_below(VALUE, 5.0).fill_null(value=False)))


def functional_exceedance(v: View) -> pl.LazyFrame:
    """95th percentile over stations of the energy mean above the limit there."""
    stations = in_areas(per_series(v.inside("noise_laeq"), ENERGY, 45 * MINUTE))
    above = beside(stations, v.held("noise_limit"), "limit").with_columns(VALUE - pl.col("limit"))
    return quantiles(above, 0.95, *AREA)


def online_rate(v: View) -> pl.LazyFrame:
    """Share of the devices heard of in 7 days that were heard of now."""
    beats = v.metric("device_heartbeat").filter(~pl.col("retired"))
    known = ["sensor", "cell", "end"]
    seen = v.at_ends(beats, pl.col("ts"), pl.col("ts") + 7 * DAY).select(known).unique()
    now = v.inside("device_heartbeat").select(known).unique().with_columns(value=pl.lit(1.0))
    return per_area(seen.join(now, on=known, how="left"), percent(VALUE.is_not_null()))


def part_of(part: str, whole: str, *, held: bool = False) -> Values:
    """A total against another one, of streets and larger areas."""

    def value(v: View) -> pl.LazyFrame:
        a, b = (v.held(m) if held else v.inside(m) for m in (part, whole))
        sums = [in_areas(rows, *STREETS).group_by(AREA).agg(VALUE.sum()) for rows in (a, b)]
        both = sums[0].join(sums[1], on=AREA, suffix="_whole")
        return both.filter(pl.col("value_whole") > 0).with_columns(VALUE * 100 / pl.col("value_whole"))

    return value


def timeliness_rate(v: View) -> pl.LazyFrame:
    """Records in time of those due, 100 at most."""
    return part_of("ds_records_ontime", "ds_records_due")(v).with_columns(VALUE.clip(upper_bound=100.0))


def heat_tmax(v: View) -> pl.LazyFrame:
    """95th percentile over stations of the day's maximum."""
    return over_sensors(per_series(v.reached("air_temperature"), VALUE.max()), 0.95)


def heat_index(v: View) -> pl.LazyFrame:
    """Felt temperature of the mean air, by the US weather service."""
    air = per_area(v.inside("air_temperature"), VALUE.mean())
    damp = per_area(v.inside("relative_humidity"), VALUE.mean())
    both = air.join(damp, on=AREA, suffix="_r").with_columns(t=VALUE * 1.8 + 32, r=pl.col("value_r"))
    t, r = pl.col("t"), pl.col("r")
    simple = 0.5 * (t + 61 + (t - 68) * 1.2 + r * 0.094)
    full = -42.379 + 2.04901523 * t + 10.14333127 * r - 0.22475541 * t * r - 6.83783e-3 * t**2
    full += -5.481717e-2 * r**2 + 1.22874e-3 * t**2 * r + 8.5282e-4 * t * r**2 - 1.99e-6 * t**2 * r**2
    felt = pl.when(not_below(t, 80.0) & not_below(r, 40.0)).then(full).otherwise(simple)
    return both.select(*AREA, value=(felt - 32) / 1.8)


def visibility_min(v: View) -> pl.LazyFrame:
    """Least mean visibility."""
    return per_area(per_series(v.reached("visibility"), VALUE.mean()), VALUE.min())


def pipe_surcharge_ratio(v: View) -> pl.LazyFrame:
    """95th percentile over pipes of the mean fill."""
    pipes = in_areas(per_series(v.reached("pipe_level"), VALUE.mean()))
    fills = beside(pipes, v.held("pipe_diameter"), "diameter").with_columns(VALUE / pl.col("diameter"))
    return quantiles(fills, 0.95, *AREA)


def flood_stage_index(v: View) -> pl.LazyFrame:
    """Worst gauge between its own fortification, warning and guarantee stages."""
    gauges = in_areas(per_series(v.reached("river_level"), VALUE.mean()))
    for name in ("fortify", "warning", "guarantee"):
        gauges = beside(gauges, v.held(f"river_level_{name}"), name[0])
    z, f, w, g = VALUE, pl.col("f"), pl.col("w"), pl.col("g")
    middle = (w + g) / 2
    stage = (
        pl.when(~not_below(z, f))
        .then((1 - (f - z) / 2).clip(0.0))
        .when(~not_below(g, z))
        .then(4 + z - g)
        .when(z <= w)
        .then(1 + (z - f) / (w - f))
        .when(z <= middle)
        .then(2 + (z - w) / (middle - w))
        .otherwise(3 + (z - middle) / (g - middle))
    )
    steps = gauges.filter(~not_below(f, w) & ~not_below(w, g))
    return steps.group_by(AREA).agg(value=stage.max())


def frequency_drop(v: View) -> pl.LazyFrame:
    """Greatest drop of a bridge's frequency below its base, of those with 6 readings."""
    many = v.inside("bridge_frequency").filter(pl.len().over(*SERIES, "end") >= 6)
    bridges = beside(in_areas(quantiles(many, 0.5, *SERIES, "end")), v.held("bridge_frequency_base"), "base")
    drop = (100 * (pl.col("base") - VALUE) / pl.col("base")).clip(0.0)
    return bridges.group_by(AREA).agg(value=drop.max())


def tank_limit_ratio(v: View) -> pl.LazyFrame:
    """Worst tank by level, pressure or temperature against its limits."""
    level, pressure, heat = (
        in_areas(per_series(v.reached(f"tank_{m}"), VALUE.max()))
        for m in ("level", "pressure", "temperature")
    )
    pressure = beside(pressure, v.held("tank_pressure_high"), "limit")
    heat = beside(heat, v.held("tank_temperature_high"), "limit")
    terms = [
        level.select(*AREA, value=VALUE / 95),
        pressure.select(*AREA, value=VALUE / pl.col("limit")),
        heat.select(*AREA, value=1 - (pl.col("limit") - VALUE) / 50),
    ]
    return pl.concat(terms).group_by(AREA).agg(value=VALUE.max().clip(0.0))


def scenic_load_ratio(v: View) -> pl.LazyFrame:
    """Fullest venue."""
    venues = in_areas(per_series(v.reached("venue_headcount"), VALUE.mean()))
    both = beside(venues, v.held("venue_capacity"), "capacity")
    return both.group_by(AREA).agg(value=(100 * VALUE / pl.col("capacity")).max())


def tap_quality_ratio(v: View) -> pl.LazyFrame:
    """Worst of turbidity, chlorine (too little, too much) and acidity against the limits."""
    turbidity, chlorine, ph = (in_areas(medians(v, f"tap_{m}")) for m in ("turbidity", "free_chlorine", "ph"))
    bad = ~(not_below(VALUE, 6.5) & not_below(pl.lit(8.5), VALUE))
    terms = [
        turbidity.select(*AREA, "value"),
        chlorine.select(*AREA, value=VALUE / 2),
        chlorine.group_by(AREA).agg(value=0.05 / VALUE.min().clip(0.005)),
        ph.select(*AREA, value=bad.cast(pl.Float64)),
    ]
    return pl.concat(terms).group_by(AREA).agg(VALUE.max())


def gas_pressure_violation(v: View) -> pl.LazyFrame:
    """Share of the readings outside 1.5 to 3 kPa."""
    return per_area(
        v.inside("gas_user_pressure"), percent(~(not_below(VALUE, 1.5) & not_below(pl.lit(3.0), VALUE)))
    )


def transformer_overload_share(v: View) -> pl.LazyFrame:
    """Share of the transformers with six readings, none below 80 %."""
    rows = v.inside("transformer_load").group_by(*SERIES, "end").agg(VALUE.min(), count=pl.len())
    return per_area(rows, percent((pl.col("count") >= 6) & not_below(VALUE, 80.0)))


def ev_charger_utilization(v: View) -> pl.LazyFrame:
    """Occupied connectors of all, where both are known."""
    used = beside(in_areas(v.mean_held("ev_charger_occupied")), v.held("ev_charger_total"), "total")
    return used.group_by(AREA).agg(value=100 * VALUE.sum() / pl.col("total").sum())


def emission_limit_ratio(v: View) -> pl.LazyFrame:
    """Worst stack of valid hours against its own limits."""
    flags = per_series(v.reached("cems_valid_flag"), VALUE.min()).filter(VALUE == 1)
    ratios = []
    for gas in ("so2", "nox", "pm"):
        means = in_areas(per_series(v.reached(f"cems_{gas}"), VALUE.mean()))
        both = beside(beside(means, v.held(f"cems_{gas}_limit"), "limit"), flags, "valid")
        ratios.append(both.select(*AREA, value=VALUE / pl.col("limit")))
    return pl.concat(ratios).group_by(AREA).agg(VALUE.max())


def emission_transmission_rate(v: View) -> pl.LazyFrame:
    """Valid hours of those that the stacks heard of in 7 days should have had."""
    flags = v.metric("cems_valid_flag").filter(~pl.col("retired"))
    seen = v.at_ends(flags, pl.col("ts"), pl.col("ts") + 7 * DAY).select("sensor", "cell", "end").unique()
    stacks = in_areas(seen).group_by(AREA).agg(stacks=pl.len())
    hours = in_areas(v.inside("cems_valid_flag")).group_by(AREA).agg(VALUE.sum())
    both = stacks.join(hours, on=AREA, how="left").with_columns(VALUE.fill_null(0.0))
    return both.with_columns(VALUE * 100 / (24 * pl.col("stacks")))


def highest(value: Callable[[View], pl.LazyFrame]) -> Values:
    """The greatest sensor."""
    return lambda v: per_area(value(v), VALUE.max())


OEL = {"nh3_process": 20.0, "cl2_process": 1.0, "h2s_process": 10.0, "co_process": 20.0}
EFFLUENT = {"effluent_cod": 50.0, "effluent_nh3n": 5.0, "effluent_tp": 0.5, "effluent_tn": 15.0}

SUMS: Mapping[str, tuple[int, int, Values]] = {
    "traffic.congested_mileage_share": (15 * MINUTE, 5 * MINUTE, congested_mileage_share),
    "road_facility.streetlight_on_rate": (30 * MINUTE, 15 * MINUTE, streetlight_on_rate),
    "environment_sanitation.odor_ratio": (
        HOUR,
        15 * MINUTE,
        worst_mean({"nh3_ambient": 1.5, "h2s_ambient": 0.06}),
    ),
    "drainage.wwtp_effluent_ratio": (DAY, 2 * HOUR, worst_mean(EFFLUENT)),
    "hazchem.toxic_oel_ratio": (5 * MINUTE, MINUTE, worst_mean(OEL)),
    "fire_forest.electrical_risk": (
        10 * MINUTE,
        5 * MINUTE,
        worst_mean({"residual_current": 500.0, "cable_temperature": 90.0}),
    ),
    "noise.functional_exceedance": (HOUR, 15 * MINUTE, functional_exceedance),
    "iot_health.online_rate": (15 * MINUTE, 5 * MINUTE, online_rate),
    "data_quality.timeliness_rate": (DAY, HOUR, timeliness_rate),
    "data_quality.linkage_rate": (DAY, HOUR, part_of("ds_catalog_linked", "ds_catalog_items", held=True)),
    "data_quality.exchange_rate": (DAY, HOUR, part_of("ds_exchange_success", "ds_exchange_requests")),
    "weather.heat_tmax": (DAY, 10 * MINUTE, heat_tmax),
    "weather.heat_index": (HOUR, 10 * MINUTE, heat_index),
    "weather.visibility_min": (10 * MINUTE, 5 * MINUTE, visibility_min),
    "drainage.pipe_surcharge_ratio": (15 * MINUTE, 5 * MINUTE, pipe_surcharge_ratio),
    "river_lake.flood_stage_index": (HOUR, 10 * MINUTE, flood_stage_index),
    "bridge.frequency_drop": (DAY, HOUR, frequency_drop),
    "building.tilt_max": (6 * HOUR, HOUR, highest(lambda v: medians(v, "building_tilt"))),
    "hazchem.tank_limit_ratio": (5 * MINUTE, MINUTE, tank_limit_ratio),
    "fire_forest.hydrant_pressure_min": (HOUR, 15 * MINUTE, pressure_min("hydrant_pressure")),
    "water_supply.pressure_min": (15 * MINUTE, 5 * MINUTE, pressure_min("tap_pressure")),
    "water_supply.tap_quality_ratio": (HOUR, 15 * MINUTE, tap_quality_ratio),
    "crowd.density_max": (
        5 * MINUTE,
        MINUTE,
        highest(lambda v: quantiles(v.reached("crowd_density"), 0.95, *SERIES, "end")),
    ),
    "crowd.scenic_load_ratio": (15 * MINUTE, 5 * MINUTE, scenic_load_ratio),
    "gas.user_pressure_violation": (HOUR, 15 * MINUTE, gas_pressure_violation),
    "transit.metro_crowding": (15 * MINUTE, 5 * MINUTE, lambda v: over_sensors(v.inside("metro_load"), 0.95)),
    "energy.transformer_overload_share": (2 * HOUR, 15 * MINUTE, transformer_overload_share),
    "energy.ev_charger_utilization": (30 * MINUTE, 15 * MINUTE, ev_charger_utilization),
    "enterprise.emission_limit_ratio": (HOUR, HOUR, emission_limit_ratio),
    "enterprise.emission_transmission_rate": (DAY, HOUR, emission_transmission_rate),
}
"""Window and hop in ms, and the values of every indicator."""
