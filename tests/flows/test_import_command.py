"""``yiwang import``: what it writes, prints and refuses."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from flows.commands.importing import import_records

APP = typer.Typer()
APP.command("import")(import_records)
HEADER = "year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,WSPM,station\n"


def recordings(folder: Path) -> Path:
    (folder / "stations.csv").write_text("station,lon,lat\nDongsi,116.417,39.929\n")
    (folder / "PRSA_Dongsi.csv").write_text(HEADER + "2013,3,1,0,9,NA,3,17,300,89,-0.5,2.0,Dongsi\n")
    return folder


def test_import_writes_records_and_reports_as_json(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(APP, ["beijing-air", str(recordings(tmp_path)), "--to", str(out), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["readings"] == 7
    assert sorted(p.name for p in out.iterdir()) == ["readings.jsonl", "sensors.csv"]


def test_import_tells_what_to_do_next(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        APP, ["beijing-air", str(recordings(tmp_path)), "--to", str(tmp_path / "out")]
    )
    assert "yiwang replay --readings" in result.stdout
    assert "PM10 1" in result.stdout


def test_an_unknown_data_set_is_wrong_use_and_the_known_are_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(APP, ["moon-dust", str(tmp_path), "--to", str(tmp_path)])
    assert result.exit_code == 2
    assert "beijing-air" in result.stderr


def test_an_empty_folder_is_a_failure_that_names_the_files(tmp_path: Path) -> None:
    result = CliRunner().invoke(APP, ["beijing-air", str(tmp_path), "--to", str(tmp_path)])
    assert result.exit_code == 1
    assert "PRSA_*.csv" in result.stderr


def test_a_data_set_can_be_moved_to_wuhan_or_anywhere(tmp_path: Path) -> None:
    for place, start in (("wuhan", "Dongsi,114.305,30.593,"), ("121.47,31.23", "Dongsi,121.47,31.23,")):
        out = tmp_path / place
        arguments = ["beijing-air", str(recordings(tmp_path)), "--to", str(out), "--shift-to", place]
        result = CliRunner().invoke(APP, arguments)
        assert result.exit_code == 0, result.output
        assert (out / "sensors.csv").read_text().splitlines()[1].startswith(start)


def test_a_place_that_is_none_is_wrong_use(tmp_path: Path) -> None:
    arguments = ["beijing-air", str(recordings(tmp_path)), "--to", str(tmp_path), "--shift-to", "Atlantis"]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 2
    assert "114.305,30.593" in result.stderr


def test_the_next_step_of_a_data_set_of_cases_names_events_and_zone(tmp_path: Path) -> None:
    (tmp_path / "311.csv").write_text(
        "Unique Key,Created Date,Closed Date,Agency,Complaint Type,Descriptor,Open Data Channel Type,"
        "Latitude,Longitude\n7,11/04/18 1:30,,HPD,HEAT/HOT WATER,ENTIRE BUILDING,PHONE,40.71,-73.87\n"
    )
    result = CliRunner().invoke(APP, ["nyc-311", str(tmp_path), "--to", str(tmp_path / "out")])
    assert "--events" in result.stdout
    assert "--tz America/New_York" in result.stdout
    assert "kept, but doubtful: time in the hour that clocks repeat 1" in result.stdout


@pytest.mark.parametrize("name", ["beijing-air", "metr-la", "nyc-311", "boston-311", "water-leak", "skab"])
def test_every_importer_names_the_files_it_misses(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(APP, [name, str(tmp_path), "--to", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "no recordings in" in result.stderr
    assert not (tmp_path / "out").exists()
