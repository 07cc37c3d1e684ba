"""Per-series aggregates: (store, window, ends) -> float64[len(ends), series], NaN where there is none.

Every function sees a :class:`Window`: the ends asked for, the aggregate's own length and offset, and the
store's slices. Formulas and their sources: FORMULAS.md section 4.1; R2, R3 and R12 of the design.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indicators import held
from indicators.expression import Aggregate, Metric, Node
from indicators.latest import NEVER
from indicators.slices import Channel, Ints
from indicators.store import MetricStore
from indicators.tolerance import le

Floats = NDArray[np.float64]

SEEN_BY_DEFAULT = 7 * 24 * 3_600_000


@dataclass(frozen=True)
class Packed:
    """Readings of many windows: row = end * series + series, sorted by (row, ts)."""

    row: Ints
    ts: Ints
    value: Floats

    @cached_property
    def start(self) -> NDArray[np.intp]:
        """First position of each row that has readings."""
        first = np.ones(len(self.row), bool)
        np.not_equal(self.row[1:], self.row[:-1], out=first[1:])
        return np.flatnonzero(first)

    @cached_property
    def who(self) -> Ints:
        """The rows that have readings."""
        return self.row[self.start]

    @cached_property
    def counts(self) -> Ints:
        """Readings of each row of :attr:`who`."""
        return np.diff(self.start, append=len(self.row)).astype(np.int64)

    def ranked(self) -> Floats:
        """The values, sorted inside each row."""
        return self.value[np.lexsort((self.value, self.row))]


@dataclass(frozen=True)
class Window:
    """The windows (t - offset - length, t - offset] of one metric, one for each end t."""

    store: MetricStore
    ends: Ints
    length: int
    offset: int = 0

    @cached_property
    def at(self) -> Ints:
        """The windows' ends after the offset."""
        return self.ends - self.offset

    @property
    def shape(self) -> tuple[int, int]:
        """(ends, series)."""
        return len(self.ends), self.store.n

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """The slices low < k <= high of each window."""
        high = self.store.ring.number(self.at)
        low = self.store.ring.number(self.at - self.length)
        return list(zip(low.tolist(), high.tolist(), strict=True))

    def total(self, channel: Channel) -> Ints:
        """Exact sums of a channel: int64[ends, series]."""
        return self.store.totals(channel, self.bounds)

    @cached_property
    def count(self) -> Ints:
        """Readings of each series in each window."""
        return self.total("count")

    @cached_property
    def latest(self) -> tuple[Ints, Ints]:
        """Time and value of the latest reading at or before each window's end."""
        return self.store.latest(self.at)

    def packed(self, before: int = 0) -> Packed:
        """The readings of all windows, reaching ``before`` ms further back."""
        n = self.store.n
        rows, times, values = [], [], []
        reach = self.length + before
        lows = self.store.ring.number(self.at - reach + 1) - 1
        for i, (low, (_, high)) in enumerate(zip(lows.tolist(), self.bounds, strict=True)):
            series, ts, value = self.store.ring.packed(low, high)
            rows.append(series + i * n)
            times.append(ts)
            values.append(value)
        scaled = np.concatenate(values) / self.store.kind.scale
        return Packed(np.concatenate(rows), np.concatenate(times), scaled)

    @cached_property
    def own(self) -> Packed:
        """The readings inside the windows."""
        return self.packed()

    def empty(self) -> Floats:
        """All unknown."""
        return np.full(self.shape, np.nan)

    def scatter(self, packed: Packed, values: Floats) -> Floats:
        """One value for each row that has readings -> [ends, series]."""
        out = self.empty()
        out.ravel()[packed.who] = values
        return out

    def reached(self) -> tuple[NDArray[np.bool_], Floats]:
        """Reach-back (R12): where it applies, and the reading it finds."""
        if self.length >= 2 * self.store.longest_period:
            return np.zeros(self.shape, bool), self.empty()
        ts, value = self.latest
        wide = 2 * self.store.period
        where = (self.count == 0) & (self.length < wide) & (ts > NEVER)
        where &= ts >= self.at[:, None] - wide
        return where, value / self.store.kind.scale


def _count(w: Window, node: Aggregate) -> Floats:
    if isinstance(node.source, Metric):
        return w.count.astype(np.float64)
    return w.total(("true", node.source)).astype(np.float64)


def _sum(w: Window, _: Aggregate) -> Floats:
    return np.where(w.count > 0, w.total("sum") / w.store.kind.scale, np.nan)


def _mean(w: Window, _: Aggregate) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return w.total("sum") / w.count / w.store.kind.scale


def _min(w: Window, _: Aggregate) -> Floats:
    return np.where(w.count > 0, w.total("min") / w.store.kind.scale, np.nan)


def _max(w: Window, _: Aggregate) -> Floats:
    return np.where(w.count > 0, w.total("max") / w.store.kind.scale, np.nan)


def holds(w: Window) -> NDArray[np.bool_]:
    """Whether the latest reading still holds at the window's end: at most 3 periods old (R12)."""
    ts, _ = w.latest
    return (ts > NEVER) & (ts >= w.at[:, None] - w.store.hold)


def _last(w: Window, _: Aggregate) -> Floats:
    return np.where(holds(w), w.latest[1] / w.store.kind.scale, np.nan)


def _seen(w: Window, node: Aggregate) -> Floats:
    ts, _ = w.latest
    span = node.window or SEEN_BY_DEFAULT
    live = w.store.retired > w.at[:, None]
    return ((ts > NEVER) & (ts > w.at[:, None] - span) & live).astype(np.float64)


def _leq(w: Window, _: Aggregate) -> Floats:
    p = w.own
    if not len(p.row):
        return w.empty()
    energy = np.add.reduceat(10.0 ** (p.value / 10), p.start)
    return w.scatter(p, 10 * np.log10(energy / p.counts))


def _harmonic_mean(w: Window, _: Aggregate) -> Floats:
    p = w.own
    if not len(p.row):
        return w.empty()
    return w.scatter(p, p.counts / np.add.reduceat(1 / np.maximum(p.value, 1), p.start))


def quantile_of(ranked: Floats, start: Ints, counts: Ints, q: float) -> Floats:
    """The quantile rule of FORMULAS.md section 4.1 over runs of sorted values.

    >>> quantile_of(np.array([1.0, 2, 3, 4]), np.array([0]), np.array([4]), 0.5)
    array([2.5])
    """
    k = q * counts
    whole = np.rint(k)
    jump = np.abs(k - whole) <= 1e-9 * np.maximum(1, counts)
    upper = np.where(jump, whole, np.ceil(k)).astype(np.int64)
    right = np.clip(np.where(jump, upper, upper - 1), 0, counts - 1)
    left = np.clip(upper - 1, 0, counts - 1)
    middle: Floats = (ranked[start + left] + ranked[start + right]) / 2
    return middle


def _quantile(w: Window, q: float) -> Floats:
    p = w.own
    return w.scatter(p, quantile_of(p.ranked(), p.start, p.counts, q)) if len(p.row) else w.empty()


def _median(w: Window, _: Aggregate) -> Floats:
    return _quantile(w, 0.5)


def _percentile(w: Window, node: Aggregate) -> Floats:
    return _quantile(w, literal(node.params[0]) / 100)


def literal(node: Node) -> float:
    """The number a parameter node stands for (the checker allows literals only)."""
    value = getattr(node, "value", None)
    if value is None:
        raise TypeError(f"a literal number is needed here, found {type(node).__name__}")
    return float(value)


AGGREGATES: dict[str, Callable[[Window, Aggregate], Floats]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "min": _min,
    "max": _max,
    "last": _last,
    "seen": _seen,
    "twm": held.twm,
    "observed": held.observed,
    "leq": _leq,
    "harmonic_mean": _harmonic_mean,
    "median": _median,
    "percentile": _percentile,
}
HELD = frozenset({"last", "twm", "observed", "time_outside"})
"""Aggregates of the value held since the latest reading."""
REACHING = frozenset({"mean", "min", "max", "median", "percentile", "leq", "harmonic_mean"})
"""Aggregates that reach back two periods where the window is empty (R12)."""


def aggregate(w: Window, node: Aggregate) -> Floats:
    """The aggregate with reach-back, ``need`` and ``cover`` applied: float64[ends, series]."""
    values = AGGREGATES[node.fn](w, node)
    if node.fn in REACHING:
        where, found = w.reached()
        if where.any():
            single = np.maximum(found, 1) if node.fn == "harmonic_mean" else found
            values = np.where(where, single, values)
    return enough(w, node, values)


def enough(w: Window, node: Aggregate, values: Floats) -> Floats:
    """The values where ``need`` and ``cover`` are met, NaN elsewhere."""
    met: NDArray[np.bool_] | bool = True
    if node.need is not None:
        met = le(node.need, w.count.astype(np.float64))
    minutes = w.count * w.store.period
    if node.need_ms is not None:
        met = met & (minutes >= node.need_ms)
    if node.cover is not None:
        met = met & le(node.cover, minutes / w.length)
    return np.where(met, values, np.nan)
