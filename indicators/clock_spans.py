"""Lowest means inside a daily span of the clock: float64[ends, series] (FORMULAS.md section 4.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indicators.aggregates import Window, literal
from indicators.calendar import Calendar
from indicators.expression import Aggregate
from indicators.slices import Ints
from indicators.store import MetricStore

Floats = NDArray[np.float64]


def lowest_mean(w: Window, node: Aggregate, calendar: Calendar) -> Floats:
    """The lowest mean of sub-windows inside the last complete span; they end every sampling period.

    A sub-window counts if each of its sampling periods holds a reading.
    """
    begin, end = (int(literal(p)) for p in node.params)
    spans, which = np.unique(calendar.last_span(w.at, begin, end), axis=0, return_inverse=True)
    found = np.stack([_lowest(w.store, int(a), int(b), w.length) for a, b in spans])
    return found[which.ravel()]


def _lowest(store: MetricStore, begin: int, end: int, length: int) -> Floats:
    ring, scale = store.ring, store.kind.scale
    low, high = (ring.number(np.array([begin + 1, end])) - [1, 0]).tolist()
    series, ts, value = ring.packed(low, high)
    inside = (ts > begin) & (ts <= end)
    series, ts, value = series[inside], ts[inside], value[inside]
    out = np.full(store.n, np.nan)
    for period in np.unique(store.period[series]).tolist():
        own = store.period[series] == period
        who, number = np.unique(series[own], return_inverse=True)
        out[who] = _lowest_of(number, ts[own] - begin, value[own], (period, length, end - begin)) / scale
    return out


def _lowest_of(number: Ints, since: Ints, value: Ints, times: tuple[int, int, int]) -> Floats:
    """Lowest means of series with the same period, by number: ``since`` ms after the span's begin."""
    period, length, span = times
    size = int(number.max()) + 1
    starts = np.arange(0, span - length + 1, period)
    lowest = np.full(size, np.inf)
    for start in starts.tolist():
        inside = (since > start) & (since <= start + length)
        who = number[inside]
        count = np.bincount(who, minlength=size)
        total = np.bincount(who, value[inside].astype(np.float64), minlength=size)
        # Each whole sampling period of the sub-window must have its reading.
        periods = -(-(since[inside] - start) // period)
        filled = np.unique(np.stack((who, periods))[:, periods <= max(length // period, 1)], axis=1)
        complete = np.bincount(filled[0], minlength=size) >= max(length // period, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            lowest = np.where(complete & (count > 0), np.minimum(lowest, total / count), lowest)
    return np.where(np.isfinite(lowest), lowest, np.nan)
