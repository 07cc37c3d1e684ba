"""Aggregates of held values: windows -> time-weighted means, covered seconds (FORMULAS.md section 4.1).

A reading holds until the next one, at most three of its sensor's periods (R12). Integrals are exact whole
numbers of (resolution x ms), kept in two parts, so that the mean is the same whether the readings are still
there or only the closed steps' integrals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indicators.tiers import COVERED, INTEGRAL

if TYPE_CHECKING:
    from indicators.aggregates import Packed, Window
    from indicators.expression import Aggregate

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_SHIFT = 24
_MASK = (1 << _SHIFT) - 1
_SAFE = 2**62


@dataclass(frozen=True)
class Held:
    """The pieces of time over which readings hold, inside the windows."""

    packed: Packed
    held: Ints

    @classmethod
    def of(cls, w: Window, begin: Ints | None = None) -> Held:
        """How long each reading holds inside its window; ``begin`` int64[ends] may cut its beginning off."""
        hold = w.store.hold
        p = w.packed(before=int(hold.max(initial=0)))
        end = w.at[p.row // w.store.n] if w.store.n else p.row
        since = end - w.length if begin is None else begin[p.row // max(w.store.n, 1)]
        nxt = end.copy()
        same = p.row[1:] == p.row[:-1]
        nxt[:-1][same] = p.ts[1:][same]
        stop = np.minimum(nxt, p.ts + hold[p.row % max(w.store.n, 1)])
        held = np.minimum(stop, end) - np.maximum(p.ts, since)
        return cls(p, np.maximum(held, 0))

    def sum(self, weights: Ints) -> Ints:
        """Per row of the packed readings the sum of weights times held milliseconds."""
        if not len(self.packed.row):
            return np.empty(0, np.int64)
        return np.add.reduceat(weights * self.held, self.packed.start)

    def covered(self) -> Ints:
        """Per row the milliseconds covered."""
        return self.sum(np.ones(len(self.held), np.int64))

    def integral(self, scale: float) -> Integral:
        """Per row the integral of the value, in units of 1 / ``scale``."""
        whole = np.rint(self.packed.value * scale).astype(np.int64)
        high, low = whole >> _SHIFT, whole & _MASK
        if int(np.abs(whole).max(initial=0)) * int(self.held.max(initial=0)) * max(len(whole), 1) < _SAFE:
            return Integral.of(self.sum(whole))
        return Integral.carried(self.sum(high), self.sum(low))


@dataclass(frozen=True, slots=True)
class Integral:
    """Exact sums: ``high`` * 2**24 + ``low`` with 0 <= low < 2**24, of any shape."""

    high: Ints
    low: Ints

    @classmethod
    def of(cls, total: Ints) -> Integral:
        """Sums that fit in int64."""
        return cls(total >> _SHIFT, total & _MASK)

    @classmethod
    def carried(cls, high: Ints, low: Ints) -> Integral:
        """Parts added apart."""
        return cls(high + (low >> _SHIFT), low & _MASK)

    def plus(self, other: Integral) -> Integral:
        """The sum of both."""
        return Integral.carried(self.high + other.high, self.low + other.low)

    def floats(self) -> Floats:
        """The nearest float64."""
        return self.high.astype(np.float64) * float(1 << _SHIFT) + self.low


def twm(w: Window, _: Aggregate) -> Floats:
    """Time-weighted mean of the held value; NaN where no time is covered."""
    integral, covered = integrals(w)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = integral.floats() / covered / w.store.kind.scale
    return np.where(covered > 0, mean, np.nan)


def observed(w: Window, _: Aggregate) -> Floats:
    """Covered seconds; NaN where no time is covered."""
    covered = integrals(w)[1]
    return np.where(covered > 0, covered / 1000, np.nan)


def integrals(w: Window) -> tuple[Integral, Ints]:
    """Integral of the held value and ms covered, [ends, series], from readings and closed steps."""
    tier = w.store.ring.tier
    closed = None if tier is None or INTEGRAL not in tier.place else tier.closed
    begin = w.at - w.length
    if closed is None or closed <= int(begin.min()):
        return _from_readings(w, None)
    integral, covered = _from_readings(w, np.maximum(begin, np.minimum(closed, w.at)))
    return _with_steps(w, closed, integral, covered)


def _from_readings(w: Window, begin: Ints | None) -> tuple[Integral, Ints]:
    held = Held.of(w, begin)
    found = held.integral(w.store.kind.scale)
    who = held.packed.who
    columns = [np.zeros(w.shape, np.int64) for _ in range(3)]
    for column, values in zip(columns, (found.high, found.low, held.covered()), strict=True):
        column.ravel()[who] = values
    return Integral(columns[0], columns[1]), columns[2]


def _with_steps(w: Window, closed: int, integral: Integral, covered: Ints) -> tuple[Integral, Ints]:
    tier = w.store.ring.tier
    if tier is None:
        return integral, covered
    high, low = integral.high.copy(), integral.low.copy()
    for i, end in enumerate(w.at.tolist()):
        first, last = tier.number(end - w.length) + 1, tier.number(min(end, closed))
        for k in range(first, last + 1):
            values, span = tier.sums(k, INTEGRAL), tier.sums(k, COVERED)
            if values is not None and span is not None:
                part = Integral.of(values[1])
                high[i, values[0]] += part.high
                low[i, values[0]] += part.low
                covered[i, span[0]] += span[1]
    return Integral.carried(high, low), covered


def time_outside(w: Window, low: Floats, high: Floats) -> Floats:
    """Covered seconds with a held value below ``low`` or above ``high``: limits float64[ends, series]."""
    held = Held.of(w)
    p = held.packed
    if not len(p.row):
        return w.empty()
    below = p.value < low.ravel()[p.row]
    above = p.value > high.ravel()[p.row]
    seconds = held.sum((below | above).astype(np.int64)) / 1000
    return w.scatter(p, np.where(held.covered() > 0, seconds, np.nan))
