"""Indicators by hand, each from the settled records of an area: ``Area -> value | None``; and their tools."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

from tests.oracle.area import Area
from tests.oracle.case_sets import entered
from tests.oracle.records import DAY, HOUR, LOCAL, MINUTE
from tests.oracle.settled import Series, within

Value = float | None


def not_below(a: float, b: float) -> bool:
    """``a >= b`` with the language's tolerance."""
    return a >= b - 1e-9 * max(1.0, abs(a), abs(b))


def quantile(values: Iterable[float], q: float) -> float:
    """Quantile by SAS definition 5: the mean of two neighbours where q * n is whole."""
    ordered = sorted(values)
    k = q * len(ordered)
    whole = round(k)
    if abs(k - whole) > 1e-9 * max(1.0, k):
        return ordered[math.ceil(k) - 1]
    pair = ordered[max(whole - 1, 0)], ordered[min(whole, len(ordered) - 1)]
    return sum(pair) / 2


def greatest(values: Iterable[Value]) -> Value:
    """The greatest of those known."""
    return max((v for v in values if v is not None), default=None)


def energy_mean(levels: list[float]) -> float:
    """Mean of decibels by their energy."""
    return 10 * math.log10(sum(10 ** (v / 10) for v in levels) / len(levels))


def mean(values: list[float]) -> float:
    """Plain mean."""
    return math.fsum(values) / len(values)


def line(x: float, *points: tuple[float, float]) -> float:
    """Piecewise-linear interpolation, clamped at both ends."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def congestion_index(a: Area) -> Value:
    """Length-weighted travel time against free flow, on the scale of 0 to 10."""
    lengths, free = a.held("road_segment_length"), a.held("road_freeflow_speed")
    top = bottom = 0.0
    for s, speeds in a.reached("road_speed"):
        if s.sensor in lengths and s.sensor in free:
            speed = max(len(speeds) / sum(1 / max(v, 1.0) for v in speeds), 3.0)
            top += lengths[s.sensor] * max(free[s.sensor] / speed, 1.0)
            bottom += lengths[s.sensor]
    bands = ((1.0, 0.0), (1.2, 2.0), (1.5, 4.0), (1.8, 6.0), (2.1, 8.0), (2.5, 10.0))
    return line(top / bottom, *bands) if bottom else None


def incident_rate(a: Area) -> Value:
    """Accidents and half the breakdowns reported inside the window."""
    accidents = len(entered(a, "ev_traffic_accident", "reported"))
    return accidents + 0.5 * len(entered(a, "ev_road_breakdown", "reported"))


def occupancy_rate(a: Area) -> Value:
    """Occupied share of the spaces of lots that report both; a lot counts 120 % at most."""
    totals = a.held("parking_total")
    means = {s.sensor: s.mean_held(a.end, a.window) for s in a.series("parking_occupied")}
    pairs = [(mean, totals[lot]) for lot, mean in means.items() if mean is not None and lot in totals]
    spaces = sum(n for _, n in pairs)
    return 100 * sum(min(mean / n, 1.2) * n for mean, n in pairs) / spaces if spaces else None


def bin_overflow_share(a: Area) -> Value:
    """Share of the bins with a held fill level that are at least 90 % full."""
    return percent([not_below(v, 90.0) for v in a.held("bin_fill").values()])


def percent(flags: list[bool]) -> Value:
    """Percentage of true flags, None of none."""
    return 100 * sum(flags) / len(flags) if flags else None


def construction_exceedance(a: Area) -> Value:
    """Worst energy mean with at least 15 minutes of data, above the limit of day or night."""
    day = 6 * HOUR < (a.end + LOCAL - 1) % DAY + 1 <= 22 * HOUR
    levels = [
        energy_mean(values)
        for s, values in a.reached("site_noise_laeq")
        if len(values) * s.period >= 15 * MINUTE
    ]
    return max(levels) - (70 if day else 55) if levels else None


def accuracy_rate(a: Area) -> Value:
    """Correct records of those checked, the engine's own readings among them."""
    span = a.end - a.window, a.end

    def own(marks: Mapping[str, list[int]]) -> int:
        return sum(within(stamps, *span) for cell, stamps in marks.items() if a.holds(cell))

    checked = sum(a.pooled("ds_records_checked")) + own(a.city.checked)
    return 100 * (sum(a.pooled("ds_records_correct")) + own(a.city.correct)) / checked if checked else None


def rain_warning_level(a: Area) -> Value:
    """Worst gauge on the scale of rainstorm signals; a sum needs data for four fifths of its hours."""
    gauges = [[_rain(s, a.end, hours) for hours in (3, 6, 12)] for s in a.series("rain_1m")]
    levels = [_signal(*sums) for sums in gauges if any(v is not None for v in sums)]
    return float(max(levels)) if levels else None


def _rain(s: Series, end: int, hours: int) -> Value:
    values = s.inside(end, hours * HOUR)
    return math.fsum(values) if values and not_below(len(values) * s.period, 0.8 * hours * HOUR) else None


def _signal(r3: Value, r6: Value, r12: Value) -> int:
    steps = ((4, r3, 100.0), (3, r3, 50.0), (2, r6, 50.0), (1, r12, 50.0))
    return next((level for level, mm, bound in steps if mm is not None and not_below(mm, bound)), 0)


def rain_1h_max(a: Area) -> Value:
    """Greatest sum of one hour over gauges with 48 minutes of data."""
    windows = ((s, s.inside(a.end, a.window)) for s in a.series("rain_1m"))
    return max((math.fsum(v) for s, v in windows if v and len(v) * s.period >= 48 * MINUTE), default=None)


def ponding_depth_max(a: Area) -> Value:
    """Greatest median depth of a gauge."""
    return max((quantile(values, 0.5) for _, values in a.reached("ponding_depth")), default=None)


def waterlogging_risk(a: Area) -> Value:
    """The worst street's weighted mean of rain, depth, pipe fill and reports."""
    return max((r for street in a.street_areas() if (r := _street_risk(street)) is not None), default=None)


def _street_risk(a: Area) -> Value:
    windows = (s.inside(a.end, a.window) for s in a.series("rain_1m"))
    rain = max((math.fsum(v) for v in windows if v), default=None)
    depth = max(a.held("ponding_depth").values(), default=None)
    diameters = a.held("pipe_diameter")
    fills = [v / diameters[pipe] for pipe, v in a.held("pipe_level").items() if pipe in diameters]
    fill = quantile(fills, 0.95) if fills else None
    if rain is None and depth is None and fill is None:
        return None
    reports = len(entered(a, "ev_waterlogging", "reported"))
    terms = [(0.10, reports / 5)]
    terms += [(0.35, rain / 50)] if rain is not None else []
    terms += [(0.35, depth / 0.40)] if depth is not None else []
    terms += [(0.20, (fill - 0.5) / 0.7)] if fill is not None else []
    return 100 * sum(w * min(max(x, 0.0), 1.0) for w, x in terms) / sum(w for w, _ in terms)


def leak_lel_max(a: Area) -> Value:
    """Greatest 95th percentile of a detector, at least 5 while a report is open."""
    values = [quantile(v, 0.95) for _, v in a.reached("gas_lel")]
    if any(c.is_open(a.end) for c in a.cases("ev_gas_leak")):
        values.append(5.0)
    return max(values, default=None)


INDEX = (0, 50, 100, 150, 200, 300, 400, 500)
BREAKS = {
    "pm25": (0, 35, 75, 115, 150, 250, 350, 500),
    "pm10": (0, 50, 150, 250, 350, 420, 500, 600),
    "so2": (0, 150, 500, 650, 800),
    "no2": (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    "o3": (0, 160, 200, 300, 400, 800, 1000, 1200),
    "co": (0, 5, 10, 35, 60, 90, 120, 150),
}
"""HJ 633-2012: where the index takes the values ``INDEX`` (24 h columns for particles, 1 h for gases)."""


def air_quality_index(a: Area) -> Value:
    """Greatest index of six pollutants, each the mean of stations with 45 minutes of data."""
    indexes = []
    for metric, breaks in BREAKS.items():
        stations = [sum(v) / len(v) for s, v in a.reached(metric) if len(v) * s.period >= 45 * MINUTE]
        if stations:
            points = [(float(b), float(i)) for b, i in zip(breaks, INDEX, strict=False)]
            index = line(sum(stations) / len(stations), *points)
            indexes.append(float(math.ceil(index - 1e-9 * max(1.0, index))))
    return max(indexes, default=None)


def voltage_violation_share(a: Area) -> Value:
    """Share of the readings of live meters outside 198 to 235.4 V."""
    live = [v for v in a.pooled("supply_voltage") if not_below(v, 20.0)]
    return percent([not (not_below(v, 198.0) and not_below(235.4, v)) for v in live])


def bus_punctuality(a: Area) -> Value:
    """Share of the arrivals at most 1 min early and 3 min late."""
    return percent([not_below(v, -60.0) and not_below(180.0, v) for v in a.pooled("bus_arrival_deviation")])
