"""``yiwang score``: what it prints, draws, finds beside the alerts, and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from tests.replays import make_city, replay_options
from tests.sim.scoring.test_score_files import EVENT, INCIDENT, RAISED, lines

KEYS = ["recall", "precision", "median_seconds_to_detect", "false_per_1000_cells_day", "by_scenario"]
PART = ["events", "found", "recall", "precision", "median_seconds_to_detect"]


def run(folder: Path, *more: str, alerts: str = "alerts.jsonl") -> Result:
    paths = ["--alerts", str(folder / alerts), "--truth", str(folder / "truth.jsonl")]
    return CliRunner().invoke(app, ["score", *paths, *more])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines(tmp_path / "truth.jsonl", EVENT)
    lines(tmp_path / "alerts.jsonl", RAISED, RAISED | {"alert_id": "a2", "area": "N50H05137"})
    lines(tmp_path / "incidents.jsonl", INCIDENT)
    return tmp_path


def test_json_is_exactly_the_object_of_the_contract(folder: Path) -> None:
    result = run(folder, "--json", "--cells", "500", "--days", "2")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert list(found) == KEYS
    assert [found[key] for key in KEYS[:4]] == [1.0, 0.5, 0.0, 1.0]
    assert list(found["by_scenario"]["gas_leak"]) == PART


def test_incidents_are_scored_like_alerts(folder: Path) -> None:
    found = json.loads(run(folder, "--json", alerts="incidents.jsonl").stdout)
    assert (found["recall"], found["precision"]) == (1.0, 1.0)


def test_without_a_table_beside_there_is_no_rate_and_it_says_what_to_give(folder: Path) -> None:
    result = run(folder, "--json", "--cells", "500")
    assert json.loads(result.stdout)["false_per_1000_cells_day"] is None
    assert "give --cells and --days" in result.stderr


def test_a_table_for_people_shows_scenarios_false_alerts_and_missed_events(folder: Path) -> None:
    missed = EVENT | {"event_id": "e2", "cells": ["N50H0613600"], "scenario": "power_cut"}
    lines(folder / "truth.jsonl", EVENT, missed)
    result = run(folder, "--cells", "500", "--days", "2")
    assert result.exit_code == 0
    for text in ("gas_leak", "燃气泄漏", "误报 false 1;", "gas.leak_lel_max", "e2", "power_cut"):
        assert text in result.stdout


def test_the_plot_is_drawn_where_it_is_wanted(folder: Path) -> None:
    result = run(folder, "--json", "--plot", str(folder / "score.svg"))
    assert json.loads(result.stdout)["recall"] == 1.0
    assert (folder / "score.svg").read_text(encoding="utf-8").startswith("<svg")
    assert run(folder, "--plot", str(folder / "no" / "score.svg")).exit_code == 1


def test_a_replay_is_scored_with_the_cells_and_days_of_its_table(tmp_path: Path) -> None:
    from flows.replay.replaying import replay  # noqa: PLC0415 - the engine is loaded for this test alone

    city = make_city(tmp_path / "city", sensors=60, minutes=12, seed=3)
    replay(replay_options(city, tmp_path / "out"))
    (tmp_path / "out" / "truth.jsonl").write_text("")
    found = json.loads(run(tmp_path / "out", "--json").stdout)
    assert (found["recall"], found["precision"]) == (None, 0.0)
    # All alerts are false; 60 devices stand in at most 60 cells, for 12 minutes.
    assert found["false_per_1000_cells_day"] > 1000 / 60 * 1440 / 12


@pytest.mark.parametrize(
    ("change", "more", "code", "message"),
    [
        ({}, ["--days", "0"], 2, "positive number of days"),
        ({}, ["--areas", "nowhere.geojson"], 2, "nowhere.geojson does not exist"),
        ({}, ["--tz", "Moon/Sea"], 2, "there is no time zone 'Moon/Sea'"),
        ({}, ["--grid-code-field", "bm"], 2, "need each other"),
        ({"end": 0}, [], 1, "truth.jsonl line 1: end 0 is before start"),
        ({"cells": ["x"]}, [], 1, "no BeiDou code"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    folder: Path, change: dict[str, Any], more: list[str], code: int, message: str
) -> None:
    lines(folder / "truth.jsonl", EVENT | change)
    result = run(folder, *more)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_an_areas_file_that_cannot_be_used_is_wrong_use(folder: Path) -> None:
    (folder / "areas.geojson").write_text("{}")
    assert run(folder, "--areas", str(folder / "areas.geojson")).exit_code == 2


def test_a_damaged_table_beside_is_named(folder: Path) -> None:
    (folder / "indicators.parquet").write_text("no table")
    result = run(folder)
    assert result.exit_code == 1
    assert "indicators.parquet cannot be read" in result.stderr


def test_an_indicator_without_hop_is_wrong_use_only_if_it_has_alerts(folder: Path) -> None:
    lines(folder / "truth.jsonl", EVENT | {"indicators": ["gas.leak_lel_max", "my.own"]})
    result = run(folder, "--json")
    assert result.exit_code == 0
    assert "no alert can be of it: my.own" in result.stderr
    lines(folder / "alerts.jsonl", RAISED | {"indicator": "my.own"})
    result = run(folder)
    assert result.exit_code == 2
    assert "give the replay's --catalogue" in result.stderr
