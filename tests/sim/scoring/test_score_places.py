"""Places of events: cells, prefixes, polygons, and grids of different levels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geo.areas import Areas
from geo.cells import BeidouGrid, CellSystem, PolygonGrid
from geo.geojson import parse_features
from sim.scoring.files import ScoreFileError
from sim.scoring.places import places
from sim.scoring.score import score
from tests.sim.scoring.score_cases import CELLS, HOPS, Alert, alert, event, table


def found(cells: list[str], one: Alert) -> int:
    events = [event(cells=cells)]
    return score(events, places(events, table([one])), HOPS).total.found


def square(code: str, kind: str, west: float, south: float, size: float) -> dict[str, object]:
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size]]
    return {
        "type": "Feature",
        "properties": {"id": code, "name_zh": code, "kind": kind},
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
    }


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A district with a street and a community around the first cell."""
    features = [
        square("420106", "district", 114.2, 30.5, 0.2),
        square("420106005", "street", 114.29, 30.59, 0.02),
        square("420106005001", "community", 114.299, 30.599, 0.004),
    ]
    path = tmp_path / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize(
    ("kind", "area"),
    [("community", "420106005001"), ("street", "420106005"), ("district", "420106"), ("city", "city")],
)
def test_with_an_area_file_the_polygons_around_the_cells_count(drawn: Path, kind: str, area: str) -> None:
    def areas_of(cells: CellSystem) -> Areas:
        return Areas.from_geojson(drawn, cells)

    events = [event()]
    for name, expected in ((area, 1), (CELLS[0][:9] if kind != "city" else "", int(kind == "city"))):
        raised = table([Alert("a", "gas.leak_lel_max", kind, name, 0, 0)])
        assert score(events, places(events, raised, areas_of), HOPS).total.found == expected


def test_the_city_is_the_city_whatever_it_is_called() -> None:
    events = [event()]
    raised = table([Alert("a", "gas.leak_lel_max", "city", "wuhan", 0, 0)])
    assert score(events, places(events, raised), HOPS).total.found == 1


def test_where_the_replay_had_finer_cells_the_truth_decides() -> None:
    inside, outside = Alert("a", "gas.leak_lel_max", "cell", CELLS[0] + "3", 0, 0), alert(CELLS[1] + "0")
    assert (found([CELLS[0]], inside), found([CELLS[0]], outside)) == (1, 0)


def test_where_the_replay_had_coarser_cells_they_decide() -> None:
    inside, outside = alert(CELLS[1][:9]), alert(CELLS[2][:9])
    assert (found([CELLS[0]], inside), found([CELLS[0]], outside)) == (1, 0)


def test_codes_of_a_polygon_grid_are_cut_to_areas() -> None:
    shape = square("", "cell", 114.3, 30.6, 0.01)["geometry"]
    unit = {"type": "Feature", "properties": {"bm": "420106001002003"}, "geometry": shape}
    grid = PolygonGrid(parse_features({"type": "FeatureCollection", "features": [unit]}), "bm")
    rows = places([event(cells=["420106001002003"])], table([]), cells=grid).of_events
    assert set(rows.select("kind", "area").rows()) == {
        ("cell", "420106001002003"),
        ("community", "420106001002"),
        ("street", "420106001"),
        ("district", "420106"),
        ("city", "city"),
    }
    with pytest.raises(ScoreFileError, match=r"'420106001002004' is no cell of this grid"):
        places([event(cells=["420106001002004"])], table([]), cells=grid)


def test_a_place_is_listed_once_however_many_cells_it_holds() -> None:
    rows = places([event(cells=CELLS[:3])], table([])).of_events
    assert rows.height == rows.unique().height == 3 + 2 + 1 + 1


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["nowhere"], r"event 'e': cell 'nowhere' is no BeiDou code of level 3 to 6"),
        (["N50H"], r"cell 'N50H' is no BeiDou code of level 3 to 6"),
        ([CELLS[0], CELLS[0] + "1"], r"has cells of level 5, event 'e' of level 6; write all cells in one"),
    ],
)
def test_a_cell_that_cannot_be_placed_is_named(cells: list[str], message: str) -> None:
    with pytest.raises(ScoreFileError, match=message):
        places([event(cells=cells)], table([]))


def test_the_default_grid_is_that_of_the_codes() -> None:
    named = places([event()], table([]), cells=BeidouGrid()).of_events
    assert named.equals(places([event()], table([])).of_events)
