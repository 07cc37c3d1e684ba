"""Areas (C-2.2): prefixes of codes, polygons, and what happens at and beyond their borders."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import coordinates
from geo.areas import CITY_UID, AreaKind, Areas
from geo.cells import BeidouGrid, CellSystem, PolygonGrid
from geo.geojson import AreaFileError, parse_features

GRID = BeidouGrid()
KINDS = (AreaKind.COMMUNITY, AreaKind.STREET, AreaKind.DISTRICT, AreaKind.CITY)

Write = Callable[..., Path]


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feature(ring: list[list[float]], **properties: object) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(*features: dict[str, Any], **members: object) -> Path:
        path = tmp_path / "areas.geojson"
        document = {"type": "FeatureCollection", "features": list(features)} | members
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return to_file


def around(areas: Areas, lon: float, lat: float, cells: CellSystem = GRID) -> list[str]:
    """Ids of community, street, district and city of the cell at a point."""
    (row,) = areas.locate(cells.cells([lon], [lat])).tolist()
    return [areas.ids(kind, [uid])[0] for kind, uid in zip(KINDS, row, strict=True)]


WEST_DISTRICT = feature(
    box(114.0, 30.0, 114.1, 30.1), id="420102", name_zh="江岸区", name_en="Jiang'an", kind="district"
)
EAST_DISTRICT = feature(box(114.1, 30.0, 114.2, 30.1), id="420103", name_zh="江汉区", kind="district")
STREET = feature(
    box(114.0, 30.0, 114.05, 30.1), id="420102001", name_zh="大智街", kind="street", parent="420102"
)
COMMUNITY = feature(
    box(114.0, 30.0, 114.02, 30.1), id="420102001001", name_zh="社区", kind="community", parent="420102001"
)


@given(st.floats(-180, 180), st.floats(-87, 87), st.sampled_from([3, 4, 5, 6]))
def test_without_polygons_areas_are_prefixes_of_the_code(lon: float, lat: float, level: int) -> None:
    grid = BeidouGrid(level)
    text = grid.text(grid.cells([lon], [lat]))[0]
    street = text[:9] if level > 3 else ""
    assert around(Areas.from_codes(grid, "wuhan"), lon, lat, grid) == ["", street, text[:7], "wuhan"]


def test_uids_of_prefixes_are_unique_over_all_kinds() -> None:
    lon, lat = np.random.default_rng(3).uniform([[-180], [-87]], [[180], [87]], (2, 20_000))
    lon[:10_000], lat[:10_000] = lon[:10_000] % 0.5, lat[:10_000] % 0.5
    found = Areas.from_codes(GRID).locate(GRID.cells(lon, lat))
    uids = [set(found[:, column].tolist()) - {-1} for column in range(4)]
    assert not uids[0]
    assert uids[3] == {CITY_UID}
    assert sum(map(len, uids)) == len(set.union(*uids))


def test_a_unit_grid_rolls_up_by_cutting_its_digits() -> None:
    shape = {"type": "Polygon", "coordinates": [box(114.0, 30.0, 114.1, 30.1)]}
    unit = {"type": "Feature", "properties": {"bm": "020106001002003"}, "geometry": shape}
    grid = PolygonGrid(parse_features({"type": "FeatureCollection", "features": [unit]}), "bm")
    areas = Areas.from_codes(grid)
    assert around(areas, 114.05, 30.05, grid) == ["020106001002", "020106001", "020106", "city"]
    community = areas.locate(grid.cells([114.05], [30.05]))[:, 0]
    assert areas.describe(AreaKind.COMMUNITY, community)[0]["parent"] == "020106001"


def test_other_polygon_cells_roll_up_by_the_codes_of_their_centres() -> None:
    shape = {"type": "Polygon", "coordinates": [box(114.0, 30.0, 114.001, 30.001)]}
    plot = {"type": "Feature", "properties": {"bm": "plot 7"}, "geometry": shape}
    grid = PolygonGrid(parse_features({"type": "FeatureCollection", "features": [plot]}), "bm")
    assert around(Areas.from_codes(grid), 114.0005, 30.0005, grid) == ["", "N50H04000", "N50H040", "city"]


def test_no_cell_is_in_no_area() -> None:
    assert Areas.from_codes(GRID).locate([-1]).tolist() == [[-1, -1, -1, -1]]
    assert Areas.from_codes(GRID).locate([]).shape == (0, 4)
    assert Areas.from_codes(GRID).known_districts().tolist() == []


def test_the_centre_of_a_cell_decides(write: Write) -> None:
    areas = Areas.from_geojson(write(WEST_DISTRICT, EAST_DISTRICT, STREET, COMMUNITY), GRID, "wuhan")
    assert around(areas, 114.01, 30.05) == ["420102001001", "420102001", "420102", "wuhan"]
    assert around(areas, 114.03, 30.05) == ["", "420102001", "420102", "wuhan"]
    assert around(areas, 114.07, 30.05) == ["", "", "420102", "wuhan"]
    assert around(areas, 114.15, 30.05) == ["", "", "420103", "wuhan"]
    # The point is east of the border, the centre of its cell (114.09944 to 114.10056) is on it or west.
    cell = GRID.cells([114.1 - 1e-7], [30.05])
    assert areas.locate(cell)[0, 2] == areas.locate(GRID.cells(*GRID.center(cell)))[0, 2]


def test_a_centre_on_a_shared_border_belongs_to_the_lower_id(write: Write) -> None:
    ((lon,), (lat,)) = (axis.tolist() for axis in GRID.center(GRID.cells([114.1], [30.05])))
    west = feature(box(lon - 0.1, lat - 0.1, lon, lat + 0.1), id="420109", kind="district")
    east = feature(box(lon, lat - 0.1, lon + 0.1, lat + 0.1), id="420102", kind="district")
    for order in ((west, east), (east, west)):
        assert around(Areas.from_geojson(write(*order), GRID), lon, lat)[2] == "420102"


@pytest.mark.parametrize(
    ("metres", "street", "district"),
    [(450, "420102001", "420102"), (550, "", "000000")],
)
def test_a_cell_outside_all_goes_to_a_street_within_500_metres(
    write: Write, metres: float, street: str, district: str
) -> None:
    lat = 60.0  # where a degree of longitude is half as long
    near = feature(box(114.0, lat, 114.1, lat + 0.1), id="420102001", kind="street", parent="420102")
    areas = Areas.from_geojson(write(near), GRID)
    lon = 114.1 + metres / (111_320 * np.cos(np.deg2rad(lat)))
    ((centre,), _) = GRID.center(GRID.cells([lon], [lat + 0.05]))
    assert abs(centre - lon) * 55_660 < 40
    assert around(areas, lon, lat + 0.05) == ["", street, district, "city"]


def test_streets_without_a_parent_get_the_district_drawn_around_them(write: Write) -> None:
    street = feature(box(114.0, 30.0, 114.05, 30.1), id="420102001", kind="street")
    areas = Areas.from_geojson(write(WEST_DISTRICT, EAST_DISTRICT, street), GRID)
    assert around(areas, 114.01, 30.05) == ["", "420102001", "420102", "city"]
    assert around(areas, 113.998, 30.05) == ["", "420102001", "420102", "city"]
    assert [area["parent"] for area in areas.info()] == ["", "city", "city", "420102"]


def test_a_declared_parent_goes_before_the_polygons(write: Write) -> None:
    street = feature(box(114.0, 30.0, 114.15, 30.1), id="420103001", kind="street", parent="420103")
    areas = Areas.from_geojson(write(WEST_DISTRICT, EAST_DISTRICT, street), GRID)
    assert around(areas, 114.01, 30.05) == ["", "420103001", "420103", "city"]


def test_missing_levels_are_missing(write: Write) -> None:
    districts = Areas.from_geojson(write(WEST_DISTRICT), GRID)
    assert around(districts, 114.01, 30.05) == ["", "", "420102", "city"]
    assert around(districts, 115.01, 30.05) == ["", "", "000000", "city"]
    street = feature(box(114.0, 30.0, 114.05, 30.1), id="s", kind="street")
    assert around(Areas.from_geojson(write(street), GRID), 114.01, 30.05) == ["", "s", "", "city"]


def test_parents_that_are_only_named_become_areas(write: Write) -> None:
    areas = Areas.from_geojson(write(COMMUNITY, STREET), GRID)
    assert around(areas, 114.01, 30.05)[:3] == ["420102001001", "420102001", "420102"]
    assert areas.ids(AreaKind.DISTRICT, areas.known_districts()) == ["420102"]


def test_all_areas_of_a_file_are_known_before_any_data(write: Write) -> None:
    city = feature(box(114.0, 30.0, 114.2, 30.1), id="420100", name_zh="武汉市", name_en="Wuhan", kind="city")
    areas = Areas.from_geojson(write(city, WEST_DISTRICT, EAST_DISTRICT, STREET), GRID, "wuhan")
    assert areas.ids(AreaKind.DISTRICT, areas.known_districts()) == ["420102", "420103"]
    assert areas.info()[:2] == [
        {"id": "wuhan", "name_zh": "武汉市", "name_en": "Wuhan", "kind": "city", "parent": ""},
        {"id": "420102", "name_zh": "江岸区", "name_en": "Jiang'an", "kind": "district", "parent": "wuhan"},
    ]
    assert areas.info()[-1]["parent"] == "420102"


def test_the_properties_of_common_boundary_files_are_understood(write: Write) -> None:
    ring = box(114.0, 30.0, 114.1, 30.1)
    district = feature(ring, adcode=420102, name="江岸区", level="district", parent={"adcode": 420100})
    areas = Areas.from_geojson(write(district), GRID)
    assert around(areas, 114.05, 30.05)[2] == "420102"
    assert areas.info()[1]["name_zh"] == "江岸区"


def test_areas_are_the_same_in_another_process(write: Write) -> None:
    areas = Areas.from_geojson(write(WEST_DISTRICT, EAST_DISTRICT, STREET, COMMUNITY), GRID)
    copy = pickle.loads(pickle.dumps(areas))  # noqa: S301
    cells = GRID.cells(*np.random.default_rng(1).uniform([[113.99], [29.99]], [[114.21], [30.11]], (2, 500)))
    np.testing.assert_array_equal(copy.locate(cells), areas.locate(cells))
    assert copy.info() == areas.info()


@pytest.mark.parametrize("order", [1, -1])
def test_each_cell_is_located_by_itself(write: Write, order: int) -> None:
    features = [WEST_DISTRICT, EAST_DISTRICT, STREET, COMMUNITY][::order]
    areas = Areas.from_geojson(write(*features), GRID)
    cells = GRID.cells(*np.random.default_rng(2).uniform([[113.99], [29.99]], [[114.21], [30.11]], (2, 300)))
    together = areas.locate(cells)
    alone = np.concatenate([areas.locate(cells[[row]]) for row in range(len(cells))])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    ("name", "crs"),
    [
        pytest.param("urn:ogc:def:crs:EPSG::4490", "cgcs2000", id="CGCS2000 by its URN"),
        pytest.param("urn:ogc:def:crs:OGC:1.3:CRS84", "wgs84", id="CRS84 by its URN"),
        pytest.param("EPSG:4326", "wgs84", id="EPSG:4326"),
        pytest.param("gcj02", "gcj02", id="our name of GCJ-02"),
        pytest.param("BD-09", "bd09", id="BD-09 as people write it"),
    ],
)
def test_a_declared_coordinate_system_is_undone(write: Write, name: str, crs: str) -> None:
    corners = np.array(box(114.0, 30.0, 114.1, 30.1))
    x, y = coordinates.from_wgs84(corners[:, 0], corners[:, 1], crs)
    member = {"type": "name", "properties": {"name": name}}
    moved = feature(np.column_stack([x, y]).tolist(), id="420102", kind="district")
    areas = Areas.from_geojson(write(moved, crs=member), GRID)
    assert around(areas, 114.0008, 30.0008)[2] == "420102"
    assert around(areas, 114.0992, 30.0992)[2] == "420102"
    assert around(areas, 113.9992, 30.05)[2] == around(areas, 114.1008, 30.05)[2] == "000000"


def test_projected_files_are_read_by_their_epsg_code(write: Write) -> None:
    # Corners of 114.0 to 114.1 east, 30.0 to 30.1 north in web Mercator.
    x, y = (12690421.95, 12701553.90), (3503549.84, 3516411.80)
    square = feature(box(x[0], y[0], x[1], y[1]), id="420102", kind="district")
    member = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    areas = Areas.from_geojson(write(square, crs=member), GRID)
    assert around(areas, 114.001, 30.001)[2] == around(areas, 114.099, 30.099)[2] == "420102"
    assert around(areas, 113.998, 30.05)[2] == around(areas, 114.102, 30.05)[2] == "000000"
    with pytest.raises(
        AreaFileError, match='is not on the globe: declare the right coordinate system in "crs"'
    ):
        Areas.from_geojson(write(square), GRID)


GOOD = box(114.0, 30.0, 114.1, 30.1)


@pytest.mark.parametrize(
    ("ring", "repair"),
    [
        pytest.param(GOOD[:-1], "closed a ring", id="unclosed"),
        pytest.param([GOOD[0], *GOOD], "removed repeated points", id="repeated point"),
        pytest.param(GOOD[::-1], "turned a ring round", id="clockwise"),
        pytest.param(
            [*GOOD[:3], [114.05, 30.05], [114.06, 30.08], [114.0, 30.1], GOOD[0]],
            "",
            id="clean though crooked",
        ),
        pytest.param(
            [*GOOD[:3], [114.1, 30.2], GOOD[2], *GOOD[3:]], "made valid (self-intersection)", id="spike"
        ),
        pytest.param(
            [[114.0, 30.0], [114.1, 30.1], [114.1, 30.0], [114.0, 30.1], [114.0, 30.0]],
            "resolved a self-intersection",
            id="bow tie",
        ),
    ],
)
def test_dirty_rings_are_mended_and_reported(write: Write, ring: list[list[float]], repair: str) -> None:
    areas = Areas.from_geojson(write(feature(ring, id="420102", kind="district")), GRID)
    assert around(areas, 114.09, 30.05 if repair != "resolved a self-intersection" else 30.02)[2] == "420102"
    assert len(areas.repairs) == bool(repair)
    assert all(line.startswith("420102: ") for line in areas.repairs)
    if repair and "made valid" not in repair:
        assert repair in areas.repairs[0]


def test_holes_and_third_coordinates_are_taken_as_they_are_meant(write: Write) -> None:
    outer = [[*point, 12.5] for point in box(114.0, 30.0, 114.1, 30.1)]
    hole = box(114.04, 30.04, 114.06, 30.06)[::-1]
    flat = feature(outer, id="420102", kind="district")
    flat["geometry"]["coordinates"] += [hole, [[114.01, 30.01], [114.01, 30.01]]]
    areas = Areas.from_geojson(write(flat), GRID)
    assert around(areas, 114.05, 30.05)[2] == "000000"
    assert around(areas, 114.02, 30.05)[2] == "420102"
    assert areas.repairs == ["420102: closed a ring, dropped a ring of fewer than three points"] or (
        "dropped a ring" in areas.repairs[0]
    )


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        pytest.param(
            feature(GOOD, kind="district"), "feature 1: needs the property id or adcode", id="no id"
        ),
        pytest.param(
            feature(GOOD, id="420102", kind="district"), "420102: is the same id as 420102", id="twice"
        ),
        pytest.param(
            feature(GOOD, id="x", kind="borough"), "x: kind must be one of cell, community", id="kind"
        ),
        pytest.param(feature(GOOD, id="x"), "x: kind must be one of", id="no kind"),
        pytest.param(feature([], id="x", kind="street"), "x: a ring must be a list", id="empty ring"),
        pytest.param(feature([[1, "a"]], id="x", kind="street"), "x: a ring must be a list", id="no numbers"),  # type: ignore[list-item]
        pytest.param(feature([[1, 2], [2, 3], [1, 2]], id="x", kind="street"), "x: no polygon", id="a line"),
        pytest.param(
            feature([[1, 1], [2, 2], [3, 3], [1, 1]], id="x", kind="street"), "x: no polygon", id="no area"
        ),
        pytest.param(
            feature([[200, 1]] * 4, id="x", kind="street"), "x: [200, 1] is not on", id="off the globe"
        ),
        pytest.param(
            {"type": "Feature", "properties": {"id": "x", "kind": "street"}, "geometry": None},
            "x: its geometry must be a Polygon or MultiPolygon, found none",
            id="no geometry",
        ),
        pytest.param(
            feature(GOOD, id="x", kind="street", parent="420102001001"),
            "x: a street cannot lie in the community 420102001001",
            id="parent of a smaller kind",
        ),
    ],
)
def test_a_file_with_an_unusable_feature_is_refused_with_all_reasons(
    write: Write, broken: dict[str, Any], error: str
) -> None:
    other = feature(GOOD, id="y", kind="no such kind")
    with pytest.raises(AreaFileError) as caught:
        Areas.from_geojson(write(WEST_DISTRICT, broken, other), GRID)
    assert any(line.startswith(error) for line in caught.value.errors)
    assert any(line.startswith("y: kind must be") for line in caught.value.errors)
    assert "areas.geojson is refused" in str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "must be a GeoJSON FeatureCollection with features, found 'list'"),
        (b'{"type": "Feature"}', "found 'Feature'"),
        (b'{"type": "FeatureCollection", "features": []}', "with features"),
        (b'{"type": "FeatureCollection", "features": [1]}', "feature 0: is no GeoJSON Feature"),
    ],
)
def test_what_is_no_area_file_is_refused(tmp_path: Path, content: bytes, error: str) -> None:
    path = tmp_path / "areas.geojson"
    path.write_bytes(content)
    with pytest.raises(AreaFileError, match=error):
        Areas.from_geojson(path, GRID)


def test_unknown_coordinate_systems_are_named(write: Write) -> None:
    named = {"type": "name", "properties": {"name": "EPSG:99999999"}}
    with pytest.raises(AreaFileError, match="coordinate system 'epsg:99999999' is unknown"):
        Areas.from_geojson(write(WEST_DISTRICT, crs=named), GRID)
    with pytest.raises(AreaFileError, match='"crs" has no name'):
        Areas.from_geojson(write(WEST_DISTRICT, crs={"type": "link"}), GRID)
