"""Equality of computed numbers: every comparison, ceiling and jump allows 1e-9 of the larger side.

A sum of tenths that should be 50 may come out as 49.99999999999999; it still reaches 50.

>>> bool(le(50.0, 49.99999999999999)), bool(lt(49.99999999999999, 50.0))
(True, False)
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-9
"""Relative for numbers beyond 1, absolute below."""

Array: TypeAlias = NDArray[np.float64]
"""float64 of any shape; NaN is unknown, flags are 0.0 and 1.0."""

Number: TypeAlias = float | Array
"""A value for all rows or one per row."""

Flags: TypeAlias = NDArray[np.bool_]
"""Two-valued truth, one per row."""


def margin(a: Number, b: Number) -> Array:
    """How far apart two numbers may be and still be equal: ``1e-9 * max(1, |a|, |b|)``, NaN if one is NaN.

    >>> float(margin(0.5, -2000.0))
    2e-06
    """
    return np.asarray(TOLERANCE * np.maximum(np.maximum(np.abs(a), np.abs(b)), 1.0))


def finite(x: Number) -> Array:
    """X with NaN for whatever is not finite.

    >>> finite(np.array([1.0, np.inf])).tolist()
    [1.0, nan]
    """
    infinite = np.isinf(x)
    return np.where(infinite, np.nan, x) if infinite.any() else np.asarray(x)


@np.errstate(all="ignore")
def le(a: Number, b: Number) -> Flags:
    """``a <= b`` with tolerance; False where either is NaN.

    >>> le(np.array([1.0, np.nan, 1.1]), 1.0).tolist()
    [True, False, False]
    """
    return np.asarray(np.subtract(a, b) <= margin(a, b))


@np.errstate(all="ignore")
def lt(a: Number, b: Number) -> Flags:
    """``a < b`` by more than the tolerance; False where either is NaN.

    >>> lt(np.array([0.9, 1.0 - 1e-12]), 1.0).tolist()
    [True, False]
    """
    return np.asarray(np.subtract(a, b) < -margin(a, b))


@np.errstate(all="ignore")
def ceil_tolerant(x: Number) -> Array:
    """The least whole number not below x by more than the tolerance; NaN stays NaN.

    >>> ceil_tolerant(np.array([100.00000000001, 100.1])).tolist()
    [100.0, 101.0]
    """
    return np.asarray(np.ceil(x - margin(x, 0.0)) + 0.0)


@np.errstate(all="ignore")
def bounds_exceeded(x: Number, rising: Array) -> Array:
    """How many of the rising bounds x lies above; a bound itself is not exceeded; NaN stays NaN.

    >>> bounds_exceeded(np.array([5.0, 5.1, 99.0]), np.array([5.0, 10.0])).tolist()
    [0.0, 1.0, 2.0]
    """
    count = np.searchsorted(rising, x - margin(x, 0.0), side="left")
    return np.where(np.isnan(x), np.nan, count)


@np.errstate(all="ignore")
def bounds_reached(x: Number, rising: Array) -> Array:
    """How many of the rising bounds x has reached; a bound itself is reached; NaN stays NaN.

    >>> bounds_reached(np.array([4.9, 5.0, 99.0]), np.array([5.0, 10.0])).tolist()
    [0.0, 1.0, 2.0]
    """
    count = np.searchsorted(rising, x + margin(x, 0.0), side="right")
    return np.where(np.isnan(x), np.nan, count)
