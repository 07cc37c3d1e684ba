"""Slices: readings of one metric in a short time, sorted by (series, time), and the sums over them.

A slice (s, s + length] keeps its readings as packed columns and derives per-series sums from them when
first asked: counts, exact integer sums, extremes, and counters of readings that pass a test (R2).

>>> s = Slice.of(np.array([1, 0, 1]), np.array([50, 10, 20]), np.array([7, 5, 6]))
>>> s.who.tolist(), s.channel("sum").tolist()
([0, 1], [5, 13])
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Channel = Hashable
"""``count``, ``sum``, ``min``, ``max``, or ``("true"|"known", test)`` for a test of readings."""

_REDUCE: dict[str, np.ufunc] = {"sum": np.add, "min": np.minimum, "max": np.maximum}

ReadingTest = Callable[[Ints], NDArray[np.float64]]
"""Stored integer values -> flags as floats (1, 0, NaN unknown)."""


@dataclass(slots=True)
class Slice:
    """One slice: ``series ts value`` of equal length, sorted by (series, ts), one reading per pair."""

    series: Ints
    ts: Ints
    value: Ints
    start: NDArray[np.intp]
    who: Ints
    sums: dict[Channel, Ints] = field(default_factory=dict)

    @classmethod
    def of(cls, series: Ints, ts: Ints, value: Ints) -> Slice:
        """A slice of readings in arrival order; of two with the same series and time the later stays (R7)."""
        order = np.lexsort((ts, series))
        series, ts, value = series[order], ts[order], value[order]
        last = np.ones(len(ts), bool)
        last[:-1] = (series[1:] != series[:-1]) | (ts[1:] != ts[:-1])
        return cls.sorted(series[last], ts[last], value[last])

    @classmethod
    def sorted(cls, series: Ints, ts: Ints, value: Ints) -> Slice:
        """A slice of readings already sorted and single."""
        first = np.ones(len(series), bool)
        np.not_equal(series[1:], series[:-1], out=first[1:])
        start = np.flatnonzero(first)
        return cls(series, ts, value, start, series[start])

    def channel(self, name: Channel, test: ReadingTest | None = None) -> Ints:
        """The sum of one kind for each series of ``who``, computed once; ``test``: of flag channels."""
        found = self.sums.get(name)
        if found is None:
            found = self.sums[name] = self._channel(name, test)
        return found

    def _channel(self, name: Channel, test: ReadingTest | None) -> Ints:
        if name == "count":
            return np.diff(self.start, append=len(self.series)).astype(np.int64)
        if test is not None and isinstance(name, tuple):
            flags = test(self.value)
            rows = flags == 1 if name[0] == "true" else ~np.isnan(flags)
            return np.add.reduceat(rows.astype(np.int64), self.start)
        found: Ints = _REDUCE[str(name)].reduceat(self.value, self.start)
        return found

    def awake(self) -> Slice:
        """Itself: see `indicators.rested`."""
        return self

    def last(self) -> tuple[Ints, Ints, Ints]:
        """Series, time and value of each series' latest reading, in the order of ``who``."""
        rows = np.append(self.start[1:], len(self.series)) - 1
        return self.who, self.ts[rows], self.value[rows]
