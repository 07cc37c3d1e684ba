"""Readings that have arrived but not taken effect: what comes early for a shard is parked, never dropped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from flows.batches import FINAL, Ints, Strays

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Rows = tuple[Ints, ...]
"""series, ts, value, effective, and what else is to be known of a reading, such as when it came."""


class ParkedReadings:
    """Readings of one shard lane by metric, in arrival order; late ones apart."""

    def __init__(self, metrics: int) -> None:
        """Nothing parked."""
        self._timely: list[list[Rows]] = [[] for _ in range(metrics)]
        self._first = np.full(metrics, FINAL, np.int64)
        self._late: list[tuple[int, Rows]] = []

    def add(self, metric: int, rows: Rows, late: Flags) -> None:
        """Park readings of one metric."""
        if late.any():
            self._late.append((metric, _select(rows, late)))
            if late.all():
                return
            rows = _select(rows, ~late)
        self._timely[metric].append(rows)
        self._first[metric] = min(int(self._first[metric]), int(rows[3].min()))

    def begin(self) -> int:
        """The earliest slice end at which a reading in time takes effect, FINAL if none is parked."""
        return int(self._first.min(initial=FINAL))

    def take(self, until: int) -> Iterator[tuple[int, Rows]]:
        """Metrics with the readings in time that take effect by an instant, no longer parked."""
        for metric in np.flatnonzero(self._first <= min(until, FINAL - 1)).tolist():
            rows = _joined(self._timely[metric])
            due = rows[3] <= until
            self._timely[metric] = [] if due.all() else [_select(rows, ~due)]
            self._first[metric] = rows[3][~due].min(initial=FINAL)
            yield metric, rows if due.all() else _select(rows, due)

    def of(self, metric: int) -> Rows | None:
        """All readings of a metric, those in time first; None if none is parked."""
        parts = [*self._timely[metric], *(rows for m, rows in self._late if m == metric)]
        return _joined(parts) if parts else None

    def boundaries(self, until: int) -> list[int]:
        """The slice ends by an instant at which late readings take effect, ascending."""
        found = {e for _, rows in self._late for e in np.unique(rows[3][rows[3] <= until]).tolist()}
        return sorted(found)

    def take_late(self, at: int) -> list[tuple[int, Rows]]:
        """Late readings that take effect at a slice end, no longer parked."""
        taken: list[tuple[int, Rows]] = []
        kept: list[tuple[int, Rows]] = []
        for metric, rows in self._late:
            due = rows[3] == at
            if due.any():
                taken.append((metric, _select(rows, due)))
            if not due.all():
                kept.append((metric, _select(rows, ~due)))
        self._late = kept
        return taken

    def state(self) -> dict[str, Any]:
        """Plain arrays: one table of all parked readings."""
        timely = [(m, _joined(rows), False) for m, rows in enumerate(self._timely) if rows]
        parts = [*timely, *((m, rows, True) for m, rows in self._late)]
        return {"parts": [(m, np.stack(rows), late) for m, rows, late in parts]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        for metric, table, late in state["parts"]:
            self.add(metric, tuple(table), np.full(table.shape[1], late))


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
        """Plain arrays: cell, ts and effective of all."""
        return [(s.cell, s.ts, s.effective) for s in (*self._timely, *self._late)]


def _strays(strays: Strays, keep: Flags) -> Strays:
    return Strays(strays.cell[keep], strays.ts[keep], strays.effective[keep])


def _joined_strays(parts: list[Strays]) -> Strays:
    columns = zip(*((s.cell, s.ts, s.effective) for s in parts), strict=True)
    return Strays(*(np.concatenate(column) for column in columns))


def _select(rows: Rows, keep: Flags) -> Rows:
    return tuple(column[keep] for column in rows)


def _joined(parts: list[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
