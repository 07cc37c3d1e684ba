"""`yiwang history` asked for what is not there says what is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from flows.cli import app
from sinks.history_hours import empty

PONDING = "drainage.ponding_depth_max"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A history of one hour: one indicator in the city, two districts and a cell."""
    hour = tmp_path / "date=2024-07-03" / "hour=08"
    hour.mkdir(parents=True)
    areas = ["420100", "420106", "420107", "N50H0513600"]
    filled = {
        "indicator": [PONDING] * len(areas),
        "area": areas,
        "window_end": [datetime(2024, 7, 3, 8, 5, tzinfo=UTC)] * len(areas),
        "value": [0.25] * len(areas),
        "level": [2] * len(areas),
        "n": [3] * len(areas),
        "coverage": [1.0] * len(areas),
        "revision": [0] * len(areas),
        "kind": ["city", "district", "district", "cell"],
        "status": ["ok"] * len(areas),
    }
    schema = empty().schema
    pl.DataFrame({name: filled[name] for name in schema}, schema=schema).write_parquet(hour / "areas.parquet")
    return tmp_path


def asked(folder: Path, indicator: str, area: str, code: int) -> str:
    command = ["history", indicator, area, "--history", str(folder)]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.output


def test_values_are_shown(folder: Path) -> None:
    assert "0.25" in asked(folder, PONDING, "420106", 0)


@pytest.mark.parametrize(
    ("indicator", "area", "hint"),
    [
        (PONDING, "city", "there is 420100, 420106, 420107"),
        (PONDING, "42016", "420106"),
        ("drainage.pondin_depth_max", "420106", f"did you mean {PONDING}?"),
        ("air.aqi", "420106", "in 420106; see `yiwang catalogue list`"),
    ],
)
def test_what_is_not_there_brings_the_nearest_that_is(
    folder: Path, indicator: str, area: str, hint: str
) -> None:
    message = asked(folder, indicator, area, 1)
    assert f"no value of {indicator} in {area}" in message
    assert hint in message
