"""Admitted batches to pieces: every reading to the lane of its cell, late ones told to all lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.batches import CaseRecords, Ints, NewSeries, ReadingBatch, Strays
from flows.lane_names import lane_names
from flows.pieces import CasePiece, Clock, Notices, ShardPiece
from flows.stages.corrections import STRAY
from geo.cells import CellSystem
from indicators.layout import tile_number

STRAY_SLICE = 3_600_000


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes of a run: names of the keys, and which one a cell or a case belongs to.

    A lane holds the tiles (0 to 63) whose number is its own modulo the number of lanes, so the number of
    lanes changes where state lives, never what is computed.
    """

    count: int
    grid: CellSystem

    @property
    def shards(self) -> list[str]:
        """Keys of the shard lanes."""
        return lane_names("shard", self.count)

    @property
    def cases(self) -> list[str]:
        """Keys of the case lanes."""
        return lane_names("cases", self.count)

    def of_cells(self, cells: Ints) -> Ints:
        """The shard lane of each cell: int64[n]."""
        if self.count == 1:
            return np.zeros(len(cells), np.int64)
        return tile_number(self.grid.tile(cells)) % self.count

    def of_cell(self, cell: int) -> str:
        """The shard lane of one cell."""
        return self.shards[int(self.of_cells(np.array([cell]))[0])]


class Router:
    """Remembers the lane of each series of one partition of a source part."""

    def __init__(self, sender: str, lanes: Lanes, slice_ms: Ints, origin: int, partition: int = 0) -> None:
        """``slice_ms`` per metric; slices begin at ``origin`` plus whole lengths."""
        self.sender = sender
        self.partition = partition
        self.lanes = lanes
        self.slice_ms = slice_ms
        self.origin = origin
        self._metric = np.empty(0, np.int16)
        self._lane = np.empty(0, np.int16)

    def enrol(self, new: NewSeries) -> None:
        """Remember the lanes of announced series."""
        size = int(new.index.max()) + 1
        for name in ("_metric", "_lane"):
            old = getattr(self, name)
            if size > len(old):
                more = max(size - len(old), len(old) // 2)
                setattr(self, name, np.concatenate((old, np.zeros(more, np.int16))))
        self._metric[new.index] = new.metric
        self._lane[new.index] = self.lanes.of_cells(new.cell)

    def readings(
        self,
        clock: Clock,
        new: NewSeries | None,
        batch: ReadingBatch,
        strays: Strays | None,
        *,
        tell_all: bool,
    ) -> list[tuple[str, ShardPiece]]:
        """The pieces of one admitted batch; ``tell_all`` sends the clock to lanes without data too."""
        if new is not None and len(new.index):
            self.enrol(new)
        notices = self._notices(batch, strays)
        if self.lanes.count == 1:
            whole = ShardPiece(self.sender, clock, new, batch, strays, notices, self.partition)
            return [(self.lanes.shards[0], whole)]
        lane = self._lane[batch.series]
        own = None if new is None else self._lane[new.index]
        astray = None if strays is None else self.lanes.of_cells(strays.cell)
        pieces = []
        for i, name in enumerate(self.lanes.shards):
            part = _rows(batch, lane == i)
            fresh = None if new is None or own is None else _new_rows(new, own == i)
            out = None if strays is None or astray is None else _stray_rows(strays, astray == i)
            if tell_all or notices is not None or len(part) or fresh is not None or out is not None:
                piece = ShardPiece(self.sender, clock, fresh, part, out, notices, self.partition)
                pieces.append((name, piece))
        return pieces

    def announced(self, clock: Clock, new: NewSeries) -> list[tuple[str, ShardPiece]]:
        """The pieces of series alone."""
        self.enrol(new)
        lane = self._lane[new.index]
        parts = ((name, _new_rows(new, lane == i)) for i, name in enumerate(self.lanes.shards))
        return [
            (name, ShardPiece(self.sender, clock, part, partition=self.partition))
            for name, part in parts
            if part is not None
        ]

    def slices(self, series: NDArray[np.int32]) -> Ints:
        """The slice length of each series' metric, ms."""
        return self.slice_ms[self._metric[series]]

    def _notices(self, batch: ReadingBatch, strays: Strays | None) -> Notices | None:
        metric = self._metric[batch.series].astype(np.int64)
        late = batch.effective > self._slice_end(batch.ts, self.slice_ms[metric])
        rows = (metric[late], batch.ts[late], batch.effective[late])
        columns: list[Sequence[Ints]] = [rows]
        if strays is not None and len(strays.ts):
            astray = strays.effective > self._slice_end(strays.ts, np.int64(STRAY_SLICE))
            count = int(astray.sum())
            columns.append((np.full(count, STRAY), strays.ts[astray], strays.effective[astray]))
        metric, ts, effective = (np.concatenate(c) for c in zip(*columns, strict=True))
        return Notices(metric, ts, effective) if len(ts) else None

    def _slice_end(self, ts: Ints, length: Ints | np.int64) -> Ints:
        return self.origin - (self.origin - ts) // length * length

    def events(self, clock: Clock, records: CaseRecords | None) -> list[tuple[str, CasePiece]]:
        """The pieces of one admitted batch of events; every case lane hears the clock."""
        if records is None or not len(records):
            return [(name, CasePiece(self.sender, clock)) for name in self.lanes.cases]
        lane = records.case % self.lanes.count
        return [
            (name, CasePiece(self.sender, clock, _case_rows(records, lane == i)))
            for i, name in enumerate(self.lanes.cases)
        ]

    def state(self) -> dict[str, Any]:
        """Plain arrays."""
        return {"metric": self._metric.copy(), "lane": self._lane.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self._metric, self._lane = state["metric"], state["lane"]


def _rows(batch: ReadingBatch, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> ReadingBatch:
    return ReadingBatch(
        batch.series[keep], batch.ts[keep], batch.value[keep], batch.effective[keep], batch.grid[keep]
    )


def _stray_rows(strays: Strays, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> Strays | None:
    return Strays(strays.cell[keep], strays.ts[keep], strays.effective[keep]) if keep.any() else None


def _case_rows(records: CaseRecords, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> CaseRecords:
    return CaseRecords(*(getattr(records, name)[keep] for name in CaseRecords.__slots__))


def _new_rows(new: NewSeries, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> NewSeries | None:
    if not keep.any():
        return None
    return NewSeries(
        new.index[keep],
        new.sensor_key[keep],
        new.metric[keep],
        new.cell[keep],
        new.period[keep],
        new.retired[keep],
        new.registered[keep],
        new.lon[keep],
        new.lat[keep],
        new.name[keep],
        new.placed[keep],
        new.owner[keep],
    )
