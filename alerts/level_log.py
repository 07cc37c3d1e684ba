"""The way back: which areas changed at which window end, and what they were before.

Levels change rarely, so the past is kept as *undo*: going back is applying the newest changes in reverse, and
forgetting the far past is dropping it.

>>> log = LevelLog(0)
>>> log.record(60_000, np.array([7]), np.array([0], np.uint8), np.empty((1, 0), np.int64))
>>> level, _ = log.before(60_000, np.array([3, 7]), np.array([2, 2], np.uint8), np.empty((2, 0), np.int64))
>>> level.tolist()
[2, 0]
"""

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np

from alerts.ladder import Levels, Rows, Times
from indicators.tolerance import Flags


@dataclass(slots=True)
class Undo:
    """What the areas ``rows`` (ascending, each once) were before the window end ``end``."""

    end: int
    rows: Rows
    level: Levels
    since: Times

    def where(self, rows: Rows) -> tuple[Flags, Rows]:
        """Which of ``rows`` are here, and at which place (for those that are)."""
        place = np.minimum(np.searchsorted(self.rows, rows), self.rows.size - 1)
        return self.rows[place] == rows, place


class LevelLog:
    """Changes of level and ``since`` (int64[n, width]) of many areas, by window end."""

    __slots__ = ("_undos", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self._undos: list[Undo] = []

    def record(self, end_ms: int, rows: Rows, level: Levels, since: Times) -> None:
        """Areas ``rows`` changed at ``end_ms``; before it they had ``level`` and ``since``."""
        if not rows.size:
            return
        place = bisect_left(self._undos, end_ms, key=attrgetter("end"))
        if place < len(self._undos) and self._undos[place].end == end_ms:
            known = self._undos.pop(place)
            # A second change at one end goes back to before the first.
            first = ~np.isin(rows, known.rows)
            rows = np.concatenate((known.rows, rows[first]))
            level = np.concatenate((known.level, level[first]))
            since = np.concatenate((known.since, since[first]))
        order = np.argsort(rows)
        self._undos.insert(place, Undo(end_ms, rows[order], level[order], since[order]))

    def before(self, end_ms: int, rows: Rows, level: Levels, since: Times) -> tuple[Levels, Times]:
        """What ``rows`` were before ``end_ms``, given what they are now."""
        level, since = level.copy(), since.copy()
        for undo in reversed(self._undos):
            if undo.end < end_ms:
                break
            here, place = undo.where(rows)
            level[here], since[here] = undo.level[place[here]], undo.since[place[here]]
        return level, since

    def changed(self, rows: Rows, from_ms: int) -> Flags:
        """Which of ``rows`` changed at or after ``from_ms``."""
        found = np.zeros(rows.size, bool)
        for undo in reversed(self._undos):
            if undo.end < from_ms:
                break
            found |= undo.where(rows)[0]
        return found

    def forget(self, rows: Rows, from_ms: int) -> None:
        """Drop the changes of ``rows`` at and after ``from_ms``."""
        kept = []
        for undo in self._undos:
            keep = np.isin(undo.rows, rows, invert=True)
            if undo.end < from_ms or keep.all():
                kept.append(undo)
            elif keep.any():
                kept.append(Undo(undo.end, undo.rows[keep], undo.level[keep], undo.since[keep]))
        self._undos = kept

    def trim(self, before_ms: int) -> None:
        """Drop the changes before ``before_ms``."""
        self._undos = [undo for undo in self._undos if undo.end >= before_ms]

    def state(self) -> dict[str, Any]:
        """Columns ``end, row, level, since`` as arrays, sorted by (end, row)."""
        if not self._undos:
            return _nothing(self.width)
        sizes = [undo.rows.size for undo in self._undos]
        return {
            "end": np.repeat([undo.end for undo in self._undos], sizes).astype(np.int64),
            "row": np.concatenate([u.rows for u in self._undos]),
            "level": np.concatenate([u.level for u in self._undos]),
            "since": np.concatenate([u.since for u in self._undos]),
        }

    @classmethod
    def restore(cls, width: int, state: dict[str, Any]) -> "LevelLog":
        """The log of a ``state()``."""
        log = cls(width)
        ends, first = np.unique(state["end"], return_index=True)
        for end, part in zip(ends.tolist(), np.split(np.arange(state["end"].size), first[1:]), strict=False):
            log.record(end, state["row"][part], state["level"][part], state["since"][part])
        return log


@lru_cache(maxsize=8)
def _nothing(width: int) -> dict[str, Any]:
    """The state of a log without changes, one for all: a snapshot holds one thing once."""
    return {
        "end": np.empty(0, np.int64),
        "row": np.empty(0, np.int64),
        "level": np.empty(0, np.uint8),
        "since": np.empty((0, width), np.int64),
    }
