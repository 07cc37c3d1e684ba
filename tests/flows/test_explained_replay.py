"""Explanations of a replay: they add up to what was published, and name who contributed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.replay.replaying import ReplayOptions, replay
from tests.replays import make_city, replay_options

EACH = 2
"""Rows explained of every indicator and kind of area."""

Found = dict[str, Any]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("city") / "city", 300, 65, 7)


@pytest.fixture(scope="module")
def table(city: Path) -> pl.DataFrame:
    out = city.parent / "plain"
    replay(replay_options(city, out))
    assert not (out / "explain.json").exists()
    return pl.read_parquet(out / "indicators.parquet")


def chosen(table: pl.DataFrame) -> list[str]:
    """Values of every indicator at every kind of area, and rows without a value where there is no other."""
    targets: list[str] = []
    for (name, _), rows in table.group_by(["indicator", "kind"], maintain_order=True):
        valued = rows.filter(pl.col("value").is_not_null())
        some = valued if len(valued) else rows
        drawn = some.sample(min(EACH, len(some)), seed=len(targets)).iter_rows(named=True)
        targets += [f"{name}@{row['area']}@{int(row['window_end'].timestamp() * 1000)}" for row in drawn]
    return targets


@pytest.fixture(scope="module")
def explained(city: Path, table: pl.DataFrame) -> list[Found]:
    options = replay_options(city, city.parent / "explained", lanes=2, explain=chosen(table))
    replay(options)
    assert not (options.out / ".explain").exists()
    assert pl.read_parquet(options.out / "indicators.parquet").equals(table)
    found: list[Found] = json.loads((options.out / "explain.json").read_text(encoding="utf-8"))
    return found


def branches(tree: Found) -> Iterator[Found]:
    yield tree
    for child in tree.get("children", ()):
        yield from branches(child)


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


def test_every_kind_of_area_and_every_indicator_is_among_them(
    explained: list[Found], table: pl.DataFrame
) -> None:
    assert {f["kind"] for f in explained} == {"cell", "street", "district", "city"}
    assert {f["indicator"] for f in explained} == set(table["indicator"])


def test_the_root_is_the_value_that_was_published(explained: list[Found]) -> None:
    assert explained
    for found in explained:
        row = found["published"]
        assert row is not None, found["area"]
        if row["value"] is None:
            assert found["value"] is None
            continue
        assert close(found["value"], row["value"]), (found["indicator"], found["area"])
        assert close(found["tree"]["value"], row["value"])
        assert found["n"] == row["n"]


def test_the_rows_of_a_reduction_add_up_to_its_value(explained: list[Found]) -> None:
    kinds = set()
    for found in explained:
        for branch in branches(found["tree"]):
            if "rows" not in branch:
                continue
            total = sum(row["value"] * row["weight"] for row in branch["rows"])
            if branch["value"] is None:
                assert total == 0, branch["text"]
            else:
                assert close(total, branch["value"]), (found["indicator"], branch["text"])
                kinds.add(branch["function"])
    assert kinds >= {"total", "average", "highest", "quantile", "ratio", "share", "number"}


def test_sensors_and_cases_are_named_as_in_the_files(explained: list[Found], city: Path) -> None:
    readings = (json.loads(line) for line in (city / "readings.jsonl").read_text("utf-8").splitlines())
    sensors = {r["sensor_id"] for r in readings if isinstance(r, dict) and "sensor_id" in r}
    events = (json.loads(line) for line in (city / "events.jsonl").read_text("utf-8").splitlines())
    cases = {e["event_id"] for e in events if "event_id" in e}
    rows = [r for f in explained for b in branches(f["tree"]) for r in b.get("rows", ())]
    named = [r for r in rows if not r.get("counter")]
    assert {r["case"] for r in named if "case" in r} <= cases
    assert {r["sensor"] for r in named if "sensor" in r} <= sensors
    assert any("case" in r for r in named)
    assert any("sensor" in r for r in named)
    assert any(r.get("counter") for r in rows)


def test_a_value_that_is_the_worst_of_streets_shows_them(explained: list[Found]) -> None:
    found = next(f for f in explained if f["greatest_of"] and f["value"] is not None)
    values = [row["value"] for row in found["greatest_of"] if row["value"] is not None]
    assert values == sorted(values, reverse=True)
    assert found["value"] == values[0]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("air.aqi@city", "write INDICATOR@AREA@TIME"),
        ("air.aqy@city@2024-07-03T09:00", "did you mean air.aqi?"),
        ("air.aqi@nowhere@2024-07-03T09:00", "'nowhere' is no area or cell here"),
        ("air.aqi@city@noon", "no time: 'noon'"),
        ("air.aqi@city@2024-07-03T09:01", "take 2024-07-03T09:00:00+08:00 or 2024-07-03T09:15:00+08:00"),
        ("drainage.waterlogging_risk@N50H0523462@2024-07-03T09:00", "has values from the street on"),
    ],
)
def test_what_cannot_be_explained_is_refused_before_anything_flows(
    city: Path, tmp_path: Path, target: str, words: str
) -> None:
    with pytest.raises(ValueError, match="--explain") as caught:
        replay(replay_options(city, tmp_path / "out", explain=[target]))
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_explanations_and_recovery_exclude_each_other(city: Path, tmp_path: Path) -> None:
    options: ReplayOptions = replay_options(
        city, tmp_path / "out", explain=["air.aqi@city@2024-07-03T09:00"], recovery=tmp_path / "state"
    )
    with pytest.raises(ValueError, match="leave one of them out"):
        replay(options)


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["Combustible-gas maximum", "greatest row", "sensor gas", "weight 1"]),
        ("zh", ["燃气", "最大值", "传感器 gas", "权重 1"]),
    ],
)
def test_the_command_shows_explanations_in_both_languages(
    city: Path, table: pl.DataFrame, tmp_path: Path, lang: str, words: list[str]
) -> None:
    rows = table.filter(pl.col("indicator") == "gas.leak_lel_max", pl.col("kind") == "city")
    row = rows.filter(pl.col("value") > 0).row(0, named=True)
    arguments = ["replay", "--readings", city / "readings.jsonl", "--out", tmp_path / "out"]
    arguments += ["--sensors", city / "sensors.csv", "--indicator", "gas.*", "--lang", lang, "--no-progress"]
    arguments += ["--explain", f"gas.leak_lel_max@city@{row['window_end'].isoformat()}"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    for word in words:
        assert word in result.stdout
