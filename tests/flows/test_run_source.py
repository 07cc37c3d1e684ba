"""The live door: what is read of files that grow, when they are waited for, what is from the future."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.admission.guests import Limits
from flows.admission.partition_clock import NEVER, PartitionClock
from flows.admission.roll import Roll
from flows.inputs import Input
from flows.live.run_input import GrowingRecords
from flows.live.run_source import AHEAD, POLL, LivePart, LiveSource
from flows.pieces import BEFORE, MAX_DISORDER
from flows.records import PART, Item
from flows.replay.replaying import ReplayOptions, city_of
from flows.router import Lanes

CITY = city_of(ReplayOptions(out=Path("unused")))
NOON = 1_719_979_200_000
MINUTE = 60_000
IDLE = 60.0


def reading(ts: int, sensor: str = "s", **more: Any) -> str:
    place = {"lon": 114.3, "lat": 30.6}
    return (
        json.dumps({"sensor_id": sensor, "metric": "gas_lel", "value": 1.5, "ts": ts, **place, **more}) + "\n"
    )


@dataclass
class Wall:
    """The machine's clock, as the test moves it."""

    seconds: float = NOON / 1000

    def __call__(self) -> float:
        return self.seconds


@contextmanager
def part_of(
    *files: Path, wall: Wall, snapshot: bytes | None = None, kinds: str = "", **more: Any
) -> Iterator[LivePart]:
    names = kinds.split() or ["readings"] * len(files)
    inputs = tuple(Input(path, kind) for path, kind in zip(files, names, strict=True))  # type: ignore[arg-type]
    source = LiveSource(
        inputs,
        CITY,
        Lanes(1, CITY.grid),
        Roll.empty(),
        more.pop("batch_size", 10),
        Path("unused"),
        lambda _: None,
        durable=True,
        idle_after=IDLE,
        wall=wall,
        **more,
    )
    part = source.build_part("records", PART, snapshot)
    try:
        yield part
    finally:
        part.close()


def drained(part: LivePart) -> list[Item]:
    """All there is to read now."""
    items: list[Item] = []
    while found := part.next_batch():
        items += found
    return items


def add(path: Path, *lines: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(lines)


@given(st.data())
def test_lines_come_once_however_the_file_grew(tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("grows") / "r.jsonl"
    texts = data.draw(st.lists(st.text("ab \n", max_size=5).map(lambda t: t.replace("\n", "")), max_size=8))
    whole = "".join(f"{text}\n" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    found: list[bytes] = []
    before = 0
    with ExitStack() as stack:
        records = stack.enter_context(closing(GrowingRecords(path, "readings")))
        for cut in [*cuts, len(whole)]:
            with path.open("ab") as file:
                file.write(whole[before:cut])
            before = cut
            while block := records.read(data.draw(st.integers(1, 4))):
                found += block.messages
            if data.draw(st.booleans()):
                position = records.position()
                records = stack.enter_context(closing(GrowingRecords(path, "readings")))
                records.seek(position)
    assert found == [text.encode() for text in texts if text.strip()]


def test_a_file_that_is_not_there_is_waited_for_and_holds_the_watermark(tmp_path: Path) -> None:
    here, later = tmp_path / "here.jsonl", tmp_path / "later.jsonl"
    add(here, reading(NOON), reading(NOON + MINUTE))
    wall = Wall()
    with part_of(here, later, wall=wall) as part:
        drained(part)
        assert part.watermark < 0
        assert part.next_awake() is not None
        add(later, reading(NOON + 30_000, "t"))
        drained(part)
        assert part.watermark == NOON + 30_000 - MAX_DISORDER
        assert part.totals()["readings"] == 3


def test_an_input_that_is_silent_for_a_minute_holds_nobody_up(tmp_path: Path) -> None:
    files = a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    wall = Wall()
    add(a, reading(NOON))
    add(b, reading(NOON, "t"))
    with part_of(*files, wall=wall) as part:
        drained(part)
        wall.seconds += IDLE - 1
        add(a, reading(NOON + 59_000))
        drained(part)
        assert part.watermark == NOON - MAX_DISORDER
        wall.seconds += 1
        told = part.next_batch()
        assert part.watermark == NOON + 59_000 - MAX_DISORDER
        assert {item.step for item in told} == {"shard", "case"}
        assert {item.piece.clock.maximum for item in told} == {NOON + 59_000}
        assert part.next_batch() == []


def test_a_stalled_engine_makes_no_input_silent(tmp_path: Path) -> None:
    # The files were not read in the meantime: nobody can know that they had nothing (R5).
    files = a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    wall = Wall()
    add(a, reading(NOON))
    add(b, reading(NOON, "t"))
    with part_of(*files, wall=wall, batch_size=1) as part:
        drained(part)
        add(a, *(reading(NOON + i * 1_000) for i in range(1, 100)))
        add(b, *(reading(NOON + i * 1_000, "t") for i in range(1, 100)))
        wall.seconds += 3_600
        drained(part)
        assert part.totals()["late"] == 0
        assert part.totals()["readings"] == 200


def test_an_input_that_returns_is_judged_by_how_far_the_others_have_come(tmp_path: Path) -> None:
    files = a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    wall = Wall()
    add(a, reading(NOON))
    add(b, reading(NOON, "t"))
    with part_of(*files, wall=wall) as part:
        drained(part)
        wall.seconds += IDLE
        add(a, reading(NOON + 5 * MINUTE))
        drained(part)
        assert part.watermark == NOON + 5 * MINUTE - MAX_DISORDER
        add(b, reading(NOON + 2 * MINUTE, "t"), reading(NOON + 5 * MINUTE, "t"))
        pieces = [item.piece for item in drained(part) if item.step == "shard"]
        (batch,) = [piece.batch for piece in pieces if piece.batch is not None and len(piece.batch)]
        # In time by its own input, but its window was closed: it takes effect as a correction.
        assert batch.effective.tolist()[0] > part.watermark
        assert [piece.notices.ts.tolist() for piece in pieces if piece.notices] == [[NOON + 2 * MINUTE]]
        assert (part.totals()["late"], part.totals()["readings"]) == (0, 5)
        assert part.watermark == NOON + 5 * MINUTE - MAX_DISORDER


def test_the_clock_of_the_flow_never_runs_back(tmp_path: Path) -> None:
    files = a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    wall, clocks = Wall(), [BEFORE]
    with part_of(*files, wall=wall) as part:
        for step in range(1, 40):
            add(a, reading(NOON + step * 30_000))
            if step % 7 == 0:
                add(b, reading(NOON + step * 20_000, "t"))
            wall.seconds += 30
            items = drained(part)
            clocks += [item.piece.clock.maximum for item in items if item.step == "shard"]
    assert clocks == sorted(clocks)
    assert clocks[-1] > NOON + 30 * 30_000


def test_feedback_is_not_waited_for(tmp_path: Path) -> None:
    files = tmp_path / "r.jsonl", tmp_path / "f.jsonl"
    add(files[0], reading(NOON))
    add(files[1], '{"incident_id":"I1","action":"note","actor":"a","ts":1}\n')
    with part_of(*files, wall=Wall(), kinds="readings feedback") as part:
        drained(part)
        assert part.watermark == NOON - MAX_DISORDER
        assert part.totals()["feedback"] == 1


def test_feedback_takes_effect_when_nothing_before_it_can_be_on_its_way(tmp_path: Path) -> None:
    files = tmp_path / "r.jsonl", tmp_path / "f.jsonl"
    add(files[0], reading(NOON))
    wall = Wall()
    with part_of(*files, wall=wall, kinds="readings feedback") as part:
        drained(part)
        add(files[1], json.dumps({"incident_id": "I1", "action": "note", "actor": "a", "ts": NOON}) + "\n")
        (piece,) = [item.piece for item in drained(part) if item.step == "feedback" and item.piece.acts]
        assert piece.clock.watermark == NOON - MAX_DISORDER
        wall.seconds += 9
        assert [item for item in drained(part) if item.step == "feedback"] == []
        wall.seconds += 1
        (told,) = [item.piece for item in drained(part) if item.step == "feedback"]
        assert told.clock.watermark == NOON == piece.acts[0].effective
        assert part.next_batch() == []


def test_what_is_too_far_ahead_of_the_wall_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    add(path, reading(NOON), reading(NOON + 300_000), reading(NOON + 300_001), reading(NOON + 1_000))
    wall = Wall()
    with part_of(path, wall=wall) as part:
        rejects = [item.piece for item in drained(part) if item.step == "reject"]
        assert [(r.reason, r.offset, r.ts_received) for one in rejects for r in one] == [
            ("future_time", 2, NOON)
        ]
        assert part.totals()["readings"] == 3
        wall.seconds += 1
        add(path, reading(NOON + 300_001))
        drained(part)
        assert part.totals()["readings"] == 4


def test_by_the_records_own_clock_a_leap_waits_for_witnesses(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    add(path, *(reading(1_000_000 + i) for i in range(6)), reading(9_000_000))
    with part_of(path, wall=Wall(), clock="source") as part:
        drained(part)
        assert sum(file.tally.held for file in part.files) == 1
        add(path, *(reading(1_000_010 + i) for i in range(5)))
        drained(part)
        assert part.totals()["rejected"] == {"future_time": 1}


def test_by_the_records_own_clock_silence_is_event_time_and_a_breath(tmp_path: Path) -> None:
    files = a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    wall = Wall(5.0)
    add(a, *(reading(NOON, f"s{i}") for i in range(6)))
    with part_of(*files, wall=wall, clock="source") as part:
        drained(part)
        add(a, reading(NOON + 60_000))
        drained(part)
        assert part.watermark < 0
        wall.seconds += 5
        drained(part)
        assert part.watermark == NOON + 60_000 - MAX_DISORDER
        add(b, *(reading(NOON, f"t{i}") for i in range(6)))
        drained(part)
        # Late by the flow, in time by its own maximum (R4).
        assert (part.totals()["late"], part.totals()["readings"]) == (0, 13)


def test_no_input_is_read_far_ahead_of_the_slowest(tmp_path: Path) -> None:
    files = a, _ = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    add(a, *(reading(NOON + i * MINUTE) for i in range(600)))
    wall = Wall((NOON + 600 * MINUTE) / 1000)
    with part_of(*files, wall=wall) as part:
        drained(part)
        assert NOON + AHEAD < part.greatest <= NOON + AHEAD + 20 * MINUTE
        wall.seconds += IDLE
        drained(part)
        assert part.totals()["readings"] == 600


def test_a_stop_ends_the_source_and_a_snapshot_goes_on_from_there(tmp_path: Path) -> None:
    path, wall, stop = tmp_path / "r.jsonl", Wall(), [False]
    add(path, *(reading(NOON + i * 1_000) for i in range(25)))
    with part_of(path, wall=wall, stopped=lambda: stop[0], batch_size=7) as part:
        part.next_batch()
        stop[0] = True
        with pytest.raises(StopIteration):
            part.next_batch()
        state = part.snapshot()
    add(path, *(reading(NOON + i * 1_000) for i in range(25, 40)))
    with part_of(path, wall=wall, snapshot=state) as part:
        assert part.watermark == NOON + 6_000 - MAX_DISORDER
        drained(part)
        assert part.totals()["readings"] == 40
        assert part.totals()["duplicates"] == 0


def test_files_that_cannot_grow_end_the_run_when_all_have_ended(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress((reading(NOON) + reading(NOON + MINUTE)).encode()))
    with part_of(path, wall=Wall()) as part:
        clocks = []
        while True:
            try:
                clocks += [item.piece.clock for item in part.next_batch() if item.step == "shard"]
            except StopIteration:
                break
        assert clocks[-1].limit == NOON + MINUTE


@pytest.mark.parametrize("change", ["cut", "replaced", "gone"])
def test_a_file_that_does_not_only_grow_is_an_error_that_says_so(tmp_path: Path, change: str) -> None:
    path = tmp_path / "r.jsonl"
    add(path, reading(NOON), reading(NOON + 1))
    with part_of(path, wall=Wall()) as part:
        drained(part)
        if change == "cut":
            path.write_text("")
        else:
            path.rename(tmp_path / "r.old")
        if change == "replaced":
            add(path, reading(NOON + 2))
        with pytest.raises(ValueError, match="a followed file may only grow"):
            part.next_batch()


def test_a_file_may_bring_only_so_many_series_that_nobody_registered(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with part_of(path, wall=Wall(), limits=Limits(series=2)) as part:
        add(path, *(reading(NOON + i, sensor=f"s-{i % 5}") for i in range(20)))
        drained(part)
        assert part.totals()["rejected"] == {"too_many_series": 12}
        assert part.totals()["readings"] == 8


def test_a_file_may_open_only_so_many_cases(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    known = {"type": "ev_gas_leak", "status": "reported", "lon": 114.3, "lat": 30.6}
    lines = [json.dumps({"event_id": f"c-{i % 5}", "ts": NOON + i, **known}) + "\n" for i in range(20)]
    with part_of(path, wall=Wall(), kinds="events", limits=Limits(cases=2)) as part:
        add(path, *lines)
        items = drained(part)
        totals = part.totals()
    assert totals["rejected"] == {"too_many_cases": 12}
    assert totals["received"] == totals["accepted"] + 12 == 20
    rejects = [one for item in items if item.step == "reject" for one in item.piece]
    assert [one.raw.decode() + "\n" for one in rejects] == [line for i, line in enumerate(lines) if i % 5 > 1]
    assert [one.offset for one in rejects] == [i for i in range(20) if i % 5 > 1]


def test_a_registry_that_changes_is_taken_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, sensors = tmp_path / "r.jsonl", tmp_path / "sensors.csv"
    sensors.write_text("sensor_id,lon,lat\na,114.3,30.6\n")
    bare = '{"sensor_id":"%s","metric":"gas_lel","value":1.5,"ts":%d}\n'
    wall = Wall()
    with part_of(path, wall=wall, sensors=sensors) as part:
        add(path, bare % ("b", NOON))
        drained(part)
        assert part.totals()["rejected"] == {"unknown_location": 1}
        sensors.write_text("sensor_id\nb\n")
        drained(part)
        assert "stays in force" in caplog.text
        sensors.write_text("sensor_id,lon,lat\nb,114.3,30.6\n")
        add(path, bare % ("b", NOON + 1))
        drained(part)
        assert part.totals()["readings"] == 1


def test_the_input_that_holds_the_watermark_is_named(tmp_path: Path) -> None:
    files = a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    wall = Wall((NOON + 2 * MINUTE) / 1000)
    add(a, reading(NOON))
    add(b, reading(NOON, "t"))
    with part_of(*files, wall=wall) as part:
        drained(part)
        assert part.held_by is None
        add(a, reading(NOON + 90_000))
        drained(part)
        assert part.held_by is part.files[1]


def test_without_records_the_source_looks_again_soon(tmp_path: Path) -> None:
    with part_of(tmp_path / "r.jsonl", wall=Wall()) as part:
        part.next_batch()
        assert part._wait == POLL


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(0, 50), st.data())
def test_under_a_ceiling_only_the_ceiling_decides_whatever_the_batches(
    times: list[int], ceiling: int, data: st.DataObject
) -> None:
    whole, parts = PartitionClock(), PartitionClock()
    whole.ceiling = parts.ceiling = ceiling
    ts = np.array(times, np.int64)
    judged = whole.judge(ts)
    assert judged.honest.tolist() == (ts <= ceiling).tolist()
    assert judged.released == len(ts)
    cut = data.draw(st.integers(0, len(ts)))
    first, second = parts.judge(ts[:cut]), parts.judge(ts[cut:])
    assert np.concatenate((first.before, second.before)).tolist() == judged.before.tolist()
    assert parts.maximum == whole.maximum == max((t for t in times if t <= ceiling), default=NEVER)
