"""Real codes and names, on areas that the engine reads as it reads anybody's."""

import json
from pathlib import Path

import numpy as np
import pytest

from geo.area_kinds import AreaKind
from geo.areas import Areas
from geo.cells import BeidouGrid
from geo.voronoi import area
from sim.placement import Devices
from sim.regions import OUTLINE, Regions

REGIONS = Regions.wuhan()
LEVELS = (REGIONS.districts, REGIONS.streets, REGIONS.communities)


def test_codes_are_those_of_their_parents_with_three_digits_more() -> None:
    assert [len(level) for level in LEVELS] == [13, 193, 3495]
    for level, above in zip(LEVELS[1:], LEVELS, strict=False):
        assert len(set(level.code)) == len(level)
        assert all(
            code.startswith(above.code[i]) for code, i in zip(level.code, level.parent.tolist(), strict=True)
        )


def test_every_area_has_a_chinese_and_an_english_name() -> None:
    for level in LEVELS:
        assert all(name.strip() and not name.isascii() for name in level.name_zh)
        assert all(name.isascii() and not name[0].islower() for name in level.name_en)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.kind)
def test_the_areas_of_every_kind_fill_the_city(level: object) -> None:
    rings = level.rings  # type: ignore[attr-defined]
    assert sum(map(area, rings)) == pytest.approx(area(OUTLINE))


def test_the_engine_finds_devices_in_their_areas(tmp_path: Path) -> None:
    path = tmp_path / "areas.geojson"
    path.write_text(json.dumps(REGIONS.geojson()), encoding="utf-8")
    grid = BeidouGrid()
    areas = Areas.from_geojson(path, grid)
    assert areas.repairs == []
    assert areas.city["name_zh"] == "武汉市"
    devices = Devices.placed(3, 3000, REGIONS)
    found = areas.locate(grid.cells(devices.lon, devices.lat))
    districts = areas.ids(AreaKind.DISTRICT, found[:, 2])
    streets = areas.ids(AreaKind.STREET, found[:, 1])
    own = [REGIONS.districts.code[i] for i in devices.district.tolist()]
    assert "000000" not in districts
    # The centre of a cell decides for the engine, so that some devices lie across a border.
    assert np.mean(np.array(districts) == np.array(own)) > 0.97
    assert np.mean(np.array(streets) == np.array([REGIONS.streets.code[i] for i in devices.street])) > 0.9


@pytest.mark.parametrize("sensors", [48, 500, 20_000])
def test_devices_stand_in_every_district_and_share_cells(sensors: int) -> None:
    devices = Devices.placed(1, sensors, REGIONS)
    assert len(devices) == sensors
    assert devices.sensor_ids.n_unique() == sensors
    if sensors >= 500:
        assert len(np.unique(devices.district)) == 13
        assert len(np.unique(devices.cells(slice(None)))) < 0.7 * sensors


def test_a_city_of_too_few_sensors_is_refused() -> None:
    with pytest.raises(ValueError, match="48 classes of devices, at least one of each; found 47"):
        Devices.placed(1, 47, REGIONS)
