"""The record source of a replay: all files as one source part, read aligned (R5).

    files ─ next block ─ decode ─ admit ─ route ─▶ pieces for lanes, rejects, feedback

Next is always the file whose running maximum is lowest. Bytewax would read separate inputs side by side
without any alignment, and would put single-partition inputs all on the first process anyhow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.batches import FINAL, Rejected, ReadingBatch
from flows.case_admission import EventAdmission, FeedbackAdmission
from flows.admission import ReadingAdmission
from flows.pieces import BEFORE, CasePiece, Clock, ShardPiece
from flows.profile import SECONDS, timed
from flows.provenance import Admitted, Origin
from flows.record_files import Block, RecordFile, decode
from flows.registry import Registry
from flows.router import Lanes, Router
from flows.shard_lane import City

PART = "records-00"
"""The one part of the source: its files are aligned, which several parts could not be."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing for one step: ``step`` is shard, case, reject or feedback."""

    step: str
    key: str
    piece: Any


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

    def clock(self) -> int:
        if self.ended:
            return FINAL
        return BEFORE if self.door.maximum < 0 else int(self.door.maximum)


class ReplayPart(StatefulSourcePartition[Item, Any]):
    """Reads all files; the snapshot holds positions, admission state and counts."""

    def __init__(self, settings: ReplaySource, resume: dict[str, Any] | None) -> None:
        self._settings = settings
        city, lanes = settings.city, settings.lanes
        self._router = Router(PART, lanes, city.plan.slice_ms, city.calendar.slice_origin)
        states = resume["doors"] if resume else [None] * len(settings.inputs)
        self._files = [
            _File(source, i, settings.door(source.kind, state))
            for i, (source, state) in enumerate(zip(settings.inputs, states, strict=True))
        ]
        self._told = BEFORE
        self._finished = False
        self.decode_seconds = 0.0
        if resume:
            self._router.restore(resume["router"])
            self._told, self._finished = resume["told"], resume["finished"]
            for file, (position, ended) in zip(self._files, resume["files"], strict=True):
                file.file.seek(position)
                file.ended = ended
        self._started = time.time()
        self._read = sum(f.file.bytes_read for f in self._files)

    def next_batch(self) -> list[Item]:
        if self._finished:
            raise StopIteration
        open_files = [f for f in self._files if not f.ended]
        if not open_files:
            return self._finish()
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
            ts_received=max(file.door.maximum, 0),
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
                items += [Item("shard", key, piece) for key, piece in pieces]
                if tell:
                    items += [Item("case", key, piece) for key, piece in self._router.events(clock, None)]
            else:
                records = admitted.batch if file.kind == "events" else None
                if tell or records is not None:
                    items += [Item("case", key, piece) for key, piece in self._router.events(clock, records)]
                if tell:
                    items += self._quiet(clock)
                if file.kind == "feedback" and len(admitted.batch):
                    items.append(Item("feedback", "city", admitted.batch))
            if tell:
                self._told = clock.maximum
        return items

    def _quiet(self, clock: Clock) -> list[Item]:
        return [Item("shard", key, ShardPiece(PART, clock)) for key in self._settings.lanes.shards]

    def _clock(self) -> Clock:
        return Clock(min(f.clock() for f in self._files if not f.ended)) if self._open() else Clock(self._told)

    def _open(self) -> bool:
        return any(not f.ended for f in self._files)

    def _finish(self) -> list[Item]:
        self._finished = True
        limit = max((int(f.door.maximum) for f in self._files if f.kind != "feedback"), default=-1)
        clock = Clock(FINAL, limit)
        self._settings.totals.write_text(json.dumps(self.totals(limit)))
        if self._settings.stop_after == "decode":
            return []
        cases = [Item("case", key, CasePiece(PART, clock)) for key in self._settings.lanes.cases]
        return [*cases, *self._quiet(clock)]

    def totals(self, limit: int) -> dict[str, Any]:
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
            "watermark": limit,
            "decode_seconds": self.decode_seconds,
            "started": self._started,
        }

    def snapshot(self) -> dict[str, Any]:
        return {
            "version": 1,
            "doors": [f.door.state() for f in self._files],
            "files": [(f.file.position(), f.ended) for f in self._files],
            "router": self._router.state(),
            "told": self._told,
            "finished": self._finished,
        }

    def close(self) -> None:
        for file in self._files:
            file.file.close()


@dataclass(frozen=True)
class ReplaySource(FixedPartitionedSource[Item, Any]):
    """Files as a source of one part."""

    inputs: tuple[Input, ...]
    city: City
    lanes: Lanes
    registry: Registry | None
    batch_size: int
    totals: Path
    progress: Callable[[int], None]
    stop_after: str | None = None

    def list_parts(self) -> list[str]:
        return [PART]

    def build_part(self, step_id: str, for_part: str, resume_state: dict[str, Any] | None) -> ReplayPart:
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


__all__ = ["Input", "Item", "ReadingBatch", "Rejected", "ReplayPart", "ReplaySource"]
