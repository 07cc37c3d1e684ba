"""The step ``scores`` as the engine sees it: a thin shell around the scores of one part.

Its snapshot is small; the memory of the detectors goes to a cold store of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bytewax.operators import StatefulBatchLogic

from flows.city_flow import Steps
from flows.pieces import Moves
from flows.records import Item
from flows.recovery.cold_store import ColdStore
from flows.recovery.snapshots import COSTS, freeze, thaw
from flows.replay.failures import noted
from flows.replay.profile import timed
from flows.replay.warm import shown_anomalies, shown_frame
from flows.scores.lane import ScoredPiece, ScoreLane
from flows.scores.settings import ScoreSettings
from flows.steps import CITY, Batch, Run

VERSION = 1


def scored(run: Run, settings: ScoreSettings | None) -> Steps:
    """The builders of a run, with scores if there are settings for them."""
    if settings is None:
        return run.steps()
    return replace(run.steps(), scores=lambda state: ScoreShell(run, settings, state))


def scored_or_not(run: Run, settings: ScoreSettings | None) -> Steps:
    """The builders of a run that may score today and not tomorrow: without settings the step forgets."""
    return scored(run, settings) if settings else replace(run.steps(), scores=lambda _: Unscored())


class Unscored(StatefulBatchLogic[Item, Item, Any]):
    """The step where nothing is scored: after it scores begin anew, for they know nothing of the gap."""

    def on_batch(self, values: list[Item]) -> Batch:
        """Nothing comes out."""
        del self, values
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        """Nothing is kept."""
        del self
        return b""


class ScoreShell(StatefulBatchLogic[Item, Item, Any]):
    """The scores of a shard lane, or of the area step."""

    @noted()
    def __init__(self, run: Run, settings: ScoreSettings, snapshot: bytes | None) -> None:
        """Empty, or as a snapshot and the memory on disk left it."""
        self._run = run
        self._lane = ScoreLane(run.city, settings, journal=run.recovery is not None)
        self._lane.editions = run.editions
        self._part = ""
        self._cold: ColdStore | None = None
        self._seq = 0
        if snapshot:
            self._load(thaw(snapshot))

    def _load(self, state: dict[str, Any]) -> None:
        if state["version"] != VERSION:
            raise ValueError(
                f"the state of scores is of version {state['version']}, this engine reads {VERSION}; "
                f"start with an empty recovery folder"
            )
        self._part, self._seq = state["part"], state["seq"]
        self._lane.restore(state["lane"])
        self._store().refill(self._seq, self._lane.journals(), state["lane"]["blobs"], "blobs of scores")
        with timed("scores"):
            self._lane.recover()

    def _store(self) -> ColdStore:
        if self._cold is None:
            self._cold = self._run.cold_store(f"scores-{self._part}")
        return self._cold

    @noted()
    def on_batch(self, values: list[Item]) -> Batch:
        """Frames and clocks in, scored frames and anomalies out."""
        with timed("scores"):
            for item in values:
                if not self._part:
                    self._part = item.piece.sender if isinstance(item.piece, Moves) else item.key
            done = self._lane.take([item.piece for item in values])
            return [item for piece in done for item in self._outgoing(piece)], StatefulBatchLogic.RETAIN

    def _outgoing(self, piece: ScoredPiece) -> list[Item]:
        shown = (shown_frame(frame, self._run.shown) for frame in piece.frames)
        items = [Item("scored", self._part, frame) for frame in shown if frame is not None]
        told = shown_anomalies(piece.anomalies, self._run.shown)
        return [*items, Item("anomaly", CITY, told)] if told else items

    @noted()
    def snapshot(self) -> bytes:
        """The hot part; the memory of the detectors, or values since, are on disk before this returns."""
        if self._run.recovery is None or not self._part:
            return b""
        self._seq += 1
        with timed("snapshot"):
            self._lane.turn()
            state = self._lane.state()
            COSTS.cold += self._store().write(self._seq, self._lane.journals())
        told = {"version": VERSION, "part": self._part, "seq": self._seq, "lane": state}
        return freeze(f"scores-{self._part}", told)
