"""The oracle: fifteen indicators recomputed from raw records, each by its own few lines.

``recompute(indicator, end, city, cells) -> Answer``; nothing incremental or merged, no code of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.oracle import formulas
from tests.oracle.area import Area, Cells
from tests.oracle.records import DAY, HOUR, MINUTE
from tests.oracle.settled import Series, Settled, within


@dataclass(frozen=True, slots=True)
class Answer:
    """Value (None: no data), readings and cases behind it, coverage 0-1, level 0-4 (None: no data)."""

    value: float | None
    n: int
    coverage: float
    level: int | None


def _no_cases(_: Area) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One indicator: window and hop in ms, value, its metrics and how each may be late, thresholds.

    ``metrics`` maps a metric to ``window`` (readings inside only), ``held`` or ``reached``. ``least``
    is the least number of things an alarm needs, counted by ``things``.
    """

    window: int
    hop: int
    value: Callable[[Area], formulas.Value]
    metrics: Mapping[str, str]
    raises: tuple[float, ...] = ()
    cases: Callable[[Area], int] = _no_cases
    low_bad: bool = False
    lowest: str = "cell"
    least: int = 0
    things: Callable[[Area], int] = _no_cases
    min_coverage: float = 0.0


SHARE = 0.5
"""Least coverage for levels of shares, means and sums (R11)."""

RULES: Mapping[str, Rule] = {
    "traffic.congestion_index": Rule(
        15 * MINUTE, 5 * MINUTE, formulas.congestion_index,
        {"road_speed": "reached", "road_freeflow_speed": "held", "road_segment_length": "held"},
        (4, 6, 8, 9), min_coverage=SHARE,
    ),
    "traffic.incident_rate": Rule(
        HOUR, 5 * MINUTE, formulas.incident_rate, {},
        cases=lambda a: len(a.entered("ev_traffic_accident", "reported"))
        + len(a.entered("ev_road_breakdown", "reported")),
    ),
    "parking.occupancy_rate": Rule(
        15 * MINUTE, 5 * MINUTE, formulas.occupancy_rate,
        {"parking_occupied": "held", "parking_total": "held"}, (85, 90, 95, 100), min_coverage=SHARE,
    ),
    "environment_sanitation.bin_overflow_share": Rule(
        HOUR, 15 * MINUTE, formulas.bin_overflow_share, {"bin_fill": "held"}, (10, 20, 30, 50),
        least=5, things=lambda a: len(a.held("bin_fill")), min_coverage=SHARE,
    ),
    "noise.construction_exceedance": Rule(
        20 * MINUTE, 5 * MINUTE, formulas.construction_exceedance, {"site_noise_laeq": "reached"},
        (0.1, 3, 5, 10),
    ),
    "data_quality.accuracy_rate": Rule(
        DAY, HOUR, formulas.accuracy_rate, {"ds_records_correct": "window", "ds_records_checked": "window"},
        (99, 97, 95, 90), low_bad=True, lowest="street", min_coverage=SHARE,
        cases=lambda a: sum(
            within(stamps, a.end - a.window, a.end) for c, stamps in a.city.checked.items() if a.holds(c)
        ),
    ),
    "grid_cases.ontime_closure_rate": Rule(
        DAY, HOUR, formulas.ontime_closure_rate, {}, (95, 90, 80, 60), low_bad=True,
        cases=lambda a: len(formulas.due(a)), least=10, things=lambda a: len(formulas.due(a)),
    ),
    "weather.rain_warning_level": Rule(
        12 * HOUR, 5 * MINUTE, formulas.rain_warning_level, {"rain_1m": "window"}, (1, 2, 3, 4),
    ),
    "weather.rain_1h_max": Rule(
        HOUR, 5 * MINUTE, formulas.rain_1h_max, {"rain_1m": "window"}, (20, 30, 50, 80),
    ),
    "drainage.ponding_depth_max": Rule(
        5 * MINUTE, MINUTE, formulas.ponding_depth_max, {"ponding_depth": "reached"}, (0.1, 0.15, 0.25, 0.4),
    ),
    "drainage.waterlogging_risk": Rule(
        HOUR, 5 * MINUTE, formulas.waterlogging_risk,
        {"rain_1m": "window", "ponding_depth": "held", "pipe_level": "held", "pipe_diameter": "held"},
        (25, 45, 65, 80), lowest="street", cases=lambda a: len(a.entered("ev_waterlogging", "reported")),
    ),
    "gas.leak_lel_max": Rule(
        5 * MINUTE, MINUTE, formulas.leak_lel_max, {"gas_lel": "reached"}, (5, 10, 25, 50),
        cases=lambda a: sum(c.is_open(a.end) for c in a.cases("ev_gas_leak")),
    ),
    "air.aqi": Rule(
        HOUR, 15 * MINUTE, formulas.air_quality_index, dict.fromkeys(formulas.BREAKS, "reached"),
        (101, 151, 201, 301), min_coverage=SHARE,
    ),
    "heat_power.voltage_violation_share": Rule(
        HOUR, 15 * MINUTE, formulas.voltage_violation_share, {"supply_voltage": "window"}, (2, 5, 10, 20),
        min_coverage=SHARE,
    ),
    "transit.bus_punctuality": Rule(
        HOUR, 15 * MINUTE, formulas.bus_punctuality, {"bus_arrival_deviation": "window"}, (85, 75, 65, 50),
        low_bad=True, least=20, things=lambda a: len(a.pooled("bus_arrival_deviation")), min_coverage=SHARE,
    ),
}  # fmt: skip


def _coverage(rule: Rule, a: Area) -> float:
    shares = [1.0]
    for metric, late in rule.metrics.items():
        known = [s for s in a.series(metric) if s.known(a.end)]
        present = [s for s in known if _present(s, a, late)]
        shares += [len(present) / len(known)] if known else []
    return min(shares)


def _present(s: Series, a: Area, late: str) -> bool:
    if late == "held" and s.held(a.end) is not None:
        return True
    return bool(s.reached(a.end, a.window) if late == "reached" else s.inside(a.end, a.window))


def _level(rule: Rule, a: Area, value: float, coverage: float) -> int:
    if (rule.least and rule.things(a) < rule.least) or coverage < rule.min_coverage:
        return 0
    sign = -1.0 if rule.low_bad else 1.0
    reached = [formulas.not_below(sign * value, sign * bound) for bound in rule.raises]
    return max((level for level, hit in enumerate(reached, 1) if hit), default=0)


def recompute(indicator: str, end: int, city: Settled, cells: Cells | None = None) -> Answer:
    """One indicator of one area (None: the whole city) at one window end, from all its records up to then."""
    rule = RULES[indicator]
    area = Area(city, cells, end, rule.window)
    value = rule.value(area)
    n = sum(len(area.pooled(metric)) for metric in rule.metrics) + rule.cases(area)
    coverage = _coverage(rule, area)
    return Answer(value, n, coverage, None if value is None else _level(rule, area, value, coverage))
