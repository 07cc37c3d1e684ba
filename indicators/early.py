"""Early judgement on a grid of one second, per series: (recent readings) -> values before the window closes.

Serves the indicators that are the worst of single sensors (R9). Each new reading is judged at the end of
the second in which its partition had come to it, over the window that ends there, by what had arrived by
then; so the outcome depends on the partition's order alone.
"""

from __future__ import annotations

from collections.abc import Callable
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


@dataclass(frozen=True, slots=True)
class Judgements:
    """Early values: per row a series of the metric, the second it was judged at, the value."""

    series: Ints
    grid: Ints
    value: Floats


class EarlyReadings:
    """The recent readings of one metric of an early indicator."""

    def __init__(self, plan: IndicatorPlan, code: str, scale: float) -> None:
        """Nothing yet; ``scale`` is resolution units per unit."""
        self.plan = plan
        self.code = code
        self.scale = scale
        self.window = max(n.window or plan.indicator.window_ms for n in plan.aggregates(code))
        self._rows = np.empty((4, 0), np.int64)
        self._new: list[Ints] = []
        self._pending = False

    def add(self, series: Ints, ts: Ints, value: Ints, grid: Ints) -> None:
        """Take readings in arrival order."""
        self._new.append(np.stack((series, ts, value, grid)))
        self._pending = True

    def judge(self, done: int, until: int) -> Judgements | None:
        """The values of all seconds ``done`` <= grid < ``until``.

        A second that ends at ``until`` waits: a partition that has come there may still have readings of it.
        """
        if not self._pending:
            return None
        rows = np.concatenate([self._rows, *self._new], axis=1)
        self._new = []
        series, ts, value, grid = rows = rows[:, np.lexsort((rows[1], rows[0]))]
        due = (grid >= done) & (grid < until)
        self._pending = bool((grid >= until).any())
        found = self._values(series, ts, value, grid, due) if due.any() else None
        self._rows = rows[:, (ts > until - self.window) | (grid >= until)]
        return found

    def _values(self, series: Ints, ts: Ints, value: Ints, grid: Ints, due: NDArray[np.bool_]) -> Judgements:
        begin = int(grid[due].min())
        width = int(grid[due].max()) - begin + 1
        pairs = np.unique(series[due] * width + (grid[due] - begin))
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
        return Judgements(who, at, self._formula(packed, len(who)))

    def _formula(self, packed: Packed, size: int) -> Floats:
        reduced: dict[Node, Floats] = {}
        for node in self.plan.reductions:
            own = node.fn == "highest" and node.args[0].kind is Kind.SERIES
            codes = {metric_of(n.source) for n in walk(node) if isinstance(n, Aggregate)}
            if own and codes == {self.code}:
                reduced[node] = self._series(node.args[0], packed, size)
            else:
                reduced[node] = np.full(size, 0.0 if node.fn == "number" else np.nan)
        return _area(self.plan.indicator.formula.value, reduced, size)

    def _series(self, node: Node, packed: Packed, size: int) -> Floats:
        if isinstance(node, Aggregate):
            out = np.full(size, np.nan)
            if len(packed.row):
                out[packed.who] = _AGGREGATES[node.fn](packed, node)
            return out
        if isinstance(node, Apply):
            return apply(node.fn, [self._series(a, packed, size) for a in node.args], node.params)
        return np.full(size, literal(node))

    def state(self) -> dict[str, Any]:
        """Plain arrays."""
        return {"rows": np.concatenate([self._rows, *self._new], axis=1), "pending": self._pending}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self._rows, self._pending = state["rows"].copy(), state["pending"]


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
