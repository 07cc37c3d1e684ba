"""The record source: files side by side in time, counts and positions that survive a restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from flows.admission.roll import Roll
from flows.inputs import Input
from flows.records import PART, Item, ReplayPart, ReplaySource
from flows.replay.replaying import ReplayOptions, city_of
from flows.router import Lanes

CITY = city_of(ReplayOptions(out=Path("unused")))
MINUTE = 60_000


def reading(sensor: str, ts: int) -> str:
    record = {"sensor_id": sensor, "metric": "gas_lel", "value": 1.5, "ts": ts, "lon": 114.3, "lat": 30.6}
    return json.dumps(record) + "\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files of the same hour; the second has six times as many records."""
    found = []
    for name, step in (("a", 60_000), ("b", 10_000)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(reading(name, ts) for ts in range(step, 60 * MINUTE, step)), encoding="utf-8")
        found.append(path)
    return found


@contextmanager
def part_of(
    files: list[Path], snapshot: bytes | None = None, read: list[int] | None = None
) -> Iterator[ReplayPart]:
    """The source's part over some files, ten records at a time."""
    inputs = tuple(Input(path, "readings") for path in files)
    totals = files[0].with_name("totals.json")
    noted = [] if read is None else read
    source = ReplaySource(
        inputs, CITY, Lanes(1, CITY.grid), Roll.empty(), 10, totals, noted.append, durable=True
    )
    part: ReplayPart = source.build_part("records", PART, snapshot)
    try:
        yield part
    finally:
        part.close()


def rest(part: ReplayPart) -> list[Item]:
    items: list[Item] = []
    while True:
        try:
            items += part.next_batch()
        except StopIteration:
            return items


def test_files_are_read_in_step_with_the_time_of_their_records(files: list[Path]) -> None:
    with part_of(files) as part:
        clocks = [item.piece.clock.maximum for item in rest(part) if item.step == "shard"]
    assert clocks == sorted(clocks)
    with part_of(files) as part:
        newest: dict[str, int] = {}
        for item in rest(part)[:-2]:
            if item.step == "shard" and len(item.piece.batch):
                newest[str(item.piece.batch.series[0])] = int(item.piece.batch.ts.max())
                # Ten records of the sparser file span ten minutes.
                assert max(newest.values()) - min(newest.values()) <= 11 * MINUTE


def test_progress_adds_up_to_the_size_of_the_files(files: list[Path]) -> None:
    read: list[int] = []
    with part_of(files, read=read) as part:
        rest(part)
    assert sum(read) == sum(path.stat().st_size for path in files)


def test_the_beginning_is_told_once_nothing_can_come_before_it(files: list[Path]) -> None:
    with part_of(files) as part:
        begins = [(i.piece.clock.watermark, i.begin) for i in rest(part) if i.step == "shard"]
    assert {begin for watermark, begin in begins if watermark >= MINUTE} == {MINUTE}
    assert all(begin != MINUTE for watermark, begin in begins if watermark < MINUTE)


@pytest.mark.parametrize("blocks", [0, 1, 7, 42, 43, 100])
def test_a_restart_goes_on_with_the_next_record_and_all_counts(files: list[Path], blocks: int) -> None:
    with part_of(files) as part:
        expected = told(rest(part))
        totals = part.totals()
    with part_of(files) as part:
        found: list[str] = []
        for _ in range(blocks):
            try:
                found += told(part.next_batch())
            except StopIteration:
                break
        snapshot = part.snapshot()
    with part_of(files, snapshot) as part:
        found += told(rest(part))
        again = part.totals()
    assert found == expected
    timeless = {"started", "decode_seconds"}
    assert {k: v for k, v in again.items() if k not in timeless} == {
        k: v for k, v in totals.items() if k not in timeless
    }
    written = json.loads(files[0].with_name("totals.json").read_text(encoding="utf-8"))
    assert written["readings"] == again["readings"] == totals["accepted"]


def told(items: list[Item]) -> list[str]:
    """All but announcements: a part that begins again announces its series again, which changes nothing."""
    found = []
    for item in items:
        if item.step != "shard":
            found.append(str(item))
        elif item.piece.new is None or item.piece.batch is not None:
            found.append(str(replace(item, piece=replace(item.piece, new=None))))
    return found


def test_a_source_without_recovery_keeps_nothing(files: list[Path]) -> None:
    inputs = (Input(files[0], "readings"),)
    totals = files[0].with_name("totals.json")
    source = ReplaySource(inputs, CITY, Lanes(1, CITY.grid), Roll.empty(), 10, totals, lambda _: None)
    part = source.build_part("records", PART, None)
    part.next_batch()
    assert part.snapshot() == b""
    part.close()
