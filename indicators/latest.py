"""The latest reading of every series of a metric at an instant, and how it moves with time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from indicators.rested import Kept
from indicators.slices import Ints
from indicators.tiers import Last

NEVER = np.iinfo(np.int64).min


@dataclass(slots=True)
class Latest:
    """Time and value of each series' latest reading at or before ``position``; NEVER where there was none."""

    position: int
    ts: Ints
    value: Ints

    @classmethod
    def nothing(cls) -> Latest:
        """Before all time, of no series."""
        return cls(NEVER, np.empty(0, np.int64), np.empty(0, np.int64))

    def grow(self, size: int) -> None:
        """Have room for ``size`` series."""
        more = size - len(self.ts)
        if more > 0:
            self.ts = np.concatenate((self.ts, np.full(more, NEVER)))
            self.value = np.concatenate((self.value, np.zeros(more, np.int64)))

    def copy(self) -> Latest:
        """A copy of its own."""
        return Latest(self.position, self.ts.copy(), self.value.copy())

    def roll(self, parts: Iterable[Kept | Last]) -> None:
        """Move over slices or closed steps in order of time."""
        for part in parts:
            who, ts, value = part.last()
            self.ts[who], self.value[who] = ts, value

    def remember(self, series: Ints, ts: Ints, value: Ints) -> None:
        """Take readings that came after ``position`` had passed them; of equal times the later one counts."""
        past = ts <= self.position
        if not past.any():
            return
        series, ts, value = series[past], ts[past], value[past]
        order = np.argsort(ts, kind="stable")
        series, ts, value = series[order], ts[order], value[order]
        newer = ts >= self.ts[series]
        self.ts[series[newer]], self.value[series[newer]] = ts[newer], value[newer]
