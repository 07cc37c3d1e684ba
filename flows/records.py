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

import msgspec
import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.admission import ReadingAdmission
from flows.batches import FINAL, ReadingBatch
from flows.beginning import Beginning
from flows.case_admission import EventAdmission, FeedbackAdmission
from flows.pace import Pace
from flows.pieces import BEFORE, CasePiece, Clock, ShardPiece
from flows.profile import SECONDS, timed
from flows.provenance import Admitted, Origin
from flows.record_files import Block, RecordFile, decode
from flows.registry import Registry
from flows.router import STRAY_SLICE, Lanes, Router
from flows.shard_lane import City
from flows.snapshots import COSTS, freeze, thaw

PART = "records-00"
"""The one part of the source: its files are aligned, which several parts could not be."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing for one step: ``step`` is shard, case, reject or feedback.

    ``begin`` tells a shard where the windows of the city begin, FINAL while that is not known.
    """

    step: str
    key: str
    piece: Any
    begin: int = FINAL


@dataclass(frozen=True, slots=True)
class Input:
    """A file and what it holds: readings, events or feedback."""

    path: Path
    kind: str


class _File:
    """One file, its position and its door."""

    def __init__(self, source: Input, number: int, door: Any) -> None:
        self.kind = source.kind
        self.name = source.path.name
        self.number = number
        self.file = RecordFile(source.path, source.kind)  # type: ignore[arg-type]
        self.door = door
        self.ended = False
        # A recording cannot say when its records came; the time it was written says by when they had.
        self.received = source.path.stat().st_mtime_ns // 1_000_000

    def clock(self) -> int:
        if self.ended:
            return FINAL
        return BEFORE if self.door.maximum < 0 else int(self.door.maximum)


class ReplayPart(StatefulSourcePartition[Item, bytes]):
    """Reads all files; the snapshot holds positions, admission state and counts."""

    def __init__(self, settings: ReplaySource, snapshot: bytes | None) -> None:
        resume: dict[str, Any] | None = thaw(snapshot) if snapshot else None
        self._settings = settings
        city, lanes = settings.city, settings.lanes
        self._router = Router(PART, lanes, city.plan.slice_ms, city.calendar.slice_origin)
        states = resume["doors"] if resume else [None] * len(settings.inputs)
        self._files = [
            _File(source, i, settings.door(source.kind, state))
            for i, (source, state) in enumerate(zip(settings.inputs, states, strict=True))
        ]
        self._beginning = Beginning()
        self._pace = Pace(settings.speed)
        self._wait = 0.0
        self._told = BEFORE
        self._finished = False
        self._held: tuple[float, float] | None = None
        self._started = time.time()
        self.decode_seconds = 0.0
        if resume:
            self._restore(resume)
        self._read = 0
        self._advance()

    def _restore(self, resume: dict[str, Any]) -> None:
        self._router.restore(resume["router"])
        self._beginning = Beginning(resume["begin"])
        self._told, self._finished = resume["told"], resume["finished"]
        self._started -= resume["spent"]
        self.decode_seconds = resume["decode_seconds"]
        for file, (position, ended) in zip(self._files, resume["files"], strict=True):
            file.file.seek(position)
            file.ended = ended
        if self._finished:
            self._write_totals()

    def next_batch(self) -> list[Item]:
        self._note_pause()
        if self._finished:
            raise StopIteration
        open_files = [f for f in self._files if not f.ended]
        if not open_files:
            return self._finish()
        self._wait = self._pace.ahead(self._clock().maximum)
        if self._wait:
            return []
        file = min(open_files, key=lambda f: (f.clock(), f.number))
        with timed("read"):
            block = file.file.read(self._settings.batch_size)
        self._advance()
        if block is None:
            file.ended = True
            with timed("admit"):
                admitted = file.door.finish() if file.kind != "feedback" else None
            return [] if admitted is None else self._items(file, admitted)
        return self._items(file, self._admit(file, block))

    def next_awake(self) -> datetime | None:
        return datetime.now(UTC) + timedelta(seconds=self._wait) if self._wait else None

    def _note_pause(self) -> None:
        """The time since the snapshot, without what the steps needed for the records before it."""
        if self._held is not None:
            since, busy = self._held
            COSTS.pauses.append(max(perf_counter() - since - (_busy() - busy), 0.0))
            self._held = None

    def _advance(self) -> None:
        read = sum(f.file.bytes_read for f in self._files)
        self._settings.progress(read - self._read)
        self._read = read

    def _admit(self, file: _File, block: Block) -> Admitted[Any]:
        begin = SECONDS["decode"]
        with timed("decode"):
            columns, refused = decode(block, file.kind)  # type: ignore[call-overload]
        self.decode_seconds += SECONDS["decode"] - begin
        origin = Origin(
            source=file.name,
            partition=file.number,
            offset=block.first + np.arange(len(block), dtype=np.int64),
            raw=_raw_of(block),
            ts_received=file.received,
        )
        with timed("admit"):
            found: Admitted[Any] = file.door.admit(columns, origin, refused)
        return found

    def _items(self, file: _File, admitted: Admitted[Any]) -> list[Item]:
        if self._settings.stop_after == "decode":
            return []
        with timed("route"):
            clock = self._clock()
            tell = clock.maximum // 1000 > self._told // 1000
            items = [Item("reject", PART, admitted.rejects)] if admitted.rejects else []
            if file.kind == "readings":
                pieces = self._router.readings(
                    clock, admitted.new, admitted.batch, admitted.strays, tell_all=tell
                )
                items += self._shard_items(pieces, self._begin_of(clock, admitted))
                if tell:
                    items += [Item("case", key, piece) for key, piece in self._router.events(clock, None)]
            else:
                records = admitted.batch if file.kind == "events" else None
                begin = self._begin_of(clock, admitted) if records is not None else FINAL
                if tell or records is not None:
                    items += [Item("case", key, piece) for key, piece in self._router.events(clock, records)]
                if tell:
                    items += self._quiet(clock, begin)
                if file.kind == "feedback" and len(admitted.batch):
                    items.append(Item("feedback", "city", admitted.batch))
            if tell:
                self._told = clock.maximum
        return items

    def _begin_of(self, clock: Clock, admitted: Admitted[Any]) -> int:
        batch, plan = admitted.batch, self._settings.city.plan
        if isinstance(batch, ReadingBatch):
            self._beginning.note(batch.ts, batch.effective, self._router.slices(batch.series))
        else:
            own = np.flatnonzero(batch.cell >= 0)
            self._beginning.note(batch.ts[own], batch.effective[own], plan.event_slice_ms[batch.type[own]])
        if admitted.strays is not None:
            self._beginning.note(admitted.strays.ts, admitted.strays.effective, STRAY_SLICE)
        return self._beginning.known(clock)

    @staticmethod
    def _shard_items(pieces: Iterable[tuple[str, ShardPiece]], begin: int) -> list[Item]:
        return [Item("shard", key, piece, begin) for key, piece in pieces]

    def _quiet(self, clock: Clock, begin: int) -> list[Item]:
        return self._shard_items(((key, ShardPiece(PART, clock)) for key in self._settings.lanes.shards), begin)

    def _clock(self) -> Clock:
        return Clock(min(f.clock() for f in self._files if not f.ended)) if self._open() else Clock(self._told)

    def _open(self) -> bool:
        return any(not f.ended for f in self._files)

    def _finish(self) -> list[Item]:
        self._finished = True
        clock = Clock(FINAL, self._last())
        self._write_totals()
        if self._settings.stop_after == "decode":
            return []
        cases = [Item("case", key, CasePiece(PART, clock)) for key in self._settings.lanes.cases]
        return [*cases, *self._quiet(clock, self._beginning.known(clock))]

    def _last(self) -> int:
        """The largest event time, -1 if there was none."""
        return max((int(f.door.maximum) for f in self._files if f.kind != "feedback"), default=-1)

    def _write_totals(self) -> None:
        self._settings.totals.write_text(json.dumps(self.totals()))

    def totals(self) -> dict[str, Any]:
        """The counts of all doors together (C-2.5)."""
        tallies = [(f.kind, f.door.tally) for f in self._files]
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
            "decode_seconds": self.decode_seconds,
            "started": self._started,
        }

    def snapshot(self) -> bytes:
        if not self._settings.durable:
            return b""
        self._held = perf_counter(), _busy()
        with timed("snapshot"):
            state = self._state()
        return freeze(PART, state)

    def _state(self) -> dict[str, Any]:
        return {
            "doors": [f.door.state() for f in self._files],
            "files": [(f.file.position(), f.ended) for f in self._files],
            "router": self._router.state(),
            "begin": self._beginning.first,
            "told": self._told,
            "finished": self._finished,
            "spent": time.time() - self._started,
            "decode_seconds": self.decode_seconds,
        }

    def close(self) -> None:
        for file in self._files:
            file.file.close()


@dataclass(frozen=True)
class ReplaySource(FixedPartitionedSource[Item, bytes]):
    """Files as a source of one part."""

    inputs: tuple[Input, ...]
    city: City
    lanes: Lanes
    registry: Registry | None
    batch_size: int
    totals: Path
    progress: Callable[[int], None]
    stop_after: str | None = None
    speed: float | None = None
    durable: bool = False

    def list_parts(self) -> list[str]:
        return [PART]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> ReplayPart:
        del step_id, for_part
        return ReplayPart(self, resume_state)

    def door(self, kind: str, state: dict[str, Any] | None) -> Any:
        """The admission of one file."""
        city = self.city
        origin = city.calendar.slice_origin
        if kind == "readings":
            return ReadingAdmission(
                city.plan.metrics, city.plan.slice_ms, city.grid, self.registry, origin, state=state
            )
        if kind == "events":
            return EventAdmission(city.plan.metrics, city.plan.event_slice_ms, city.grid, origin, state=state)
        return FeedbackAdmission(state=state)


def _busy() -> float:
    return sum(SECONDS[part] for part in ("cases", "shards", "areas"))


def _raw_of(block: Block) -> Callable[[int, int], bytes]:
    messages = block.messages

    def raw(message: int, index: int) -> bytes:
        if not isinstance(messages, list):
            row = messages.slice(message, 1).to_pylist()[0]
            return msgspec.json.encode(row, enc_hook=str)
        line = messages[message]
        if line.lstrip()[:1] == b"[":
            return bytes(msgspec.json.decode(line, type=list[msgspec.Raw])[index])
        return line

    return raw

