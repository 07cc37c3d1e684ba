"""A feed knows where a partition is, whatever stands between its messages, and forgets nothing that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flows.kafka.feed import Feed
from flows.kafka.watch import End
from sinks.kafka_types import Message, Place, Trouble

PLACE: Place = ("t", 0)


@dataclass(frozen=True)
class Sent:
    """A message that holds its offset."""

    number: int

    def topic(self) -> str:
        return PLACE[0]

    def partition(self) -> int:
        return PLACE[1]

    def offset(self) -> int:
        return self.number

    def key(self) -> None:
        return None

    def value(self) -> bytes:
        return b"%d" % self.number

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


@dataclass
class FakeReader:
    """Gives what it is told to, in its own time."""

    coming: list[tuple[list[int], int | None]] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    ended: dict[Place, int] = field(default_factory=dict)

    def assign(self, offsets: Mapping[Place, int]) -> None:
        pass

    def pause(self, places: Sequence[Place]) -> None:
        pass

    def resume(self, places: Sequence[Place]) -> None:
        pass

    def read(self, number: int, seconds: float = 0.0) -> list[Message]:
        del number, seconds
        offsets, end = self.coming.pop(0) if self.coming else ([], None)
        if end is not None:
            self.ended[PLACE] = end
        return [Sent(offset) for offset in offsets]

    def range(self, place: Place, *, cached: bool = False) -> tuple[int, int]:
        del place, cached
        return 0, 0

    def commit(self, offsets: Mapping[Place, int]) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_partition_that_ends_with_the_mark_of_a_transaction_has_been_read_to_its_end() -> None:
    reader = FakeReader([([3, 4], 6)])
    feed = Feed(reader, {PLACE: End(6, 0.0, 10.0)})
    feed.follow(PLACE, 3)
    feed.poll()
    feed.poll()
    assert feed.end(PLACE, 10.0) is None
    assert feed.reached(PLACE, 3) == 3
    block = feed.take(PLACE, 10)
    assert block is not None
    assert block.offsets.tolist() == [3, 4]
    assert feed.end(PLACE, 10.0) == End(6, 0.0, 10.0)
    assert feed.reached(PLACE, 5) == 6


def test_what_comes_after_the_mark_is_read_on() -> None:
    reader = FakeReader([([3], 5), ([5, 6], None)])
    feed = Feed(reader, {PLACE: End(7, 0.0, 10.0)})
    feed.follow(PLACE, 3)
    feed.poll()
    feed.poll()
    block = feed.take(PLACE, 10)
    assert block is not None
    assert block.offsets.tolist() == [3, 5, 6]
    assert feed.next_offset(PLACE) == 7
