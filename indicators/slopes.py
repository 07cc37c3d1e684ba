"""Theil-Sen slopes: readings, or means of steps, of a window -> change per time (FORMULAS.md section 4.1).

The slope is the median of the slopes between all pairs of readings. source: P. K. Sen,
Estimates of the regression coefficient based on Kendall's tau, 1968.

>>> p = Packed(np.zeros(3, int), np.array([0, 1000, 2000]), np.array([1.0, 3.0, 9.0]))
>>> theil_sen(p, 1000.0).tolist()
[4.0]
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from indicators.aggregates import Packed, Window, literal
from indicators.expression import Aggregate

Floats = NDArray[np.float64]

_PAIRS = 4_000_000
"""Pairs of readings looked at together, to bound memory."""


def theil_sen(p: Packed, per: float) -> Floats:
    """Per row of ``p.who`` the median slope, in value per ``per`` ms; NaN for a single reading."""
    out = np.full(len(p.who), np.nan)
    for size in np.unique(p.counts).tolist():
        if size < 2:
            continue
        first, second = np.triu_indices(size, 1)
        rows = np.flatnonzero(p.counts == size)
        step = max(1, _PAIRS // len(first))
        for part in (rows[i : i + step] for i in range(0, len(rows), step)):
            place = p.start[part][:, None] + np.arange(size)
            ts, value = p.ts[place].astype(np.float64), p.value[place]
            slopes = (value[:, second] - value[:, first]) / (ts[:, second] - ts[:, first])
            out[part] = np.median(slopes, axis=1) * per
    return out


def slope(w: Window, node: Aggregate) -> Floats:
    """The slope of each series' readings: float64[ends, series]."""
    per, step = (literal(p) for p in node.params)
    packed = w.own if math.isnan(step) else _steps(w, int(step))
    return w.scatter(packed, theil_sen(packed, per)) if len(packed.row) else w.empty()


def _steps(w: Window, step: int) -> Packed:
    """The means of the steps counted back from each window's end, at the ends of the steps."""
    rows, times, values = [], [], []
    for back in range(w.length // step - 1, -1, -1):
        part = type(w)(w.store, w.ends, step, w.offset + back * step)
        count, total = part.count, part.total("sum")
        end, series = np.nonzero(count)
        rows.append(end * w.store.n + series)
        times.append(part.at[end])
        values.append(total[end, series] / count[end, series] / w.store.kind.scale)
    row, ts, value = (np.concatenate(c) for c in (rows, times, values))
    order = np.argsort(row, kind="stable")
    return Packed(row[order], ts[order], value[order])
