"""Early judgement on a grid of one second, per series: (recent readings) -> values before the window closes.

Serves the indicators that are the worst of single sensors (R9). Each new reading is judged at the end of
the second in which its partition had come to it, over the window that ends there, by what had arrived by
then; so the outcome depends on the partition's order alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indicators.aggregates import Packed, literal, quantile_of
from indicators.elementwise import apply
from indicators.expression import Aggregate, Apply, Kind, Node, Reduce, walk
from indicators.plan import IndicatorPlan, metric_of
from indicators.slices import Ints

Floats = NDArray[np.float64]

_NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Judgements:
    """Early values: per row a series of the metric, the second it was judged at, the value."""

    series: Ints
    grid: Ints
    value: Floats


@dataclass(frozen=True, slots=True)
class Limits:
    """The references a metric is judged against, such as the limit of a tank.

    ``readings`` by metric; ``link`` maps numbers of the judged metric's series to those of a reference's
    series of the same sensor and cell, -1 where there is none.
    """

    readings: Mapping[str, EarlyReadings]
    link: Callable[[str, Ints], Ints]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be judged: per row a series and a second, and the readings of its window."""

    who: Ints
    at: Ints
    packed: Packed

    @property
    def size(self) -> int:
        return len(self.who)


class EarlyReadings:
    """The recent readings of one metric of an early indicator."""

    def __init__(self, plan: IndicatorPlan, code: str, scale: float, hold: int = 0) -> None:
        """Nothing yet; ``scale`` is resolution units per unit.

        ``hold`` in ms marks a reference: it is not judged itself, others are judged against it.
        """
        self.plan = plan
        self.code = code
        self.scale = scale
        self.hold = hold
        self.limits: Limits | None = None
        self.window = max(n.window or plan.indicator.window_ms for n in plan.aggregates(code))
        self._rows = np.empty((4, 0), np.int64)
        self._new: list[Ints] = []
        self._soonest = _NEVER
        """No reading that has not been judged is of an earlier second."""

    @property
    def reach(self) -> int:
        """How far back a reading may be that counts, ms."""
        return max(self.window, self.hold)

    def add(self, series: Ints, ts: Ints, value: Ints, grid: Ints) -> None:
        """Take readings in arrival order."""
        self._new.append(np.stack((series, ts, value, grid)))
        self._soonest = min(self._soonest, int(grid.min(initial=_NEVER)))

    def leave_out(self, held: Callable[[Ints, Ints], NDArray[np.bool_]], until: int) -> None:
        """Forget readings of before a second that do not count; ``held`` tells which by series and time."""
        rows = np.concatenate([self._rows, *self._new], axis=1)
        left = rows[:, ~(held(rows[0], rows[1]) & (rows[3] < until))]
        self._rows, self._new = np.empty((4, 0), np.int64), [left]

    def judge(self, done: int, until: int) -> Judgements | None:
        """The values of all seconds ``done`` <= grid < ``until``.

        A second that ends at ``until`` waits: a partition that has come there may still have readings of it.
        """
        if self.hold and self._new:
            self._rows = self._sorted()
            self._rows = self._rows[:, self._rows[1] > done - self.hold]
        if self.hold or until <= self._soonest:
            return None
        series, ts, value, grid = rows = self._sorted()
        due = (grid >= done) & (grid < until)
        self._soonest = int(grid[grid >= until].min(initial=_NEVER))
        found = self._values(series, ts, value, grid, due) if due.any() else None
        self._rows = rows[:, (ts > until - self.window) | (grid >= until)]
        return found

    def _values(self, series: Ints, ts: Ints, value: Ints, grid: Ints, due: NDArray[np.bool_]) -> Judgements:
        begin = int(grid[due].min())
        width = int(grid[due].max()) - begin + 1
        pairs = series[due] * width + (grid[due] - begin)
        # Rows are by series and time, and seconds rise with time but for readings that came late.
        if (pairs[1:] < pairs[:-1]).any():
            pairs.sort()
        pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])]
        who, at = pairs // width, pairs % width + begin
        span = int(ts.max()) - int(ts.min()) + self.window + 2
        base = int(ts.min()) - self.window - 1
        key = series * span + (ts - base)
        low = np.searchsorted(key, who * span + np.clip(at - self.window - base, 0, span - 1), side="right")
        high = np.searchsorted(key, who * span + np.clip(at - base, 0, span - 1), side="right")
        counts = high - low
        pair = np.repeat(np.arange(len(who)), counts)
        index = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts) + low[pair]
        seen = grid[index] <= at[pair]
        pair, index = pair[seen], index[seen]
        last = np.ones(len(pair), bool)
        last[:-1] = (pair[1:] != pair[:-1]) | (ts[index[1:]] != ts[index[:-1]])
        pair, index = pair[last], index[last]
        packed = Packed(pair, ts[index], value[index] / self.scale)
        return Judgements(who, at, self._formula(_Asked(who, at, packed)))

    def _sorted(self) -> Ints:
        """All readings by (series, ts), in order of arrival where these are equal."""
        if not self._new:
            return self._rows
        rows = np.concatenate([self._rows, *self._new], axis=1)
        self._new = []
        first = rows[1].min(initial=_NEVER)
        span = int(rows[1].max(initial=first) - first) + 1
        # What is sorted already is only merged with what is new.
        return rows[:, np.argsort(rows[0] * span + (rows[1] - first), kind="stable")]

    def held(self, who: Ints, at: Ints) -> Floats:
        """The value each series held at an instant, by what had arrived by then; NaN for none, series -1."""
        self._rows = series, ts, value, grid = self._sorted()
        out = np.full(len(who), np.nan)
        if not len(ts):
            return out
        span = int(max(at.max(initial=0), ts.max(initial=0))) + 1
        row = np.searchsorted(series * span + ts, who * span + at, side="right") - 1
        while True:
            # What had not arrived yet is passed over.
            unseen = (row >= 0) & (grid[row] > at) & (series[row] == who)
            if not unseen.any():
                break
            row -= unseen
        found = (row >= 0) & (series[row] == who) & (ts[row] >= at - self.hold)
        out[found] = value[row[found]] / self.scale
        return out

    def _formula(self, asked: _Asked) -> Floats:
        reduced: dict[Node, Floats] = {}
        for node in self.plan.reductions:
            own = node.fn == "highest" and node.args[0].kind is Kind.SERIES
            codes = {metric_of(n.source) for n in walk(node) if isinstance(n, Aggregate)}
            if own and self.code in codes:
                reduced[node] = self._series(node.args[0], asked)
            else:
                reduced[node] = np.full(asked.size, 0.0 if node.fn == "number" else np.nan)
        return _area(self.plan.indicator.formula.value, reduced, asked.size)

    def _series(self, node: Node, asked: _Asked) -> Floats:
        if isinstance(node, Aggregate):
            code = metric_of(node.source)
            if code != self.code:
                return self._limit(code, asked)
            out = np.full(asked.size, np.nan)
            if len(asked.packed.row):
                out[asked.packed.who] = _AGGREGATES[node.fn](asked.packed, node)
            return out
        if isinstance(node, Apply):
            return apply(node.fn, [self._series(a, asked) for a in node.args], node.params)
        return np.full(asked.size, literal(node))

    def _limit(self, code: str, asked: _Asked) -> Floats:
        """The reference of each series; unknown for another metric of the sensor: it is judged by itself."""
        if self.limits is None or code not in self.limits.readings:
            return np.full(asked.size, np.nan)
        return self.limits.readings[code].held(self.limits.link(code, asked.who), asked.at)

    def state(self) -> dict[str, Any]:
        """Plain arrays."""
        return {"rows": np.concatenate([self._rows, *self._new], axis=1), "pending": self._soonest < _NEVER}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        # They may not be in order, and which second comes next is looked for when it is asked for.
        self._rows, self._new = np.empty((4, 0), np.int64), [state["rows"].copy()]
        self._soonest = -_NEVER if state["pending"] else _NEVER


def _area(node: Node, reduced: dict[Node, Floats], size: int) -> Floats:
    if isinstance(node, Reduce):
        return reduced[node]
    if isinstance(node, Apply):
        return apply(node.fn, [_area(a, reduced, size) for a in node.args], node.params)
    return np.full(size, literal(node))


def _quantile(packed: Packed, q: float) -> Floats:
    return quantile_of(packed.ranked(), packed.start, packed.counts, q)


_AGGREGATES: dict[str, Callable[[Packed, Aggregate], Floats]] = {
    "median": lambda p, _: _quantile(p, 0.5),
    "percentile": lambda p, node: _quantile(p, literal(node.params[0]) / 100),
    "mean": lambda p, _: np.add.reduceat(p.value, p.start) / p.counts,
    "max": lambda p, _: np.maximum.reduceat(p.value, p.start),
}
