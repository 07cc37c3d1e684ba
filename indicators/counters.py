"""The engine's own counters of each cell: readings received, and readings inside their range (R10).

>>> counters = CellCounters(3_600_000, 0)
>>> counters.add("checked", np.array([0, 0, 2]), np.array([1, 2, 3_600_001]))
>>> counters.total("checked", 0, 1, 3).tolist(), counters.total("checked", 0, 2, 3).tolist()
([2, 0, 0], [2, 0, 1])
"""

from __future__ import annotations

import numpy as np

from indicators.slices import Ints


class CellCounters:
    """Counts by slice and cell; slice k is (origin + (k - 1) * length, origin + k * length]."""

    def __init__(self, length: int, origin: int) -> None:
        """Slices of ``length`` ms."""
        self.length = length
        self.origin = origin
        self.slices: dict[tuple[str, int], Ints] = {}

    def number(self, ts: Ints) -> Ints:
        """The slice each instant lies in."""
        return -((self.origin - ts) // self.length)

    def add(self, name: str, cells: Ints, ts: Ints) -> None:
        """Count one for each row's cell in the slice of its time."""
        numbers = self.number(ts)
        for k in np.unique(numbers).tolist():
            counts = np.bincount(cells[numbers == k])
            old = self.slices.get((name, k), np.empty(0, np.int64))
            new = np.zeros(max(len(old), len(counts)), np.int64)
            new[: len(old)] = old
            new[: len(counts)] += counts
            self.slices[name, k] = new

    def total(self, name: str, low: int, high: int, cells: int) -> Ints:
        """Per cell the count over slices low < k <= high: int64[cells]."""
        out = np.zeros(cells, np.int64)
        for k in range(low + 1, high + 1):
            found = self.slices.get((name, k))
            if found is not None:
                out[: len(found)] += found[:cells]
        return out

    def forget(self, before: int) -> None:
        """Drop the slices that end at or before an instant."""
        keep = int(self.number(np.array([before]))[0])
        for key in [key for key in self.slices if key[1] <= keep]:
            del self.slices[key]
