"""``yiwang import``: what it writes, prints and refuses."""

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from flows.import_command import import_records

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
