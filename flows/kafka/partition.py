"""A partition of a topic as an input with a door, like a file that grows: messages -> admitted records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.decoding.line_files import Position
from flows.decoding.provenance import Admitted, Origin
from flows.decoding.record_files import Block
from flows.inputs import Door, Input
from flows.kafka.feed import Feed, MessageBlock
from flows.live.run_input import GrowingFile
from flows.wire import Kind
from sinks.kafka_types import Place

MOST_BATCHES = 8
SHORT, LONG = 30_000, 120_000
"""So many batches are read as one while they span less event time than this, fewer beyond that, ms."""


class KafkaRecords:
    """The messages of a partition from any offset on; None from ``read`` means: none are here now."""

    def __init__(self, feed: Feed, place: Place, offset: int) -> None:
        self._feed, self._place = feed, place
        self.offset = offset
        self.bytes_read = 0

    def read(self, n: int) -> Block | None:
        """The next messages, at most n."""
        block = self._feed.take(self._place, n)
        if block is not None:
            self.offset = int(block.offsets[-1]) + 1
        return block

    def position(self) -> Position:
        """The offset of the next message that has not been read."""
        return 0, 0, self.offset

    def seek(self, position: Position) -> None:
        """Go to an offset; what has come of the partition is forgotten."""
        self.offset = position[2]
        self._feed.follow(self._place, self.offset)

    def close(self) -> None:
        """Nothing to let go of: the feed has the connections."""


class KafkaPartition(GrowingFile):
    """A partition and its door.

    Attributes:
        topic: the name of its topic.
        partition: its number in the topic.
        gone: the brokers do not know it any more; its place and its door's state are kept.
        ended_since: since when nothing was there to be read, by the brokers' own word, seconds.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - where it comes from, how it is judged
        self,
        kind: Kind,
        place: Place,
        number: int,
        door: Door,
        feed: Feed,
        state: dict[str, Any] | None,
        wall: Callable[[], float],
    ) -> None:
        """``number`` counts the inputs of its part."""
        self.topic, self.partition = place
        self.gone = False
        self._batches = 1
        self.ended_since = wall()
        self.feed = feed
        source = Input(Path(f"{self.topic}/{self.partition}.jsonl"), kind)
        super().__init__(source, number, door, state, wall)
        self.name = f"{self.topic}/{self.partition}"

    def _opened(self) -> KafkaRecords:
        return KafkaRecords(self.feed, self.place, 0)

    @property
    def place(self) -> Place:
        """Topic and number."""
        return self.topic, self.partition

    @property
    def offset(self) -> int:
        """The offset of the next message that has not been read."""
        return self._file.position()[2]

    def go_to(self, offset: int) -> None:
        """Read on from an offset."""
        self._file.seek((0, 0, offset))

    def next(self, count: int, *, decode_only: bool = False) -> Admitted[Any] | None:
        """Judge the next records; None if there are none here now, which does not mean that it has ended."""
        del decode_only
        block = self._read(count * self._batches)
        if block is None:
            return None
        self.caught_up = False
        before = self.clock
        admitted = self._admit(block)
        self._suit(self.clock - before)
        return admitted

    def _suit(self, passed: int) -> None:
        """Judge more records together where they are dense in time: a batch has costs of its own."""
        if passed < SHORT:
            self._batches = min(2 * self._batches, MOST_BATCHES)
        elif passed > LONG:
            self._batches = max(self._batches // 2, 1)

    def look(self, now: float) -> None:
        """Note whether the brokers confirm that it has been read to its end, and since when they do."""
        end = self.feed.end(self.place, now)
        self.caught_up = end is not None
        self.ended_since = now if end is None else max(end.since, self.heard)

    def _origin(self, block: Block) -> Origin:
        if not isinstance(block, MessageBlock):
            raise TypeError(f"a block of messages is needed, got {type(block).__name__}")
        return Origin(
            source=self.topic,
            partition=self.partition,
            offset=block.offsets,
            raw=block.raw(),
            ts_received=self._arrival(),
            headers=block.cloud_events,
        )

    def state(self) -> dict[str, Any]:
        """The offset, the door's state, and whose they are."""
        return {**super().state(), "topic": self.topic, "partition": self.partition}
