"""The keyed steps as the engine sees them: thin shells around the lanes' own logic.

A shell learns its key from the first item. Its snapshot is bytes: they share nothing with the live state.
Without a recovery folder there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bytewax.operators import StatefulBatchLogic

from alerts.desk import Desk
from flows.beginning import Beginnings
from flows.city import City
from flows.city_flow import Steps
from flows.control.control_input import CONTROL
from flows.control.editions import Editions
from flows.explain.watch import Watch
from flows.pieces import BEFORE, AreaPiece, ControlPiece, Moves, OrdersPiece, PlacedCases, ShardPiece
from flows.records import PART, Item
from flows.recovery.cold_store import ColdStore
from flows.recovery.file_attic import FileAttic
from flows.recovery.lane_state import load, save, write_ahead
from flows.recovery.snapshots import freeze, thaw
from flows.replay.failures import noted
from flows.replay.profile import timed
from flows.replay.warm import hidden_frame, shown_frame, shown_incidents, shown_transitions
from flows.router import Lanes
from flows.stages.area_step import AREAS, AreaStep
from flows.stages.case_lane import CaseLane
from flows.stages.incident_step import IncidentStep
from flows.stages.publisher import Published
from flows.stages.sensor_readings import SensorReadings
from flows.stages.shard_lane import ShardLane

Batch = tuple[Iterable[Item], bool]


def judge_of(lane: str) -> str:
    """The name, as a sender, of who judges the sensors of a shard lane."""
    return f"sensors-{lane}"


CITY = "city"
_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Run:
    """What the steps of one run share; ``sources`` are the parts of the record source.

    Past readings that only late records can ask for lie in files in the folder ``attic``, if there is one.
    """

    city: City
    lanes: Lanes
    recovery: Path | None = None
    desk: Desk | None = None
    watch: Callable[[str], Watch] | None = None
    sources: tuple[str, ...] = (PART,)
    editions: Editions | None = None
    """How to build the city after a change; None: it does not change."""
    attic: Path | None = None
    shown: int = BEFORE
    """Windows that end later are published."""
    sensing: bool = False
    """Whether the readings of single sensors go to the scores."""
    judging: bool = False
    """Whether sensors are judged, and readings of faulty ones kept out of the indicators."""

    @property
    def judges(self) -> list[str]:
        """Who judges sensors, as senders."""
        return [judge_of(name) for name in self.lanes.shards] if self.judging else []

    def steps(self) -> Steps:
        """Builders for the flow."""
        return Steps(
            cases=lambda state: CasesShell(self, state),
            shards=lambda state: ShardShell(self, state),
            areas=lambda state: AreasShell(self, state),
            incidents=lambda state: IncidentsShell(self, state),
        )

    def outgoing(self, part: str, out: Published, moves: Moves) -> list[Item]:
        """What a lane or the area step has to publish, to be learnt from alone, and to tell the incidents."""
        hidden = (hidden_frame(frame, self.shown) for frame in out.frames)
        shown = (shown_frame(frame, self.shown) for frame in out.frames)
        past = [Item("past", part, frame) for frame in hidden if frame is not None]
        values = [Item("value", part, frame) for frame in shown if frame is not None]
        past += [Item("past", part, frame) for frame in out.sensors]
        return [*past, *values, Item("alert", CITY, moves)]

    def cold_store(self, name: str) -> ColdStore:
        """The store of a step's past, open.

        Raises:
            ValueError: there is no recovery folder.
        """
        if self.recovery is None:
            raise ValueError("there is a snapshot to go on from, but no recovery folder; give --recovery")
        return ColdStore(self.recovery / "cold" / f"{name}.sqlite")

    def frozen(self, key: str, state: Callable[[], Any]) -> bytes:
        """The snapshot of a step, empty where nothing is kept."""
        if self.recovery is None:
            return b""
        with timed("snapshot"):
            plain = state()
        return freeze(key, plain)


class CasesShell(StatefulBatchLogic[Item, Item, Any]):
    """A case lane in the flow."""

    @noted()
    def __init__(self, run: Run, snapshot: bytes | None) -> None:
        """Empty, or as a snapshot left it."""
        self._run = run
        self._lane: CaseLane | None = None
        if snapshot:
            state = thaw(snapshot)
            self._lane = self._built(state["name"])
            self._lane.restore(state["lane"])

    def _built(self, name: str) -> CaseLane:
        city, lanes = self._run.city, self._run.lanes
        slices, origin = city.plan.event_slice_ms, city.calendar.slice_origin
        return CaseLane(name, self._run.sources, lanes.shards, lanes.of_cell, slices, origin)

    @noted()
    def on_batch(self, values: list[Item]) -> Batch:
        """Pieces in, placed cases for every shard lane out."""
        with timed("cases"):
            lane = self._lane = self._lane or self._built(values[0].key)
            found = lane.take([item.piece for item in values])
            return [Item("shard", key, piece) for key, piece in found], StatefulBatchLogic.RETAIN

    @noted()
    def snapshot(self) -> bytes:
        """Cases and what is parked."""
        lane = self._lane
        if lane is None:
            return b""
        return self._run.frozen(lane.name, lambda: {"name": lane.name, "lane": lane.state()})


class ShardShell(StatefulBatchLogic[Item, Item, Any]):
    """A shard lane in the flow."""

    @noted()
    def __init__(self, run: Run, snapshot: bytes | None) -> None:
        """Empty, or as a snapshot and its slices on disk left it."""
        self._run = run
        self._lane: ShardLane | None = None
        self._cold: ColdStore | None = None
        self._seq = 0
        # Until the city's beginning is known, nothing may be judged: when a lane acts would show.
        self._held: list[ShardPiece | PlacedCases | ControlPiece | OrdersPiece] = []
        self._beginnings = Beginnings(run.sources, run.city.ticks)
        if snapshot:
            state = thaw(snapshot)
            self._lane = self._built(state["name"])
            self._seq, self._held = state["lane"]["seq"], state["held"]
            if "beginnings" in state:
                self._beginnings.restore(state["beginnings"])
            load(self._lane, self._store(self._lane), state["lane"])

    def _built(self, name: str) -> ShardLane:
        run = self._run
        sources = run.sources if run.editions is None else (*run.sources, CONTROL)
        attic = None if run.attic is None else FileAttic(run.attic)
        lane = ShardLane(run.city, name, [*sources, *run.judges], run.lanes.cases, attic)
        lane.editions = run.editions
        if run.sensing:
            lane.sensing = SensorReadings(run.city)
        if self._run.watch is not None:
            lane.watch = self._run.watch(name)
        return lane

    def _store(self, lane: ShardLane) -> ColdStore:
        if self._cold is None:
            self._cold = self._run.cold_store(lane.name)
        return self._cold

    @noted()
    def on_batch(self, values: list[Item]) -> Batch:
        """Pieces in; values, transitions and partials out."""
        with timed("shards"):
            lane = self._lane = self._lane or self._built(values[0].key)
            self._held += [item.piece for item in values]
            if lane.closed == BEFORE and not self._started(lane, values):
                return [], StatefulBatchLogic.RETAIN
            held, self._held = self._held, []
            items: list[Item] = []
            for out, piece in self._taken(lane, held):
                moves = Moves(lane.name, piece.clock, out.transitions, piece.edition, piece.change)
                items += [Item("area", CITY, piece), *self._run.outgoing(lane.name, out, moves)]
            return items, StatefulBatchLogic.RETAIN

    def _taken(self, lane: ShardLane, pieces: list[Any]) -> list[tuple[Published, AreaPiece]]:
        """What a lane makes of pieces; the readings of a minute that took effect begin to go to disk."""
        before = lane.closed
        done = lane.take(pieces)
        if self._run.recovery is not None and lane.closed // _MINUTE > before // _MINUTE:
            write_ahead(lane, self._store(lane), self._seq + 1)
        return done

    @noted()
    def snapshot(self) -> bytes:
        """The hot part; changed slices are on disk before this returns."""
        lane = self._lane
        if lane is None or self._run.recovery is None:
            return b""
        self._seq += 1
        with timed("snapshot"):
            state = save(lane, self._store(lane), self._seq)
        told = {"held": self._held, "beginnings": self._beginnings.state()}
        return freeze(lane.name, {"name": lane.name, "lane": state, **told})

    def _started(self, lane: ShardLane, values: list[Item]) -> bool:
        """Begin the lane's windows where the city's begin, if that is known."""
        for item in values:
            if isinstance(item.piece, ShardPiece):
                self._beginnings.hear(item.piece.sender, item.piece.clock, item.begin, item.since)
        known = self._beginnings.known()
        if known is not None:
            lane.start(*known)
        return known is not None


class AreasShell(StatefulBatchLogic[Item, Item, Any]):
    """The area step in the flow."""

    @noted()
    def __init__(self, run: Run, snapshot: bytes | None) -> None:
        """Empty, or as a snapshot left it."""
        self._run = run
        self._step = AreaStep(run.city, run.lanes.shards)
        self._step.editions = run.editions
        if snapshot:
            self._step.restore(thaw(snapshot))

    @noted()
    def on_batch(self, values: list[Item]) -> Batch:
        """Partials in, values and transitions of areas out."""
        with timed("areas"):
            items: list[Item] = []
            for out, moves in self._step.take([item.piece for item in values]):
                items += self._run.outgoing(AREAS, out, replace(moves, transitions=out.transitions))
            return items, False

    @noted()
    def snapshot(self) -> bytes:
        """Areas, their levels, and partials that wait for other lanes."""
        return self._run.frozen("areas", self._step.state)


class IncidentsShell(StatefulBatchLogic[Item, Item, Any]):
    """Incidents of the city: transitions pass through, each opening or changing its incident."""

    @noted()
    def __init__(self, run: Run, snapshot: bytes | None) -> None:
        """Empty, or as a snapshot left it."""
        self._run = run
        self._step = IncidentStep(run.desk or Desk(), [*run.lanes.shards, AREAS, *run.judges])
        self._step.editions = run.editions
        if snapshot:
            self._step.restore(thaw(snapshot))

    @noted()
    def on_batch(self, values: list[Item]) -> Batch:
        """Transitions and feedback in; the same transitions, incidents and refused feedback out."""
        with timed("incidents"):
            handled = self._step.take([item.piece for item in values])
        out = [
            Item("alert", CITY, shown_transitions(handled.transitions, self._run.shown)),
            Item("incident", CITY, shown_incidents(handled.incidents, self._run.shown)),
            Item("reject", PART, handled.rejects),
        ]
        return [item for item in out if item.piece], False

    @noted()
    def snapshot(self) -> bytes:
        """All incidents, and feedback that waits."""
        return self._run.frozen("incidents", self._step.state)
