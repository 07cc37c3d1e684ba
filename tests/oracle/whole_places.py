"""The ground of a city with all kinds of areas: nine cells in communities, streets and two districts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyproj

from tests.oracle.area import Cells
from tests.oracle.records import grid_code

CORNERS = (
    (114 + 20 / 60, 30 + 35 / 60),
    (114 + 22 / 60, 30 + 36 / 60),
    (114 + 33 / 60, 30 + 35 / 60),
)
"""South-western corners of three streets, 1' squares; the first two lie in one district."""

MINUTE_OF_ARC = 1 / 60
BORDER = 8 * 4 / 3600
"""Where, in a street, the western community ends and the eastern one begins."""

COLUMNS = (3, 5, 9)
"""Columns of cells of a street that records come from: two west of the border, one east."""

PLACES = {
    grid_code(lon, lat): (lon, lat)
    for lon, lat in ((x + (4 * i + 2) / 3600, y + (4 * i + 2) / 3600) for x, y in CORNERS for i in COLUMNS)
}
CELLS = tuple(PLACES)

DISTRICTS = ("420101", "420101", "420102")
STREETS = ("420101001", "420101002", "420102001")
"""The codes of the streets, in the order of their corners."""


def _kinds() -> dict[str, tuple[str, str]]:
    """Cell -> (community, street); the last street has no community in the east."""
    found = {}
    for number, cell in enumerate(CELLS):
        street = STREETS[number // 3]
        east = number % 3 == 2
        found[cell] = ("" if east and street == STREETS[2] else f"{street}00{2 if east else 1}", street)
    return found


def _areas() -> dict[str, tuple[str, Cells | None]]:
    found: dict[str, tuple[str, set[str]]] = {}
    for cell, (community, street) in _kinds().items():
        found.setdefault(cell, ("cell", set()))[1].add(cell)
        if community:
            found.setdefault(community, ("community", set()))[1].add(cell)
        found.setdefault(street, ("street", set()))[1].add(cell)
        found.setdefault(street[:6], ("district", set()))[1].add(cell)
    areas: dict[str, tuple[str, Cells | None]] = {"city": ("city", None)}
    return areas | {name: (kind, frozenset(cells)) for name, (kind, cells) in found.items()}


AREAS: Mapping[str, tuple[str, Cells | None]] = _areas()
"""Area -> (kind, its cells; None: all)."""

STREET_OF: Mapping[str, str] = {cell: street for cell, (_, street) in _kinds().items()}


def beside(cell: str, east: float, north: float) -> tuple[float, float]:
    """The place so many metres from the middle of a cell, degrees."""
    lon, lat = PLACES[cell]
    geod = pyproj.Geod(ellps="WGS84")
    lon, lat, _ = geod.fwd(lon, lat, 90.0, east)
    lon, lat, _ = geod.fwd(lon, lat, 0.0, north)
    return round(lon, 9), round(lat, 9)


def write_areas(folder: Path) -> Path:
    """The areas as GeoJSON."""
    features = []
    for (x, y), street, district in zip(CORNERS, STREETS, DISTRICTS, strict=True):
        features.append(_feature(street, "street", district, (x, x + MINUTE_OF_ARC), y))
        features.append(_feature(f"{street}001", "community", street, (x, x + BORDER), y))
        if street != STREETS[2]:
            features.append(_feature(f"{street}002", "community", street, (x + BORDER, x + MINUTE_OF_ARC), y))
    features += [_district(name) for name in sorted(set(DISTRICTS))]
    path = folder / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def _district(name: str) -> dict[str, object]:
    own = [corner for corner, district in zip(CORNERS, DISTRICTS, strict=True) if district == name]
    rings = [[_ring((x, x + MINUTE_OF_ARC), y)] for x, y in own]
    return {
        "type": "Feature",
        "properties": {"id": name, "kind": "district", "name_zh": name, "parent": None},
        "geometry": {"type": "MultiPolygon", "coordinates": rings},
    }


def _feature(name: str, kind: str, parent: str, lons: tuple[float, float], south: float) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": {"id": name, "kind": kind, "name_zh": name, "parent": parent},
        "geometry": {"type": "Polygon", "coordinates": [_ring(lons, south)]},
    }


def _ring(lons: tuple[float, float], south: float) -> list[list[float]]:
    west, east = lons
    north = south + MINUTE_OF_ARC
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]
