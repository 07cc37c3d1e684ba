"""Readings that have arrived but not taken effect: what comes early for a shard is parked, never dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from flows.batches import FINAL, Ints, Strays

Metrics = np.ndarray[Any, np.dtype[np.int16]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Rows = tuple[Ints, ...]
"""series, ts, value, effective, and what else is to be known of a reading, such as when it came."""


class ParkedReadings:
    """Readings of one shard lane in arrival order; late ones apart.

    They lie as they came, all metrics together: many small turns cost no more than a few large ones.
    """

    def __init__(self) -> None:
        """Nothing parked."""
        self._timely: list[_Table] = []
        self._first = FINAL
        self._late: list[_Table] = []

    def add(self, metric: int | Metrics, rows: Rows, late: Flags) -> None:
        """Park readings, of one metric or each of its own; ``late`` bool[n]."""
        table = _Table(np.full(len(late), metric, np.int16), rows)
        if late.any():
            self._late.append(table.only(late))
            table = table.only(~late)
        if len(table.metric):
            self._timely.append(table)
            self._first = min(self._first, int(table.effective.min()))

    def begin(self) -> int:
        """The earliest slice end at which a reading in time takes effect, FINAL if none is parked."""
        return self._first

    def take(self, until: int) -> Iterator[tuple[int, Rows]]:
        """Metrics with the readings in time that take effect by an instant, no longer parked."""
        if self._first > min(until, FINAL - 1):
            return iter(())
        parked = _Table.joined(self._timely)
        due = parked.effective <= until
        rest = parked.only(~due)
        self._timely = [rest] if len(rest.metric) else []
        self._first = int(rest.effective.min(initial=FINAL))
        return parked.only(due).by_metric()

    def of(self, metric: int) -> Rows | None:
        """All readings of a metric, those in time first; None if none is parked."""
        parts = [table.only(table.metric == metric) for table in (*self._timely, *self._late)]
        found = _Table.joined(parts) if parts else None
        return found.rows if found is not None and len(found.metric) else None

    def boundaries(self, until: int) -> list[int]:
        """The slice ends by an instant at which late readings take effect, ascending."""
        found = (np.unique(table.effective[table.effective <= until]) for table in self._late)
        return sorted({end for ends in found for end in ends.tolist()})

    def take_late(self, at: int) -> list[tuple[int, Rows]]:
        """Late readings that take effect at a slice end, no longer parked."""
        if not self._late:
            return []
        parked = _Table.joined(self._late)
        due = parked.effective == at
        self._late = [] if due.all() else [parked.only(~due)]
        return list(parked.only(due).by_metric())

    def state(self) -> dict[str, Any]:
        """Plain arrays: one table of the readings in time, and one of the late ones."""
        self._timely, self._late = ([_Table.joined(t)] if t else [] for t in (self._timely, self._late))
        parts = [(t, False) for t in self._timely] + [(t, True) for t in self._late]
        return {"parts": [(t.metric, _narrow(t.rows), late) for t, late in parts]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        for metric, table, late in state["parts"]:
            rows = tuple(map(_wide, table))
            self.add(metric, rows, np.full(len(rows[0]), late))


@dataclass(frozen=True, slots=True)
class _Table:
    """Readings of several metrics: ``metric`` int16[n], ``rows`` as in `Rows`."""

    metric: Metrics
    rows: Rows

    @property
    def effective(self) -> Ints:
        return self.rows[3]

    def only(self, keep: Flags) -> _Table:
        return _Table(self.metric[keep], tuple(column[keep] for column in self.rows))

    def by_metric(self) -> Iterator[tuple[int, Rows]]:
        """The metrics, ascending, and the rows of each in their order."""
        order = np.argsort(self.metric, kind="stable")
        metric, rows = self.metric[order], tuple(column[order] for column in self.rows)
        cuts = np.flatnonzero(np.diff(metric)) + 1
        for begin, end in pairwise([0, *cuts.tolist(), len(metric)] if len(metric) else []):
            yield int(metric[begin]), tuple(column[begin:end] for column in rows)

    @staticmethod
    def joined(parts: list[_Table]) -> _Table:
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.rows for part in parts), strict=True)
        rows = tuple(np.concatenate(column) for column in columns)
        return _Table(np.concatenate([part.metric for part in parts]), rows)


class ParkedStrays:
    """Readings outside their range that are still to be counted, in arrival order; late ones apart.

    They wait for up to an hour, so a turn must not look at each of them.
    """

    def __init__(self) -> None:
        """Nothing parked."""
        self._timely: list[Strays] = []
        self._first = FINAL
        self._late: list[Strays] = []

    def add(self, strays: Strays, late: Flags) -> None:
        """Park some; ``late`` bool[n]: those that take effect after the end of their slice."""
        if late.any():
            self._late.append(_strays(strays, late))
            strays = _strays(strays, ~late)
        if len(strays.ts):
            self._timely.append(strays)
            self._first = min(self._first, int(strays.effective.min()))

    def take(self, until: int) -> Strays | None:
        """Those in time that take effect by an instant, no longer parked; None if there are none."""
        if self._first > min(until, FINAL - 1):
            return None
        parked = _joined_strays(self._timely)
        due = parked.effective <= until
        self._timely = [] if due.all() else [_strays(parked, ~due)]
        self._first = int(parked.effective[~due].min(initial=FINAL))
        return _strays(parked, due)

    def take_late(self, at: int) -> Strays | None:
        """Late ones that take effect at a slice end, no longer parked; None if there are none."""
        if not self._late:
            return None
        parked = _joined_strays(self._late)
        due = parked.effective == at
        self._late = [] if due.all() else [_strays(parked, ~due)]
        return _strays(parked, due) if due.any() else None

    def state(self) -> list[tuple[Ints, Ints, Ints]]:
        """Plain arrays: cell, ts and effective of all, those in time and the late ones apart."""
        self._timely, self._late = ([_joined_strays(s)] if s else [] for s in (self._timely, self._late))
        return [(s.cell, s.ts, s.effective) for s in (*self._timely, *self._late)]


def _strays(strays: Strays, keep: Flags) -> Strays:
    return Strays(strays.cell[keep], strays.ts[keep], strays.effective[keep])


def _joined_strays(parts: list[Strays]) -> Strays:
    columns = zip(*((s.cell, s.ts, s.effective) for s in parts), strict=True)
    return Strays(*(np.concatenate(column) for column in columns))


def _narrow(rows: Rows) -> list[tuple[int, np.ndarray[Any, Any]]]:
    """Columns as the least number and what is above it, in four bytes where that fits: half the pause."""
    found = []
    for column in rows:
        least, most = int(column.min()), int(column.max())
        kind = np.uint32 if most - least <= np.iinfo(np.uint32).max else np.int64
        found.append((least, (column - least).astype(kind)))
    return found


def _wide(column: tuple[int, np.ndarray[Any, Any]]) -> Ints:
    least, above = column
    return above.astype(np.int64) + least
