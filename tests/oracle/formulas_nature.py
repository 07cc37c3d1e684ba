"""Indicators of weather, water, structures and hazards by hand: ``Area -> value | None``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import combinations
from statistics import median

from tests.oracle.area import Area
from tests.oracle.case_sets import entered
from tests.oracle.formulas import Value, greatest, line, mean, not_below, quantile
from tests.oracle.places import Point, clusters
from tests.oracle.records import DAY, HOUR, LOCAL, MINUTE
from tests.oracle.settled import Series


def despiked(s: Series, end: int) -> list[tuple[int, float]]:
    """Times and values up to ``end`` less those above twice every neighbour within three periods."""
    rows = [(t, v) for t, v in zip(s.times, s.values, strict=True) if t <= end]

    def spike(i: int) -> bool:
        t, value = rows[i]
        beside = [
            rows[j] for j in (i - 1, i + 1) if 0 <= j < len(rows) and abs(rows[j][0] - t) <= 3 * s.period
        ]
        return bool(beside) and all(not not_below(2 * v, value) for _, v in beside)

    return [row for i, row in enumerate(rows) if not spike(i)]


def gust_max(a: Area) -> Value:
    """Greatest gust that is no spike."""
    found = []
    for s in a.series("wind_gust"):
        rows = despiked(s, a.end)
        inside = [v for t, v in rows if t > a.end - a.window]
        if not inside and a.window < 2 * s.period:
            inside = [v for t, v in rows[-1:] if a.end - t <= 2 * s.period]
        found += inside
    return max(found, default=None)


def maxima(a: Area, metric: str) -> list[float]:
    """The greatest reading of each sensor."""
    return list(a.each(metric, max).values())


def heat_tmax(a: Area) -> Value:
    """95th percentile over stations of the day's maximum."""
    found = maxima(a, "air_temperature")
    return quantile(found, 0.95) if found else None


def two_hot_days(a: Area) -> bool:
    """Did the two days before reach 35 degrees?"""
    days = (heat_tmax(a.at(a.end - back * DAY)) for back in (1, 2))
    return all(v is not None and not_below(v, 35.0) for v in days)


def visibility_min(a: Area) -> Value:
    """Least mean visibility."""
    return min(a.each("visibility", mean).values(), default=None)


def theil_sen(points: list[tuple[float, float]]) -> Value:
    """Median of the slopes between all pairs."""
    slopes = [(v - u) / (y - x) for (x, u), (y, v) in combinations(points, 2)]
    return median(slopes) if slopes else None


def worst_street(a: Area, value: Callable[[Area], Value]) -> Value:
    """The greatest value of the area's streets."""
    return greatest(value(street) for street in a.street_areas())


def road_icing_level(a: Area) -> Value:
    """Icing by surface temperature, rain and cooling, of the worst street."""
    return worst_street(a, _icing)


def _icing(a: Area) -> Value:
    surface = min(a.held("road_surface_temperature").values(), default=None)
    if surface is None:
        return None
    rain = max(a.within("rain_1m", math.fsum).values(), default=None)
    slopes = [v for s in a.series("air_temperature") if (v := _cooling(s, a.end, a.window)) is not None]
    cooling = bool(slopes) and mean(slopes) < 0 and not not_below(mean(slopes), 0.0)
    wet = rain is not None and rain > 0 and not not_below(0.0, rain)
    if not_below(-2.0, surface) and rain is not None and not_below(rain, 1.0):
        return 4
    if not_below(0.0, surface):
        return 3 if wet else 2 if cooling else 0
    return 1 if not_below(2.0, surface) and wet else 0


def _cooling(s: Series, end: int, window: int) -> Value:
    step = 10 * MINUTE
    means = [(i, s.inside(end - i * step, step)) for i in range(window // step)]
    return theil_sen([(-i * step / HOUR, mean(v)) for i, v in reversed(means) if v])


def heat_index(a: Area) -> Value:
    """Felt temperature of the mean air, by the US weather service."""
    temperatures, humidities = a.pooled("air_temperature"), a.pooled("relative_humidity")
    if not temperatures or not humidities:
        return None
    t, r = mean(temperatures) * 1.8 + 32, mean(humidities)
    felt = 0.5 * (t + 61 + (t - 68) * 1.2 + r * 0.094)
    if not_below(t, 80.0) and not_below(r, 40.0):
        felt = -42.379 + 2.04901523 * t + 10.14333127 * r - 0.22475541 * t * r - 6.83783e-3 * t * t
        felt += (
            -5.481717e-2 * r * r + 1.22874e-3 * t * t * r + 8.5282e-4 * t * r * r - 1.99e-6 * t * t * r * r
        )
    return (felt - 32) / 1.8


def pipe_surcharge_ratio(a: Area) -> Value:
    """95th percentile over pipes of the mean fill."""
    diameters = a.held("pipe_diameter")
    fills = [v / diameters[s] for s, v in a.each("pipe_level", mean).items() if s in diameters]
    return quantile(fills, 0.95) if fills else None


def flood_stage_index(a: Area) -> Value:
    """Worst gauge between its own fortification, warning and guarantee stages."""
    marks = [a.held(f"river_level_{name}") for name in ("fortify", "warning", "guarantee")]
    found = []
    for sensor, z in a.each("river_level", mean).items():
        if all(sensor in mark for mark in marks):
            f, w, g = (mark[sensor] for mark in marks)
            if not not_below(f, w) and not not_below(w, g):
                found.append(_stage(z, f, w, g))
    return max(found, default=None)


def _stage(z: float, f: float, w: float, g: float) -> float:
    if not not_below(z, f):
        return max(1 - (f - z) / 2, 0.0)
    if not not_below(g, z):
        return 4 + z - g
    return line(z, (f, 1.0), (w, 2.0), ((w + g) / 2, 3.0), (g, 4.0))


def surface_water_class(a: Area) -> Value:
    """Worst station by its worst parameter."""
    means = [a.each(m, mean) for m in ("water_do", "water_codmn", "water_nh3n", "water_tp")]
    stations = {s for m in means for s in m}
    return greatest(_water_class(*(m.get(s) for m in means)) for s in stations)


BOUNDS = ((2, 4, 6, 10, 15), (0.15, 0.5, 1.0, 1.5, 2.0), (0.02, 0.1, 0.2, 0.3, 0.4))


def _water_class(do: Value, codmn: Value, nh3n: Value, tp: Value) -> Value:
    foul = nh3n is not None and not not_below(15.0, nh3n)
    foul = foul or (do is not None and not not_below(do, 0.2))
    foul = foul or (
        do is not None and nh3n is not None and not not_below(do, 2.0) and not not_below(8.0, nh3n)
    )
    if foul:
        return 7
    classes = [6 - sum(not_below(do, b) for b in (2.0, 3.0, 5.0, 6.0, 7.5))] if do is not None else []
    for value, bounds in zip((codmn, nh3n, tp), BOUNDS, strict=True):
        if value is not None:
            classes.append(1 + sum(not not_below(float(b), value) for b in bounds))
    return max(classes, default=None)


def pressure_min(metric: str) -> Callable[[Area], Value]:
    """5th percentile over sensors of the median."""

    def value(a: Area) -> Value:
        found = list(a.each(metric, lambda v: quantile(v, 0.5)).values())
        return quantile(found, 0.05) if found else None

    return value


def tap_quality_ratio(a: Area) -> Value:
    """Worst of turbidity, chlorine (too little, too much) and acidity against the limits."""
    turbidity, chlorine, ph = (
        list(a.each(f"tap_{m}", lambda v: quantile(v, 0.5)).values())
        for m in ("turbidity", "free_chlorine", "ph")
    )
    terms = turbidity + [v / 2 for v in chlorine]
    terms += [0.05 / max(min(chlorine), 0.005)] if chlorine else []
    bad = [not (not_below(v, 6.5) and not_below(8.5, v)) for v in ph]
    return greatest([*terms, *([float(any(bad))] if ph else [])])


def night_flow_ratio(a: Area) -> Value:
    """Lowest hour of the last whole night against the mean of the day."""
    day = a.held_means("dma_inflow")
    nights = {s.sensor: _night(s, a.end) for s in a.series("dma_inflow")}
    both = [s for s in day if nights.get(s) is not None]
    flow = sum(day[s] for s in both)
    return sum(nights[s] or 0.0 for s in both) / flow if flow else None


def _night(s: Series, end: int) -> Value:
    stop = end - (end + LOCAL - 4 * HOUR) % DAY
    begin, found = stop - 2 * HOUR, []
    for start in range(begin, stop - HOUR + 1, s.period):
        parts = [s.inside(start + (i + 1) * s.period, s.period) for i in range(max(HOUR // s.period, 1))]
        if all(parts):
            found.append(mean(s.inside(start + HOUR, HOUR)))
    return min(found, default=None)


def worst_mean(limits: Mapping[str, float]) -> Callable[[Area], Value]:
    """The worst mean of any sensor against the limit of its metric."""
    return lambda a: greatest(v / limit for m, limit in limits.items() for v in a.each(m, mean).values())


def tank_limit_ratio(a: Area) -> Value:
    """Worst tank by level, pressure or temperature against its limits."""
    pressures, temperatures = a.held("tank_pressure_high"), a.held("tank_temperature_high")
    terms = [v / 95 for v in maxima(a, "tank_level")]
    terms += [v / pressures[s] for s, v in a.each("tank_pressure", max).items() if s in pressures]
    hot = a.each("tank_temperature", max)
    terms += [1 - (temperatures[s] - v) / 50 for s, v in hot.items() if s in temperatures]
    return max((max(t, 0.0) for t in terms), default=None)


def frequency_drop(a: Area) -> Value:
    """Greatest drop of a bridge's frequency below its base."""
    base = a.held("bridge_frequency_base")
    found = a.within("bridge_frequency", lambda v: quantile(v, 0.5), need=6)
    return greatest(max(100 * (base[s] - v) / base[s], 0.0) for s, v in found.items() if s in base)


def highest_median(metric: str) -> Callable[[Area], Value]:
    """Greatest median of a sensor."""
    return lambda a: greatest(a.each(metric, lambda v: quantile(v, 0.5)).values())


def settlement_rate(a: Area) -> Value:
    """Fastest settlement in mm a day, of sensors with 12 readings."""
    found = []
    for s in a.series("ground_settlement"):
        rows = [(t / DAY, v) for t, v in zip(s.times, s.values, strict=True) if a.end - a.window < t <= a.end]
        slope = theil_sen(rows) if len(rows) >= 12 else None
        found += [] if slope is None else [max(slope, 0.0)]
    return max(found, default=None)


def density_max(a: Area) -> Value:
    """Greatest 95th percentile of a camera."""
    return greatest(a.each("crowd_density", lambda v: quantile(v, 0.95)).values())


def hotspot_count(a: Area) -> Value:
    """Groups of smoke, satellite spots and hot cameras within 500 m and 30 min."""
    points = [
        Point(s.cell, s.place) for s, v in a.reached("thermal_spot_temperature") if not_below(max(v), 150.0)
    ]
    for c in entered(a, ("ev_forest_smoke", "ev_satellite_hotspot"), "reported", without="rejected"):
        first = min(t.ts for t in c.by(a.end) if t.status == "reported" and t.ts > a.end - a.window)
        points.append(Point(c.cell or "", c.place, first))
    return clusters(points, 500.0, 30 * MINUTE)


def fire_weather(a: Area) -> Value:
    """Forest fire weather of the worst street."""
    return worst_street(a, _fire)


def _fire(a: Area) -> Value:
    def middle(metric: str, value: Callable[[list[float]], float]) -> Value:
        found = list(a.each(metric, value).values())
        return quantile(found, 0.5) if found else None

    heat, dry, wind = (
        middle("air_temperature", max),
        middle("relative_humidity", min),
        middle("wind_speed", max),
    )
    if heat is None or dry is None:
        return None
    score = 4 * sum(not not_below(float(b), heat) for b in (5, 10, 15, 20, 25))
    score += 4 * sum(not not_below(dry, float(b)) for b in (25, 35, 45, 55, 65))
    beaufort = (0.3, 1.6, 3.4, 5.5, 8.0, 10.8, 13.9, 17.2)
    return (
        score + 5 * dry_days(a) + (5 * sum(not_below(wind, b) for b in beaufort) if wind is not None else 0)
    )


def dry_days(a: Area) -> int:
    """How many days in a row, counted back, had a median sum below 0.1 mm."""
    for day in range(10):
        sums = list(a.at(a.end - day * DAY).within("rain_1m", math.fsum).values())
        if not sums or not_below(quantile(sums, 0.5), 0.1):
            return day
    return 10
