"""What an indicator costs before it runs: series, slices, bytes, and microseconds per window from a model.

The model is a sum of amounts of work times measured times; ``benchmarks/catalogue_cost.py`` measures them and
says how far the model was off on the shipped indicators.

>>> cost_model().median_error < 1
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from indicators.expression import Aggregate, CaseSet, Kind, Reduce
from indicators.needs import kept_ms, reach_ms
from indicators.plan import IndicatorPlan, Plan, metric_of
from indicators.store import HOLD_PERIODS

MODEL = Path(__file__).parent / "data" / "examples" / "cost_model.json"
"""The measured model."""

WORK = (
    "evaluation",
    "node",
    "slice",
    "slice_row",
    "reading",
    "ranked",
    "series_node",
    "series",
    "case",
    "case_node",
)
"""Kinds of work: per evaluation; per node of the formula; per slice summed; per series in such a slice; per
reading looked at by itself, and per reading that is ranked; per series and node over series; per series and
metric; per case in a set, and per case and node over cases."""

_SUMMED = frozenset({"sum", "mean", "min", "max", "count", "slope"})
_FROM_READINGS = frozenset(
    {"twm", "observed", "time_outside", "leq", "harmonic_mean", "median", "percentile", "lowest_mean"}
)
_HELD = frozenset({"twm", "observed", "time_outside"})
_RANKED = frozenset({"median", "percentile"})
_HOUR = 3_600_000

SeriesCount = Callable[[str], int]
"""How many series a metric has, or cases an event type."""


class CostModel(msgspec.Struct, frozen=True):
    """Microseconds per unit of each kind of work, bytes per reading and per series and slice.

    ``median_error`` and ``worst_error`` (9 of 10 are better) are shares of the measured time.
    """

    microseconds: dict[str, float]
    bytes_per_reading: float
    bytes_per_slice_row: float
    measured: str
    machine: str
    formulas: int
    median_error: float
    worst_error: float


class Cost(msgspec.Struct, frozen=True):
    """The cost of one indicator.

    ``series`` it reads, ``slices`` it sums for a window, ``bytes`` kept for it beyond what is kept anyhow,
    ``microseconds`` of one core for one window of all cells.
    """

    series: int
    slices: int
    bytes: int
    microseconds: float


@cache
def cost_model() -> CostModel:
    """The model that comes with the package."""
    return msgspec.json.decode(MODEL.read_bytes(), type=CostModel)


def cost(of: IndicatorPlan, own: Plan, running: Plan, count: SeriesCount) -> Cost:
    """The cost of an indicator of the plan ``own`` beside a running catalogue."""
    amounts = work(of, own, count)
    model = cost_model()
    return Cost(
        series=sum(count(code) for code in of.metrics),
        slices=round(amounts["slice"]),
        bytes=round(sum(_new_bytes(of, code, own, running, count(code)) for code in of.metrics)),
        microseconds=sum(model.microseconds[kind] * amounts[kind] for kind in WORK),
    )


def work(of: IndicatorPlan, plan: Plan, count: SeriesCount) -> Mapping[str, float]:
    """The amounts of work of one window by kind."""
    found = dict.fromkeys(WORK, 0.0)
    found["evaluation"], found["node"] = 1.0, float(len(of.nodes))
    for code in of.metrics:
        # Every metric is counted over the indicator's own window: readings, coverage.
        found["series"] += count(code)
        _add_slices(found, code, of.indicator.window_ms, plan, count(code))
    for node in of.nodes:
        if isinstance(node, Aggregate):
            _add_aggregate(found, node, of, plan, count)
        elif isinstance(node, Reduce) and node.args[0].kind is Kind.READINGS:
            code = metric_of(node.args[0])
            if node.fn == "quantile":
                found["ranked"] += count(code) * _readings(code, of.indicator.window_ms, plan)
            else:
                _add_slices(found, code, of.indicator.window_ms, plan, count(code))
        elif isinstance(node, CaseSet):
            found["case"] += sum(count(event) for event in node.events)
        elif node.kind is Kind.CASES:
            found["case_node"] += sum(count(event) for event in of.events)
        elif node.kind is Kind.SERIES:
            found["series_node"] += max((count(code) for code in of.metrics), default=0)
    return found


def _add_aggregate(
    found: dict[str, float], node: Aggregate, of: IndicatorPlan, plan: Plan, count: SeriesCount
) -> None:
    code = metric_of(node.source)
    window = node.window or of.indicator.window_ms
    found["series_node"] += count(code)
    if node.fn in _FROM_READINGS:
        period = plan.metrics[code].period_ms
        held = HOLD_PERIODS * period if node.fn in _HELD else 0
        kind = "ranked" if node.fn in _RANKED else "reading"
        found[kind] += count(code) * _readings(code, window + held, plan)
    elif node.fn in _SUMMED:
        _add_slices(found, code, window, plan, count(code))


def _readings(code: str, window: int, plan: Plan) -> float:
    """Readings of one series in a window, 1 where they come at irregular times."""
    period = plan.metrics[code].period_ms
    return max(window / period, 1.0) if period else 1.0


def slices_read(window: int, length: int) -> int:
    """Slices summed for a window: whole hours where it is long.

    >>> slices_read(900_000, 60_000), slices_read(86_400_000, 60_000)
    (15, 24)
    """
    fine = max(1, window // length)
    step = max(1, _HOUR // length)
    return fine if fine < step else fine // step + fine % step


def _add_slices(found: dict[str, float], code: str, window: int, plan: Plan, series: int) -> None:
    length = int(plan.slice_ms[plan.metrics.index[code]])
    slices = slices_read(window, length)
    found["slice"] += slices
    found["slice_row"] += slices * series * _filled(code, window // slices, plan)


def _filled(code: str, length: int, plan: Plan) -> float:
    """The share of a metric's series that have a reading in a slice."""
    period = plan.metrics[code].period_ms
    return min(1.0, length / period) if period else 1.0


def _new_bytes(of: IndicatorPlan, code: str, own: Plan, running: Plan, series: int) -> float:
    """Bytes of readings and slices kept longer than they are anyhow, or cut into smaller slices."""
    model, index = cost_model(), own.metrics.index[code]
    wanted = reach_ms(of, code) + of.correctable(own.metrics)
    more = max(wanted - kept_ms(running, code), 0)
    length = int(own.slice_ms[index])
    rows = _filled(code, length, own) * more / length
    if length < int(running.slice_ms[index]):
        before = int(running.slice_ms[index])
        kept = min(wanted, kept_ms(running, code))
        rows += max(
            _filled(code, length, own) * kept / length - _filled(code, before, own) * kept / before, 0
        )
    return series * (
        _readings(code, more, own) * (more > 0) * model.bytes_per_reading + rows * model.bytes_per_slice_row
    )
