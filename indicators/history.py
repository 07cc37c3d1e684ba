"""Functions of history over areas: values of earlier windows -> z-scores, streaks, peaks.

The past is evaluated again, never remembered: the partials of earlier windows travel with those of the
present one, merge like them, and what is compared are the merged values (FORMULAS.md section 4.5). So
corrections reach histories, and every area has its own.

>>> z_score(np.array([[16.0]]), np.array([[[8.0]], [[10.0]], [[12.0]]]), 3, 0.5)[0].tolist()
[[3.0]]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indicators.durations import DAY
from indicators.elementwise import apply
from indicators.expression import Apply, Despike, Kind, Metric, Node, Reduce, children, walk

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

OF_AREAS = frozenset({"robust_z", "zscore", "streak", "peak"})
"""Functions that compare values of an area."""
OF_SERIES = frozenset({"same_hour", "running_percentile"})
"""Functions that look into the past of each series."""
LACKS = "lacks"
"""The flag of a series that has a value now, but too little history."""

_CONSISTENT = 1.4826
"""Makes the median absolute deviation that of a normal distribution: 1 / its 75th percentile."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A window that ended ``back`` ms earlier, ``window`` ms long (0: as long as the indicator's)."""

    back: int = 0
    window: int = 0


NOW = Moment()


@dataclass(frozen=True, slots=True)
class Past:
    """A reduction over another moment's window."""

    node: Reduce
    moment: Moment


def moments(node: Apply, window: int) -> tuple[Moment, ...]:
    """The windows that a function of areas looks at, the present one first.

    >>> moments(Apply("zscore", (), Kind.AREA, (2.0, 1.0, 2.0, 0.5)), 0)[1:]
    (Moment(back=172800000, window=0), Moment(back=259200000, window=0))
    """
    match node.fn:
        case "robust_z":
            return (NOW, *(Moment(k * DAY) for k in range(1, int(node.params[0]) + 1)))
        case "zscore":
            days, lag = int(node.params[0]), int(node.params[1])
            return (NOW, *(Moment(k * DAY) for k in range(lag + 1, lag + days + 1)))
        case "streak":
            step, cap = int(node.params[0]), int(node.params[1])
            return tuple(Moment(k * step) for k in range(cap))
        case _:
            step = int(node.params[0])
            inner = 0 if step == window else step
            return tuple(Moment(k * step, inner) for k in range(window // step))


def reductions(roots: Iterable[Node], window: int) -> tuple[tuple[Reduce, ...], tuple[Past, ...]]:
    """The distinct reductions that values need: over the present window, and over other moments."""
    now: dict[Reduce, None] = {}
    past: dict[Past, None] = {}
    for reduce, moment in (found for root in roots for found in _reductions(root, NOW, window)):
        if moment == NOW:
            now[reduce] = None
        else:
            past[Past(reduce, moment)] = None
    now |= dict.fromkeys(_lacking(root for root in (*now, *(p.node for p in past))))
    return tuple(now), tuple(past)


def _reductions(node: Node, moment: Moment, window: int) -> Iterator[tuple[Reduce, Moment]]:
    if isinstance(node, Reduce):
        yield node, moment
    elif isinstance(node, Apply) and node.fn in OF_AREAS:
        for at in moments(node, window):
            yield from _reductions(node.args[0], at, window)
    else:
        for child in children(node):
            yield from _reductions(child, moment, window)


def _lacking(reduced: Iterable[Reduce]) -> Iterator[Reduce]:
    """How many series have no value for want of history."""
    for node in (n for root in reduced for n in walk(root)):
        if isinstance(node, Apply) and node.fn in OF_SERIES:
            yield Reduce("number", (Apply(LACKS, (node,), Kind.SERIES),))


def is_lacking(node: Reduce) -> bool:
    """Whether a reduction counts series that lack history."""
    return isinstance(node.args[0], Apply) and node.args[0].fn == LACKS


def steps(node: Node) -> Iterator[int]:
    """The durations that slices must divide so that windows of the past end at slice ends, ms."""
    for inner in walk(node):
        match inner:
            case Apply(fn="streak" | "peak", params=(step, *_)):
                yield int(step)
            case Apply(fn="running_percentile", params=(_, _, step, _)):
                yield int(step)


def metrics_of(node: Node) -> tuple[str, ...]:
    """The metrics of a node's series, each once, in order of appearance."""
    return tuple(dict.fromkeys(n.code for n in walk(node) if isinstance(n, Metric | Despike)))


# -- values ----------------------------------------------------------------------------------------------

Value = Callable[[Node, Moment], Floats]
"""An Area expression at a moment: float64[ends, areas]."""


def evaluate(node: Apply, window: int, value: Value) -> tuple[Floats, Flags]:
    """A function of areas and where it is unknown for want of history: two arrays [ends, areas]."""
    found = [value(node.args[0], moment) for moment in moments(node, window)]
    now, *past = np.broadcast_arrays(*found)
    if node.fn == "robust_z":
        return robust_z(now, np.stack(past), int(node.params[1]), node.params[2])
    if node.fn == "zscore":
        return z_score(now, np.stack(past), int(node.params[2]), node.params[3])
    every = np.stack([now, *past])
    none = np.zeros(now.shape, bool)
    if node.fn == "streak":
        return np.cumprod(every == 1, axis=0).sum(axis=0).astype(np.float64), none
    return apply("max_of", list(every)), none


def robust_z(now: Floats, past: Floats, need: int, floor: float) -> tuple[Floats, Flags]:
    """Distance from the median of the past in robust deviations: ``past`` [days, ends, areas], NaN unknown.

    ``floor`` NaN stands for the square root of the median plus one.

    >>> robust_z(np.array([[30.0]]), np.full((28, 1, 1), 10.0), 7, np.nan)[0].round(6).tolist()
    [[6.030227]]
    """
    known = (~np.isnan(past)).sum(axis=0)
    with np.errstate(all="ignore"):
        middle = _median(past)
        spread = _CONSISTENT * _median(np.abs(past - middle))
        least = np.sqrt(middle + 1) if np.isnan(floor) else floor
        z = (now - middle) / np.maximum(spread, least)
    return np.where(known >= need, z, np.nan), (known < need) & ~np.isnan(now)


def z_score(now: Floats, past: Floats, need: int, floor: float) -> tuple[Floats, Flags]:
    """Distance from the mean of the past in standard deviations with n - 1, at least ``floor``."""
    there = ~np.isnan(past)
    known = there.sum(axis=0)
    with np.errstate(all="ignore"):
        mean = np.where(there, past, 0).sum(axis=0) / known
        squares = np.where(there, (past - mean) ** 2, 0).sum(axis=0)
        deviation = np.where(known > 1, np.sqrt(squares / (known - 1)), 0.0)
        z = (now - mean) / np.maximum(deviation, floor)
    return np.where(known >= need, z, np.nan), (known < need) & ~np.isnan(now)


def _median(values: Floats) -> Floats:
    """The median over the first axis of what is known; NaN where nothing is."""
    ranked = np.sort(values, axis=0)
    n = (~np.isnan(values)).sum(axis=0)
    low, high = np.maximum((n - 1) // 2, 0), np.minimum(n // 2, len(values) - 1)
    pick = (np.take_along_axis(ranked, i[None], axis=0)[0] for i in (low, high))
    middle: Floats = np.where(n > 0, sum(pick) / 2, np.nan)
    return middle
