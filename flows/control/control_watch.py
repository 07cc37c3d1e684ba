"""Changes of a live engine: its folders watched, SIGHUP heard → the control source.

    files changed and at rest ─▶ checked ─┬▶ written down ─▶ every shard lane, from the next full minute on
    SIGHUP ─────────────────────────────▶ └▶ refused: told, counted; what was in force stays so

With recovery every change is written down before it is told, with the time from which it counts: a run that
goes on after a crash makes the same changes at the same times, whatever has become of the files.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.batches import FINAL
from flows.control.change import Change, texts_of
from flows.control.control_input import CONTROL, Changes, base_of
from flows.pieces import BEFORE
from flows.records import Item
from flows.recovery.snapshots import freeze, thaw
from flows.replay.failures import noted
from indicators.catalogue import CatalogueError
from sinks.kafka_types import Place
from sinks.log import EventLog

LOG = EventLog("control")

LOOK_EVERY = 1.0
"""Seconds between two looks at the files; what changed must look the same twice, or it is being written."""

_POLL = 0.05
_PROMISE_EVERY = 1_000
"""Event time between two promises that nothing has changed, ms."""


@dataclass(slots=True)
class Hangup:
    """SIGHUP: look at the files now."""

    asked: bool = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """As a signal asks."""
        del number, frame
        self.asked = True

    @contextmanager
    def by_signal(self) -> Iterator[None]:
        """Listen for the signal, where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        before = signal.signal(signal.SIGHUP, self.ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)


@dataclass(frozen=True, slots=True)
class Journal:
    """The file in which a run with recovery writes down what it began with and every change since."""

    path: Path

    def begin(self, base: Change) -> None:
        """A new run begins."""
        self.path.unlink(missing_ok=True)
        self.add(base)

    def add(self, change: Change, after: Place | None = None) -> None:
        """Write down a change; it is on disk when this returns.

        ``after``: the topic that it came from, and the offset of the message that comes next.
        """
        line = msgspec.to_builtins(change) | ({} if after is None else {"topic": after[0], "next": after[1]})
        before = self.path.read_bytes() if self.path.exists() else b""
        draft = self.path.with_suffix(".draft")
        with draft.open("wb") as file:
            # What a crash cut off is no line.
            file.write(before[: before.rfind(b"\n") + 1] + msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)

    def read(self) -> list[Change]:
        """What the run began with, then its changes; what a crash cut off was told to nobody."""
        return [msgspec.json.decode(line, type=Change) for line in self._lines()]

    def reached(self, topic: str) -> int:
        """The offset after the last message of a topic that made a change, -1 where none did."""
        lines = (msgspec.json.decode(line) for line in self._lines())
        return max((line["next"] for line in lines if line.get("topic") == topic), default=-1)

    def _lines(self) -> list[bytes]:
        return self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []


def journal_of(recovery: Path | None) -> Journal | None:
    """The journal in a recovery folder."""
    return None if recovery is None else Journal(recovery / "control.jsonl")


def begun_with(catalogue: Path | None, thresholds: Path | None, recovery: Path | None) -> Change:
    """What a run began with: as it was written down, else as the files are now.

    Raises:
        CatalogueError: there is no such catalogue. OSError: a file cannot be read.
    """
    journal = journal_of(recovery)
    found = journal.read() if journal is not None else []
    return found[0] if found else base_of(catalogue, thresholds)


class WatchPart(StatefulSourcePartition[Item, bytes]):
    """Looks at the files; the snapshot holds what is in force and what was promised."""

    def __init__(self, source: Watched, snapshot: bytes | None) -> None:
        self._source = source
        state: dict[str, Any] | None = thaw(snapshot) if snapshot else None
        self.changes = Changes(source.base, source.only)
        if state:
            self.changes = Changes(state["last"], source.only, state["refused"], state["told"])
        self._due = [c for c in (source.journal.read() if source.journal else []) if c.number > self._number]
        self._seen: tuple[object, ...] = ()
        self._settled: tuple[object, ...] | None = None
        self._looked = -LOOK_EVERY
        self._ended = False

    @property
    def _number(self) -> int:
        return self.changes.last.number

    @noted()
    def next_batch(self) -> list[Item]:
        """Changes, if there are any; else now and then the promise that there are none."""
        if self._ended or self._source.stopped():
            raise StopIteration
        if self._source.finished():
            self._ended = True
            return self.changes.pieces(self._source.lanes, FINAL)
        reached = self._source.reached()
        if reached == BEFORE or not self._ready():
            return []
        made = self._made()
        if made or reached >= self.changes.told + _PROMISE_EVERY:
            return self.changes.pieces(self._source.lanes, reached, made)
        return []

    def _ready(self) -> bool:
        """Whether it is known what is wanted, so that something can be promised."""
        return True

    def _made(self) -> list[Change]:
        """Changes that were written down before a crash, or have come about since."""
        if self._due:
            due, self._due = self._due, []
            self.changes.last = due[-1]
            return due
        return self._found()

    def _found(self) -> list[Change]:
        """What has come about since."""
        now = self._source.wall()
        if not self._source.hangup.asked and abs(now - self._looked) < LOOK_EVERY:
            return []
        asked, self._source.hangup.asked, self._looked = self._source.hangup.asked, False, now
        seen, self._seen = self._seen, self._source.looks()
        if not asked and (seen != self._seen or self._settled == self._seen):
            return []
        self._settled = self._seen
        change = self._proposed(asked=asked)
        return [] if change is None else [change]

    def _proposed(self, *, asked: bool) -> Change | None:
        try:
            wanted = replace(
                self.changes.last,
                catalogue=texts_of(self._source.catalogue),
                thresholds=texts_of(self._source.thresholds),
            )
        except (OSError, UnicodeDecodeError, CatalogueError) as error:
            self._refuse([str(error)])
            self.changes.refused += 1
            return None
        change, faults = self.changes.propose(wanted, self._source.reached())
        if faults:
            self._refuse(faults)
        elif change is None:
            if asked:
                LOG.info("control.unchanged")
        else:
            self._write_down(change)
        return change

    def _write_down(self, change: Change, after: Place | None = None) -> None:
        if self._source.journal is not None:
            self._source.journal.add(change, after)
        at = datetime.fromtimestamp(change.effective / 1000, UTC).isoformat()
        LOG.info("control.changed", number=change.number, at=at)

    def _refuse(self, faults: Sequence[str]) -> None:
        for fault in faults:
            LOG.warning("control.fault", fault=fault)
        LOG.warning("control.refused")

    def next_awake(self) -> datetime | None:
        """Soon."""
        return datetime.now(UTC) + timedelta(seconds=_POLL)

    @noted()
    def snapshot(self) -> bytes:
        """What is in force, and what was promised."""
        if self._source.journal is None:
            return b""
        return freeze(CONTROL, self._state())

    def _state(self) -> dict[str, Any]:
        changes = self.changes
        return {"last": changes.last, "refused": changes.refused, "told": changes.told}


@dataclass(frozen=True)
class Watched(FixedPartitionedSource[Item, bytes]):
    """The control source of a live engine.

    Attributes:
        base: what the run began with.
        lanes: the shard lanes to tell.
        catalogue, thresholds: the files to watch.
        only: patterns of the indicators to compute.
        reached: the greatest event time so far, ms, BEFORE where there is none.
        stopped, finished: whether the engine was told to stop; whether its records have ended.
        journal: where changes are written down; None: nowhere.
        built: told the part when it is there.
    """

    base: Change
    lanes: Sequence[str]
    catalogue: Path | None
    thresholds: Path | None
    reached: Callable[[], int]
    stopped: Callable[[], bool]
    finished: Callable[[], bool]
    wall: Callable[[], float]
    hangup: Hangup = field(default_factory=Hangup)
    journal: Journal | None = None
    only: Sequence[str] = ()
    built: Callable[[WatchPart], None] = field(default=lambda _: None)

    def list_parts(self) -> list[str]:
        """The one part."""
        return [CONTROL]

    @noted()
    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> WatchPart:
        """The part, from a snapshot on or new."""
        del step_id, for_part
        part = WatchPart(self, resume_state)
        self.built(part)
        return part

    def looks(self) -> tuple[object, ...]:
        """Names, times and sizes of the files: what differs when they were written."""
        found = []
        for path in (self.catalogue, self.thresholds):
            files = sorted(path.glob("*.toml")) if path is not None and path.is_dir() else [path]
            for one in files:
                try:
                    stat = one.stat() if one is not None else None
                except OSError:
                    stat = None
                found.append((str(one), stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino)))
        return tuple(found)
