"""A pump's test bed: separated by semicolons, without places, each file an asset of its own."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from geo.cells import BeidouGrid
from sim.importers.shift import Shift
from sim.importers.skab import import_skab
from tests.sim.importers.importing import DATA, assert_all_accepted, cut, records

HEADER = (
    "datetime;Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;"
    "Volume Flow RateRMS;anomaly;changepoint\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    row = "{};0.0265;0.0401;1.33;0.054711;79.3;26.0;{};{};0.0;0.0\n"
    (tmp_path / "valve1").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "valve1" / "0.csv").write_text(
        HEADER
        + row.format("2020-03-09 10:14:33", "233.062", "32.0")
        + row.format("2020-03-09 10:14:34", "236.04", "")
        + row.format("2020-03-09 10:14:34", "236.04", "32.0")
    )
    (tmp_path / "other" / "0.csv").write_text(
        HEADER + row.format("2020-03-01 15:44:06", "209.639", "76.0197")
    )
    return tmp_path


def test_each_file_is_an_asset_named_by_its_folder(folder: Path) -> None:
    import_skab(folder, folder / "out")
    assert [r["sensor_id"] for r in records(folder / "out")] == ["skab-other-0"] * 2 + ["skab-valve1-0"] * 3


def test_litres_per_minute_become_cubic_metres_per_hour(folder: Path) -> None:
    import_skab(folder, folder / "out")
    values = {r["metric"]: r["value"] for r in records(folder / "out")[:2]}
    assert values == {
        "industrial_water_flow": pytest.approx(76.0197 * 0.06, abs=1e-6),
        "supply_voltage": 209.639,
    }


def test_stamps_are_moscow_time(folder: Path) -> None:
    import_skab(folder, folder / "out")
    assert records(folder / "out")[0]["ts"] == 1_583_066_646_000  # 12:44:06Z


def test_missing_values_and_repeated_seconds_are_dropped_and_counted(folder: Path) -> None:
    report = import_skab(folder, folder / "out")
    assert (report.rows, report.readings, report.sensors) == (4, 5, 2)
    assert report.dropped == {"row without a time, or of a time seen before": 1, "missing value": 1}
    assert {"Pressure", "anomaly", "changepoint"} <= set(report.not_imported)


def test_no_two_assets_share_a_cell_wherever_they_are_put(folder: Path) -> None:
    for n in range(2, 9):
        (folder / "valve1" / f"{n}.csv").write_text((folder / "valve1" / "0.csv").read_text())
    import_skab(folder, folder / "out", Shift(116.4, 39.9))
    sensors = pl.read_csv(folder / "out" / "sensors.csv").unique("sensor_id")
    cells = BeidouGrid().cells(sensors["lon"].to_numpy(), sensors["lat"].to_numpy())
    assert len(set(cells.tolist())) == 9
    assert np.hypot(sensors["lon"].to_numpy() - 116.4, sensors["lat"].to_numpy() - 39.9).max() < 0.01
    assert all(a != b for a, b in combinations(sensors.select("lon", "lat").rows(), 2))


def test_commas_are_not_what_separates(folder: Path) -> None:
    text = (folder / "other" / "0.csv").read_text()
    (folder / "other" / "0.csv").write_text(text.replace(";", ","))
    with pytest.raises(
        ValueError, match=r"0.csv lacks the columns datetime, .*: is it the file as published"
    ):
        import_skab(folder, folder / "out")


def test_the_made_up_lines_replay(folder: Path) -> None:
    import_skab(folder, folder / "out")
    (folder / "out" / "readings.jsonl").write_text(
        "".join((folder / "out" / "readings.jsonl").read_text().splitlines(keepends=True)[2:])
    )
    assert_all_accepted(folder / "out", "Europe/Moscow")


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "skab_water").is_dir(), reason="the recordings are not on this machine")
def test_the_recordings_are_complete_and_replay(tmp_path: Path) -> None:
    report = import_skab(DATA / "skab_water", tmp_path)
    assert report.readings == 2 * report.rows
    assert report.sensors == report.files
    cut(tmp_path, "readings", 5_000)
    assert_all_accepted(tmp_path, report.zone)
