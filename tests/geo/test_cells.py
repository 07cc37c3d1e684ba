"""Cell systems: the standard grid at its four levels, and cells a city draws itself."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import beidou
from geo.cells import BeidouGrid, CellSystem, PolygonGrid
from geo.geojson import AreaFileError, parse_features

WEST, SOUTH, STEP, SIDE = 114.0, 30.0, 0.01, 10

lons = st.floats(WEST + 1e-6, WEST + SIDE * STEP - 1e-6)
lats = st.floats(SOUTH + 1e-6, SOUTH + SIDE * STEP - 1e-6)


def square(west: float, south: float, step: float = STEP) -> dict[str, Any]:
    east, north = west + step, south + step
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def collection(*units: tuple[object, dict[str, Any]]) -> dict[str, Any]:
    features = [{"type": "Feature", "properties": {"bm": code}, "geometry": shape} for code, shape in units]
    return {"type": "FeatureCollection", "features": features}


def unit(row: int, column: int) -> str:
    return f"420106{row + 1:03}{column + 1:03}001"


CHEQUERS = PolygonGrid(
    parse_features(
        collection(
            *(
                (unit(row, column), square(WEST + column * STEP, SOUTH + row * STEP))
                for row in range(SIDE)
                for column in range(SIDE)
            )
        )
    ),
    "bm",
)
SYSTEMS: tuple[CellSystem, ...] = (*(BeidouGrid(level) for level in (3, 4, 5, 6)), CHEQUERS)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
class TestEverySystem:
    @given(points=st.lists(st.tuples(lons, lats), min_size=1, max_size=10))
    def test_texts_parse_back(self, system: CellSystem, points: list[tuple[float, float]]) -> None:
        cells = system.cells(*np.array(points).T)
        np.testing.assert_array_equal(system.parse(system.text(cells)), cells)

    @given(lon=lons, lat=lats)
    def test_the_centre_of_a_cell_is_in_it_and_in_its_tile(
        self, system: CellSystem, lon: float, lat: float
    ) -> None:
        cells = system.cells([lon], [lat])
        x, y = system.center(cells)
        np.testing.assert_array_equal(system.cells(x, y), cells)
        np.testing.assert_array_equal(system.tile(cells), beidou.encode(x, y, 4))

    def test_none_passes_through(self, system: CellSystem) -> None:
        outside = system.cells([np.nan, 114.05], [30.05, 89.0])
        assert (outside < 0).all()
        assert system.text(outside) == ["", ""]
        assert np.isnan(system.center(outside)).all()
        assert system.tile(outside).tolist() == [-1, -1]

    def test_no_cells_are_no_texts(self, system: CellSystem) -> None:
        assert system.text(system.cells([], [])) == []
        assert system.parse([]).tolist() == []

    def test_it_is_the_same_in_another_process(self, system: CellSystem) -> None:
        copy = pickle.loads(pickle.dumps(system))  # noqa: S301
        cells = system.cells([114.05, 0.0], [30.05, 0.0])
        np.testing.assert_array_equal(copy.cells([114.05, 0.0], [30.05, 0.0]), cells)
        assert copy.text(cells) == system.text(cells)

    def test_a_foreign_code_is_refused(self, system: CellSystem) -> None:
        with pytest.raises(ValueError, match=r"'420199999999999'|N50J"):
            system.parse(["420199999999999" if system is CHEQUERS else "N50J"])


@given(row=st.integers(0, SIDE - 1), column=st.integers(1, SIDE - 1), along=st.floats(0.0001, 0.0099))
def test_a_point_on_a_border_belongs_to_the_lower_code(row: int, column: int, along: float) -> None:
    shared = np.float64(WEST + (column - 1) * STEP) + STEP
    cells = CHEQUERS.cells([shared], [SOUTH + row * STEP + along])
    assert CHEQUERS.text(cells)[0] in {unit(row, column - 1), unit(row, column)}
    corner = CHEQUERS.cells([WEST], [SOUTH])
    assert CHEQUERS.text(corner) == [unit(0, 0)]


def test_cells_do_not_depend_on_the_order_of_the_file() -> None:
    units = [("b", square(114.0, 30.0)), ("a", square(114.01, 30.0)), ("0420106", square(114.02, 30.0))]
    here = PolygonGrid(parse_features(collection(*units)), "bm")
    there = PolygonGrid(parse_features(collection(*units[::-1])), "bm")
    lon, lat = [114.005, 114.01, 114.015, 114.025], [30.005] * 4
    assert here.text(here.cells(lon, lat)) == ["b", "a", "a", "0420106"]
    np.testing.assert_array_equal(here.cells(lon, lat), there.cells(lon, lat))


def test_the_centre_of_a_crooked_cell_lies_inside_it() -> None:
    hook = [[0, 0], [3, 0], [3, 3], [2, 3], [2, 1], [1, 1], [1, 3], [0, 3], [0, 0]]
    grid = PolygonGrid(parse_features(collection(("u", {"type": "Polygon", "coordinates": [hook]}))), "bm")
    assert grid.text(grid.cells(*grid.center(grid.parse(["u"])))) == ["u"]


def test_every_unusable_feature_is_listed() -> None:
    document = collection(
        (None, square(114.0, 30.0)),
        ("1", square(114.0, 30.0)),
        ("01", square(114.0, 30.0)),
        ("2", {"type": "Point", "coordinates": [114.0, 30.0]}),
    )
    with pytest.raises(AreaFileError) as caught:
        PolygonGrid(parse_features(document, "cells.geojson"), "bm")
    assert caught.value.errors == [
        "01: is the same id as 1",
        "feature 0: needs the property bm, has ['bm']",
        "2: its geometry must be a Polygon or MultiPolygon, found Point",
    ]
    assert "cells.geojson is refused" in str(caught.value)


@pytest.mark.parametrize("level", [2, 7])
def test_a_grid_has_level_3_to_6(level: int) -> None:
    with pytest.raises(ValueError, match=f"level 3 to 6, found {level}"):
        BeidouGrid(level)
