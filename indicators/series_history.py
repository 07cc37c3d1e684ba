"""Functions of history over series: (window ends) -> float64[ends, rows] (FORMULAS.md section 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indicators.aggregates import quantile_of
from indicators.durations import DAY, MILLISECONDS
from indicators.expression import Apply
from indicators.plan import metric_of

if TYPE_CHECKING:
    from indicators.evaluate import Evaluation
    from indicators.layout import Universe
    from indicators.store import MetricStore

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HOUR = MILLISECONDS["h"]
WEEK = 7 * DAY


def of_series(node: Apply, codes: tuple[str, ...], universe: Universe, at: Evaluation) -> Floats:
    """``same_hour`` or ``running_percentile`` over the rows of a universe."""
    if node.fn == "same_hour":
        return _same_hour(node, codes, universe, at)
    code = metric_of(node.args[0])
    return universe.take(codes.index(code), _running_percentile(node, at.shard.store(code), at.ends))


def lacks(node: Apply, codes: tuple[str, ...], universe: Universe, at: Evaluation) -> Floats:
    """Flag: the series has a value now, but not enough history."""
    found = at.series(node, codes, universe)
    if node.fn == "same_hour":
        now = at.series(node.args[0], codes, universe)
        return np.where(np.isnan(now), np.nan, np.isnan(found))
    code = metric_of(node.args[0])
    seen = universe.take(codes.index(code), (at.window(code).count > 0).astype(np.float64))
    return np.where(seen == 1, np.isnan(found), np.nan)


def _same_hour(node: Apply, codes: tuple[str, ...], universe: Universe, at: Evaluation) -> Floats:
    """The median over the previous weeks of the windows that end at the last whole hour."""
    weeks, need = (int(p) for p in node.params)
    origin = at.shard.calendar.slice_origin
    hours, which = np.unique(origin + (at.ends - origin) // HOUR * HOUR, return_inverse=True)
    ends = np.unique((hours[:, None] - WEEK * np.arange(1, weeks + 1)).ravel())
    past = at.moved(ends)
    rows = np.broadcast_to(past.series(node.args[0], codes, universe), (len(ends), universe.size))
    known = universe.known(ends)
    rows = np.where(known, rows, np.nan)
    places = np.searchsorted(ends, hours[:, None] - WEEK * np.arange(1, weeks + 1))
    middle = quantiles(rows[places].transpose(0, 2, 1), 0.5, need)
    return middle[which]


def _running_percentile(node: Apply, store: MetricStore, ends: Ints) -> Floats:
    """The percentile of step means over the span before the last whole step."""
    p, span, step, need = node.params
    ring, length = store.ring, int(step)
    tops, which = np.unique((ends - ring.origin) // length, return_inverse=True)
    count = int(span) // length
    first = int(tops[0]) - count
    means = _step_means(store, first, int(tops[-1]), length)
    out = np.full((len(tops), store.n), np.nan)
    for i, top in enumerate(tops.tolist()):
        out[i] = quantiles(means[top - first - count : top - first].T, p / 100, int(-(-need // step)))
    return out[which]


def _step_means(store: MetricStore, first: int, last: int, length: int) -> Floats:
    """The means of steps first < k <= last, counted from the slices' origin: float64[steps, series]."""
    ring, size = store.ring, length // store.ring.length
    out = np.full((last - first, store.n), np.nan)
    for i in range(last - first):
        low, high = (first + i) * size, (first + i + 1) * size
        count = ring.total("count", low, high, store.n)
        if count.any():
            with np.errstate(divide="ignore", invalid="ignore"):
                out[i] = ring.total("sum", low, high, store.n) / count / store.kind.scale
    return out


def quantiles(values: Floats, q: float, need: int) -> Floats:
    """The quantile over the last axis of what is known; NaN where fewer than ``need`` are.

    >>> quantiles(np.array([[3.0, np.nan, 1.0]]), 0.5, 2).tolist()
    [2.0]
    """
    ranked = np.sort(values, axis=-1)
    counts = (~np.isnan(ranked)).sum(axis=-1).ravel()
    flat, width = ranked.reshape(-1, ranked.shape[-1]), ranked.shape[-1]
    enough = counts >= max(need, 1)
    out = np.full(len(flat), np.nan)
    start = np.flatnonzero(enough) * width
    out[enough] = quantile_of(flat.ravel(), start, counts[enough], q)
    return out.reshape(ranked.shape[:-1])
