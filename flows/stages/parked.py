"""Readings that have arrived but not taken effect: what comes early for a shard is parked, never dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from flows.batches import FINAL, Ints, Strays
from flows.recovery.snapshots import Narrowed, narrow, packed, thaw, wide

Metrics = np.ndarray[Any, np.dtype[np.int16]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Table = list[Narrowed]
Rows = tuple[Ints, ...]
"""Columns; of readings: series, ts, value, effective, and what else is known, such as when each came."""

SORTED = 200_000
"""Readings that are put in order of metrics together."""


class ParkedReadings:
    """Readings of one shard lane in arrival order; late ones apart.

    They lie all metrics together: many small turns cost no more than a few large ones. Where they are many,
    they are put in order of metrics, so that less is left to do when all of a minute take effect at once.

    Those in time can be kept on disk from one recovery point to the next, as a shelf of the cold store: what
    came between two points is a bundle that does not change any more, so that a point costs what came since
    the last one, not all that waits.

    Attributes:
        changed: the bundles that are not on disk.
    """

    def __init__(self, together: int = SORTED) -> None:
        """Nothing parked; so many readings are put in order together."""
        self._waiting = _Waiting(effective=4)
        self._together = together
        self.changed: set[int] = set()

    def add(self, metric: int | Metrics, rows: Rows, late: Flags) -> None:
        """Park readings, of one metric or each of its own; ``late`` bool[n]."""
        self._waiting.add((np.full(len(late), metric, np.int16), *rows), late)
        self._waiting.sort(self._together)

    def begin(self) -> int:
        """The earliest slice end at which a reading in time takes effect, FINAL if none is parked."""
        return self._waiting.first

    def take(self, until: int) -> Iterator[tuple[int, Rows]]:
        """Metrics with series, ts, value and effective of readings in time that take effect by an instant.

        They are no longer parked. Of each metric they come in the order in which they were added.
        """
        return _by_metric(self._waiting.take(until))

    def of(self, metric: int) -> Rows | None:
        """All readings of a metric, those in time first; None if none is parked."""
        parts = [_only(rows, rows[0] == metric) for rows, _ in self._waiting.together()]
        found = _joined(parts)[1:] if parts else ()
        return found if found and len(found[0]) else None

    def boundaries(self, until: int) -> list[int]:
        """The slice ends by an instant at which late readings take effect, ascending."""
        return self._waiting.boundaries(until)

    def take_late(self, at: int) -> list[tuple[int, Rows]]:
        """Late readings that take effect at a slice end, no longer parked."""
        return list(_by_metric(self._waiting.take_late(at)))

    def state(self) -> dict[str, Any]:
        """Plain arrays: one table of the readings in time, and one of the late ones; without bundles."""
        return {"parts": [(*_narrow(rows), late) for rows, late in self._waiting.loose()]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        for metric, table, late in state["parts"]:
            rows = _wide(metric, table)
            self.add(metric, rows[1:], np.full(len(metric), late))

    # -- bundles -------------------------------------------------------------------------------------

    @property
    def kept(self) -> Mapping[int, Rows]:
        """The bundles by number, in the order in which they came."""
        return self._waiting.bundles

    def bundle(self) -> None:
        """Make a bundle of the readings in time that have come since the last one."""
        made = self._waiting.bundle()
        self.changed = (self.changed & self.kept.keys()) | ({made} if made is not None else set())

    def dump(self, k: int) -> bytes:
        """A bundle as bytes."""
        return packed(_narrow(self.kept[k]))

    def load(self, k: int, data: bytes) -> None:
        """Take up a bundle that was dumped."""
        self._waiting.take_up(k, _wide(*thaw(data)))


class ParkedStrays:
    """Readings outside their range that are still to be counted, in arrival order; late ones apart.

    They wait for up to an hour, so a turn must not look at each of them.
    """

    def __init__(self) -> None:
        """Nothing parked."""
        self._waiting = _Waiting(effective=2)

    def add(self, strays: Strays, late: Flags) -> None:
        """Park some; ``late`` bool[n]: those that take effect after the end of their slice."""
        self._waiting.add((strays.cell, strays.ts, strays.effective), late)

    def take(self, until: int) -> Strays | None:
        """Those in time that take effect by an instant, no longer parked; None if there are none."""
        found = self._waiting.take(until)
        return Strays(*_joined(found)) if found else None

    def take_late(self, at: int) -> Strays | None:
        """Late ones that take effect at a slice end, no longer parked; None if there are none."""
        found = self._waiting.take_late(at)
        return Strays(*_joined(found)) if found else None

    def state(self) -> list[Rows]:
        """Plain arrays: cell, ts and effective of all, those in time and the late ones apart."""
        return [rows for rows, _ in self._waiting.together()]


class _Waiting:
    """Rows in arrival order that take effect at instants of their own; late ones apart.

    ``effective`` is the number of the column that says when; ``first`` the earliest of those in time, FINAL
    if there are none. Those in time are first the ``bundles``, then those that are ``_sorted``, then the
    others; all but these are in order of their first column.
    """

    def __init__(self, effective: int) -> None:
        self._effective = effective
        self.first = FINAL
        self.bundles: dict[int, Rows] = {}
        self._next = 0
        self._sorted: list[Rows] = []
        self._timely: list[Rows] = []
        self._count = 0
        self._late: list[Rows] = []

    def add(self, rows: Rows, late: Flags) -> None:
        if late.any():
            self._late.append(_only(rows, late))
            rows = _only(rows, ~late)
        if len(rows[0]):
            self._timely.append(rows)
            self._count += len(rows[0])
            self.first = min(self.first, int(rows[self._effective].min()))

    def sort(self, least: int) -> None:
        """Put those in time that are not yet in order of the first column, if they are so many."""
        if self._count >= least:
            self._sorted.append(_ordered(_joined(self._timely)))
            self._timely, self._count = [], 0

    def take(self, until: int) -> list[Rows]:
        if self.first > min(until, FINAL - 1):
            return []
        loose = [_joined(self._timely)] if self._timely else []
        waiting = [*self.bundles.values(), *self._sorted, *loose]
        parts = [(rows, rows[self._effective] <= until) for rows in waiting]
        left = [_only(rows, ~due) for rows, due in parts if not due.all()]
        self.bundles.clear()
        self._sorted, self._timely, self._count = [], left, sum(len(rows[0]) for rows in left)
        self.first = min((int(rows[self._effective].min()) for rows in left), default=FINAL)
        return [rows if due.all() else _only(rows, due) for rows, due in parts if due.any()]

    def take_late(self, at: int) -> list[Rows]:
        if not self._late:
            return []
        parked = _joined(self._late)
        due = parked[self._effective] == at
        self._late = [] if due.all() else [_only(parked, ~due)]
        return [_only(parked, due)] if due.any() else []

    def boundaries(self, until: int) -> list[int]:
        ends = (np.unique(rows[self._effective]) for rows in self._late)
        return sorted({end for found in ends for end in found[found <= until].tolist()})

    def loose(self) -> list[tuple[Rows, bool]]:
        """One table of those in time in no bundle and one of late ones, where there are any; which it is."""
        parts = [*self._sorted, *self._timely], self._late
        return [(_joined(rows), late) for rows, late in zip(parts, (False, True), strict=True) if rows]

    def together(self) -> list[tuple[Rows, bool]]:
        """All there is, those in time first, and whether they are late."""
        return [*((rows, False) for rows in self.bundles.values()), *self.loose()]

    def bundle(self) -> int | None:
        """Make one of those in time that are in none; its number, None if there are none."""
        loose = [*self._sorted, *self._timely]
        if not loose:
            return None
        self.bundles[self._next] = _ordered(_joined(loose))
        self._sorted, self._timely, self._count = [], [], 0
        self._next += 1
        return self._next - 1

    def take_up(self, number: int, rows: Rows) -> None:
        self.bundles = dict(sorted([*self.bundles.items(), (number, rows)]))
        self._next = max(self._next, number + 1)
        self.first = min(self.first, int(rows[self._effective].min()))


def _only(rows: Rows, keep: Flags) -> Rows:
    return tuple(column[keep] for column in rows)


def _joined(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _ordered(rows: Rows) -> Rows:
    """Rows by their first column, equal ones in the order they had."""
    if (rows[0][1:] >= rows[0][:-1]).all():
        return rows
    order = np.argsort(rows[0], kind="stable")
    return tuple(column[order] for column in rows)


def _by_metric(parts: list[Rows]) -> Iterator[tuple[int, Rows]]:
    """The metrics of some rows, ascending, and four more columns of each in their order."""
    spans = defaultdict[int, list[Rows]](list)
    for rows in map(_ordered, parts):
        metric = rows[0]
        cuts = [0, *(np.flatnonzero(metric[1:] != metric[:-1]) + 1).tolist(), len(metric)]
        for begin, end in pairwise(cuts):
            spans[int(metric[begin])].append(tuple(column[begin:end] for column in rows[1:5]))
    for number, found in sorted(spans.items()):
        yield number, _joined(found)


def _narrow(rows: Rows) -> tuple[Ints, Table]:
    return rows[0], [narrow(column) for column in rows[1:]]


def _wide(metric: Ints, table: Table) -> Rows:
    return metric, *map(wide, table)
