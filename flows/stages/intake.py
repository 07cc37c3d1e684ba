"""What has arrived at a shard lane and not taken effect, and how it does.

Readings and cases in time enter the shard when the lane has come to their slice end; late ones wait for the
slice end at which they are published.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from flows.batches import FINAL, Ints, NewSeries, ReadingBatch, Strays
from flows.pieces import Notices, Orders, PlacedCase, PlacedCases, ShardPiece
from flows.stages.corrections import Corrections
from flows.stages.parked import ParkedReadings, ParkedStrays
from flows.stages.quarantine import Quarantine
from indicators.cases import CaseRow
from indicators.early import EarlyReadings
from indicators.plan import Plan
from indicators.shard import Shard

Columns = TypeVar("Columns", NewSeries, ReadingBatch)
Source = tuple[str, int]
"""A source part and the number of a partition in it."""
Key = tuple[str, int]
"""An early indicator and the number of a metric it reads."""


@dataclass
class SeriesMap:
    """Where the series numbers of one partition lead in this lane: metric, store number."""

    metric: NDArray[np.int16]
    number: NDArray[np.int32]

    @classmethod
    def empty(cls) -> SeriesMap:
        """No series announced."""
        return cls(np.full(0, -1, np.int16), np.empty(0, np.int32))

    def put(self, index: NDArray[np.int32], metric: NDArray[np.int16], number: Ints) -> None:
        """Take announced series."""
        size = int(index.max()) + 1
        more = max(size - len(self.metric), 0)
        if more:
            grow = max(more, len(self.metric) // 4)
            self.metric = np.concatenate((self.metric, np.full(grow, -1, np.int16)))
            self.number = np.concatenate((self.number, np.zeros(grow, np.int32)))
        self.metric[index], self.number[index] = metric, number


class Intake:
    """The waiting room of one lane; fills ``shard`` and, for early indicators, ``early``."""

    def __init__(self, plan: Plan, shard: Shard, early: Mapping[Key, EarlyReadings]) -> None:
        """Nothing waits."""
        self.plan = plan
        self.shard = shard
        self.early = early
        self.parked = ParkedReadings()
        self.quarantine = Quarantine(shard)
        self.corrections = Corrections(plan)
        self.strays = ParkedStrays()
        self.cases: list[PlacedCase] = []
        self.series: dict[Source, SeriesMap] = {}
        self.birth = np.empty(0, np.int64)
        self._births: dict[int, int] = {}

    # -- arrival -------------------------------------------------------------------------------------

    def placed(self, piece: PlacedCases) -> None:
        """Take cases from a case lane."""
        self.cases += piece.cases
        if piece.notices is not None:
            self.corrections.cases(piece.notices)

    def readings(self, pieces: Iterable[ShardPiece]) -> None:
        """Take readings and announcements from source parts, each in the order it sent them.

        Those of one partition are taken together: a series and a metric cost per call, not per row.
        """
        new, batches = (
            defaultdict[Source, list[NewSeries]](list),
            defaultdict[Source, list[ReadingBatch]](list),
        )
        for piece in pieces:
            source = piece.sender, piece.partition
            if piece.new is not None:
                new[source].append(piece.new)
            if piece.batch is not None and len(piece.batch):
                batches[source].append(piece.batch)
            if piece.strays is not None:
                self._park_strays(piece.strays)
            if piece.notices is not None:
                self.corrections.readings(piece.notices)
        for source, announced in new.items():
            self._enrol(source, _joined(announced))
        for source, sent in batches.items():
            self._park(self.series[source], _joined(sent))

    def _enrol(self, source: Source, new: NewSeries) -> None:
        cells = self.shard.cells.number(new.cell)
        number = np.empty(len(cells), np.int64)
        for metric in np.unique(new.metric).tolist():
            rows = new.metric == metric
            for store in self.shard.every_store(metric):
                number[rows] = store.add(
                    new.sensor_key[rows],
                    cells[rows],
                    new.period[rows],
                    new.retired[rows],
                    new.registered[rows],
                )
                store.stand(number[rows], new.lon[rows], new.lat[rows])
        series = self.series.setdefault(source, SeriesMap.empty())
        series.put(new.index, new.metric, number)

    def _park(self, series: SeriesMap, batch: ReadingBatch) -> None:
        metric = series.metric[batch.series]
        number = series.number[batch.series].astype(np.int64)
        length, origin = self.plan.slice_ms[metric], self.shard.calendar.slice_origin
        late = batch.effective > origin - (origin - batch.ts) // length * length
        self.parked.add(metric, (number, batch.ts, batch.value, batch.effective, batch.grid), late)
        for (_, judged), readings in self.early.items():
            own = np.flatnonzero(metric == judged)
            if len(own):
                readings.add(number[own], batch.ts[own], batch.value[own], batch.grid[own])

    def _park_strays(self, strays: Strays) -> None:
        counters = self.shard.counters
        ends = counters.origin + counters.number(strays.ts) * counters.length
        self.strays.add(strays, strays.effective > ends)

    def orders(self, orders: Orders | None) -> None:
        """Take orders about readings that are not to count, or count again."""
        if orders is None:
            return
        self.quarantine.take(orders)
        self.corrections.readings(Notices(orders.metric, _changed_from(orders), orders.effective))

    # -- taking effect -------------------------------------------------------------------------------

    def _born(self, cells: Ints, since: Ints) -> None:
        """Note the first records of districts: they have rows from then on (R13)."""
        more = self.shard.cells.n - len(self.birth)
        if more > 0:
            self.birth = np.concatenate((self.birth, np.full(more, FINAL)))
        before = self.birth[cells]
        if (before <= since).all():
            return
        np.minimum.at(self.birth, cells, since)
        for cell in np.unique(cells[before > since]).tolist():
            district = int(self.shard.cells.areas[cell, 2])
            if district >= 0:
                self._births[district] = min(self._births.get(district, FINAL), int(self.birth[cell]))

    def take_timely(self, until: int) -> None:
        """Let readings in time take effect that do so by an instant."""
        for metric, (series, ts, value, effective) in self.parked.take(until):
            self.quarantine.insert(metric, series, ts, value)
            self._born(self.shard.stores[metric].cell[series], effective)
        strays = self.strays.take(until)
        if strays is not None:
            self._born(self._count(strays), strays.effective)

    def _count(self, strays: Strays) -> Ints:
        numbers = self.shard.cells.number(strays.cell)
        self.shard.counters.add(("checked",), numbers, strays.ts)
        return numbers

    def take_cases(self, until: int) -> None:
        """Let cases in time take effect that do so by an instant."""
        due = [case for case in self.cases if case.effective <= until and not case.late]
        if not due:
            return
        self.cases = [case for case in self.cases if case.effective > until or case.late]
        cells = [(touched[-1], case.effective) for case, touched in self._place(due) if touched]
        self._born(*np.array(cells, np.int64).reshape(-1, 2).T)

    def _place(self, cases: list[PlacedCase]) -> Iterator[tuple[PlacedCase, list[int]]]:
        """Take cases as now known; of each the cells it lay and lies in."""
        numbers = np.array([case.cell for case in cases], np.int64)
        inside = numbers >= 0
        numbers[inside] = self.shard.cells.number(numbers[inside])
        for case, cell in zip(cases, numbers.tolist(), strict=True):
            row = CaseRow(case.case, cell, case.located, case.status, case.ts, case.severity, case.place)
            before = self.shard.cases[case.type].put(row)
            yield case, [c for c in (before, cell) if c >= 0]

    def boundaries(self, until: int) -> list[int]:
        """The slice ends by an instant at which late records take effect, ascending."""
        return sorted({*self.parked.boundaries(until), *self.corrections.boundaries(until)})

    def take_late(self, at: int) -> Ints:
        """Let late records and orders take effect; returns the cells they touch."""
        cells = [self.quarantine.apply(at)]
        for metric, (series, ts, value, *_) in self.parked.take_late(at):
            self.quarantine.insert(metric, series, ts, value)
            cells.append(self.shard.stores[metric].cell[series])
            self._born(cells[-1], np.full(len(ts), at))
        strays = self.strays.take_late(at)
        if strays is not None:
            cells.append(self._count(strays))
        for _, touched in self._place([c for c in self.cases if c.effective == at]):
            cells.append(np.array(touched, np.int64))
            self._born(cells[-1], np.full(len(cells[-1]), at))
        self.cases = [c for c in self.cases if c.effective != at]
        return np.unique(np.concatenate(cells))

    def births(self) -> dict[int, int]:
        """Districts first heard of since the last call: uid -> the instant from which they have rows."""
        found, self._births = self._births, {}
        return found

    # -- snapshots -----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that waits, as plain data."""
        return {
            "parked": self.parked.state(),
            "corrections": self.corrections.state(),
            "strays": self.strays.state(),
            "cases": list(self.cases),
            "series": {name: (s.metric.copy(), s.number.copy()) for name, s in self.series.items()},
            "birth": self.birth.copy(),
            "quarantine": self.quarantine.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self.parked.restore(state["parked"])
        self.corrections.restore(state["corrections"])
        self.strays = ParkedStrays()
        for columns in state["strays"]:
            self._park_strays(Strays(*columns))
        self.cases = list(state["cases"])
        self.series = {name: SeriesMap(*columns) for name, columns in state["series"].items()}
        self.birth = state["birth"].copy()
        if "quarantine" in state:
            self.quarantine.restore(state["quarantine"])


def _joined(parts: list[Columns]) -> Columns:
    """The rows of all parts, one part after the other."""
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(parts[0])]
    return type(parts[0])(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _changed_from(orders: Orders) -> Ints:
    """The earliest time of a reading that an order can be about."""
    found: Ints = np.where(orders.end == FINAL, orders.begin, orders.end) + 1
    return found
