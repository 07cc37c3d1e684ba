"""One consumer for all partitions that a process reads: messages in as they come, out partition by partition.

    reader ─ 5,000 messages at a time ─▶ one list for each partition ─▶ blocks for the decoder

A partition whose list is long is paused until it has been taken from, so memory is bounded however far its
readers are held up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import methodcaller
from typing import Any, Protocol

import numpy as np

from flows.batches import Ints
from flows.decoding.arrow_rows import stream_row
from flows.decoding.provenance import json_records
from flows.decoding.record_files import Block
from flows.kafka.watch import FRESH, End
from sinks.kafka_link import Failure
from sinks.kafka_types import Message, Place, Trouble
from sinks.log import EventLog

ARROW = b"application/vnd.apache.arrow.stream"
"""Content type of messages that are Arrow IPC streams (C-2.1)."""
AT_ONCE = 5_000
"""Messages asked for at a time; more at a time are not faster."""
AT_ONCE_BYTES = 8 << 20
READS = 40
TURN_BYTES = 64 << 20
"""So often, or about so much, is asked for in one turn."""
HELD_BYTES = 96 << 20
"""About so much is kept in all lists together."""
BLOCK_BYTES = 2 << 20
"""About so much is decoded at a time: lines are decoded best while they are in the cache."""
_UNKNOWN = 10_000.0
"""Bytes that a message is taken to have before the first has come."""

LOG = EventLog("kafka")

_VALUE, _OFFSET, _HEADERS = methodcaller("value"), methodcaller("offset"), methodcaller("headers")
_TOPIC, _PARTITION = methodcaller("topic"), methodcaller("partition")

_OVERHEAD = 100
"""Bytes of a message beside its value, about."""

Headers = tuple[tuple[str, str], ...]


class Reader(Protocol):
    """What the feed needs of a consumer."""

    troubles: list[Trouble]
    ended: dict[Place, int]

    def assign(self, offsets: Mapping[Place, int]) -> None:
        """Read these partitions from these offsets, and no others."""

    def pause(self, places: Sequence[Place]) -> None:
        """Fetch nothing from these until `resume`."""

    def resume(self, places: Sequence[Place]) -> None:
        """Fetch from these again."""

    def read(self, number: int, seconds: float = 0.0) -> list[Message]:
        """Up to so many messages, in the order of each partition."""

    def range(self, place: Place, *, cached: bool = False) -> tuple[int, int]:
        """The first offset that is there, and the one after the last; ``cached``: without asking."""

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell the group where we are; nobody waits for the answer."""

    def close(self) -> None:
        """Let go of the connections."""


@dataclass(frozen=True, slots=True)
class MessageBlock(Block):
    """Consecutive messages of a partition, not decoded; ``offsets`` int64[n], ``headers`` as they came."""

    offsets: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    headers: Sequence[Any] = ()

    def raw(self) -> Callable[[int, int], bytes]:
        """The bytes of one record, for `flows.decoding.provenance.Origin`."""
        messages: list[bytes] = self.messages
        texts = json_records(messages)

        def raw(message: int, index: int) -> bytes:
            return stream_row(messages[message], index) if message in self.arrow else texts(message, index)

        return raw

    def cloud_events(self, message: int) -> Headers:
        """The CloudEvents attributes of a message."""
        return tuple(
            (name, _text(value)) for name, value in self.headers[message] or () if name.startswith("ce_")
        )


@dataclass(slots=True)
class _Queue:
    """What has come of one partition and has not been taken."""

    next: int
    """The offset after the last message that has come."""
    messages: list[Message] = field(default_factory=list)
    size: float = 0.0
    paused: bool = False

    def note(self, last: Message) -> None:
        """The last message that has come: where the next one is, and about how large they are."""
        # Not back to the last message, where the end, a mark behind it, has been told already.
        self.next = max(self.next, (last.offset() or 0) + 1)
        size = len(last.value() or b"") + _OVERHEAD
        self.size = (self.size + size) / 2 if self.size else size

    @property
    def held(self) -> float:
        return len(self.messages) * self.size


class Feed:
    """All partitions that the parts of one process read.

    Args:
        reader: the consumer.
        ends: what the brokers say of where partitions end, kept up to date by a `Watch`.

    Attributes:
        troubles: what was met with a partition and has not been heeded by its part.
        open: whether the consumer may still be asked.
    """

    def __init__(self, reader: Reader, ends: Mapping[Place, End]) -> None:
        self.reader = reader
        self.ends = ends
        self.troubles: dict[Place, Trouble] = {}
        self.open = True
        self._queues: dict[Place, _Queue] = {}
        self._changed = False

    def follow(self, place: Place, offset: int) -> None:
        """Read a partition from an offset on; one that is read already goes on from there."""
        self._queues[place] = _Queue(offset)
        self._changed = True

    def leave(self, place: Place) -> None:
        """Read a partition no longer."""
        if self._queues.pop(place, None) is not None:
            self._changed = True

    def fill(self) -> None:
        """Take in what has come, enough for a turn: windows are closed once a turn, together."""
        for _ in range(READS):
            if not self.poll() or sum(queue.held for queue in self._queues.values()) > TURN_BYTES:
                return

    def poll(self) -> bool:
        """Take in what has come, `AT_ONCE` messages at most; whether there may be more now."""
        if self._changed:
            self._changed = False
            self.reader.assign({place: queue.next for place, queue in self._queues.items()})
            self._pause([place for place, queue in self._queues.items() if queue.paused])
        self._bound()
        if not self._queues:
            return False
        mean = max(queue.size for queue in self._queues.values()) or _UNKNOWN
        queues = self._queues
        wanted = min(AT_ONCE, int(AT_ONCE_BYTES / mean) + 1)
        found = self.reader.read(wanted)
        for place, messages in _runs(found):
            queue = queues.get(place)
            if queue is not None:
                queue.messages += messages
        for queue in queues.values():
            if queue.messages:
                queue.note(queue.messages[-1])
        self._note_ends()
        self._note_troubles()
        return len(found) == wanted

    def _note_ends(self) -> None:
        """Not every offset is a message: some mark transactions, some have been compacted away."""
        for place, offset in self.reader.ended.items():
            queue = self._queues.get(place)
            if queue is not None:
                queue.next = max(queue.next, offset)
        self.reader.ended.clear()

    def _note_troubles(self) -> None:
        for trouble in self.reader.troubles:
            # A broker that is away is waited for, and told of by those who ask it.
            if trouble.place is not None and trouble.kind != "away":
                self.troubles[trouble.place] = trouble
            elif trouble.kind != "away":
                LOG.warning("kafka.trouble", error=trouble.text)
        self.reader.troubles.clear()

    def _bound(self) -> None:
        most = HELD_BYTES / max(len(self._queues), 1)
        full = [p for p, q in self._queues.items() if not q.paused and q.held > most]
        low = [p for p, q in self._queues.items() if q.paused and q.held < most / 4]
        self._pause(full)
        if low:
            self.reader.resume(low)
        for place in low:
            self._queues[place].paused = False

    def _pause(self, places: list[Place]) -> None:
        if places:
            self.reader.pause(places)
        for place in places:
            self._queues[place].paused = True

    def take(self, place: Place, count: int) -> MessageBlock | None:
        """The next messages of a partition, at most ``count`` and about `BLOCK_BYTES`; None: none here."""
        queue = self._queues.get(place)
        if queue is None or not queue.messages:
            return None
        count = min(count, int(BLOCK_BYTES / queue.size) + 1)
        taken, queue.messages[:count] = queue.messages[:count], []
        values = list(map(_VALUE, taken))
        if None in values:
            values = [value or b"" for value in values]
        offsets = np.fromiter(map(_OFFSET, taken), np.int64, len(taken))
        headers = list(map(_HEADERS, taken))
        queue.size = sum(map(len, values)) / len(values) + _OVERHEAD
        arrow = frozenset(i for i, own in enumerate(headers) if own and _is_arrow(own))
        return MessageBlock(values, int(offsets[0]), arrow=arrow, offsets=offsets, headers=headers)

    def close(self) -> None:
        """Let go of the connections."""
        self.open = False
        self.reader.close()

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell the group where we are, for those who watch lag; whether it hears does not matter."""
        if offsets:
            try:
                self.reader.commit(offsets)
            except Failure as error:
                LOG.info("kafka.not_committed", error=error)

    def empty(self) -> list[Place]:
        """The partitions of which nothing is here: those that may be at their ends."""
        return [place for place, queue in list(self._queues.items()) if not queue.messages]

    def next_offset(self, place: Place) -> int:
        """The offset after the last message that has come."""
        return self._queues[place].next

    def reached(self, place: Place, offset: int) -> int:
        """Where a partition is that was taken up to an offset: beyond what follows and is no message."""
        queue = self._queues.get(place)
        return offset if queue is None or queue.messages else max(offset, queue.next)

    def end(self, place: Place, now: float) -> End | None:
        """The brokers' word that everything of a partition has been taken, None where there is none now."""
        queue, end = self._queues.get(place), self.ends.get(place)
        if queue is None or queue.messages or end is None:
            return None
        return end if end.offset <= queue.next and now - end.asked <= FRESH else None


def _runs(messages: list[Message]) -> Iterator[tuple[Place, list[Message]]]:
    """Messages that follow each other and are of one partition."""
    places: list[Any] = list(zip(map(_TOPIC, messages), map(_PARTITION, messages), strict=True))
    start = 0
    for place, run in groupby(places):
        end = start + len(list(run))
        yield place, messages[start:end]
        start = end


def _is_arrow(headers: Any) -> bool:  # noqa: ANN401 - a list of pairs, by the library's many spellings
    for name, value in headers:
        if (name == "content-type" or name.lower() == "content-type") and _names_arrow(value or b""):
            return True
    return False


@lru_cache(64)
def _names_arrow(content_type: bytes) -> bool:
    return content_type.split(b";")[0].strip().lower() == ARROW


def _text(value: bytes | str | None) -> str:
    return value if isinstance(value, str) else (value or b"").decode(errors="replace")
