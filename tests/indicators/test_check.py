"""Checks of catalogue files: every fault at its place, nothing refused that can be computed."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.catalogue import SHIPPED, files
from indicators.check import Fault, check_files
from indicators.check_entry import check_entry
from indicators.check_formula import check_flag, check_formula
from indicators.entry import decode
from indicators.indicator import build
from indicators.metrics import Metrics

METRICS = Metrics.load()
TABLES: list[dict[str, Any]] = [
    table
    for path in files([SHIPPED])
    for table in tomllib.loads(path.read_text(encoding="utf-8"))["indicator"]
]
STRICTER = ("is no multiple of the hop", "but the formula's value is in", "; convert one of them")
"""What is a fault here, but does not keep an indicator from being built."""

GUST = """[[indicator]]
id = "my.gust"
name_zh = "阵风"
name_en = "Gust"
theme = "emergency"
domain = "weather"
unit = "m/s"
window = "10m"
hop = "5m"
formula = "highest(max(wind_gust))"
"""

Check = Callable[..., list[Fault]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Checks a file of one text, or GUST with some lines replaced."""

    def _check(text: str = GUST, **lines: str | None) -> list[Fault]:
        rows = []
        for row in text.splitlines():
            key = row.split(" = ")[0]
            new = lines.pop(key, row)
            rows += [] if new is None else [new if new == row else f"{key} = {new}"]
        rows += [f"{key} = {value}" for key, value in lines.items()]
        path = tmp_path / "own.toml"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return list(check_files([path], METRICS).faults)

    return _check


def places(faults: list[Fault]) -> list[tuple[int, int, str]]:
    return [(fault.line, fault.column, fault.key) for fault in faults]


def test_the_shipped_catalogue_has_no_fault() -> None:
    found = check_files(files([SHIPPED]), METRICS)
    assert found.faults == ()
    assert [i.id for i in found.indicators] == [table["id"] for table in TABLES]


def test_every_fault_of_a_file_is_told_at_once_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(
        '''[[indicator]]
id = "my.gust"
name_zh = "阵风"
theme = "emergncy"
domain = "weather"
unit = "mm"
windw = "10m"
window = "11m"
hop = "5m"
formula = """
a = highest(max(wind_gusts));
b = total(rain_1min) + quantile(mean(pm25), 2);
a + b"""
alarm_needs = "c > 2 and a > 1"
levels = { blue = { raise = 17.2, for = "1x" }, red = { rise = 32.7 }, blak = { raise = 2 } }

[[indicator]]
id = "my.gust"
name_zh = "阵风"
name_en = "Gust"
theme = "emergency"
domain = "weather"
unit = "km/h"
window = "10m"
hop = "5m"
formula = "highest(max(wind_gust))"
levels.blue.raise = 17.2
levels.red = { raise = 10, clear = 12 }

[[case]]
name = "no indicator"
[settings]
''',
        encoding="utf-8",
    )
    found = check_files([path], METRICS)
    assert found.indicators == ()
    told = {(fault.line, fault.column): fault.message for fault in found.faults}
    expected = {
        (1, 3): "is missing",
        (4, 9): "found 'emergncy'; did you mean emergency?",
        (7, 1): "is no key of an indicator; did you mean window?",
        (8, 10): "11m is no multiple of the hop 5m; try 10m",
        (11, 17): "unknown name 'wind_gusts'; did you mean wind_gust",
        (12, 11): "unknown name 'rain_1min'; did you mean rain_1m?",
        (12, 45): "quantile: 'q': must be a number above 0 and up to 1, written out; found 2",
        (14, 16): "unknown name 'c'; did you mean co?",
        (15, 41): "not a duration: '1x'",
        (15, 49): "is missing; a level needs the value that raises it",
        (15, 57): "is no key of an indicator; did you mean raise?",
        (15, 72): "is no key of an indicator; known are blue",
        (18, 6): f"occurs twice, first at {path}:2",
        (23, 8): "found 'km/h', but the formula's value is in 'm/s'",
        (28, 24): "found 10 after blue 17.2; with high_bad thresholds rise from blue to red",
        (28, 36): "12 lies on the worse side of raise 10",
        (30, 3): "the key 'indicator' is missing",
        (32, 2): "is no table of a catalogue",
    }
    assert list(told) == sorted(told)
    assert told.keys() == expected.keys()
    for place, words in expected.items():
        assert told[place].startswith(words), place


def test_a_fault_is_one_line_as_compilers_write_it(check: Check) -> None:
    (fault,) = check(unit='"mm"')
    assert str(fault).endswith(
        "own.toml:7:8: my.gust: unit: found 'mm', but the formula's value is in 'm/s'; write that"
    )


@pytest.mark.parametrize(
    ("lines", "place", "words"),
    [
        ({"unit": "5"}, (7, 8, "unit"), "found 5: Expected `str`, got `int`"),
        ({"id": '"Gust"'}, (2, 6, "id"), "found 'Gust'"),
        ({"min_coverage": "2"}, (11, 16, "min_coverage"), "found 2"),
        ({"window": '"1x"'}, (8, 10, "window"), "not a duration: '1x'"),
        ({"hop": '"7m"'}, (9, 7, "hop"), "7m does not divide 24h"),
        ({"lowest": '"steet"'}, (11, 10, "lowest"), "found 'steet'; did you mean street?"),
        ({"formula": '"max(wind_gust)"'}, (10, 12, "formula"), "must be an Area number"),
        ({"formula": '"highest(max(wind_gust"'}, (10, 23, "formula"), "'(' was never closed"),
        ({"formula": '"highest(max(wind_gust, 2))"'}, (10, 35, "formula"), "max: 'window'"),
        ({"alarm_needs": '"highest(max(pm25)) > 1"'}, (11, 16, "alarm_needs"), "pm25 is not in the formula"),
        ({"inputs": '["wind_gust", "pm25"]'}, (11, 24, "inputs.1"), "the formula does not read 'pm25'"),
        ({"inputs": "[]"}, (11, 10, "inputs"), "the formula also reads wind_gust"),
        ({"levels": "[1]"}, (11, 10, "levels"), "found [1]"),
        ({"levels": "{ red = 3 }"}, (11, 18, "levels.red"), "write { raise = 3 }"),
        ({"levels": "{ red = { raise = nan } }"}, (11, 28, "levels.red.raise"), "a finite number"),
        ({"level_needs": '{ red = "1 < 2" }'}, (11, 17, "level_needs.red"), "the level has no threshold"),
        (
            {"direction": '"both"', "levels": "{ red = { raise = 3 } }"},
            (11, 13, "direction"),
            "'both' has no worse side",
        ),
        (
            {"direction": '"low_bad"', "levels": "{ blue = { raise = 3 }, red = { raise = 9 } }"},
            (12, 50, "levels.red.raise"),
            "with low_bad thresholds fall",
        ),
        ({"formula": '"total(rain_1m) + highest(max(wind_gust))"'}, (10, 11, "formula"), "adds mm and m/s"),
        ({"formula": '"share(wind_gust > 17)"', "unit": '"%"'}, (7, 8, "unit"), "write 100 * ... for %"),
    ],
)
def test_a_fault_is_found_where_it_is(
    check: Check, lines: dict[str, str], place: tuple[int, int, str], words: str
) -> None:
    faults = check(**lines)
    assert place in places(faults)
    assert any(words in fault.message for fault in faults if (fault.line, fault.column, fault.key) == place)


@pytest.mark.parametrize(
    ("formula", "unit"),
    [
        ("highest(max(wind_gust)) * 3.6", "km/h"),
        ("100 * share(wind_gust > 17)", "%"),
        ("number(max(wind_gust) > 17)", "{gust}/h"),
        ("ratio(sum(rain_1m), mean(visibility))", "mm/m"),
        ("highest(took(entered(ev_gas_leak, 'reported'), 'reported', 'arrived')) / 60", "min"),
        ("highest(leq(site_noise_laeq))", "dB"),
        ("only(100 * highest(mean(pm25)), present(max_of(total(rain_1m), highest(mean(pm25)))))", "1"),
    ],
)
def test_a_unit_that_may_be_right_is_let_through(check: Check, formula: str, unit: str) -> None:
    assert check(formula=f'"{formula}"', unit=f'"{unit}"') == []


def test_what_is_no_toml_is_told_at_every_place(check: Check) -> None:
    faults = check("[[indicator]]\nid = = 'a.b'\nname_zh = 'x'\nhop ! 5\n")
    assert [fault.line for fault in faults] == [2, 4]
    assert faults[0].message.startswith("no TOML: Invalid value")


def test_a_file_without_tables_and_one_that_is_no_text_are_told(check: Check, tmp_path: Path) -> None:
    assert [f.message for f in check("# nothing")] == ["no [[indicator]] table; write one per indicator"]
    path = tmp_path / "latin.toml"
    path.write_bytes(b"id = '\xff'")
    (fault,) = check_files([path], METRICS).faults
    assert fault.message.startswith("cannot be read")


def test_faults_of_a_part_are_told_once() -> None:
    found = check_formula("a = highest(max(wind_gusts)); b = a + 1; a + b", METRICS)
    assert [fault.message[:25] for fault in found.faults] == ["unknown name 'wind_gusts'"]
    assert check_flag("b > 1", found, METRICS).faults == ()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["id"])
def test_a_formula_that_is_right_is_the_one_the_compiler_gives(table: dict[str, Any]) -> None:
    indicator = build(decode(table), METRICS)
    assert check_formula(table["formula"], METRICS, indicator.window_ms).formula == indicator.formula


junk = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5), st.just([]), st.just({}),
    st.sampled_from(["7m", "90m", "low_bad", "both", "street", "max(pm25)", "number(open(ev_hotline))"]),
)  # fmt: skip


@st.composite
def broken_tables(draw: st.DrawFn) -> dict[str, Any]:
    """A shipped indicator with up to three keys dropped, replaced or misspelt, or its formula damaged."""
    table: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(TABLES)))
    for _ in range(draw(st.integers(0, 3))):
        key = draw(st.sampled_from(sorted(table)))
        match draw(st.sampled_from(["drop", "replace", "rename", "cut"])):
            case "drop":
                del table[key]
            case "replace":
                table[key] = draw(junk)
            case "rename":
                table[key + "x"] = table.pop(key)
            case _ if isinstance(table.get("formula"), str) and table["formula"]:
                at = draw(st.integers(0, len(table["formula"]) - 1))
                table["formula"] = table["formula"][:at] + table["formula"][at + 1 :]
    return table


def refused(table: dict[str, Any]) -> bool:
    try:
        build(decode(table), METRICS)
    except ValueError:
        return True
    return False


@given(broken_tables())
def test_a_table_has_faults_exactly_if_no_indicator_can_be_built(table: dict[str, Any]) -> None:
    faults = check_entry(table, METRICS)
    if refused(table):
        assert faults
    else:
        assert all(any(words in fault.message for words in STRICTER) for fault in faults)
