"""Arithmetic, logic and tables of the formula language, on columns of float64.

Every function takes arrays (or numbers) that broadcast and gives a float64 array. NaN is unknown; a flag is
0.0, 1.0 or NaN. NaN in gives NaN out unless said otherwise; whatever is not finite becomes NaN.

>>> apply("max_of", (np.array([1.0, np.nan]), 0.5)).tolist()
[1.0, 0.5]
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from indicators.tables import aqi, fire_weather, heat_index, water_class
from indicators.tolerance import Array, Flags, Number, ceil_tolerant, finite, le, lt, margin

__all__ = ["ELEMENTWISE", "apply", "ceil_tolerant", "le", "lt"]

_NAN = np.nan


def apply(fn: str, args: Sequence[Number], params: tuple[float, ...] = ()) -> Array:
    """The elementwise function ``fn`` of its arguments; ``params`` are the weights of ``mean_of``.

    Raises:
        KeyError: no such function.

    >>> apply("mean_of", (1.0, 3.0), (3.0, 1.0)).tolist()
    1.5
    """
    if fn == "mean_of":
        return mean_of(*args, weights=params)
    return ELEMENTWISE[fn](*args)


def neg(a: Number) -> Array:
    """``-a``."""
    return np.asarray(np.negative(a))


def add(a: Number, b: Number) -> Array:
    """``a + b``."""
    with np.errstate(all="ignore"):
        return finite(np.add(a, b))


def sub(a: Number, b: Number) -> Array:
    """``a - b``."""
    with np.errstate(all="ignore"):
        return finite(np.subtract(a, b))


def mul(a: Number, b: Number) -> Array:
    """``a * b``."""
    with np.errstate(all="ignore"):
        return finite(np.multiply(a, b))


def div(a: Number, b: Number) -> Array:
    """``a / b``; division by zero is NaN, also 0/0.

    >>> div(np.array([1.0, 0.0]), 0.0).tolist()
    [nan, nan]
    """
    with np.errstate(all="ignore"):
        return finite(np.divide(a, b))


def power(a: Number, b: Number) -> Array:
    """``a ** b``; NaN where the power is complex, or NaN goes in (also for ``nan ** 0``).

    >>> power(np.array([9.0, -9.0]), 0.5).tolist()
    [3.0, nan]
    """
    with np.errstate(all="ignore"):
        return finite(np.power(a, b) + (np.multiply(a, 0.0) + np.multiply(b, 0.0)))


def absolute(a: Number) -> Array:
    """``|a|``."""
    return np.asarray(np.abs(a))


def log10(a: Number) -> Array:
    """Decimal logarithm; NaN for 0 and below."""
    with np.errstate(all="ignore"):
        return finite(np.log10(a))


def _flag(truth: np.bool_ | Flags, difference: Number) -> Array:
    return np.where(np.isnan(difference), _NAN, truth)


@np.errstate(all="ignore")
def less(a: Number, b: Number) -> Array:
    """Flag ``a < b``, unknown if one of them is.

    >>> less(np.array([1.0, np.nan]), 2.0).tolist()
    [1.0, nan]
    """
    difference = np.subtract(a, b)
    return _flag(difference < -margin(a, b), difference)


@np.errstate(all="ignore")
def less_equal(a: Number, b: Number) -> Array:
    """Flag ``a <= b``, unknown if one of them is."""
    difference = np.subtract(a, b)
    return _flag(difference <= margin(a, b), difference)


def greater(a: Number, b: Number) -> Array:
    """Flag ``a > b``, unknown if one of them is."""
    return less(b, a)


def greater_equal(a: Number, b: Number) -> Array:
    """Flag ``a >= b``, unknown if one of them is."""
    return less_equal(b, a)


@np.errstate(all="ignore")
def equal(a: Number, b: Number) -> Array:
    """Flag ``a == b``, unknown if one of them is."""
    difference = np.subtract(a, b)
    return _flag(np.abs(difference) <= margin(a, b), difference)


@np.errstate(all="ignore")
def not_equal(a: Number, b: Number) -> Array:
    """Flag ``a != b``, unknown if one of them is."""
    difference = np.subtract(a, b)
    return _flag(np.abs(difference) > margin(a, b), difference)


def logical_not(a: Number) -> Array:
    """Kleene's not."""
    return np.asarray(np.subtract(1.0, a))


def logical_and(a: Number, b: Number) -> Array:
    """Kleene's and: false with anything is false, else unknown with anything is unknown.

    >>> logical_and(np.array([0.0, 1.0]), np.nan).tolist()
    [0.0, nan]
    """
    return np.where(np.equal(np.fmin(a, b), 0.0), 0.0, np.multiply(a, b))


def logical_or(a: Number, b: Number) -> Array:
    """Kleene's or: true with anything is true, else unknown with anything is unknown.

    >>> logical_or(np.array([0.0, 1.0]), np.nan).tolist()
    [nan, 1.0]
    """
    return np.where(np.equal(np.fmax(a, b), 1.0), 1.0, np.add(a, b))


def choose(condition: Number, then: Number, otherwise: Number) -> Array:
    """``then if condition else otherwise``; an unknown condition takes ``otherwise``.

    >>> choose(np.array([1.0, 0.0, np.nan]), 5.0, 7.0).tolist()
    [5.0, 7.0, 7.0]
    """
    return np.where(np.equal(condition, 1.0), then, otherwise)


def clip(x: Number, lo: Number, hi: Number) -> Array:
    """Hold x between the bounds; a NaN bound is none, the upper one wins where they cross.

    >>> clip(np.array([-1.0, 9.0, np.nan]), 0.0, np.nan).tolist()
    [0.0, 9.0, nan]
    """
    return np.where(np.isnan(x), _NAN, np.fmin(np.fmax(x, lo), hi))


def piecewise(x: Number, *points: Number) -> Array:
    """Linear between the points x0, y0, x1, y1, ..., clamped outside; NaN where the points do not rise.

    >>> piecewise(np.array([0.0, 1.5, 9.0]), 1.0, 10.0, 2.0, 20.0).tolist()
    [10.0, 15.0, 20.0]
    """
    numbers = [np.asarray(p).item() for p in points if np.size(p) == 1]
    if len(numbers) < len(points):
        return _between_rows(x, points[0::2], points[1::2])
    xs, ys = numbers[0::2], numbers[1::2]
    rising = all(a < b for a, b in itertools.pairwise(xs)) and not any(map(math.isnan, ys))
    return np.asarray(np.interp(np.asarray(x), xs, ys) if rising else np.multiply(x, _NAN))


def _between_rows(x: Number, xs: Sequence[Number], ys: Sequence[Number]) -> Array:
    y = np.asarray(ys[0] + np.multiply(x, 0.0))
    rising = np.equal(xs[0], xs[0]) & np.equal(ys[0], ys[0])
    with np.errstate(all="ignore"):
        for x0, y0, x1, y1 in zip(xs, ys, xs[1:], ys[1:], strict=False):
            rising = rising & np.greater(x1, x0) & np.equal(y1, y1)
            share = np.divide(np.subtract(x, x0), np.subtract(x1, x0))
            inner = np.where(share < 1.0, y0 + np.subtract(y1, y0) * share, y1)
            y = np.where(np.greater(x, x0), inner, y)
    return finite(np.where(rising, y, _NAN))


def only(x: Number, flag: Number) -> Array:
    """Keep x where the flag is true, else NaN."""
    return np.where(np.equal(flag, 1.0), x, _NAN)


def present(x: Number) -> Array:
    """Flag: x is not NaN; itself never unknown."""
    return np.where(np.isnan(x), 0.0, 1.0)


def max_of(*xs: Number) -> Array:
    """The greatest that is known."""
    greatest = xs[0]
    for x in xs[1:]:
        greatest = np.fmax(greatest, x)
    return np.asarray(greatest, dtype=np.float64)


def min_of(*xs: Number) -> Array:
    """The least that is known."""
    least = xs[0]
    for x in xs[1:]:
        least = np.fmin(least, x)
    return np.asarray(least, dtype=np.float64)


def sum_of(*xs: Number) -> Array:
    """The sum of those known, NaN if none is.

    >>> sum_of(np.array([1.0, np.nan]), np.array([2.0, np.nan])).tolist()
    [3.0, nan]
    """
    total, known = _weighted(xs, (1.0,) * len(xs))
    with np.errstate(all="ignore"):
        return finite(np.where(known > 0.0, total, _NAN))


def mean_of(*xs: Number, weights: tuple[float, ...] = ()) -> Array:
    """The mean of those known; the weights of missing ones spread over the others in proportion.

    >>> mean_of(1.0, np.nan, 4.0, weights=(0.5, 0.25, 0.25)).tolist()
    2.0
    """
    total, known = _weighted(xs, weights or (1.0,) * len(xs))
    return div(total, known)


def _weighted(xs: Sequence[Number], weights: Sequence[float]) -> tuple[Array, Array]:
    total, known = np.zeros(()), np.zeros(())
    with np.errstate(all="ignore"):
        for x, weight in zip(xs, weights, strict=True):
            missing = np.isnan(x)
            total = total + np.where(missing, 0.0, np.multiply(x, weight))
            known = known + np.where(missing, 0.0, weight)
    return total, known


ELEMENTWISE: dict[str, Callable[..., Array]] = {
    "neg": neg,
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "pow": power,
    "not": logical_not,
    "and": logical_and,
    "or": logical_or,
    "lt": less,
    "le": less_equal,
    "gt": greater,
    "ge": greater_equal,
    "eq": equal,
    "ne": not_equal,
    "if": choose,
    "clip": clip,
    "piecewise": piecewise,
    "only": only,
    "present": present,
    "max_of": max_of,
    "min_of": min_of,
    "sum_of": sum_of,
    "mean_of": mean_of,
    "abs": absolute,
    "log10": log10,
    "aqi": aqi,
    "heat_index": heat_index,
    "water_class": water_class,
    "fire_weather": fire_weather,
}
"""Function name of an :class:`~indicators.expression.Apply` node -> its body."""
