"""A shard filled record by record, in a few cells of the standard grid, and the values it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.areas import Areas
from geo.cells import BeidouGrid
from indicators.calendar import Calendar
from indicators.cases import STATUS, CaseRow
from indicators.catalogue import Catalogue
from indicators.entry import decode
from indicators.evaluate import Evaluation, Frame
from indicators.indicator import build
from indicators.judge import Judged, judge
from indicators.layout import Cells
from indicators.metrics import Metrics
from indicators.plan import IndicatorPlan, Plan
from indicators.shard import Shard
from indicators.slice_ring import SliceRing
from indicators.store import FOREVER, MetricKind, MetricStore

Ints = NDArray[np.int64]

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON = 1_719_979_200_000
"""2024-07-03 12:00 in Shanghai."""

GRID = BeidouGrid()
AREAS = Areas.from_codes(GRID)
METRICS = Metrics.load()
SHIPPED = Catalogue.load()
PLAN = Plan(SHIPPED, METRICS)
CELLS: Ints = GRID.cells(
    [114.341, 114.343, 114.371, 114.373, 114.551, 114.553, 114.12, 114.73],
    [30.591, 30.591, 30.601, 30.603, 30.581, 30.611, 30.7, 30.42],
)
"""Eight cells of seven streets; the first two share theirs."""


@dataclass(frozen=True)
class Reading:
    """A reading of sensor number ``sensor`` in cell number ``place`` of CELLS."""

    metric: str
    sensor: int
    place: int
    ts: int
    value: float


@dataclass(frozen=True)
class Case:
    """A case of cell number ``place``; ``steps`` are (status, ts, severity), the first has the place."""

    event: str
    key: int
    place: int
    steps: tuple[tuple[str, int, int], ...]

    def row(self, cell: int) -> CaseRow:
        steps = sorted(self.steps, key=lambda step: step[1])
        return CaseRow(
            self.key,
            cell,
            steps[0][1],
            np.array([STATUS[status] for status, _, _ in steps], np.int8),
            np.array([ts for _, ts, _ in steps], np.int64),
            np.array([severity for _, _, severity in steps], np.int8),
        )


def catalogue(*entries: Mapping[str, Any]) -> Catalogue:
    """A catalogue of indicators; what an entry leaves out is filled in."""
    plain = {"id": "test.value", "name_zh": "值", "name_en": "Value", "theme": "emergency", "domain": "test"}
    plain |= {"unit": "1", "window": "15m", "hop": "5m"}
    found = [build(decode({**plain, **entry}), METRICS) for entry in entries]
    return Catalogue(tuple(sorted(found, key=lambda i: i.id)), "0" * 32, "test")


def plan_of(formula: str, **keys: Any) -> Plan:  # any key of a catalogue entry
    """The plan of one indicator."""
    return Plan(catalogue({"formula": formula, **keys}), METRICS)


def empty_shard(plan: Plan = PLAN) -> Shard:
    """A shard that knows nothing."""
    return Shard(plan, Calendar(), Cells(AREAS.locate, GRID.tile, GRID.center))


def take(shard: Shard, records: Iterable[Reading | Case], period: int | None = None) -> None:
    """Readings and cases in arrival order, as one batch."""
    readings: dict[str, list[Reading]] = {}
    for record in records:
        if isinstance(record, Case):
            cell = int(shard.cells.number(CELLS[[record.place]])[0])
            shard.type_cases(record.event).put(record.row(cell))
        else:
            readings.setdefault(record.metric, []).append(record)
    for code, rows in readings.items():
        _insert(shard, code, rows, period)


def _insert(shard: Shard, code: str, rows: Sequence[Reading], period: int | None) -> None:
    metric = METRICS.index[code]
    n = len(rows)
    series = shard.stores[metric].add(
        np.array([r.sensor for r in rows]),
        shard.cells.number(CELLS[[r.place for r in rows]]),
        np.full(n, METRICS[code].period_ms if period is None else period),
        np.full(n, FOREVER),
        np.zeros(n, np.int64),
    )
    shard.insert(metric, series, np.array([r.ts for r in rows]), stored(code, [r.value for r in rows]))


def stored(code: str, values: Sequence[float]) -> Ints:
    """Values as the integers a store keeps (R2)."""
    return np.rint(np.array(values) / METRICS[code].resolution).astype(np.int64)


def full_shard(records: Iterable[Reading | Case], plan: Plan = PLAN, period: int | None = None) -> Shard:
    """A shard that took all records in one batch."""
    shard = empty_shard(plan)
    take(shard, records, period)
    return shard


def frame_of(shard: Shard, plan: IndicatorPlan, ends: Ints) -> Frame:
    return Evaluation(plan, shard, ends).frame()


def judged(shard: Shard, plan: IndicatorPlan, frame: Frame) -> Judged:
    return judge(plan, frame, shard.calendar, shard.plan.catalogue.settings)


def cell_values(shard: Shard, plan: IndicatorPlan, ends: Ints) -> dict[str, list[float]]:
    """Values of each cell by its code, one per window end."""
    found = judged(shard, plan, frame_of(shard, plan, ends))
    codes = GRID.text(shard.layout(plan).code)
    return {code: found.value[:, i].tolist() for i, code in enumerate(codes)}


def city_values(shard: Shard, plan: IndicatorPlan, ends: Ints) -> list[float]:
    """Values of all cells together, one per window end."""
    frame = frame_of(shard, plan, ends)
    size = shard.layout(plan).size
    whole = frame.merged(np.arange(size), np.zeros(min(size, 1), np.intp))
    return judged(shard, plan, whole).value[:, 0].tolist() if size else [np.nan] * len(ends)


def ring(length: int = MINUTE, origin: int = 0) -> SliceRing:
    return SliceRing(length, origin)


def store_of(n: int, *, period: int = MINUTE, length: int = MINUTE, reference: bool = False) -> MetricStore:
    """A store of ``n`` series, one sensor each, all in cell number 0; resolution 0.001, kept for 2 d."""
    store = MetricStore(MetricKind("test", 1000.0, reference, 2 * DAY), ring(length))
    store.add(
        np.arange(n), np.zeros(n, np.int64), np.full(n, period), np.full(n, FOREVER), np.zeros(n, np.int64)
    )
    return store


def same(a: Any, b: Any) -> bool:  # arrays or lists of numbers
    """Equal to the last bit, NaN where NaN."""
    return np.array_equal(np.asarray(a, np.float64), np.asarray(b, np.float64), equal_nan=True)
