"""How far every source part has come, seen by all of them, in one process or in several of one machine.

    part ── its clock, its greatest time ─▶ table ─▶ the least of the others: how far ahead it may read,
                                                     and what it follows while it has nothing to say

Nothing that is computed depends on when a number is seen: a part promises by its own clock alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flows.batches import FINAL
from flows.pieces import BEFORE

IDLE = FINAL
"""The clock of a part whose partitions all left the watermark, or that has none."""

_COLUMNS = 2


class Alignment:
    """The table: of every part its clock and the greatest event time it has seen, int64 ms.

    Args:
        parts: names of all parts, the same in all processes.
        path: the file that processes share, made by `create`; without it the table is this process's own.

    >>> alignment = Alignment(["records-00", "records-01"])
    >>> alignment.tell("records-00", 70_000, 75_000)
    >>> alignment.others("records-00") == BEFORE, alignment.others("records-01")
    (True, 70000)
    >>> alignment.tell("records-01", IDLE, 60_000)
    >>> alignment.others("records-00"), alignment.slowest_but("records-01")
    (75000, 70000)
    """

    def __init__(self, parts: Sequence[str], path: Path | None = None) -> None:
        self._row = {name: row for row, name in enumerate(parts)}
        shape = (len(parts), _COLUMNS)
        self._table = np.full(shape, BEFORE) if path is None else np.memmap(path, np.int64, "r+", shape=shape)

    @staticmethod
    def create(path: Path, parts: int) -> None:
        """Make the file that processes share; no part has been heard of."""
        np.full((parts, _COLUMNS), BEFORE).tofile(path)

    def tell(self, part: str, clock: int, greatest: int) -> None:
        """A part has come so far; `IDLE` where it waits for nothing of its own."""
        self._table[self._row[part]] = clock, greatest

    def others(self, part: str) -> int:
        """How far a part may go that has nothing to say: with the slowest other, or to the greatest time."""
        slowest = self.slowest_but(part)
        return slowest if slowest != IDLE else self.greatest

    def slowest_but(self, part: str) -> int:
        """The clock of the slowest of the other parts, `IDLE` where there is none that waits."""
        return int(np.delete(self._table[:, 0], self._row[part]).min(initial=IDLE))

    @property
    def greatest(self) -> int:
        """The greatest event time of all."""
        return int(self._table[:, 1].max())
