"""From ids back to areas: every area's id leads to its uid, and to the district it lies in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.areas import AreaKind, Areas
from geo.cells import BeidouGrid, CellSystem, PolygonGrid
from geo.geojson import parse_features
from tests.geo.test_areas import COMMUNITY, EAST_DISTRICT, STREET, WEST_DISTRICT, box

BELOW = (AreaKind.COMMUNITY, AreaKind.STREET, AreaKind.DISTRICT)


def check(areas: Areas, cells: CellSystem, lon: float, lat: float) -> None:
    """The cell at a point and all areas around it know their uids and their district."""
    cell = cells.cells([lon], [lat])
    row = areas.locate(cell)[0]
    district = areas.ids(AreaKind.DISTRICT, [row[2]])[0] or areas.city["id"]
    code = areas.ids(AreaKind.CELL, cell)
    assert areas.uids(AreaKind.CELL, code).tolist() == cell.tolist()
    assert areas.district(AreaKind.CELL, code[0]) == district
    for kind in BELOW:
        uid = row[kind - 1]
        if uid >= 0:
            names = areas.ids(kind, [uid])
            assert areas.uids(kind, names).tolist() == [uid]
            assert areas.district(kind, names[0]) == district


@given(st.floats(-180, 180), st.floats(-87, 87), st.sampled_from([3, 4, 5, 6]))
def test_of_prefixes_of_codes(lon: float, lat: float, level: int) -> None:
    grid = BeidouGrid(level)
    check(Areas.from_codes(grid), grid, lon, lat)


def test_of_a_unit_grid() -> None:
    shape = {"type": "Polygon", "coordinates": [box(114.0, 30.0, 114.1, 30.1)]}
    unit = {"type": "Feature", "properties": {"bm": "020106001002003"}, "geometry": shape}
    grid = PolygonGrid(parse_features({"type": "FeatureCollection", "features": [unit]}), "bm")
    areas = Areas.from_codes(grid)
    check(areas, grid, 114.05, 30.05)
    with pytest.raises(ValueError, match="a street here is a number of 9 digits, found '020106'"):
        areas.uids(AreaKind.STREET, ["020106"])


@pytest.fixture
def drawn(tmp_path: Path) -> Areas:
    lonely = STREET | {
        "properties": {"id": "420199001", "name_zh": "孤街", "kind": "street"},
        "geometry": {"type": "Polygon", "coordinates": [box(115.0, 30.0, 115.05, 30.1)]},
    }
    features = [WEST_DISTRICT, EAST_DISTRICT, STREET, COMMUNITY, lonely]
    path = tmp_path / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return Areas.from_geojson(path, BeidouGrid())


@pytest.mark.parametrize("lon", [114.01, 114.03, 114.07, 114.15, 118.0])
def test_of_drawn_areas(drawn: Areas, lon: float) -> None:
    check(drawn, BeidouGrid(), lon, 30.05)


def test_the_city_is_its_own_and_a_street_outside_all_districts_is_the_citys(drawn: Areas) -> None:
    assert drawn.district(AreaKind.CITY, "city") == "city"
    assert drawn.district(AreaKind.STREET, "420199001") == "city"
    assert drawn.uids(AreaKind.CITY, ["city", "city"]).tolist() == [0, 0]
    for areas in (drawn, Areas.from_codes(BeidouGrid())):
        assert areas.uids(AreaKind.STREET, []).tolist() == []
