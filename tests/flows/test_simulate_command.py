"""The command ``yiwang simulate``: what it writes, prints and refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from sim.scenarios import SCENARIOS


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *words])


def test_it_writes_a_city_and_says_so_in_json(tmp_path: Path) -> None:
    to = tmp_path / "city"
    done = typed("--seed", "4", "--hours", "0.5", "--sensors", "80", "--to", str(to), "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["sensors"] == 80
    assert report["readings"] == len((to / "readings.jsonl").read_bytes().splitlines())
    assert "yiwang replay --readings" in done.stderr


def test_it_begins_when_it_is_told(tmp_path: Path) -> None:
    stamps = set()
    for start in ("2024-07-03T08:00", "2024-07-03T00:00Z", "1719964800000"):
        assert (
            typed("--hours", "0.05", "--sensors", "60", "--start", start, "--to", str(tmp_path)).exit_code
            == 0
        )
        lines = (tmp_path / "readings.jsonl").read_text(encoding="utf-8").splitlines()
        stamps.add(min(json.loads(line)["ts"] for line in lines))
    (first,) = stamps
    assert 0 <= first - 1_719_964_800_000 < 10_000


def test_it_lists_the_scenarios_as_a_table_and_as_json() -> None:
    rows = json.loads(typed("--list", "--json").stdout)
    assert [row["name"] for row in rows] == list(SCENARIOS)
    assert all(row["indicators"] and row["name_zh"] and row["needs_h"] > 0 for row in rows)
    assert "rainstorm" in typed("--list").stdout


def test_it_draws_without_writing_a_city(tmp_path: Path) -> None:
    path = tmp_path / "city.svg"
    assert typed("--hours", "1", "--sensors", "60", "--draw", str(path)).exit_code == 0
    assert path.read_text(encoding="utf-8").startswith("<svg")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nowhere to write to"),
        (("--kafka", "localhost"), "kafka.bootstrap_servers: expected HOST:PORT; found 'localhost'"),
        (
            ("--kafka", "localhost:1", "--format", "jsonl"),
            "found 'jsonl'; give one of json, json-array, arrow",
        ),
        (("--to", "x", "--faults", "some"), "found 'some'; give one of none, normal, heavy"),
        (("--to", "x", "--format", "csv"), "found 'csv'; give one of jsonl, arrow, parquet"),
        (("--to", "x", "--speed", "0"), "found 0; give a positive number"),
        (("--to", "x", "--start", "noon"), "found 'noon'; give a time such as"),
        (("--to", "x", "--tz", "Wuhan"), "there is no time zone 'Wuhan'"),
        (("--to", "x", "--sensors", "20"), "at least one of each; found 20"),
        (("--to", "x", "--hours", "0"), "lasts more than no time"),
        (("--to", "x", "--scenario", "snow"), "there is no scenario 'snow'"),
        (("--to", "x", "--hours", "1", "--scenario", "rainstorm"), "use more hours"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = typed(*words)
    assert done.exit_code == 2
    told = " ".join(done.stderr.replace("│", " ").split())
    assert said in told
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_failed_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = typed("--hours", "0.05", "--sensors", "60", "--to", str(tmp_path / "file" / "city"))
    assert done.exit_code == 1
    assert "Error" in done.stderr
