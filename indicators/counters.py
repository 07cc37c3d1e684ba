"""The engine's own counters of each cell: readings received, and readings inside their range (R10).

>>> counters = CellCounters(3_600_000, 0)
>>> counters.add(["checked"], np.array([0, 0, 2]), np.array([1, 2, 3_600_001]))
>>> counters.total("checked", 0, 1, 3).tolist(), counters.total("checked", 0, 2, 3).tolist()
([2, 0, 0], [2, 0, 1])
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from indicators.slices import Ints

_DENSE = 16
"""Places a key may leave empty before sorting is cheaper than counting."""


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

    def add(self, names: Iterable[str], cells: Ints, ts: Ints) -> None:
        """Count one under every name for each row's cell in the slice of its time."""
        if not len(cells):
            return
        numbers, size = self.number(ts), int(cells.max()) + 1
        low = int(numbers.min())
        pairs, counts = _tally((numbers - low) * size + cells)
        number, cell = pairs // size + low, pairs % size
        cuts = np.flatnonzero(np.diff(number)) + 1
        for begin, end in zip(np.append(0, cuts), np.append(cuts, len(number)), strict=True):
            for name in names:
                self._into((name, int(number[begin])), cell[begin:end], counts[begin:end])

    def _into(self, key: tuple[str, int], cells: Ints, counts: Ints) -> None:
        old = self.slices.get(key, np.empty(0, np.int64))
        new = np.zeros(max(len(old), int(cells[-1]) + 1), np.int64)
        new[: len(old)] = old
        new[cells] += counts
        self.slices[key] = new

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


def _tally(keys: Ints) -> tuple[Ints, Ints]:
    """The distinct keys, not negative, ascending, and how often each occurs."""
    if int(keys.max()) < _DENSE * len(keys):
        counts = np.bincount(keys)
        found = np.flatnonzero(counts)
        return found, counts[found]
    return np.unique(keys, return_counts=True)
