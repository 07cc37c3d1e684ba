"""Readings of single sensors on their way to the scores: names, steps, and folders of before."""

from __future__ import annotations

from copy import copy
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from flows.admission.readings import ReadingAdmission
from flows.admission.roll import Roll
from flows.batches import NAME_BYTES, NewSeries
from flows.decoding.decode import decode_readings
from flows.decoding.provenance import Origin, json_records
from flows.recovery.snapshots import packed, thaw
from flows.stages.sensor_readings import RAREST, SENSOR, steps_of
from geo.cells import BeidouGrid
from indicators.calendar import DAY
from indicators.metrics import Metrics
from sinks.table_file import ValueFrame
from tests.flows.test_lane_state import CITY, Engine
from tests.replays import make_city


def announced(names: list[str]) -> NewSeries:
    metrics = Metrics.load()
    lines = [
        f'{{"sensor_id":"{name}","metric":"bin_fill","value":4.5,"ts":61000,"lon":114.3,"lat":30.6}}'.encode()
        for name in names
    ]
    door = ReadingAdmission(metrics, np.full(len(metrics.metrics), 60_000), BeidouGrid(), Roll.empty(), 0)
    readings, refused = decode_readings(lines)
    origin = Origin("file", 0, np.arange(len(lines)), json_records(lines), 0)
    first = door.admit(readings, origin, refused).new
    found = first if first is not None else door.finish().new
    assert found is not None
    return found


def test_the_door_tells_what_sensors_are_called() -> None:
    long = "\u6e29" * 60
    new = announced(["tap-1", long, "tap-2"])
    told = [name.decode() for name in new.name.tolist()]
    assert told == ["tap-1", "\u6e29" * (NAME_BYTES // 3), "tap-2"]


def test_announcements_of_before_there_were_names_are_read() -> None:
    new = announced(["tap-1", "tap-2"])
    old = object.__new__(NewSeries)
    old.__setstate__([getattr(new, column.name) for column in fields(new)][:-3])
    assert old.name.tolist() == [b"", b""]
    assert not old.placed.any()
    assert old.sensor_key.tolist() == new.sensor_key.tolist()
    same = copy(new)
    assert same.name.tolist() == new.name.tolist()


def test_steps_are_whole_slices_that_divide_a_day() -> None:
    steps = steps_of(CITY)
    for code, step in steps.items():
        number = CITY.plan.metrics.index[code]
        metric = CITY.plan.metrics.metrics[number]
        assert metric.kind == "sensor"
        assert metric.period_ms <= step <= RAREST
        assert step % int(CITY.plan.slice_ms[number]) == 0 == DAY % step
    assert "tap_pressure" in steps


@pytest.mark.parametrize("age", ["today", "before_sensors"])
def test_switched_on_over_an_existing_folder_all_sensors_are_named(tmp_path: Path, age: str) -> None:
    town = make_city(tmp_path / "town", sensors=50, minutes=70, seed=5)
    engine = Engine(town, tmp_path / "state")
    for _ in range(12):
        engine.step()
    snapshot = engine.snapshot()
    engine.close()
    if age == "before_sensors":
        for at, data in snapshot.items():
            if at[0] == "shard":
                state = thaw(data)
                del state["lane"]["introduced"]
                snapshot[at] = packed(state)
    engine = Engine(town, tmp_path / "state", snapshot, sensing=True)
    frames = []
    while (items := engine.step()) is not None:
        frames += [item.piece for item in items if item.step == "past" and isinstance(item.piece, ValueFrame)]
    engine.close()
    own = [frame for frame in frames if isinstance(frame.kind, int) and frame.kind == SENSOR]
    known: dict[str, set[int]] = {}
    for frame in own:
        assert frame.row is not None
        if frame.place is None:
            assert b"" not in frame.area.tolist()
            known.setdefault(frame.indicator, set()).update(frame.row.tolist())
        elif len(frame):
            assert set(frame.row.tolist()) <= known[frame.indicator]
    assert sum(frame.place is not None for frame in own) > 0
