"""The step ``sensors`` as the engine sees it: a thin shell around one lane that judges sensors.

Its snapshot is small; the memory of the detectors and the judge goes to a cold store of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bytewax.operators import StatefulBatchLogic

from flows.city_flow import Steps
from flows.pieces import Moves, ShardPiece
from flows.quarantine.lane import SensorLane
from flows.records import Item
from flows.recovery.cold_store import ColdStore
from flows.recovery.snapshots import COSTS, freeze, thaw
from flows.replay.failures import noted
from flows.replay.profile import timed
from flows.replay.warm import shown_faults, shown_transitions
from flows.scores.settings import ScoreSettings
from flows.steps import CITY, Batch, Run, judge_of

VERSION = 2


def judged(run: Run, steps: Steps, settings: ScoreSettings | None) -> Steps:
    """The builders of a run, with a judge of sensors if its settings ask for one."""
    if settings is None or not run.judging:
        return steps
    return replace(steps, sensors=lambda state: SensorShell(run, settings, state))


class SensorShell(StatefulBatchLogic[Item, Item, Any]):
    """A lane that judges the sensors of a shard lane."""

    @noted()
    def __init__(self, run: Run, settings: ScoreSettings, snapshot: bytes | None) -> None:
        """Empty, or as a snapshot and the memory on disk left it."""
        self._run, self._settings = run, settings
        self._lane: SensorLane | None = None
        self._cold: ColdStore | None = None
        self._seq = 0
        if snapshot:
            self._load(thaw(snapshot))

    def _built(self, name: str) -> SensorLane:
        run = self._run
        journal = run.recovery is not None
        return SensorLane(run.city, judge_of(name), run.sources, self._settings, journal=journal)

    def _load(self, state: dict[str, Any]) -> None:
        if state["version"] != VERSION:
            raise ValueError(
                f"the state of judged sensors is of version {state['version']}, this engine reads {VERSION}; "
                f"start with an empty recovery folder"
            )
        lane = self._lane = self._built(state["name"])
        self._seq = state["seq"]
        lane.restore(state["lane"])
        self._store(lane).refill(self._seq, lane.journals(), state["lane"]["blobs"], "blobs of sensors")
        with timed("sensors"):
            lane.recover()

    def _store(self, lane: SensorLane) -> ColdStore:
        if self._cold is None:
            self._cold = self._run.cold_store(lane.sender)
        return self._cold

    @noted()
    def on_batch(self, values: list[Item]) -> Batch:
        """Pieces in; orders for every shard lane, faults and their alerts out."""
        with timed("sensors"):
            name, run = values[0].key, self._run
            lane = self._lane = self._lane or self._built(name)
            found = lane.take([item.piece for item in values if isinstance(item.piece, ShardPiece)])
            items = [Item("shard", key, found.piece) for key in run.lanes.shards]
            moves = shown_transitions(found.transitions, run.shown)
            items.append(Item("alert", CITY, Moves(lane.sender, found.piece.clock, moves)))
            faults = shown_faults(found.faults, run.shown)
            return [*items, *([Item("fault", CITY, faults)] if faults else [])], StatefulBatchLogic.RETAIN

    @noted()
    def snapshot(self) -> bytes:
        """The hot part; the memory, or readings since, are on disk before this returns."""
        lane = self._lane
        if lane is None or self._run.recovery is None:
            return b""
        self._seq += 1
        with timed("snapshot"):
            lane.turn()
            state = lane.state()
            COSTS.cold += self._store(lane).write(self._seq, lane.journals())
        name = lane.sender.removeprefix("sensors-")
        return freeze(lane.sender, {"version": VERSION, "name": name, "seq": self._seq, "lane": state})
