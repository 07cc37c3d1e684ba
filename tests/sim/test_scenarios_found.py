"""Scenarios are found: simulated, replayed and scored, several in one city; the command that tables them."""

import json
from pathlib import Path

import pytest

from benchmarks import quiet_week, scenarios
from sim.city import HOUR_MS, START
from sim.scenarios import SCENARIOS

TOGETHER = (
    "rainstorm:start=30m,duration=2h",
    "gas_leak",
    "toxic_release",
    "water_main_burst",
    "power_cut",
    "crowd_surge:duration=1h",
    "sensor_outage",
    "clock_skew:duration=2h",
)
"""What needs no history, all within the same hours."""


@pytest.fixture(scope="module")
def overlapping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overlapping")
    asked = [x for text in TOGETHER for x in ("--scenario", text)]
    start = str(START + 9 * HOUR_MS)
    common = ("--seed", "5", "--sensors", "1200", "--hours", "4.5", "--start", start)
    scenarios.yiwang("simulate", *common, *asked, "--to", str(folder / "city"))
    scenarios.replay(folder / "city", folder / "out")
    return folder


def test_overlapping_scenarios_are_all_found(overlapping: Path) -> None:
    result = scenarios.score(overlapping / "city", overlapping / "out")
    assert set(result["by_scenario"]) == {text.split(":")[0] for text in TOGETHER}
    assert {name for name, part in result["by_scenario"].items() if part["recall"] < 1} == set()
    assert result["recall"] == 1.0


def test_every_indicator_of_the_truth_is_raised_to_its_level(overlapping: Path) -> None:
    missed, low = scenarios.shortfalls(overlapping / "city", overlapping / "out")
    assert missed == ()
    assert low == ()


def test_it_is_noticed_when_nothing_is_found(overlapping: Path, tmp_path: Path) -> None:
    city, out = tmp_path / "city", overlapping / "out"
    city.mkdir()
    (city / "areas.geojson").symlink_to(overlapping / "city" / "areas.geojson")
    events = scenarios.lines(overlapping / "city" / "truth.jsonl")
    gas = next(e for e in events if e["event_id"] == "gas_leak-1-gas")
    before = {"start": gas["start"] - 4 * HOUR_MS, "end": gas["start"] - 3 * HOUR_MS}
    elsewhere = gas | before | {"cells": ["N50H0000000"]}
    (city / "truth.jsonl").write_text(json.dumps(elsewhere) + "\n")
    assert scenarios.shortfalls(city, out)[0] == ("gas_leak-1-gas gas.leak_lel_max",)


def test_the_table_shows_a_row_of_every_run(tmp_path: Path) -> None:
    outcome = scenarios.played(SCENARIOS["gas_leak"], 3, tmp_path, sensors=300)
    assert outcome.score["recall"] == 1.0
    table = scenarios.table([outcome, outcome])
    assert table.row_count == 2
    assert next(iter(table.columns[0].cells)) == "gas_leak"


def test_a_quiet_morning_is_quiet(tmp_path: Path) -> None:
    alerts, exposure = quiet_week.week(tmp_path, sensors=600, seed=2, hours=12.0, faults="none")
    # Their windows of a day are not full yet on the first one, or nothing to count is a level.
    cold = {
        "enterprise.emission_transmission_rate",
        "enterprise.market_churn",
        "water_supply.night_flow_ratio",
    }
    others = alerts.filter(~alerts["indicator"].is_in(cold))
    assert exposure.cells > 100
    assert others.height <= 3, others
