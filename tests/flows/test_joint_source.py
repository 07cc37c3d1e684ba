"""Sources of one step: their parts, and that they come to recovery points together."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink
from hypothesis import given
from hypothesis import strategies as st

from flows.beat import Beat
from flows.city_flow import Ends, Steps, build
from flows.control.no_control import NoControl
from flows.joint_source import JointSource
from flows.records import Item
from flows.recovery.recovery_folder import RecoveryFolder
from flows.replay.running import run_flow


class Named(NoControl):
    """A source of one part of some name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def list_parts(self) -> list[str]:
        return [self.name]


def test_parts_of_joint_sources_keep_their_order_and_may_not_share_a_name() -> None:
    joint = JointSource(Named("records-00"), Named("control"), Named("feedback"))
    assert joint.list_parts() == ["records-00", "control", "feedback"]
    with pytest.raises(ValueError, match="share names of parts"):
        JointSource(Named("control"), Named("control"))


class Timed(FixedPartitionedSource[Item, int]):
    """A part that is asked every so often and notes when its state is."""

    def __init__(self, name: str, pause: float, until: float, asked: list[tuple[str, float]]) -> None:
        self.name, self.pause, self.until, self.asked = name, pause, until, asked

    def list_parts(self) -> list[str]:
        return [self.name]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> TimedPart:
        del step_id, for_part, resume_state
        return TimedPart(self)


class TimedPart(StatefulSourcePartition[Item, int]):
    def __init__(self, source: Timed) -> None:
        self.source = source

    def next_batch(self) -> list[Item]:
        if time.time() > self.source.until:
            raise StopIteration
        return []

    def next_awake(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.source.pause)

    def snapshot(self) -> int:
        self.source.asked.append((self.source.name, time.time()))
        return 0


class Quiet(StatefulBatchLogic[Item, Item, None]):
    """A step that says nothing."""

    def on_batch(self, values: list[Item]) -> tuple[list[Item], bool]:
        del values
        return [], False

    def snapshot(self) -> None:
        return None


def points(folder: Path, seconds: float, every: float) -> list[tuple[str, float]]:
    """When each part of two sources was asked for its state."""
    asked: list[tuple[str, float]] = []
    until = time.time() + seconds
    slow, quick = Timed("slow", 0.05, until, asked), Timed("quick", 0.003, until, asked)
    out = TestingSink[Any]([])
    flow = build(Ends(quick, slow, out, out, out, out), Steps(*(lambda _: Quiet() for _ in range(4))))
    RecoveryFolder(folder).take_up({})
    run_flow(flow, folder, every)
    return asked


def test_all_parts_of_a_process_come_to_a_recovery_point_at_once(tmp_path: Path) -> None:
    asked = points(tmp_path, seconds=2.0, every=0.05)
    told = [name for name, _ in asked]
    pairs = [set(told[i : i + 2]) for i in range(0, len(told) - 1, 2)]
    # Sources of two steps would drift apart by tens of milliseconds at each of these points.
    assert len(pairs) > 10
    assert pairs[:-1] == [{"slow", "quick"}] * (len(pairs) - 1)
    gaps = [abs(one[1] - other[1]) for one, other in zip(asked[::2], asked[1::2], strict=False)]
    assert sorted(gaps)[len(gaps) // 2] < 0.005


def test_parts_on_a_beat_read_nothing_shortly_before_it_and_are_themselves_otherwise() -> None:
    asked: list[tuple[str, float]] = []
    beat = Beat(1000.0)
    due = datetime.fromtimestamp((time.time() // beat.every + 2) * beat.every, UTC)
    wakes = [due - timedelta(seconds=left) for left in (30.0, 9.0, 0.0, -3.0)]
    found = []
    for wake in wakes:
        source = Timed("one", (wake - datetime.now(UTC)).total_seconds(), time.time() + 60, asked)
        part = JointSource(source, beat=beat).build_part("records", "one", None)
        found.append(part.next_awake())
        assert list(part.next_batch()) == []
        part.snapshot()
        part.close()
    assert asked
    near = [one is not None and abs((one - due).total_seconds()) < 1 for one in found]
    assert near == [False, True, True, False]


@given(
    delays=st.lists(st.tuples(st.floats(0, 0.02), st.floats(0, 0.02)), min_size=40, max_size=60),
    apart=st.floats(0, 4.9),
)
def test_processes_that_are_apart_come_together_on_a_beat_and_stay_so(
    delays: list[tuple[float, float]], apart: float
) -> None:
    """``delays``: how late two processes notice, at each point, that it is time."""
    beat = Beat(5.0)
    points = [1_000_000.0, 1_000_000.0 + apart]
    for _ in range(200):
        points = [next_point(beat, at, 0.0) for at in points]
    for pair in delays:
        points = [next_point(beat, at, late) for at, late in zip(points, pair, strict=True)]
    assert abs(points[0] - points[1]) <= 0.021


def next_point(beat: Beat, at: float, late: float) -> float:
    """When a process comes to its next recovery point after one, noticing so late that it may."""
    due = datetime.fromtimestamp(at + beat.interval + late, UTC)
    found = beat.awake(due, now=due)
    assert found is not None
    return found.timestamp()
