"""`yiwang detect`: a CSV in, the same rows with score, p and kind out; what is wrong is said."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from flows.cli import app

ROWS = 900


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series of three days with a level shift in the third, some values missing, one stamp twice."""
    rng = np.random.default_rng(3)
    values = [f"{x:.2f}" for x in rng.normal(50, 2, ROWS)]
    values[700:730] = [f"{x:.2f}" for x in rng.normal(90, 2, 30)]
    values[100:103] = ["", "NaN", "null"]
    begin = datetime(2026, 3, 2)  # noqa: DTZ001 - naive local time is what is tested
    times = [begin + timedelta(minutes=5 * i) for i in range(ROWS)]
    times[400] = times[399]
    path = tmp_path_factory.mktemp("detect") / "flow.csv"
    pl.DataFrame({"timestamp": times, "value": values}).write_csv(path, datetime_format="%Y-%m-%d %H:%M:%S")
    return path


def detect(path: Path, *options: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["detect", str(path), *options], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result


def test_every_row_comes_back_in_order(recorded: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    detect(recorded, "--out", str(out))
    before, after = (pl.read_csv(p, infer_schema=False).fill_null("") for p in (recorded, out))
    assert after.columns == ["timestamp", "value", "score", "p", "kind"]
    assert after.select("timestamp", "value").equals(before)
    scores = after["score"].cast(pl.Float64)
    assert scores[700:703].max() > 0.8  # type: ignore[operator]
    assert after["kind"][700] == "spike"
    assert "level_shift" in after["kind"][700:730].to_list()
    assert set(after["kind"][:61]) == {"warming_up"}


def test_json_stands_alone_and_names_the_alarms(recorded: Path, tmp_path: Path) -> None:
    result = detect(recorded, "--out", str(tmp_path / "scores.csv"), "--json")
    found = json.loads(result.stdout)
    assert (found["rows"], found["missing"], found["step_seconds"]) == (ROWS, 3, 300)
    assert [a["timestamp"] for a in found["alarms"]] == ["2026-03-04 10:20:00"]
    assert sum(found["kinds"].values()) == ROWS


@pytest.mark.parametrize(("suffix", "head"), [("svg", b"<?xml"), ("png", b"\x89PNG")], ids=["svg", "png"])
def test_a_picture_is_drawn(recorded: Path, tmp_path: Path, suffix: str, head: bytes) -> None:
    picture = tmp_path / f"scores.{suffix}"
    detect(recorded, "--out", str(tmp_path / "scores.csv"), "--plot", str(picture))
    assert picture.read_bytes().startswith(head)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("%Y-%m-%dT%H:%M:%S+08:00", id="with a zone"),
        pytest.param("%Y/%m/%d %H:%M", id="with slashes"),
        pytest.param("%Y-%m-%dT%H:%M:%S", id="with a T"),
    ],
)
def test_times_may_be_written_differently(recorded: Path, tmp_path: Path, form: str) -> None:
    rows = pl.read_csv(recorded, infer_schema=False)
    other = tmp_path / "other.csv"
    stamp = pl.col("timestamp").str.to_datetime()
    rows.select(at=stamp.dt.strftime(form), flow="value").write_csv(other)
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    detect(recorded, "--out", str(one))
    detect(other, "--time", "at", "--column", "flow", "--out", str(two))
    columns = ("score", "p", "kind")
    first, second = (pl.read_csv(p, infer_schema=False).select(columns) for p in (one, two))
    assert first.equals(second)


@pytest.mark.parametrize(
    ("text", "options", "code", "message"),
    [
        pytest.param(
            "timestamp,flow\n2026-03-02,1\n", [], 1, "no column 'value' but timestamp, flow", id="column"
        ),
        pytest.param("timestamp,value\n", [], 1, "no rows", id="empty"),
        pytest.param(
            "timestamp,value\n2026-03-02 00:00:00,1\nsoon,2\n", [], 1, "line 3: 'soon' is no time", id="time"
        ),
        pytest.param("timestamp,value\n2026-03-02,1\n", ["--step", "often"], 2, "found 'often'", id="step"),
        pytest.param(
            "timestamp,value\n2026-03-02,1\n", ["--plot", "a.gif"], 2, "found 'a.gif'", id="picture"
        ),
        pytest.param("timestamp,value\n2026-03-02,1\n", ["--holidays", "de"], 2, "found 'de'", id="holidays"),
        pytest.param(
            "timestamp,value\n2026-03-02,1\n", ["--tz", "Wuhan"], 2, "no time zone 'Wuhan'", id="zone"
        ),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, text: str, options: list[str], code: int, message: str
) -> None:
    path = tmp_path / "series.csv"
    path.write_text(text, encoding="utf-8")
    assert message in detect(path, "--out", str(tmp_path / "out.csv"), *options, code=code).stderr


def test_holidays_may_be_kept(recorded: Path, tmp_path: Path) -> None:
    detect(recorded, "--holidays", "cn", "--out", str(tmp_path / "scores.csv"))
    assert pl.read_csv(tmp_path / "scores.csv", infer_schema=False).height == ROWS


def test_a_missing_file_is_wrong_use(tmp_path: Path) -> None:
    detect(tmp_path / "nothing.csv", "--out", str(tmp_path / "out.csv"), code=2)


def test_values_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("timestamp,value\n2026-03-02,1\n2026-03-03,broken\n", encoding="utf-8")
    result = detect(path, "--out", str(tmp_path / "out.csv"))
    assert "1 values are no numbers" in result.stderr
    assert "broken" in (tmp_path / "out.csv").read_text(encoding="utf-8")
