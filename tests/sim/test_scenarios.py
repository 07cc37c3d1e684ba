"""Scenarios: planned where their sensors stand, the same every time, independent of each other."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from geo import beidou
from sim.city import HOUR_MS, START, City
from sim.device_classes import METRIC_INDEX
from sim.event_types import EVENT_TYPES
from sim.faults import USUAL, FaultPlan
from sim.life_cycles import SCHEMA
from sim.scenarios import SCENARIOS
from sim.scenarios.casting import ScenarioError, asked, cast
from sim.scenarios.scenario import Scenario
from sim.scenarios.stage import NoPlaceError
from sim.script import Script

SENSORS = 1500


def city_for(scenario: Scenario, seed: int, sensors: int = SENSORS) -> City:
    start = START + round(scenario.begin_hour * HOUR_MS)
    return City(seed=seed, sensors=sensors, start=start, hours=scenario.hours)


def same(a: object, b: object) -> bool:
    """Equality of what scripts are made of, arrays and tables included."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return bool(np.array_equal(a, b))
    if isinstance(a, pl.DataFrame) and isinstance(b, pl.DataFrame):
        return a.equals(b)
    if dataclasses.is_dataclass(a) and type(a) is type(b):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def touched_cells(city: City, script: Script) -> set[str]:
    """Cells of the sensors and cases that effects, faults and cases of a script name."""
    devices = [np.asarray(effect.devices) for effect in script.effects]
    if isinstance(script.faults, FaultPlan):
        devices.append(script.faults.device.astype(np.int64))
    cells = set(beidou.text(city.devices.cells(np.concatenate([[0], *devices])[1:].astype(np.int64)), 5))
    if script.cases is not None:
        first = script.cases.drop_nulls("lon")
        cells |= set(beidou.text(beidou.encode(first["lon"].to_numpy(), first["lat"].to_numpy(), 5), 5))
    return cells


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_tells_the_truth_about_what_it_does(scenario: Scenario, seed: int) -> None:
    city = city_for(scenario, seed)
    (script,) = cast(city, [asked(scenario.name)])
    named = {indicator for truth in script.truth for indicator in truth.indicators}
    assert named
    assert named <= set(scenario.indicators)
    begin = city.start + round(60_000 * scenario.start_min)
    for truth in script.truth:
        assert truth.scenario == scenario.name
        assert begin <= truth.start < truth.end <= city.end
        assert 1 <= truth.level <= 4
        assert list(truth.cells) == sorted(set(truth.cells))
        assert truth.cells
    assert all(effect.metric in METRIC_INDEX for effect in script.effects)
    for effect in script.effects:
        own = city.devices.sending(effect.metric)
        assert ((effect.devices >= own.start) & (effect.devices < own.stop)).all()
    if not script.driver_changes:
        assert {cell for truth in script.truth for cell in truth.cells} <= touched_cells(city, script)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_its_cases_are_records_of_the_wire_with_names_of_their_own(scenario: Scenario) -> None:
    city = city_for(scenario, 4)
    scripts = cast(city, [asked(scenario.name)] * 2)
    ids: list[str] = []
    for number, script in enumerate(scripts, 1):
        if script.cases is None:
            continue
        assert dict(script.cases.schema) == SCHEMA
        assert script.cases["ts"].is_sorted()
        assert script.cases["event_id"].str.starts_with(f"{scenario.name}-{number}-").all()
        assert "rejected" not in script.cases["status"]
        assert script.cases["ts"].max() < city.end  # type: ignore[operator]
        ids += script.cases["event_id"].unique().to_list()
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_same_city_and_request_give_the_same_script_whatever_else_happens(scenario: Scenario) -> None:
    city = city_for(scenario, 6)
    (alone,) = cast(city, [asked(scenario.name)])
    other = "gas_leak" if scenario.name != "gas_leak" else "toxic_release"
    together = cast(city_for(scenario, 6), [asked(other), asked(scenario.name), asked(scenario.name)])
    assert same(alone, together[1])
    assert not same(together[1].truth, together[2].truth)


def test_names_and_texts_are_there_in_both_languages() -> None:
    for scenario in SCENARIOS.values():
        for zh in (scenario.name_zh, scenario.text_zh):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in zh), scenario.name
        assert scenario.name_en.isascii()
        assert scenario.text_en.isascii()


def test_the_scenarios_of_the_requirement_are_there() -> None:
    wanted = (
        "rainstorm river_flood gas_leak toxic_release bridge_overload crowd_surge water_main_burst power_cut "
        "epidemic_cluster forest_fire air_episode hotline_surge sensor_outage clock_skew"
    )
    assert set(SCENARIOS) == set(wanted.split())


def test_start_duration_and_place_are_as_asked() -> None:
    city = City(seed=1, sensors=SENSORS, hours=6.0)
    code = city.regions.districts.code[city.devices.district[city.devices.sending("gas_lel").start]]
    (script,) = cast(city, [asked(f"gas_leak:start=2h,duration=30m,place={code}")])
    for truth in script.truth:
        assert (truth.start, truth.end) == (city.start + 2 * HOUR_MS, city.start + 5 * HOUR_MS // 2)
    leak = script.effects[0]
    district = city.regions.districts.code[city.devices.district[leak.devices[0]]]
    assert district == code


def test_intensity_makes_it_worse() -> None:
    city = City(seed=1, sensors=SENSORS, hours=6.0)

    def strongest(intensity: float) -> float:
        (script,) = cast(city, [asked(f"gas_leak:intensity={intensity}")])
        return float(np.max(script.effects[0].size))

    assert strongest(0.5) < strongest(1.0) < strongest(2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gas_leek", "there is no scenario 'gas_leek'; known: rainstorm"),
        ("gas_leak:when=3", "'when=3' is no parameter; write key=value with start, duration"),
        ("gas_leak:start", "'start' is no parameter"),
        ("gas_leak:start=soon", "start=soon is no span of time; write it like 90m, 2h or 8d"),
        ("gas_leak:duration=0", "duration=0 is no span of time"),
        ("gas_leak:intensity=9", r"intensity=9: it is a number from 0.5 to 3.0"),
        ("gas_leak:intensity=nan", r"intensity=nan: it is a number"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(text: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        asked(text)


def test_a_scenario_beyond_the_end_is_refused_with_both_times() -> None:
    city = City(seed=1, sensors=SENSORS, hours=1.5)
    with pytest.raises(ScenarioError, match=r"gas_leak ends 2.0 h after the beginning, the city lasts 1.5 h"):
        cast(city, [asked("gas_leak")])


def test_an_unknown_district_is_refused_with_the_known_ones() -> None:
    city = City(seed=1, sensors=SENSORS, hours=6.0)
    with pytest.raises(ScenarioError, match="place=110101 is no district of the city; use auto or one of 42"):
        cast(city, [asked("gas_leak:place=110101")])


def test_a_district_without_the_sensors_is_refused_with_their_metric() -> None:
    city = City(seed=1, sensors=100, hours=6.0)
    there = set(city.devices.district[city.devices.sending("cl2_process")].tolist())
    empty = next(code for i, code in enumerate(city.regions.districts.code) if i not in there)
    with pytest.raises(NoPlaceError, match=f"needs sensors of cl2_process, and district {empty} has none"):
        cast(city, [asked(f"toxic_release:place={empty}")])


def levels_of(scripts: Iterable[Script]) -> list[int]:
    return [truth.level for script in scripts for truth in script.truth]


def test_a_weak_event_is_told_as_a_weak_one() -> None:
    city = City(seed=1, sensors=SENSORS, hours=6.0)
    usual, weak = (cast(city, [asked(f"toxic_release:intensity={x}")]) for x in (1.0, 0.5))
    assert levels_of(weak) == [1] < levels_of(usual)


def test_the_guide_tells_of_every_scenario_fault_and_type_as_they_are() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in guide.splitlines() if line.startswith("| `")}
    for scenario in SCENARIOS.values():
        texts = (scenario.name_zh, scenario.text_zh, scenario.name_en, scenario.text_en)
        line = next(
            li for li in guide.splitlines() if li.startswith(f"| `{scenario.name}` | {scenario.name_zh}")
        )
        assert all(text in line for text in texts)
        assert f"| {scenario.history_h:g} h |" in line
        assert all(f"`{indicator}`" in rows[scenario.name] for indicator in scenario.indicators)
    for fault, habit in USUAL.items():
        assert rows[fault.name.lower()].endswith(f"| {habit.often:g} |")
    for code, kind in EVENT_TYPES.items():
        assert f"| {kind.daily:g}" in rows[code]
