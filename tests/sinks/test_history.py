"""A history holds every row once, in its last revision, whatever crashes and however often it is told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.arrow_values import TABLE
from sinks.history import History, HistoryPart, Position
from sinks.history_hours import HOUR, OPEN, empty, hours, segments
from sinks.history_reader import areas, newest, read
from sinks.table_file import KINDS, ValueFrame

NOON = 478_000 * HOUR
AREAS = ["N50H0513600", "420106001", "420106", "city"]

Row = tuple[str, str, int, int, float]
"""Indicator, area, window end, revision, value."""


def frame(indicator: str, rows: Sequence[tuple[str, int, float | None, int]]) -> ValueFrame:
    """Rows of (area, window end, value, revision)."""
    area, end, value, revision = zip(*rows, strict=True)
    kinds = {"N50H0513600": 0, "420106001": 2, "420106": 3, "city": 4}
    values = np.array([np.nan if v is None else v for v in value])
    return ValueFrame(
        indicator=indicator,
        kind=np.array([kinds[a] for a in area], np.uint8),
        names=np.array([a.encode() for a in area]),
        place=None,
        window_end=np.array(end, np.int64),
        value=values,
        level=np.ones(len(area), np.uint8),
        n=np.full(len(area), 3, np.int64),
        coverage=np.full(len(area), 0.5),
        revision=np.array(revision, np.int32),
        status=np.isnan(values).astype(np.uint8),
    )


def part(folder: Path, resume: Position | None = None, **more: Any) -> HistoryPart:
    return History(folder, ["areas"], **more).build_part("h", "areas", resume)


def killed(part: HistoryPart) -> None:
    """Let go of the file of a part whose engine dies: nothing more is written to it."""
    if part._segment is not None:
        part._segment._file.close()


def content(folder: Path) -> list[Row]:
    """All rows of the files, in their order."""
    files = [file for _, path in hours(folder) for file in sorted(path.glob("*.parquet"))]
    found: list[Row] = []
    for file in files:
        rows = pl.read_parquet(file, hive_partitioning=False)
        ends = rows["window_end"].dt.epoch("ms")
        columns = (rows["indicator"], rows["area"], ends, rows["revision"], rows["value"])
        found += zip(*(c.to_list() for c in columns), strict=True)
    return found


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.glob("date=*/hour=*/*"))}


@st.composite
def batches(draw: st.DrawFn) -> list[list[ValueFrame]]:
    """Batches of frames of windows in order of time, with corrections of earlier ones in between."""
    made: list[list[ValueFrame]] = []
    revisions: dict[tuple[str, str, int], int] = {}
    for step in range(draw(st.integers(1, 12))):
        batch = []
        for indicator in ("air.aqi", "weather.rain_1h_max"):
            ends = [NOON + step * 900_000]
            ends += draw(
                st.lists(st.integers(0, step), max_size=2).map(lambda k: [NOON + i * 900_000 for i in k])
            )
            rows = []
            for end in ends:
                for area in draw(st.lists(st.sampled_from(AREAS), unique=True, max_size=3)):
                    key = (indicator, area, end)
                    revision = revisions[key] = revisions.get(key, -1) + 1
                    value = draw(st.none() | st.integers(0, 9).map(float))
                    rows.append((area, end, value, revision))
            if rows:
                batch.append(frame(indicator, rows))
        made.append(batch)
    return made


def expected(told: list[list[ValueFrame]]) -> dict[tuple[str, str, int], tuple[int, float | None]]:
    last: dict[tuple[str, str, int], tuple[int, float | None]] = {}
    for batch in told:
        for one in batch:
            for i in range(len(one)):
                value = None if np.isnan(one.value[i]) else float(one.value[i])
                end, revision = int(np.asarray(one.window_end)[i]), int(np.asarray(one.revision)[i])
                last[one.indicator, one.area[i].decode(), end] = revision, value
    return last


@given(batches())
@settings(max_examples=40)
def test_every_row_is_there_once_in_its_last_revision(told: list[list[ValueFrame]]) -> None:
    folder = Path(mkdtemp())
    one = part(folder)
    for batch in told:
        one.write_batch(batch)
    one.close()
    rows = content(folder)
    assert {(i, a, e): (r, v) for i, a, e, r, v in rows} == expected(told)
    assert len(rows) == len(expected(told))


@given(batches(), st.data())
@settings(max_examples=60)
def test_a_crash_anywhere_leaves_the_same_bytes(told: list[list[ValueFrame]], data: st.DataObject) -> None:
    calm, shaken = Path(mkdtemp()), Path(mkdtemp())
    one = part(calm)
    for batch in told:
        one.write_batch(batch)
    one.close()
    with ExitStack() as stack:
        points: list[tuple[int, Position | None]] = [(0, None)]
        other, at, crashes = part(shaken), 0, data.draw(st.integers(1, 4))
        stack.callback(lambda: killed(other))
        while at < len(told):
            match data.draw(st.sampled_from(["write", "snapshot", "crash"])):
                case "snapshot":
                    points.append((at, other.snapshot()))
                case "crash" if crashes:
                    # The engine may have lost the last point it was about to keep, never the one before.
                    crashes -= 1
                    if len(points) > 1 and data.draw(st.booleans()):
                        points.pop()
                    points = points[-1:]
                    at, position = points[0]
                    killed(other)
                    other = part(shaken, position)
                case _:
                    other.write_batch(told[at])
                    at += 1
        other.snapshot()
        other.close()
    assert bytes_of(shaken) == bytes_of(calm)


def test_what_a_killed_engine_without_recovery_left_is_kept_by_the_next(tmp_path: Path) -> None:
    one = part(tmp_path)
    one.write_batch([frame("air.aqi", [("city", NOON, 57.0, 0)])])
    one.snapshot()
    killed(one)
    torn = next(segments(tmp_path))
    torn.write_bytes(torn.read_bytes() + b"\xff\xff\xff\xff\x40\x00")
    part(tmp_path)
    assert content(tmp_path) == [("air.aqi", "city", NOON, 0, 57.0)]
    assert list(segments(tmp_path)) == []


def test_a_part_that_goes_on_needs_the_segment_its_snapshot_names(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="recovery expects at least 500 bytes"):
        part(tmp_path, (3, 500))


def test_segments_are_dropped_when_no_point_can_name_them(tmp_path: Path) -> None:
    one = part(tmp_path)
    for hour in range(6):
        one.write_batch([frame("air.aqi", [("city", NOON + hour * HOUR, 1.0, 0)])])
        one.snapshot()
    killed(one)
    assert [path.name for path in segments(tmp_path)] == ["areas-000004.arrows", "areas-000005.arrows"]
    assert len(content(tmp_path)) == 5


def test_hours_older_than_what_is_kept_are_removed(tmp_path: Path) -> None:
    one = part(tmp_path, keep_hours=30)
    for hour in range(60):
        one.write_batch([frame("air.aqi", [("city", NOON + hour * HOUR, 1.0, 0)])])
    # What comes later than that is not kept either.
    one.write_batch([frame("air.aqi", [("city", NOON, 2.0, 1), ("city", NOON + 60 * HOUR, 1.0, 0)])])
    one.close()
    found = [hour for hour, _ in hours(tmp_path)]
    assert found == list(range(NOON // HOUR + 30, NOON // HOUR + 61))
    begun = {datetime.fromtimestamp(h * 3600, UTC).strftime("date=%Y-%m-%d") for h in found}
    assert {p.name for p in tmp_path.glob("date=*")} == begun


def test_only_the_kinds_asked_for_are_kept(tmp_path: Path) -> None:
    one = part(tmp_path, kinds=("district", "city"))
    rows = [(area, NOON, 1.0, 0) for area in AREAS]
    one.write_batch(
        [frame("air.aqi", rows), ValueFrame("air.aqi", 0, ["N50H0513601"], None, NOON, *_scalars())]
    )
    one.close()
    assert sorted(area for _, area, *_ in content(tmp_path)) == ["420106", "city"]


def _scalars() -> tuple[Any, ...]:
    return np.array([1.0]), np.array([0]), np.array([1]), np.array([1.0]), 0, 0


def test_reading_gives_the_span_asked_for_also_from_the_hour_that_is_not_over(tmp_path: Path) -> None:
    one = part(tmp_path)
    for minute in range(0, 180, 15):
        end = NOON + minute * 60_000
        one.write_batch([frame("air.aqi", [("city", end, float(minute), 0), ("420106", end, None, 0)])])
    one.write_batch([frame("air.aqi", [("city", NOON + 900_000, 99.0, 1)])])
    one.snapshot()
    killed(one)
    last = NOON + 165 * 60_000
    assert newest(tmp_path, "air.aqi", "city") == last
    rows = read(tmp_path, "air.aqi", "city", NOON, last)
    assert rows["value"].to_list() == [99.0, *map(float, range(30, 180, 15))]
    assert rows["revision"].to_list() == [1] + [0] * 10
    assert read(tmp_path, "air.aqi", "420106")["status"].unique().to_list() == ["no_data"]
    assert areas(tmp_path, "air.aqi") == ["420106", "city"]
    assert newest(tmp_path, "air.aqi", "nowhere") is None


def test_the_files_have_the_columns_of_the_table(tmp_path: Path) -> None:
    one = part(tmp_path)
    one.write_batch([frame("air.aqi", [("city", NOON, 1 / 3, 0)])])
    one.close()
    (file,) = tmp_path.glob("date=*/hour=*/areas.parquet")
    rows = pl.read_parquet(file, hive_partitioning=False)
    assert rows.columns == TABLE.names
    assert rows["value"].to_list() == [0.333333333333]
    assert rows["kind"].to_list() == ["city"]
    assert set(KINDS) >= set(rows["kind"])
    assert empty().columns == TABLE.names
    assert (tmp_path / OPEN).is_dir()
