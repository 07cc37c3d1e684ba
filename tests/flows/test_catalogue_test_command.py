"""`yiwang catalogue test`: what it runs, what it says, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.commands.catalogue import app

GUST = """
[[indicator]]
id = "my_city.gust_max"
name_zh = "最大阵风"
name_en = "Greatest gust"
theme = "emergency"
domain = "weather"
unit = "m/s"
window = "10m"
hop = "1m"
formula = "highest(max(wind_gust))"
levels = { blue = { raise = 17.2, for = "5m" }, red = { raise = 32.7 } }

[[case]]
indicator = "my_city.gust_max"
name = "exactly blue"
at = "2024-07-03T10:00:00+08:00"
series = ["a wind_gust: 12 17.2 3", "b@B wind_gust: _x2 9"]
value = VALUE
level = 1
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["test", *map(str, arguments)])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(GUST.replace("VALUE", "17.2"), encoding="utf-8")
    return path


def test_without_files_it_runs_the_shipped_cases() -> None:
    result = run("--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert len(found) >= 32
    assert all(case["passed"] for case in found)
    assert {"golden_cases.toml", "more_cases.toml"} <= {Path(case["file"]).name for case in found}


def test_a_file_may_hold_an_indicator_and_its_cases(own: Path) -> None:
    result = run(own, "-v")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "passed  my_city.gust_max: exactly blue",
        "1 of 1 cases passed, of 1 indicators",
    ]


def test_cases_may_stand_apart_from_their_indicator(own: Path, tmp_path: Path) -> None:
    indicator, case = own.read_text(encoding="utf-8").split("[[case]]")
    (tmp_path / "city").mkdir()
    (tmp_path / "city" / "gust.toml").write_text(indicator, encoding="utf-8")
    own.write_text("[[case]]" + case, encoding="utf-8")
    assert run(own, "--catalogue", tmp_path / "city").exit_code == 0
    alone = run(own)
    assert alone.exit_code == 1
    assert "there is no indicator 'my_city.gust_max'" in alone.stdout


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "area all: expected 17, found 17.2"),
        ("zh", "区域 all: 应为 17, 实为 17.2"),
    ],
)
def test_a_failed_case_shows_what_was_expected_and_found(own: Path, lang: str, words: str) -> None:
    own.write_text(GUST.replace("VALUE", "17"), encoding="utf-8")
    result = run(own, "--lang", lang)
    assert result.exit_code == 1
    assert f"{own}:14\n" in result.stdout
    assert words in result.stdout
    assert "a wind_gust: 12 17.2 3" in result.stdout


def test_a_wrong_level_is_told(own: Path) -> None:
    own.write_text(GUST.replace("VALUE", "17.2").replace("level = 1", "level = 2"), encoding="utf-8")
    assert "area all: level expected 2, found 1" in run(own).stdout


def test_wrong_files_are_told_apart_from_wrong_use(own: Path, tmp_path: Path) -> None:
    missing = run(tmp_path / "none.toml")
    assert (missing.exit_code, missing.stdout) == (2, "")
    own.write_text(GUST.replace("VALUE", "17.2").replace("a wind_gust", "a wind_gusts"), encoding="utf-8")
    wrong = run(own)
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert f"{own}:18:11: exactly blue: unknown metric 'wind_gusts'; did you mean wind_gust" in wrong.stderr
    own.write_text(GUST.split("[[case]]", maxsplit=1)[0], encoding="utf-8")
    empty = run(own)
    assert empty.exit_code == 1
    assert "no [[case]] table" in empty.stderr
