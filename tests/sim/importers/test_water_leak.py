"""A water network: metres of head, local metres of place, the pump's flow, and leaks as truth."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from geo import beidou
from sim.importers.shift import Shift
from sim.importers.water_leak import import_water_leak
from tests.sim.importers.importing import DATA, HOUR, assert_all_accepted, cut, packed, records

MIDNIGHT = 1_552_838_400_000  # 2019-03-18T00:00:00+08:00
SCADA = """timestamp,P_n1,P_n4,F_PUMP_1,F_p227,F_p235,L_T1
2019-03-18 00:00:00,28.57,33.74,44.28,94.77,98.43,3.508
2019-03-18 00:05:00,28.62,,44.3,94.77,98.01,3.506
2019-03-18 00:10:00,28.66,33.71,43.5,,96.48,3.51
2019-03-18 00:15:00,28.66,33.71,43.5,92.57,96.48,3.51
"""
SENSORS = """sensor,kind,x_m,y_m
P_n1,pressure_m,100,1500
P_n4,pressure_m,300,1500
F_PUMP_1,flow_m3h,600,1100
F_p227,flow_m3h,2700,1000
F_p235,flow_m3h,500,800
L_T1,level_m,570,1140
"""
LEAKS = """link,start,end,diameter_m,type,peak,x,y
p257,2019-01-01 00:00:00,2019-12-31 23:55:00,0.011,incipient,2019-01-01 00:00:00,290,1500
p710,2019-03-18 00:05:00,2019-12-31 23:55:00,0.009,abrupt,2019-03-18 00:05:00,120,1500
p331,2019-04-20 10:10:00,2019-12-31 23:55:00,0.014,abrupt,2019-04-20 10:10:00,899,1204
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    packed(tmp_path / "scada_made_up.csv.gz", SCADA)
    (tmp_path / "sensors.csv").write_text(SENSORS)
    (tmp_path / "leak_labels_made_up.csv").write_text(LEAKS)
    return tmp_path


def places(folder: Path) -> dict[str, tuple[float, float]]:
    rows = pl.read_csv(folder / "sensors.csv").select("sensor_id", "lon", "lat").unique()
    return {name: (lon, lat) for name, lon, lat in rows.rows()}


def test_metres_of_water_become_megapascal(folder: Path) -> None:
    import_water_leak(folder, folder / "out")
    values = {r["sensor_id"]: r["value"] for r in records(folder / "out") if r["ts"] == MIDNIGHT}
    assert values["P_n1"] == pytest.approx(28.57 * 9.80665 / 1000)
    assert values["P_n4"] == pytest.approx(0.330876, abs=1e-6)


def test_the_inflow_is_what_both_inlets_bring_less_what_the_pump_takes(folder: Path) -> None:
    import_water_leak(folder, folder / "out")
    flows = {r["ts"]: r["value"] for r in records(folder / "out") if r["metric"] == "dma_inflow"}
    assert flows[MIDNIGHT] == pytest.approx(94.77 + 98.43 - 44.28)
    assert MIDNIGHT + 600_000 not in flows, "without one of the three there is no sum"


def test_stamps_are_beijing_time_on_every_day_of_the_year(folder: Path) -> None:
    # 2:30 on 31 March does not exist where clocks change.
    summer = SCADA.replace("2019-03-18 00:15", "2019-03-31 02:30")
    packed(folder / "scada_made_up.csv.gz", summer)
    import_water_leak(folder, folder / "out")
    times = [r["ts"] for r in records(folder / "out")]
    assert times[0] == MIDNIGHT
    assert times[-1] == MIDNIGHT + 13 * 24 * HOUR + HOUR * 5 // 2


def test_missing_values_are_dropped_and_counted(folder: Path) -> None:
    report = import_water_leak(folder, folder / "out")
    assert (report.rows, report.readings, report.sensors) == (4, 10, 3)
    assert report.dropped["missing value"] == 2
    assert report.not_imported == ("L_T1",)


def test_local_metres_are_put_at_wuhan_or_where_one_says(folder: Path) -> None:
    import_water_leak(folder, folder / "here")
    import_water_leak(folder, folder / "there", Shift(116.4, 39.9))
    for name, centre in (("here", (114.305, 30.593)), ("there", (116.4, 39.9))):
        found = places(folder / name)
        assert found["P_n1"] == pytest.approx(centre, abs=0.02)
        east = (found["P_n4"][0] - found["P_n1"][0]) * 111_320
        assert east == pytest.approx(200 / (0.8612 if name == "here" else 0.7679), rel=0.01)
        assert found["P_n4"][1] == pytest.approx(found["P_n1"][1], abs=1e-5)


def test_leaks_that_begin_within_the_recording_are_truth(folder: Path) -> None:
    report = import_water_leak(folder, folder / "out")
    (event,) = records(folder / "out", "truth")
    assert report.truths == 1
    assert report.dropped["leak that began outside the recording"] == 2
    assert event["event_id"] == "leak-p710"
    assert (event["start"], event["end"]) == (MIDNIGHT + 300_000, MIDNIGHT + 900_000)
    lon, lat = places(folder / "out")["P_n1"]
    assert event["cells"] == [beidou.code(lon + 20 / 95_900, lat)], "20 m east of the first sensor"


def test_a_folder_without_labels_has_no_truth(folder: Path) -> None:
    (folder / "leak_labels_made_up.csv").unlink()
    assert import_water_leak(folder, folder / "out").truths == 0


def test_a_sensor_without_a_place_is_named(folder: Path) -> None:
    (folder / "sensors.csv").write_text(SENSORS.replace("P_n4", "P_n5"))
    with pytest.raises(ValueError, match=r"sensors.csv has no place of P_n4"):
        import_water_leak(folder, folder / "out")


def test_the_made_up_lines_replay(folder: Path) -> None:
    import_water_leak(folder, folder / "out")
    assert_all_accepted(folder / "out", "Asia/Shanghai")


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "water_leak").is_dir(), reason="the recordings are not on this machine")
def test_the_recordings_are_complete_know_their_leaks_and_replay(tmp_path: Path) -> None:
    report = import_water_leak(DATA / "water_leak", tmp_path)
    assert report.readings == report.rows * 34
    assert (report.sensors, report.truths, report.dropped["missing value"]) == (34, 3, 0)
    assert [event["event_id"] for event in records(tmp_path, "truth")] == [
        "leak-p710",
        "leak-p514",
        "leak-p331",
    ]
    first = json.loads((tmp_path / "truth.jsonl").read_text().splitlines()[0])
    assert first["start"] == MIDNIGHT + (6 * 24 + 14) * HOUR + HOUR // 4  # 24 March 14:15
    cut(tmp_path, "readings", 34 * 12 * 24)
    assert_all_accepted(tmp_path, report.zone)
