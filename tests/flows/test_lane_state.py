"""Every step taken down and built again from its snapshot goes on as if nothing had happened."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.transitions import Transition
from flows.admission.registry import read_registry
from flows.admission.roll import Roll
from flows.inputs import Input
from flows.records import Item, ReplayPart, ReplaySource
from flows.recovery.cold_store import ColdStoreError
from flows.recovery.snapshots import FORMAT, thaw
from flows.replay.replaying import ReplayOptions, city_of
from flows.router import Lanes
from flows.steps import Run, ShardShell
from sinks.table_file import ValueFrame
from tests.replays import make_city

LANES = 2
CITY = city_of(ReplayOptions(out=Path("unused")))


class Engine:
    """The flow without an engine: one record batch at a time through all steps."""

    def __init__(
        self, city: Path, folder: Path, snapshot: dict[Any, bytes] | None = None, *, sensing: bool = False
    ) -> None:
        lanes = Lanes(LANES, CITY.grid)
        snapshot = snapshot or {}
        inputs = (Input(city / "readings.jsonl", "readings"), Input(city / "events.jsonl", "events"))
        registry, _ = read_registry(city / "sensors.csv", "Asia/Shanghai")
        totals = folder / "totals.json"
        source = ReplaySource(
            inputs, CITY, lanes, Roll.of(registry, CITY.grid), 200, totals, lambda _: None, durable=True
        )
        self.part: ReplayPart = source.build_part("records", "records-00", snapshot.get("records"))
        steps = Run(CITY, lanes, folder, sensing=sensing).steps()
        self._builders: dict[str, Any] = {
            "case": steps.cases,
            "shard": steps.shards,
            "area": steps.areas,
            "alert": steps.incidents,
        }
        self.logics = {at: self._builders[at[0]](state) for at, state in snapshot.items() if at != "records"}

    def step(self) -> list[Item] | None:
        """What one more batch brings out, None at the end."""
        try:
            items = self.part.next_batch()
        except StopIteration:
            return None
        return self._through(items, ("case", "shard", "area", "alert"))

    def _through(self, items: list[Item], steps: Iterable[str]) -> list[Item]:
        for step in steps:
            own = defaultdict(list)
            for item in items:
                if item.step == step:
                    own[item.key].append(item)
            items = [item for item in items if item.step != step]
            for key, found in own.items():
                at = step, key
                if at not in self.logics:
                    self.logics[at] = self._builders[step](None)
                items += self.logics[at].on_batch(found)[0]
        return items

    def snapshot(self) -> dict[Any, bytes]:
        """The snapshots of all steps."""
        taken = {at: logic.snapshot() for at, logic in self.logics.items()}
        return {**taken, "records": self.part.snapshot()}

    def close(self) -> None:
        """Let go of the files."""
        self.part.close()
        for logic in self.logics.values():
            if isinstance(logic, ShardShell) and logic._cold is not None:
                logic._cold.close()


def told(items: list[Item]) -> list[Any]:
    """Items as plain values that can be compared."""
    return [(item.step, item.key, plain(item.piece)) for item in items]


def plain(piece: Any) -> Any:
    if isinstance(piece, ValueFrame):
        names = ("window_end", "value", "level", "n", "coverage", "revision", "area", "status")
        return piece.indicator, *(np.asarray(getattr(piece, name)).tobytes() for name in names)
    if isinstance(piece, list):
        return [str(one) if isinstance(one, Transition) else one for one in piece]
    return piece


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("town"), sensors=50, minutes=70, seed=5)


@pytest.fixture(scope="module")
def undisturbed(town: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    engine = Engine(town, tmp_path_factory.mktemp("undisturbed"))
    steps = []
    while (items := engine.step()) is not None:
        steps.append(told(items))
    engine.close()
    assert {item[0] for step in steps for item in step} == {"reject", "value", "alert", "incident"}
    return steps


@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_a_crash_anywhere_changes_nothing_that_comes_after(
    town: Path, undisturbed: list[list[Any]], data: st.DataObject
) -> None:
    total = len(undisturbed)
    cuts = data.draw(st.lists(st.integers(0, total), min_size=2, max_size=4, unique=True).map(sorted))
    lost = data.draw(st.integers(0, 3))
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(town, Path(folder))
        done = 0
        for cut in cuts:
            while done < cut:
                assert told(engine.step() or []) == undisturbed[done]
                done += 1
            snapshot = engine.snapshot()
            for _ in range(lost):
                # Work after the snapshot is lost, and must not show in it.
                engine.step()
            if lost:
                engine.snapshot()
            engine.close()
            engine = Engine(town, Path(folder), snapshot)
        for expected in undisturbed[done:]:
            assert told(engine.step() or []) == expected
        assert engine.step() is None
        engine.close()


def test_snapshots_are_bytes_and_name_their_format(town: Path, tmp_path: Path) -> None:
    engine = Engine(town, tmp_path)
    for _ in range(3):
        engine.step()
    snapshot = engine.snapshot()
    engine.close()
    assert {data[: len(FORMAT)] for data in snapshot.values()} == {FORMAT}


def test_a_step_that_never_saw_an_item_leaves_and_takes_an_empty_snapshot(tmp_path: Path) -> None:
    run = Run(CITY, Lanes(LANES, CITY.grid), tmp_path)
    for build in (run.steps().cases, run.steps().shards):
        assert build(build(None).snapshot()).snapshot() == b""


def test_the_state_of_another_release_is_refused() -> None:
    with pytest.raises(ValueError, match="this release reads b'yw1:'"):
        thaw(b"yw0:whatever")


def test_a_lane_without_its_slices_is_refused(town: Path, tmp_path: Path) -> None:
    engine = Engine(town, tmp_path)
    for _ in range(12):
        engine.step()
    snapshot = engine.snapshot()
    engine.close()
    shutil.rmtree(tmp_path / "cold")
    shards = {at: data for at, data in snapshot.items() if at[0] == "shard"}
    with pytest.raises(
        ColdStoreError, match=r"shard-0\d\w+.sqlite: the snapshot speaks of \d+ slices, found 0"
    ):
        [Run(CITY, Lanes(LANES, CITY.grid), tmp_path).steps().shards(data) for data in shards.values()]
