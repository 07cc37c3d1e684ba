"""Points on the ground: which lie near one another, and how many groups they form (FORMULAS.md section 4.2).

Positions are whole numbers of 1e-9 degree in WGS84; distances are metres on its ellipsoid at middle latitude,
right within a millimetre over a kilometre.

>>> lon, lat = np.array([0, 4_000, 9_000_000]), np.array([0, 0, 0])
>>> groups(lon, lat, 1.0)
2
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NO_TIME = -1
"""In place of the time of a point that has none."""
NOWHERE = np.iinfo(np.int64).max
"""In place of a coordinate that is not known."""

_AXIS, _SQUARED_ECCENTRICITY = 6_378_137.0, 6.694_379_990_14e-3
"""WGS84: semi-major axis in m, and the square of its first eccentricity."""
_ROUNDING = 1e-3
"""Coordinates are rounded: distances that differ by less, in m, are equal."""
_LEAST_DEGREE = 110_000.0
"""A degree of latitude is longer everywhere, m."""


def nanodegrees(degrees: Floats) -> Ints:
    """Whole 1e-9 degrees; NOWHERE for NaN.

    >>> nanodegrees(np.array([114.3, np.nan])).tolist() == [114_300_000_000, NOWHERE]
    True
    """
    known = ~np.isnan(degrees)
    out = np.full(len(degrees), NOWHERE, np.int64)
    out[known] = np.rint(degrees[known] * 1e9).astype(np.int64)
    return out


def from_metres(east: float, north: float) -> tuple[int, int]:
    """The position so many metres from where equator and zero meridian cross, for places without a map.

    >>> lon, lat = from_metres(500, 0)
    >>> metres(np.array([lon]), np.array([lat]), np.array([0]), np.array([0])).round(6).tolist()
    [500.0]
    """
    lon, lat = east / _AXIS, north / (_AXIS * (1 - _SQUARED_ECCENTRICITY))
    return round(np.degrees(lon) * 1e9), round(np.degrees(lat) * 1e9)


def metres(lon: Ints, lat: Ints, other_lon: Ints, other_lat: Ints) -> Floats:
    """Distances of n pairs of near points, float64[n] metres.

    >>> metres(np.array([0]), np.array([0]), np.array([0]), np.array([1_000_000])).round(3).tolist()
    [110.574]
    """
    middle = np.radians((lat + other_lat) / 2e9)
    bend = 1 - _SQUARED_ECCENTRICITY * np.sin(middle) ** 2
    north = _AXIS * (1 - _SQUARED_ECCENTRICITY) / bend**1.5
    east = _AXIS / np.sqrt(bend) * np.cos(middle)
    return np.hypot(np.radians((lon - other_lon) / 1e9) * east, np.radians((lat - other_lat) / 1e9) * north)


def pairs(lon: Ints, lat: Ints, radius: float) -> tuple[Ints, Ints]:
    """All pairs of points at most ``radius`` metres apart, each once: two int64[m] of positions."""
    order = np.argsort(lat, kind="stable")
    ranked = lat[order]
    reach = int(radius / _LEAST_DEGREE * 1e9) + 1
    stop = np.searchsorted(ranked, ranked + reach, side="right")
    counts = stop - np.arange(len(lat)) - 1
    first = np.repeat(np.arange(len(lat)), counts)
    second = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts) + first + 1
    a, b = order[first], order[second]
    near = metres(lon[a], lat[a], lon[b], lat[b]) <= radius + _ROUNDING
    return a[near], b[near]


def groups(lon: Ints, lat: Ints, radius: float, ts: Ints | None = None, within: int = 0) -> int:
    """How many groups points form that are linked when ``radius`` metres and ``within`` ms apart or less.

    ``ts`` int64[n] ms; a point with NO_TIME is linked by distance alone.
    """
    a, b = pairs(lon, lat, radius)
    if ts is not None:
        timeless = (ts[a] == NO_TIME) | (ts[b] == NO_TIME)
        near = timeless | (np.abs(ts[a] - ts[b]) <= within)
        a, b = a[near], b[near]
    label = np.arange(len(lat))
    while True:
        least = np.minimum(label[a], label[b])
        spread = label.copy()
        np.minimum.at(spread, a, least)
        np.minimum.at(spread, b, least)
        spread = spread[spread]
        if (spread == label).all():
            return len(np.unique(label))
        label = spread


def far(lon: Ints, lat: Ints, flagged: NDArray[np.bool_], radius: float) -> int:
    """How many points that are not flagged lie farther than ``radius`` metres from all that are."""
    a, b = pairs(lon, lat, radius)
    near = np.zeros(len(lat), bool)
    near[a[flagged[b]]] = True
    near[b[flagged[a]]] = True
    return int((~flagged & ~near).sum())


def chains(ts: Ints, within: int) -> int:
    """How many runs the times of points in one place form: each at most ``within`` ms after the one before.

    >>> chains(np.array([0, 50, 10, 100]), 40)
    2
    """
    if (ts == NO_TIME).any():
        return 1
    return 1 + int((np.diff(np.sort(ts)) > within).sum())
