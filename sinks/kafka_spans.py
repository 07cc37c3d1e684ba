"""What stands in topics already: where they end, and the committed messages between two offsets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sinks.kafka_link import KafkaAdmin
from sinks.kafka_reader import KafkaReader
from sinks.kafka_types import KafkaAwayError, KafkaSettings, Message, Option, Place

ID = "ce_id"
"""Header that holds the id of a message."""

_COMMITTED: dict[str, Option] = {"isolation.level": "read_committed"}
_ALL: dict[str, Option] = {"isolation.level": "read_uncommitted"}


def topic_ends(
    settings: KafkaSettings, topics: Sequence[str], *, committed: bool = False
) -> dict[Place, int]:
    """The offset after the last message in every partition of the topics that are there.

    ``committed``: before the first transaction that is still open, whoever writes it.

    Raises:
        KafkaAwayError: no broker answered in time.
        KafkaRefusedError: no right to read them.
    """
    known = KafkaAdmin(settings).topics()
    found = [(topic, number) for topic in topics if topic in known for number in known[topic].leaders]
    return {place: end for place, (_, end) in _ranges(settings, found, _COMMITTED if committed else _ALL)}


def _ranges(
    settings: KafkaSettings, places: Iterable[Place], level: dict[str, Option]
) -> Iterator[tuple[Place, tuple[int, int]]]:
    with KafkaReader(settings, more=level) as reader:
        yield from [(place, reader.range(place)) for place in places]


def messages_between(settings: KafkaSettings, spans: dict[Place, tuple[int, int]]) -> Iterator[Message]:
    """The messages of some partitions from an offset on, before another; those that are still there.

    What belongs to a transaction that is open is waited for, until it is committed or given up.

    Raises:
        KafkaAwayError: a broker went away.
    """
    ranges = dict(_ranges(settings, spans, _ALL))
    with KafkaReader(settings, more={**_COMMITTED, "fetch.wait.max.ms": 50}) as reader:
        left = {}
        for place, (start, end) in spans.items():
            # A topic made anew, or one that has forgotten: read what there is.
            low, high = ranges[place]
            first = start if low <= start <= high else low
            if first < min(end, high):
                left[place] = (first, min(end, high))
        reader.assign({place: first for place, (first, _) in left.items()})
        while left:
            read = reader.read(5_000, 0.2)
            for one in read:
                place = (one.topic() or "", one.partition() or 0)
                if place in left and (one.offset() or 0) < left[place][1]:
                    yield one
            # NB: not every offset is a message: some mark transactions, some have been compacted away.
            reached = reader.positions(list(left))
            left = {
                place: span
                for place, span in left.items()
                if max(reached[place], reader.ended.get(place, 0)) < span[1]
            }
            away = [one for one in reader.troubles if one.kind == "away"]
            if not read and away:
                raise KafkaAwayError(f"Kafka {settings.servers}: {away[-1].text}; start the broker")


def message_id(message: Message) -> bytes | None:
    """The id in a message's headers, if it has one."""
    return next((value for name, value in message.headers() or () if name == ID), None)
