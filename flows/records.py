"""The record source of a replay: all files as one source part, read aligned (R5).

    files ─ next block ─ decode ─ admit ─ route ─▶ pieces for lanes, rejects, feedback

Next is always the file whose running maximum is lowest. Bytewax would read separate inputs side by side
without any alignment, and would put single-partition inputs all on the first process anyhow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.admission.guests import NO_LIMITS, Limits
from flows.admission.readings import ReadingAdmission
from flows.admission.roll import Roll
from flows.batches import FINAL, ReadingBatch
from flows.beginning import Beginning
from flows.city import City
from flows.decoding.provenance import Admitted
from flows.inputs import Door, Input, InputFile, door
from flows.pace import Pace
from flows.pieces import BEFORE, CasePiece, Clock, FeedbackPiece, ShardPiece
from flows.recovery.snapshots import COSTS, freeze, thaw
from flows.replay.failures import noted
from flows.replay.profile import SECONDS, timed
from flows.router import STRAY_SLICE, Lanes, Router

PART = "records-00"
"""The one part of the files' source: they are aligned, which several parts could not be."""

TURN = 500_000
"""Records handed on in one turn where batches are large: windows are closed once a turn, together."""
TURN_SPAN = 3 * 24 * 3_600_000
"""Event time of one turn, ms, about: sparse records have few rows and many windows, which take memory too."""
LARGE_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Item:
    """One thing for one step: ``step`` is shard, case, reject or feedback.

    ``begin`` tells a shard where the windows of the city begin, FINAL while that is not known, and ``since``
    the flow's first watermark.
    """

    step: str
    key: str
    piece: Any
    begin: int = FINAL
    since: int = FINAL


class ReplayPart(StatefulSourcePartition[Item, bytes]):
    """Reads all files; the snapshot holds positions, admission state and counts."""

    def __init__(self, settings: ReplaySource, snapshot: bytes | None, name: str = PART) -> None:
        resume: dict[str, Any] | None = thaw(snapshot) if snapshot else None
        self._settings = settings
        self.name = name
        self._router = self._routed(0)
        states = resume["files"] if resume else [None] * len(settings.inputs)
        self._files = [
            self._file(source, i, self._door(i, source, state), state)
            for i, (source, state) in enumerate(zip(settings.inputs, states, strict=True))
        ]
        self._readers = [self._routed(i) for i in range(len(self._files))]
        self._beginning = Beginning(settings.city.ticks)
        self._heard: set[int] = set()
        self._pace = Pace(settings.speed, after=settings.shown)
        self._wait = 0.0
        self._told = BEFORE
        self._finished = False
        self._held: tuple[float, float] | None = None
        self._started = time.time()
        self._decoding = -SECONDS["decode"]
        if resume:
            self._restore(resume)
        self._read = 0
        self._advance()

    def _routed(self, number: int) -> Router:
        city = self._settings.city
        slices, origin = city.plan.slice_ms, city.calendar.slice_origin
        return Router(self.name, self._settings.lanes, slices, origin, number)

    def _door(self, number: int, source: Input, state: dict[str, Any] | None) -> Door:
        """The door of an input; that of the first readings speaks for the silent sensors of the registry."""
        kinds = [i.kind for i in self._settings.inputs]
        enrols = source.kind == "readings" and number == kinds.index("readings")
        city, roll, limits = self._settings.city, self._settings.roll, self._settings.limits
        return door(source.kind, city, roll, state and state["door"], enrols=enrols, limits=limits)

    def _file(self, source: Input, number: int, opened: Door, state: dict[str, Any] | None) -> InputFile:
        return InputFile(source, number, opened, state)

    def _restore(self, resume: dict[str, Any]) -> None:
        for router, state in zip(self._readers, resume["routers"], strict=True):
            router.restore(state)
        for file in self._files:
            if isinstance(file.door, ReadingAdmission):
                file.door.announce_again()
        self._beginning = Beginning(self._settings.city.ticks, resume["begin"], resume["since"])
        self._heard = set(resume["heard"])
        self._told, self._finished = resume["told"], resume["finished"]
        self._started -= resume["spent"]
        self._decoding += resume["decode_seconds"]
        if self._finished:
            self._write_totals()

    @noted()
    def next_batch(self) -> list[Item]:
        """The pieces of the next blocks, each of the file that is furthest behind."""
        self._note_pause()
        if self._finished:
            raise StopIteration
        if all(file.ended for file in self._files):
            return self._finish()
        self._wait = self._pace.ahead(self._clock().maximum)
        items: list[Item] = []
        if not self._wait:
            read, begun = 0, self._clock().maximum
            while not read or (read < self._turn() and self._clock().maximum - begun < TURN_SPAN):
                read += self._block(items)
        return items

    def _turn(self) -> int:
        """Records to hand on together; one batch where batches are small or records are paced."""
        large = self._settings.batch_size >= LARGE_BATCH and self._settings.speed is None
        return TURN if large else 0

    def _block(self, items: list[Item]) -> int:
        """Add the pieces of the next block; returns how many records were asked for."""
        open_files = [file for file in self._files if not file.ended]
        if not open_files:
            return TURN
        file = min(open_files, key=lambda f: (f.clock, f.number))
        # A column costs per block, mostly for its dictionary; lines are decoded best while in the cache.
        count = max(self._turn(), self._settings.batch_size) if file.columnar else self._settings.batch_size
        admitted = file.next(count, decode_only=self._settings.stop_after == "decode")
        self._advance()
        if admitted is not None:
            items += self._items(file, admitted)
        return count

    def next_awake(self) -> datetime | None:
        """At once, unless the pace says otherwise."""
        return datetime.now(UTC) + timedelta(seconds=self._wait) if self._wait else None

    def _note_pause(self) -> None:
        """The time since the snapshot, without what the steps needed for the records before it."""
        if self._held is not None:
            since, busy = self._held
            COSTS.pauses.append(max(perf_counter() - since - (_busy() - busy), 0.0))
            self._held = None

    def _advance(self) -> None:
        read = sum(f.bytes_read for f in self._files)
        self._settings.progress(read - self._read)
        self._read = read

    def _items(self, file: InputFile, admitted: Admitted[Any]) -> list[Item]:
        with timed("route"):
            if file.kind != "feedback" and file.number not in self._heard and len(admitted.batch):
                self._heard.add(file.number)
                self._beginning.hear(int(admitted.batch.ts[0]))
            clock = self._clock()
            tell = clock.maximum // 1000 > self._told // 1000
            items = self._silent()
            if admitted.rejects:
                items.append(Item("reject", PART, admitted.rejects))
            if file.kind == "readings":
                pieces = self._readers[file.number].readings(
                    clock, admitted.new, admitted.batch, admitted.strays, tell_all=tell
                )
                self._note_begin(file, admitted)
                items += self._shard_items(clock, pieces)
                if tell:
                    items += [Item("case", key, piece) for key, piece in self._router.events(clock, None)]
            else:
                records = admitted.batch if file.kind == "events" else None
                if records is not None:
                    self._note_begin(file, admitted)
                if tell or records is not None:
                    items += [Item("case", key, piece) for key, piece in self._router.events(clock, records)]
                if tell:
                    items += self._quiet(clock)
            if file.kind == "feedback" or (tell and self._feedback):
                acts = admitted.batch.filed(self.name) if file.kind == "feedback" else []
                items.append(Item("feedback", "city", FeedbackPiece(self.name, self._spoken(), acts)))
            if tell:
                self._told = clock.maximum
        return items

    def _note_begin(self, file: InputFile, admitted: Admitted[Any]) -> None:
        batch, note = admitted.batch, self._beginning.note
        if isinstance(batch, ReadingBatch):
            note(batch.ts, batch.effective, self._readers[file.number].slices(batch.series))
        else:
            own = np.flatnonzero(batch.cell >= 0)
            slices = self._settings.city.plan.event_slice_ms[batch.type[own]]
            note(batch.ts[own], batch.effective[own], slices)
        if admitted.strays is not None:
            note(admitted.strays.ts, admitted.strays.effective, STRAY_SLICE)

    def _silent(self) -> list[Item]:
        """What is new of registered sensors, whichever input speaks first; it moves no clock."""
        clock, items = Clock(self._told), list[Item]()
        for file in self._files:
            new = file.door.announce() if isinstance(file.door, ReadingAdmission) else None
            if new is not None:
                items += self._shard_items(clock, self._readers[file.number].announced(clock, new))
        return items

    def _shard_items(self, clock: Clock, pieces: Iterable[tuple[str, ShardPiece]]) -> list[Item]:
        begin = self._beginning.known(clock)
        return [Item("shard", key, piece, begin, self._beginning.since) for key, piece in pieces]

    @property
    def _feedback(self) -> list[InputFile]:
        return [f for f in self._files if f.kind == "feedback"]

    def _spoken(self) -> Clock:
        """The clock of the feedback files alone."""
        return Clock(min((f.clock for f in self._feedback), default=FINAL))

    def _quiet(self, clock: Clock) -> list[Item]:
        pieces = ((key, ShardPiece(self.name, clock)) for key in self._settings.lanes.shards)
        return self._shard_items(clock, pieces)

    def _clock(self) -> Clock:
        """The clock of readings and events: feedback closes no window, however late its last action is."""
        open_files = [f.clock for f in self._files if not f.ended and f.kind != "feedback"]
        return Clock(min(open_files, default=self._told))

    def _finish(self) -> list[Item]:
        self._finished = True
        clock = Clock(FINAL, self._last())
        self._write_totals()
        if self._settings.stop_after == "decode":
            return []
        cases = [Item("case", key, CasePiece(self.name, clock)) for key in self._settings.lanes.cases]
        spoken = [Item("feedback", "city", FeedbackPiece(self.name, clock))] if self._feedback else []
        return [*cases, *self._quiet(clock), *spoken]

    def _last(self) -> int:
        """The largest event time, -1 if there was none."""
        return max((int(f.door.maximum) for f in self._files if f.kind != "feedback"), default=-1)

    @property
    def finished(self) -> bool:
        """Whether all records have been handed on."""
        return self._finished

    def _write_totals(self) -> None:
        self._settings.totals.write_text(json.dumps(self.totals()))

    def totals(self) -> dict[str, Any]:
        """The counts of all doors together (C-2.5)."""
        tallies = [(f.kind, f.tally) for f in self._files]
        rejected: dict[str, int] = {}
        for _, tally in tallies:
            for reason, count in tally.rejected.items():
                rejected[reason] = rejected.get(reason, 0) + count
        return {
            "received": sum(t.received for _, t in tallies),
            "accepted": sum(t.accepted for _, t in tallies),
            "duplicates": sum(t.duplicates for _, t in tallies),
            "late": sum(t.late for _, t in tallies),
            "rejected": rejected,
            "readings": sum(t.accepted for kind, t in tallies if kind == "readings"),
            "events": sum(t.accepted for kind, t in tallies if kind == "events"),
            "feedback": sum(t.accepted for kind, t in tallies if kind == "feedback"),
            "watermark": self._last(),
            "decode_seconds": self._decoding + SECONDS["decode"],
            "started": self._started,
        }

    @noted()
    def snapshot(self) -> bytes:
        """Positions, what the doors remember, where series go, and all counts."""
        if not self._settings.durable:
            return b""
        self._held = perf_counter(), _busy()
        with timed("snapshot"):
            state = self._state()
        return freeze(self.name, state)

    def _state(self) -> dict[str, Any]:
        return {
            "files": [f.state() for f in self._files],
            "routers": [router.state() for router in self._readers],
            "begin": self._beginning.first,
            "since": self._beginning.since,
            "heard": sorted(self._heard),
            "told": self._told,
            "finished": self._finished,
            "spent": time.time() - self._started,
            "decode_seconds": self._decoding + SECONDS["decode"],
        }

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files:
            file.close()


@dataclass(frozen=True)
class ReplaySource(FixedPartitionedSource[Item, bytes]):
    """Files as a source of one part; ``limits`` are those of each."""

    inputs: tuple[Input, ...]
    city: City
    lanes: Lanes
    roll: Roll
    batch_size: int
    totals: Path
    progress: Callable[[int], None]
    stop_after: str | None = None
    speed: float | None = None
    durable: bool = False
    shown: int = BEFORE
    limits: Limits = NO_LIMITS

    def list_parts(self) -> list[str]:
        """The one part."""
        return [PART]

    @noted()
    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> ReplayPart:
        """The part, from a snapshot on or new."""
        del step_id, for_part
        return ReplayPart(self, resume_state)


def _busy() -> float:
    """Seconds of all work but that on recovery points: other parts of the source read in between, too."""
    return sum(seconds for part, seconds in SECONDS.items() if part != "snapshot")
