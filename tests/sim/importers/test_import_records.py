"""What importers share: files they look for, texts as numbers, local times, what they write."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.importers.local_time import is_repeated, local_ms
from sim.importers.records import EVENTS, Records, beside, found, moved, number, texts
from sim.importers.shift import WUHAN
from tests.sim.importers.importing import records

FORMAT = ["%Y-%m-%d %H:%M:%S"]


def test_a_folder_stands_for_its_files_and_a_file_for_itself(tmp_path: Path) -> None:
    for name in ("b_311.csv", "a_311.csv.gz", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in found(tmp_path, ["*311*.csv", "*311*.csv.gz"])] == ["a_311.csv.gz", "b_311.csv"]
    assert found(tmp_path / "notes.txt", ["*.csv"]) == [tmp_path / "notes.txt"]
    assert beside(tmp_path / "b_311.csv", ["none", "notes.txt"]) == tmp_path / "notes.txt"


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(ValueError, match=r"empty.csv is no CSV that can be read"):
        texts(tmp_path / "empty.csv", ["a"])


@pytest.mark.parametrize("text", ["NA", "", " ", "nan", "inf", "1,017,901", "12 mph", None])
def test_what_is_no_finite_number_is_missing(text: str | None) -> None:
    table = pl.DataFrame({"v": [text]}, schema={"v": pl.String})
    assert table.select(number("v")).item() is None


@given(st.integers(0, 2_000_000_000))
def test_a_local_time_is_the_moment_it_was_told_at(seconds: int) -> None:
    moment = pl.DataFrame({"ms": [seconds * 1000]}).select(
        pl.from_epoch("ms", "ms").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    )
    told = moment.select(pl.col("ms").dt.to_string(FORMAT[0]).alias("at"))
    first = told.select(local_ms("at", FORMAT, "America/New_York")).item()
    repeated = told.select(is_repeated("at", FORMAT, "America/New_York")).item()
    assert first == seconds * 1000 or (repeated and first == seconds * 1000 - 3_600_000)
    # What is known to come no sooner is found exactly, also in the repeated hour.
    exact = told.with_columns(since=pl.lit(seconds * 1000)).select(
        local_ms("at", FORMAT, "America/New_York", not_before="since")
    )
    assert exact.item() == seconds * 1000


def test_a_case_closed_in_the_minute_of_its_report_was_reported_first(tmp_path: Path) -> None:
    plain = dict.fromkeys(EVENTS) | {"event_id": "c", "type": "ev_hotline", "ts": 0}
    rows = [plain | {"status": status} for status in ("closed", "reported")]
    Records(events=pl.DataFrame(rows, schema=EVENTS)).write(tmp_path)
    assert [record["status"] for record in records(tmp_path, "events")] == ["reported", "closed"]


def test_moving_keeps_rows_without_a_place() -> None:
    rows = pl.DataFrame({"lon": [116.4, None, 116.5], "lat": [39.9, None, 39.9]})
    assert moved(rows, None).equals(rows)
    there = moved(rows, WUHAN)
    assert there["lon"].null_count() == there["lat"].null_count() == 1
    assert there["lon"].mean() == pytest.approx(114.305)
