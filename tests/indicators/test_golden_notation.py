"""The notation of golden cases: what can be written, and what is said where something cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alerts.golden_run import run_case
from indicators.catalogue import Catalogue
from indicators.golden_case import GoldenError, golden_case, read_cases, shipped_cases
from indicators.golden_notation import NotationError, duration, readings, steps, values
from indicators.metrics import Metrics

METRICS = Metrics.load()
AT = 1_719_979_200_000
MINUTE = 60_000
SHIPPED = {i.id: i for i in Catalogue.load().indicators}
CASES = shipped_cases()

PLAIN: dict[str, Any] = {
    "indicator": "weather.rain_1h_max",
    "name": "an hour of drizzle",
    "at": "2024-07-03T12:00:00+08:00",
    "series": ["g rain_1m: 0.2x59"],
    "value": 12.0,
    "level": 0,
}


def lines(read: Callable[..., Any], text: str) -> Any:
    return read(text, AT, METRICS)


def test_the_last_value_lies_at_the_end_and_the_others_a_period_apart() -> None:
    found = lines(readings, "g*2@B(3,-4) rain_1m: 0+0.2x1 _ 1")
    assert [(r.sensor, r.ts, r.value) for r in found[:3]] == [
        ("g1", AT - 3 * MINUTE, 0.0),
        ("g1", AT - 2 * MINUTE, 0.2),
        ("g1", AT, 1.0),
    ]
    assert {r.sensor for r in found} == {"g1", "g2"}
    assert {(r.cell, r.spot) for r in found} == {("B", (3.0, -4.0))}


def test_every_and_until_move_them() -> None:
    found = lines(readings, "g rain_1m every 10m until -5m: 1 2")
    assert [(AT - r.ts) // MINUTE for r in found] == [15, 5]


def test_cases_have_steps_severity_channel_and_copies_of_days() -> None:
    found = lines(steps, "a*2@B(5,5)#school7 ev_ili_case s3: reported -2h, closed 0m")
    assert [(s.case, s.status, AT - s.ts) for s in found] == [
        ("a1", "reported", 120 * MINUTE),
        ("a1", "closed", 0),
        ("a2", "reported", 120 * MINUTE),
        ("a2", "closed", 0),
    ]
    assert {(s.severity, s.channel, s.spot) for s in found} == {(3, "school7", (5.0, 5.0))}
    back = lines(steps, "a ev_ili_case: reported -3h repeat 3d..5d")
    assert [(AT - s.ts) // MINUTE for s in back] == [(24 * day + 3) * 60 for day in (3, 4, 5)]
    assert len({s.case for s in back}) == 3


@pytest.mark.parametrize("text", ["5 minutes", "-", "3w", ""])
def test_a_wrong_duration_is_refused(text: str) -> None:
    with pytest.raises(NotationError, match="no duration"):
        duration(text)


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (readings, "g rain_1min: 1", "unknown metric 'rain_1min'; did you mean rain_1m"),
        (readings, "rain_1m 1", "cannot read 'rain_1m 1'; write it like"),
        (readings, "g rain_1m: 1 5y3", "no value: '5y3'"),
        (readings, "g rain_1m: 0x999999", "at most 100000"),
        (readings, "g(1) rain_1m: 1", "write metres east and north"),
        (readings, "g bus_arrival_deviation: 1", "comes at irregular times"),
        (steps, "a ev_hotlines: reported -1h", "unknown event type 'ev_hotlines'; did you mean ev_hotline"),
        (steps, "a ev_hotline: reportd -1h", "unknown status 'reportd'; did you mean reported"),
        (steps, "a ev_hotline: reported", "no transition: 'reported'"),
    ],
)
def test_a_wrong_line_is_refused_with_what_was_found(read: Callable[..., Any], text: str, words: str) -> None:
    with pytest.raises(NotationError, match=words.split(";", maxsplit=1)[0]) as caught:
        lines(read, text)
    assert words in str(caught.value)


def test_a_wrong_value_is_refused() -> None:
    with pytest.raises(NotationError, match="no value: '5y3'"):
        values("1 5y3")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"serie": []}, "unknown key 'serie'; did you mean series?"),
        ({"value": None}, "the key 'value' is missing"),
        ({"value": "nothing"}, "value: found 'nothing'; write a number or 'null'"),
        ({"level": True}, "level: found True"),
        ({"value": {"b": 1}}, "there is no area 'b'; the case has all"),
        ({"at": "noon"}, "at: no time: 'noon'"),
        ({"at": "2024-07-03T12:00:00"}, "has no zone"),
        ({"series": "g rain_1m: 1"}, "series: found"),
        ({"periods": {"h": "5m"}}, "no sensor 'h'"),
        ({"areas": ["A"]}, "areas: found"),
    ],
)
def test_a_wrong_key_is_refused(fields: dict[str, Any], words: str) -> None:
    table = {key: value for key, value in (PLAIN | fields).items() if value is not None}
    with pytest.raises(NotationError) as caught:
        golden_case(table, METRICS)
    assert words in str(caught.value)


def test_all_faults_of_files_are_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    text = """# three
[[case]]
name = "a"

[[case]]
name = "b"
valu = 1
[[case]]
indicator = "a.b"
name = "c"
value = 1
at = "2024-07-03T12:00:00+08:00"
series = [
"g x: 1"]
"""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(GoldenError) as caught:
        read_cases([path, tmp_path / "none.toml"])
    first, second, third, fourth = caught.value.messages
    assert first.startswith(f"{path}:2:3: a: the key 'indicator' is missing")
    assert second.startswith(f"{path}:5:3: b: unknown key 'valu'; did you mean value?")
    assert third.startswith(f"{path}:14:1: c: unknown metric 'x'")
    assert "none.toml" in fourth


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.indicator}: {case.name}")
def test_the_evaluation_passes_the_shipped_case(case: Any) -> None:
    result = run_case(case, SHIPPED, METRICS)
    assert result.passed, (result.problem, result.areas)


@pytest.mark.parametrize(
    ("fields", "passed"),
    [
        ({}, True),
        ({"value": 12.1}, False),
        ({"level": 1}, False),
        ({"value": "null"}, False),
        ({"series": ["g rain_1m: 0.2x59", "g rain_1m until -61m: 999"]}, True),
        ({"series": ["g rain_1m: 0.2x58"]}, False),
        ({"areas": {"a": ["A"], "b": ["B"]}, "value": {"a": 12, "b": "null"}, "level": {"a": 0}}, True),
    ],
)
def test_a_case_passes_only_with_its_value_and_level(fields: dict[str, Any], *, passed: bool) -> None:
    result = run_case(golden_case(PLAIN | fields, METRICS), SHIPPED, METRICS)
    assert not result.problem
    assert result.passed is passed


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"indicator": "weather.rain_1h"}, "did you mean weather.rain_1h_max?"),
        ({"at": "2024-07-03T12:00:01+08:00"}, "they end every"),
    ],
)
def test_a_case_that_cannot_be_computed_says_why(fields: dict[str, Any], words: str) -> None:
    result = run_case(golden_case(PLAIN | fields, METRICS), SHIPPED, METRICS)
    assert words in result.problem
    assert not result.passed
