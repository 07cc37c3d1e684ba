"""Rounding to significant decimal digits: float64[n] -> float64[n]."""

import numpy as np
from numpy.typing import NDArray

_EXACT_POWERS = np.array([float(f"1e{k}") for k in range(23)])
"""10^0 .. 10^22: all powers of ten that a double holds exactly."""

_DOUBT = 1e-3
"""Distance from a tie below which the scaled value is not trusted.

A product below 10^12 is off by less than 1.3e-4, so farther away than this the rounding is certain."""


def significant(x: NDArray[np.float64], digits: int = 12) -> NDArray[np.float64]:
    """The doubles nearest to ``x`` rounded to significant decimals: 12 as ``float(f"{x:.11e}")`` gives.

    Args:
        x: values, float64[n]. NaN and infinities stay, negative zero becomes zero.
        digits: 1 to 12.

    Returns:
        float64[n], a new array.

    Raises:
        ValueError: ``digits`` outside 1..12.

    >>> significant(np.array([1 / 3, 2e9 / 3, 5.0, np.nan]), 4)
    array([3.333e-01, 6.667e+08, 5.000e+00,       nan])
    """
    if not 1 <= digits <= 12:
        raise ValueError(f"digits must be 1 to 12, found {digits}: a double holds no more exactly; give 12")
    values = np.asarray(x, np.float64)
    whole = np.rint(values)
    # Whole numbers of so few digits (and what is no number) are round already, as most coverages are.
    rest = np.flatnonzero((values != whole) | (np.abs(values) >= 10.0**digits))
    whole[rest] = _rounded(values[rest], digits)
    return whole + 0.0


def _rounded(values: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    size = np.abs(values)
    # Below 10^digits the scale is a whole power of ten; below 10^(digits - 23) it is not exact.
    direct = (size < 10.0**digits) & (size >= 10.0 ** (digits - 23) * 10)
    scale = _EXACT_POWERS[_decimals(np.where(direct, size, 1.0), digits)]
    scaled = np.where(direct, size, 0.0) * scale
    doubtful = direct & (np.abs(scaled - np.floor(scaled) - 0.5) < _DOUBT)
    rounded = np.copysign(np.rint(scaled) / scale, values)
    by_text = doubtful | (~direct & (size > 0) & np.isfinite(size))
    if by_text.any():
        rounded[by_text] = [float(f"{v:.{digits - 1}e}") for v in values[by_text].tolist()]
    return np.where(np.isfinite(values), rounded, values)


def _decimals(size: NDArray[np.float64], digits: int) -> NDArray[np.int64]:
    """Decimal places that leave ``digits`` significant ones, for positive sizes.

    NB: a logarithm that is off by one ulp at a power of ten does no harm, both scales round to that power.
    """
    places = digits - 1 - np.floor(np.log10(size)).astype(np.int64)
    return np.clip(places, 0, 22)
