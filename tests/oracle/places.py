"""Where points are, and how they group: distances on the ellipsoid by an independent library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import pyproj

ORIGIN = (114.3, 30.5)
"""Metres of golden cases are east and north of here."""

ROUNDING = 0.001
"""What rounding coordinates to 1e-9 degree may change in a distance, m."""

Place = tuple[float, float]
"""Longitude and latitude, degrees."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a cell, where it is (None: somewhere in it), and when (None: at no time)."""

    cell: str
    place: Place | None = None
    ts: int | None = None


def from_metres(east: float, north: float) -> Place:
    """The place so many metres from the origin."""
    lon, lat, _ = _geod().fwd(*ORIGIN, math.degrees(math.atan2(east, north)), math.hypot(east, north))
    return round(lon, 9), round(lat, 9)


@cache
def _geod() -> pyproj.Geod:
    return pyproj.Geod(ellps="WGS84")


def near(a: Point, b: Point, radius: float) -> bool:
    """At most so many metres apart; without places: in the same cell."""
    if a.place is None or b.place is None:
        return a.cell == b.cell
    return float(_geod().inv(*a.place, *b.place)[2]) <= radius + ROUNDING


def clusters(points: Sequence[Point], radius: float | None, within: int) -> int:
    """Groups of points that are linked pair by pair; without a radius, cell by cell."""
    group = list(range(len(points)))

    def find(i: int) -> int:
        return i if group[i] == i else find(group[i])

    for i, j in combinations(range(len(points)), 2):
        a, b = points[i], points[j]
        close = a.cell == b.cell if radius is None else near(a, b, radius)
        timely = a.ts is None or b.ts is None or abs(a.ts - b.ts) <= within
        if close and timely:
            group[find(i)] = find(j)
    return len({find(i) for i in range(len(points))})


def apart(cases: Iterable[Point], sensors: Sequence[Point], radius: float) -> int:
    """Cases with no sensor near."""
    return sum(not any(near(c, s, radius) for s in sensors) for c in cases)
