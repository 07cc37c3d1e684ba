"""Readings less isolated peaks: a window -> the same window without spikes (FORMULAS.md section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indicators.aggregates import Packed, Window
from indicators.latest import NEVER
from indicators.slices import Channel, Ints
from indicators.store import HOLD_PERIODS, REACH_PERIODS
from indicators.tolerance import lt

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def spikes(p: Packed, near: Ints, factor: float) -> Flags:
    """Which readings are greater than ``factor`` times every neighbour they have.

    ``near`` int64[n] is how far away the previous or the next reading of the row may lie, ms. A reading
    without neighbours is none.

    >>> p = Packed(np.zeros(3, int), np.array([0, 1, 2]), np.array([5.0, 11.0, 5.0]))
    >>> spikes(p, np.array([1, 1, 1]), 2.0).tolist()
    [False, True, False]
    """
    n = len(p.row)
    beside = (p.row[1:] == p.row[:-1]) & (p.ts[1:] - p.ts[:-1] <= near[1:])
    has, above = np.zeros(n, bool), np.ones(n, bool)
    has[1:] |= beside
    has[:-1] |= beside
    above[1:] &= ~beside | lt(factor * p.value[:-1], p.value[1:])
    above[:-1] &= ~beside | lt(factor * p.value[1:], p.value[:-1])
    return has & above


@dataclass(frozen=True)
class Despiked(Window):
    """A window of readings that are no spikes."""

    factor: float = 1.0

    @classmethod
    def of(cls, w: Window, factor: float) -> Despiked:
        """The same window; a reading counts as a spike above ``factor`` times its neighbours."""
        return cls(w.store, w.ends, w.length, w.offset, factor)

    def packed(self, before: int = 0) -> Packed:
        """The readings of all windows, reaching ``before`` ms further back."""
        period = self.store.period
        p = super().packed(before + HOLD_PERIODS * self.store.longest_period)
        if not len(p.row):
            return p
        near = HOLD_PERIODS * period[p.row % self.store.n]
        begin = (self.at - self.length - before)[p.row // self.store.n]
        keep = ~spikes(p, near, self.factor) & (p.ts > begin)
        return Packed(p.row[keep], p.ts[keep], p.value[keep])

    def total(self, channel: Channel) -> Ints:
        """Sums of what is left, in units of the metric's resolution: int64[ends, series]."""
        out = np.zeros(self.shape, np.int64)
        own = self.own
        if channel == "count":
            out.ravel()[own.who] = own.counts
        elif len(own.row):
            whole = np.rint(own.value * self.store.kind.scale).astype(np.int64)
            ufunc = {"sum": np.add, "min": np.minimum, "max": np.maximum}[str(channel)]
            out.ravel()[own.who] = ufunc.reduceat(whole, own.start)
        return out

    @cached_property
    def latest(self) -> tuple[Ints, Ints]:
        """Time and value of the latest reading that is no spike, in the window or two periods before it."""
        p = self.packed(REACH_PERIODS * self.store.longest_period)
        ts, value = np.full(self.shape, NEVER), np.zeros(self.shape, np.int64)
        if len(p.row):
            last = p.start + p.counts - 1
            ts.ravel()[p.who] = p.ts[last]
            value.ravel()[p.who] = np.rint(p.value[last] * self.store.kind.scale).astype(np.int64)
        return ts, value
