"""The importer of the Beijing recordings, on a made-up folder and on the recordings where present."""

import gzip
import json
from pathlib import Path

import pytest

from sim.importers.beijing_air import COLUMNS, import_beijing_air
from sim.importers.shift import WUHAN
from tests.sim.importers.importing import assert_all_accepted

RECORDINGS = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "beijing_air"
HEADER = "No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,PRES,DEWP,RAIN,wd,WSPM,station\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = {
        "Dongsi": ["1,2013,12,31,23,9,9,3,17,300,89,-0.5,1024,-21,0,NNW,5.7,Dongsi"],
        "Tiantan": [
            "1,2013,12,31,22,6,6, ,NA,1200,91,-0.7,1025,-22,0,NNW,3.9,Tiantan",
            "2,2013,12,31,23,6,NaN,4,18,inf,90,-0.6,1025,-22,0,N,NA,Tiantan",
        ],
    }
    for station, lines in rows.items():
        text = HEADER + "\n".join(lines) + "\n"
        (tmp_path / f"PRSA_{station}_2013.csv.gz").write_bytes(gzip.compress(text.encode()))
    places = "station,name_zh,lon,lat\nDongsi,东四,116.417,39.929\nTiantan,天坛,116.407,39.886\n"
    (tmp_path / "stations.csv").write_text(places, encoding="utf-8")
    return tmp_path


def records(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "readings.jsonl").read_text().splitlines()]


def test_the_label_of_an_hour_becomes_its_end_in_utc(folder: Path) -> None:
    import_beijing_air(folder, folder / "out")
    new_year_in_beijing = 1_388_505_600_000
    stamps = [r["ts"] for r in records(folder / "out")]
    assert stamps[0] == new_year_in_beijing - 3_600_000
    assert stamps[-1] == new_year_in_beijing


def test_carbon_monoxide_becomes_milligrams_and_other_units_stay(folder: Path) -> None:
    import_beijing_air(folder, folder / "out")
    values = {(r["sensor_id"], r["metric"]): r["value"] for r in records(folder / "out")}
    assert values["Dongsi", "co"] == 0.3
    assert values["Dongsi", "pm25"] == 9.0
    assert values["Dongsi", "air_temperature"] == -0.5


def test_missing_values_are_dropped_and_counted(folder: Path) -> None:
    report = import_beijing_air(folder, folder / "out")
    missing = {"PM2.5": 0, "PM10": 1, "SO2": 1, "NO2": 1, "CO": 1, "O3": 0, "TEMP": 0, "WSPM": 1}
    assert report.dropped == missing
    assert report.readings == len(records(folder / "out")) == report.rows * len(COLUMNS) - 5


def test_readings_are_sorted_by_time(folder: Path) -> None:
    import_beijing_air(folder, folder / "out")
    times = [r["ts"] for r in records(folder / "out")]
    assert times == sorted(times, key=str)


def test_the_registry_has_place_and_period_of_every_series(folder: Path) -> None:
    import_beijing_air(folder, folder / "out")
    rows = (folder / "out" / "sensors.csv").read_text().splitlines()
    assert rows[0] == "sensor_id,lon,lat,metric,period_s"
    assert len(rows) == 1 + 2 * len(COLUMNS)
    assert "Tiantan,116.407,39.886,pm25,3600" in rows


def test_progress_is_told_for_every_file(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    import_beijing_air(folder, folder / "out", None, lambda done, total, _: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_an_empty_folder_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no recordings in .*PRSA_\*\.csv"):
        import_beijing_air(tmp_path, tmp_path)


def test_a_station_without_coordinates_is_named(folder: Path) -> None:
    (folder / "stations.csv").write_text("station,lon,lat\nDongsi,116.4,39.9\n")
    with pytest.raises(ValueError, match="no coordinates of Tiantan"):
        import_beijing_air(folder, folder / "out")


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the Beijing recordings are not on this machine")
def test_the_recordings_lose_only_what_is_missing_in_them(tmp_path: Path) -> None:
    report = import_beijing_air(RECORDINGS, tmp_path)
    assert report.sensors == 6
    assert report.readings == report.rows * len(COLUMNS) - sum(report.dropped.values())
    assert 0.01 < report.dropped["PM2.5"] / report.rows < 0.03
    with (tmp_path / "readings.jsonl").open() as lines:
        first = json.loads(next(lines))
    assert first["ts"] == 1_362_070_800_000  # 2013-03-01 01:00 in Beijing


def test_the_made_up_lines_replay(folder: Path) -> None:
    import_beijing_air(folder, folder / "out", WUHAN)
    assert_all_accepted(folder / "out", "Asia/Shanghai")
