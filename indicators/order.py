"""Sorting rows of integers without changing the order of equal ones: keys → order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_BITS = 63


def stable_order(key: NDArray[np.integer[Any]], limit: int) -> NDArray[np.int64]:
    """The stable order of n keys that are not negative and below ``limit``, int64[n].

    One sort of keys packed with their places is several times faster than a stable argsort.

    >>> stable_order(np.array([2, 1, 2, 0]), 3)
    array([3, 1, 0, 2])
    """
    bits = max(len(key) - 1, 1).bit_length()
    if max(limit, 1).bit_length() + bits > _BITS:
        return np.argsort(key, kind="stable")
    packed = (key.astype(np.int64) << bits) | np.arange(len(key))
    packed.sort()
    return packed & ((1 << bits) - 1)
