"""Road speeds of Los Angeles: miles, rows without a time, and detectors that were silent."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from sim.importers.metr_la import import_metr_la
from sim.importers.shift import WUHAN
from tests.sim.importers.importing import DATA, assert_all_accepted, cut, packed, records

PLACES = "index,sensor_id,latitude,longitude\n0,773869,34.15,-118.31\n1,767541,34.11,-118.23\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "metr_la_sensor_locations.csv").write_text(PLACES)
    packed(tmp_path / "los_speed.csv.gz", "773869,767541\n64.375,67.625\n0.0,70\n,35.5\n")
    return tmp_path


def test_miles_per_hour_become_kilometres_per_hour(folder: Path) -> None:
    import_metr_la(folder, folder / "out")
    assert [r["value"] for r in records(folder / "out")][:2] == [108.831888, 103.601520]


def test_the_first_row_is_midnight_of_winter_time_and_rows_follow_every_five_minutes(folder: Path) -> None:
    import_metr_la(folder, folder / "out")
    first = 1_330_588_800_000  # 2012-03-01T08:00:00Z
    assert [r["ts"] - first for r in records(folder / "out")] == [0, 0, 300_000, 600_000]


def test_rows_after_the_change_of_clocks_are_still_five_minutes_apart(folder: Path) -> None:
    rows = 12 * 24 * 11
    packed(folder / "los_speed.csv.gz", "773869\n" + "60\n" * rows)
    import_metr_la(folder, folder / "out")
    times = [r["ts"] for r in records(folder / "out")]
    assert {b - a for a, b in pairwise(times)} == {300_000}


def test_silence_is_dropped_and_counted_never_read_as_standstill(folder: Path) -> None:
    report = import_metr_la(folder, folder / "out")
    assert (report.rows, report.readings, report.dropped) == (3, 4, {"silent": 2})
    assert min(r["value"] for r in records(folder / "out")) > 50


def test_a_sensor_without_a_place_is_named(folder: Path) -> None:
    (folder / "metr_la_sensor_locations.csv").write_text(PLACES.rsplit("\n", 2)[0] + "\n")
    with pytest.raises(ValueError, match="no coordinates of 767541"):
        import_metr_la(folder, folder / "out")


def test_of_several_files_one_has_to_be_named(folder: Path) -> None:
    packed(folder / "sz_speed.csv.gz", "1\n2\n")
    with pytest.raises(ValueError, match=r"several files of speeds .*name the one"):
        import_metr_la(folder, folder / "out")
    assert import_metr_la(folder / "los_speed.csv.gz", folder / "out").readings == 4


def test_the_made_up_lines_replay(folder: Path) -> None:
    import_metr_la(folder, folder / "out", WUHAN)
    assert_all_accepted(folder / "out", "America/Los_Angeles")


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "metr_la").is_dir(), reason="the recordings are not on this machine")
def test_the_recordings_are_complete_and_replay(tmp_path: Path) -> None:
    report = import_metr_la(DATA / "metr_la", tmp_path, WUHAN)
    assert (report.sensors, report.dropped) == (207, {"silent": 0})
    assert report.readings == report.rows * 207
    speeds = [r["value"] for r in records(tmp_path)]
    assert 58 < sum(speeds) / len(speeds) / 1.609344 < 61
    cut(tmp_path, "readings", 207 * 24)
    assert_all_accepted(tmp_path, report.zone)
