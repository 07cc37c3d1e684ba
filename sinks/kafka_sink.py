"""Kafka as a sink of the flow: what its parts share, and how a part that begins again says nothing twice.

    items ─▶ Content ─▶ messages with an id each ─▶ written, waited for
    snapshot: where the topics ended ─▶ after a crash: read from there on, and leave out what is there already

The engine's sinks are at least once: what was written after the last recovery point comes again. A message
has an id that depends on its content alone (header ``ce_id``), so a part that begins again reads the end of
its own topics, from where its snapshot says, and skips the ids it finds there. Only a message that is still
on its way through the network when its dead sender's successor reads can come twice; readers that must be
sure keep the ids they have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_exponential_jitter

from sinks.kafka_link import KafkaAdmin
from sinks.kafka_reader import KafkaReader
from sinks.kafka_types import (
    KafkaAwayError,
    KafkaSettings,
    Message,
    Outgoing,
    Place,
)
from sinks.kafka_writer import KafkaWriter
from sinks.log import EventLog

LOG = EventLog("kafka")

ID = "ce_id"
"""Header that holds the id of a message."""

Snapshot = bytes | None


class _State(msgspec.Struct, frozen=True):
    """``ends``: of each partition (offset after the last message); ``told``: ids that may come again."""

    ends: dict[str, dict[int, int]]
    told: list[str]


_state = msgspec.json.Decoder(_State).decode


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """What the Kafka sinks of a run share.

    Attributes:
        kafka: how to reach the cluster.
        durable: whether the run keeps snapshots.
        timed: makes a block whose time is counted under a name.
        patience: seconds to wait for a broker that is away; None for ever.
    """

    kafka: KafkaSettings
    durable: bool = False
    timed: Callable[[str], AbstractContextManager[Any]] = nullcontext
    patience: float | None = None


class Content(Protocol):
    """What one part writes; ``once``: its messages have ids, so that none need be written twice."""

    once: bool

    @property
    def topics(self) -> Sequence[str]:
        """Where it writes to."""

    def messages(self, items: list[Any]) -> list[Outgoing]:
        """The messages of some items, in order."""

    def smaller(self, message: Outgoing) -> Outgoing | None:
        """What to write instead of a message that its topic does not take; None for nothing."""


@dataclass(slots=True)
class KafkaPart(StatefulSinkPartition[Any, Snapshot]):
    """One part: items in, written when `write_batch` returns."""

    settings: SinkSettings
    content: Content
    resume: Snapshot = None
    _writer: KafkaWriter = field(init=False)
    _told: set[bytes] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._writer = KafkaWriter(self.settings.kafka, self.settings.patience)
        patient(self.settings, self._find)

    def _find(self) -> None:
        """Make the topics that are missing; where they end, and what they have got since the snapshot."""
        _make_missing(self.settings.kafka, self.content.topics)
        if not self.content.once or not self.settings.durable:
            return
        ends = topic_ends(self.settings.kafka, self.content.topics)
        if self.resume is not None:
            state = _state(self.resume)
            before = {(t, number): end for t, own in state.ends.items() for number, end in own.items()}
            missed = {place: (before.get(place, 0), end) for place, end in ends.items()}
            found = map(message_id, messages_between(self.settings.kafka, missed))
            self._told = {one for one in found if one is not None}
            self._told.update(one.encode() for one in state.told)
            if self._told:
                LOG.info("kafka.there_already", topics=self.content.topics, count=len(self._told))
        self._writer.ends.update(ends)

    def write_batch(self, values: list[Any]) -> None:
        """Write what the items say; returns when the broker has it."""
        with self.settings.timed("kafka"):
            messages = [one for one in self.content.messages(values) if self._is_new(one)]
            while messages:
                smaller = map(self.content.smaller, self._writer.send(messages))
                messages = [one for one in smaller if one is not None]

    def _is_new(self, message: Outgoing) -> bool:
        if not self._told:
            return True
        found = next((value for name, value in message.headers if name == ID), None)
        if found not in self._told:
            return True
        self._told.discard(found)
        return False

    def snapshot(self) -> Snapshot:
        """Where the topics end; and what stands before that, but has not come again yet since a crash."""
        if not self.settings.durable:
            return None
        ends: dict[str, dict[int, int]] = {}
        for (topic, number), end in self._writer.ends.items():
            ends.setdefault(topic, {})[number] = end
        return msgspec.json.encode(_State(ends, sorted(one.decode() for one in self._told)))

    def close(self) -> None:
        """Let go of the connection."""
        self._writer.close()


class KafkaSink(FixedPartitionedSink[Any, Snapshot]):
    """A sink whose parts are named like the keys that go to them; with one part, it takes all keys.

    Args:
        settings: of the run's sinks.
        parts: names of the parts; the same at every start of one recovery folder.
        make: builds what a part writes.
    """

    def __init__(self, settings: SinkSettings, parts: Sequence[str], make: Callable[[str], Content]) -> None:
        self._settings, self._parts, self._make = settings, sorted(parts), make

    def list_parts(self) -> list[str]:
        """All parts: every process reaches the same brokers."""
        return self._parts

    def part_fn(self, item_key: str) -> int:
        """Every key has its own part."""
        return self._parts.index(item_key) if item_key in self._parts else 0

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot) -> KafkaPart:
        """A new part, or one that goes on from its snapshot."""
        del step_id
        return KafkaPart(self._settings, self._make(for_part), resume_state)


def patient(settings: SinkSettings, work: Callable[[], None]) -> None:
    """Do something until a broker answers, for ever if the run waits for ever."""
    again = Retrying(
        wait=wait_exponential_jitter(multiplier=0.2, max=2.0, jitter=0.1),
        retry=retry_if_exception_type(KafkaAwayError),
        stop=lambda state: (
            settings.patience is not None and (state.seconds_since_start or 0.0) > settings.patience
        ),
        before_sleep=_tell,
        reraise=True,
    )
    try:
        work()
    except KafkaAwayError:
        with settings.kafka.waiting("kafka"):
            again(work)


def _tell(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        LOG.warning("kafka.sink_waiting", error=state.outcome.exception())


def _make_missing(settings: KafkaSettings, topics: Sequence[str]) -> None:
    """Make the topics that are not there, as wide and as safe as the brokers make them by themselves."""
    admin = KafkaAdmin(settings)
    known = admin.topics()
    for topic in topics:
        if topic not in known and admin.create(topic, -1, -1):
            LOG.warning("kafka.topic_made", topic=topic)


def topic_ends(settings: KafkaSettings, topics: Sequence[str]) -> dict[Place, int]:
    """The offset after the last message in every partition of the topics that are there.

    Raises:
        KafkaAwayError: no broker answered in time.
        KafkaRefusedError: no right to read them.
    """
    known = KafkaAdmin(settings).topics()
    with KafkaReader(settings) as reader:
        found = [(topic, number) for topic in topics if topic in known for number in known[topic].leaders]
        return {place: reader.range(place)[1] for place in found}


def messages_between(settings: KafkaSettings, spans: dict[Place, tuple[int, int]]) -> Iterator[Message]:
    """The messages of some partitions from an offset on, before another; those that are still there.

    Raises:
        KafkaAwayError: a broker went away.
    """
    with KafkaReader(settings, more={"fetch.wait.max.ms": 50}) as reader:
        left = {}
        for place, (start, end) in spans.items():
            # A topic made anew, or one that has forgotten: read what there is.
            low, high = reader.range(place)
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
