"""One file of records and its door: blocks of bytes -> admitted records, from any place on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from flows.admission.cases import EventAdmission, FeedbackAdmission
from flows.admission.guests import NO_LIMITS, Limits
from flows.admission.readings import ReadingAdmission
from flows.admission.roll import Roll
from flows.batches import FINAL
from flows.city import City
from flows.decoding.line_files import Position
from flows.decoding.provenance import Admitted, Origin, Tally, json_records
from flows.decoding.record_files import ARROW_SUFFIXES, Block, RecordFile, decode
from flows.pieces import BEFORE
from flows.replay.profile import timed
from flows.wire import Kind

Door = ReadingAdmission | EventAdmission | FeedbackAdmission


class Records(Protocol):
    """Blocks of records, from any place on; ``read`` gives None where there are no more."""

    @property
    def bytes_read(self) -> int:
        """How much has been read."""

    def read(self, n: int, /) -> Block | None:
        """The next records, at most n."""

    def position(self) -> Position:
        """Where the next record is."""

    def seek(self, position: Position, /) -> None:
        """Go to a position."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(frozen=True, slots=True)
class Input:
    """A file and what it holds: readings, events or feedback."""

    path: Path
    kind: Kind


class InputFile:
    """A file that is being read: its position, its door, whether it has ended.

    ``columnar`` files (Arrow, Parquet) hold columns, the others lines.
    """

    def __init__(self, source: Input, number: int, door: Door, state: dict[str, Any] | None = None) -> None:
        """Begin at the start of the file, or where ``state()`` was taken (then with the door's state too)."""
        self.kind = source.kind
        self.number = number
        self.door = door
        self.ended = False
        self.columnar = source.path.name.endswith(ARROW_SUFFIXES)
        self._path = source.path
        self.name = source.path.name
        self._file: Records = self._opened()
        self._received = -1
        if state is not None:
            self._file.seek(state["position"])
            self.ended = state["ended"]

    def _opened(self) -> Records:
        return RecordFile(self._path, self.kind)

    def _arrival(self) -> int:
        """When the records came: a recording cannot say; the time it was written says by when they had."""
        if self._received < 0:
            self._received = self._path.stat().st_mtime_ns // 1_000_000
        return self._received

    @property
    def tally(self) -> Tally:
        """What became of the records so far."""
        return self.door.tally

    @property
    def bytes_read(self) -> int:
        """How much of the file has been read."""
        return self._file.bytes_read

    @property
    def clock(self) -> int:
        """Running maximum of the file in ms, BEFORE its first record, FINAL after its last."""
        if self.ended:
            return FINAL
        return BEFORE if self.door.maximum < 0 else int(self.door.maximum)

    def next(self, count: int, *, decode_only: bool = False) -> Admitted[Any] | None:
        """Judge the next records, at most ``count``; at the end, what still waits (None for feedback).

        ``decode_only`` counts what can be decoded as accepted and judges nothing.
        """
        block = self._read(count)
        if block is not None and decode_only:
            self._count(block)
            return None
        if block is not None:
            return self._admit(block)
        self.ended = True
        if isinstance(self.door, FeedbackAdmission):
            return None
        with timed("admit"):
            return self.door.finish()

    def _read(self, count: int) -> Block | None:
        with timed("read"):
            return self._file.read(count)

    def _count(self, block: Block) -> None:
        with timed("decode"):
            columns, refused = decode(block, self.kind)
        tally = self.door.tally
        tally.received += len(columns) + len(refused)
        tally.accepted += len(columns)
        tally.reject(reject.reason.value for reject in refused)

    def _admit(self, block: Block) -> Admitted[Any]:
        with timed("decode"):
            columns, refused = decode(block, self.kind)
        with timed("admit"):
            found: Admitted[Any] = self.door.admit(columns, self._origin(block), refused)  # type: ignore[arg-type]
        return found

    def _origin(self, block: Block) -> Origin:
        return Origin(
            source=self.name,
            partition=self.number,
            offset=block.first + np.arange(len(block), dtype=np.int64),
            raw=_raw_of(block),
            ts_received=self._arrival(),
        )

    @property
    def place(self) -> tuple[str, int]:
        """What its rejects name: a source and the number of a partition in it."""
        return self.name, self.number

    def state(self) -> dict[str, Any]:
        """The position and the door's state, as plain copied data."""
        return {"position": self._file.position(), "ended": self.ended, "door": self.door.state()}

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def door(  # noqa: PLR0913 - what a door knows
    kind: Kind,
    city: City,
    roll: Roll,
    state: dict[str, Any] | None,
    *,
    enrols: bool,
    limits: Limits = NO_LIMITS,
) -> Door:
    """The admission of one file, from a state on or new; one that ``enrols`` announces silent sensors."""
    origin, plan = city.calendar.slice_origin, city.plan
    if kind == "readings":
        return ReadingAdmission(
            plan.metrics,
            plan.slice_ms,
            city.grid,
            roll,
            origin,
            state=state,
            enrols=enrols,
            most=limits.series,
        )
    if kind == "events":
        slices, most = plan.event_slice_ms, limits.cases
        return EventAdmission(plan.metrics, slices, city.grid, origin, state=state, most=most)
    return FeedbackAdmission(state=state)


def _raw_of(block: Block) -> Callable[[int, int], bytes]:
    messages = block.messages
    if isinstance(messages, list):
        return json_records(messages)

    def raw(message: int, _: int) -> bytes:
        return msgspec.json.encode(messages.slice(message, 1).to_pylist()[0], enc_hook=str)

    return raw
