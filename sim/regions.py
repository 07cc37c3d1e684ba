"""Districts, streets and communities of Wuhan: real codes and names on a geometry of our own.

The codes and names are the official statistical ones (National Bureau of Statistics, 统计用区划代码; 13
districts, 193 streets, 3,495 communities). The geometry is **approximate on purpose**: a convex outline of
about the city's extent is divided by Voronoi cells around the district seats (public coordinates of common
gazetteers, brought to WGS84 and rounded to 0.01°, about 1 km), each district into its number of streets, each
street into its number of communities. No boundary is to be read from it.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.polygons import voronoi_rings
from geo.voronoi import area, centroid, divide

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DATA = Path(__file__).parent / "data"

CITY = {"id": "420100", "name_zh": "武汉市", "name_en": "Wuhan"}
"""The city area; 420100 is its code."""

OUTLINE = np.array(
    [
        [113.78, 30.45],
        [113.98, 30.22],
        [114.20, 30.10],
        [114.42, 30.08],
        [114.68, 30.25],
        [114.92, 30.55],
        [115.00, 30.78],
        [114.90, 30.98],
        [114.62, 31.18],
        [114.34, 31.24],
        [114.10, 31.10],
        [113.82, 30.72],
    ]
)
"""A convex outline a little within the city's extent (113.7° to 115.1° E, 30.0° to 31.4° N), in degrees."""

CENTRE = np.array([114.29, 30.575])
"""Where the Han meets the Yangtze, lon and lat in degrees: the middle of the three towns."""

DEGREE_KM = np.array([95.7, 110.9])
"""Kilometres of one degree of longitude and of latitude at 30.6° N."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The areas of one kind, n of them, ascending by code.

    ``parent`` int64 [n] is the position in the level above (all 0 for districts), ``center`` float64 [n, 2]
    lon and lat in degrees, ``rings`` the open rings of corners, ``km2`` float64 [n].
    """

    kind: str
    code: tuple[str, ...]
    name_zh: tuple[str, ...]
    name_en: tuple[str, ...]
    parent: Ints
    center: Floats
    rings: list[Floats]
    km2: Floats

    def __len__(self) -> int:
        return len(self.code)

    @property
    def lon(self) -> Floats:
        """Longitude of the centres, degrees."""
        return self.center[:, 0]

    @property
    def lat(self) -> Floats:
        """Latitude of the centres, degrees."""
        return self.center[:, 1]

    @property
    def km_to_centre(self) -> Floats:
        """Distance from the city's :data:`CENTRE`."""
        away = (self.center - CENTRE) * DEGREE_KM
        distance: Floats = np.hypot(away[:, 0], away[:, 1])
        return distance


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The areas of the city. ``district_of_community`` int64 [communities] skips the street.

    >>> regions = Regions.wuhan()
    >>> len(regions.districts), len(regions.streets), len(regions.communities)
    (13, 193, 3495)
    >>> street = regions.streets.code.index("420106013")
    >>> regions.streets.name_zh[street], regions.districts.name_zh[regions.streets.parent[street]]
    ('珞珈山街道', '武昌区')
    """

    districts: Level
    streets: Level
    communities: Level

    @staticmethod
    def wuhan() -> "Regions":
        """The shipped city; made once per process, for every seed the same."""
        return _wuhan()

    @property
    def district_of_community(self) -> Ints:
        """Position of the district of each community."""
        return self.streets.parent[self.communities.parent]

    def geojson(self) -> dict[str, Any]:
        """The areas as GeoJSON (C-2.1): properties id, name_zh, name_en, kind, parent.

        >>> Regions.wuhan().geojson()["features"][1]["properties"]["name_en"]
        "Jiang'an District"
        """
        city = _feature({**CITY, "kind": "city", "parent": ""}, OUTLINE)
        return {
            "type": "FeatureCollection",
            "name": "Approximate Voronoi areas carrying real names and codes; not boundaries",
            "features": [city, *self._features()],
        }

    def _features(self) -> Iterator[dict[str, Any]]:
        above: tuple[str, ...] = (CITY["id"],)
        for level in (self.districts, self.streets, self.communities):
            rows = zip(level.code, level.name_zh, level.name_en, level.parent.tolist(), strict=True)
            for (code, zh, en, parent), ring in zip(rows, level.rings, strict=True):
                names = {"id": code, "name_zh": zh, "name_en": en}
                yield _feature({**names, "kind": level.kind, "parent": above[parent]}, ring)
            above = level.code


def _feature(properties: dict[str, str], ring: Floats) -> dict[str, Any]:
    corners = ring.round(6).tolist()
    return {
        "type": "Feature",
        "properties": {**properties, "approximate": "voronoi"},
        "geometry": {"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
    }


@cache
def _wuhan() -> Regions:
    rows = _rows("districts")
    seats = np.array([[float(row["lon"]), float(row["lat"])] for row in rows])
    districts = _level("district", rows, np.zeros(len(rows), np.int64), voronoi_rings(seats, OUTLINE))
    # Offices crowd around the seat of a rural district; the inner districts are evenly built.
    streets = _divided("street", districts, seats, crowding=0.75)
    return Regions(districts, streets, _divided("community", streets, streets.center, crowding=0.6))


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: row["code"])


def _level(kind: str, rows: list[dict[str, str]], parent: Ints, rings: list[Floats]) -> Level:
    codes, zh, en = (tuple(row[c] for row in rows) for c in ("code", "name_zh", "name_en"))
    center = np.array([centroid(ring) for ring in rings])
    km2 = np.array([area(ring) for ring in rings]) * float(DEGREE_KM.prod())
    return Level(kind, codes, zh, en, parent, center, rings, km2)


def _divided(kind: str, above: Level, seats: Floats, crowding: float) -> Level:
    """The level below ``above``, each of whose areas is divided around its seat."""
    rows = _rows("streets" if kind == "street" else "communities")
    number = {code: i for i, code in enumerate(above.code)}
    parent = np.array([number[row[above.kind]] for row in rows], dtype=np.int64)
    counts = np.bincount(parent, minlength=len(above))
    rings: list[Floats] = []
    for seat, outline, n in zip(seats, above.rings, counts.tolist(), strict=True):
        rings += divide(seat, outline, n, crowding)[1]
    return _level(kind, rows, parent, rings)
