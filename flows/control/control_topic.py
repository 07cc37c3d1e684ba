"""Changes of a live engine from a topic of Kafka: messages with the files of the city → the control source.

    {"catalogue": {"gas.toml": "TEXT"}, "thresholds": {"night.toml": "TEXT"}}

A message holds whole sets of files: names and texts. What it does not name stays; null stands for none. The
topic has one partition, for the order of changes is that of its messages, and is read from its beginning; so
long as it is kept whole, an engine without recovery begins with what was in force. A message with a fault is
refused whole and told with its offset; it stays in the topic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import msgspec

from flows.control.change import Change, Files
from flows.control.control_input import faults_of
from flows.control.control_watch import Watched, WatchPart
from flows.recovery.snapshots import thaw
from flows.replay.failures import noted
from flows.wire import MAX_MESSAGE
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_reader import KafkaReader
from sinks.kafka_types import KafkaAwayError, KafkaSettings, Message, Place, Trouble
from sinks.log import EventLog

LOG = EventLog("control")

AT_ONCE = 100
"""Messages asked for at a time."""


class ControlMessage(msgspec.Struct, forbid_unknown_fields=True):
    """A message of the control topic: sets of files, by name."""

    catalogue: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET
    thresholds: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET


class Reader(Protocol):
    """What is needed of a consumer."""

    troubles: list[Trouble]
    ended: dict[Place, int]

    def assign(self, offsets: Mapping[Place, int]) -> None:
        """Read these partitions from these offsets, and no others."""

    def read(self, number: int, seconds: float = 0.0) -> list[Message]:
        """Up to so many messages, in the order of each partition."""

    def range(self, place: Place, *, cached: bool = False) -> tuple[int, int]:
        """The first offset that is there, and the one after the last."""


class ControlGapError(OSError):
    """Messages were deleted before they were read, and the configuration says to stop."""


def wanted_of(raw: bytes, before: Change) -> Change:
    """The files that a message wants in force after ``before``.

    Raises:
        ValueError: it is no such message; says why.

    >>> wanted_of(b'{"catalogue": {"b": "2", "a": "1"}}', Change(0, 0, (), (("t", ""),))).catalogue
    (('a', '1'), ('b', '2'))
    >>> wanted_of(b'{"thresholds": null}', Change(0, 0, (), (("t", ""),))).thresholds
    ()
    """
    if len(raw) > MAX_MESSAGE:
        raise ValueError(f"has {len(raw):,} bytes, the most are {MAX_MESSAGE:,}; send less")
    try:
        message = msgspec.json.decode(raw, type=ControlMessage)
    except ValueError as error:
        form = '{"catalogue": {"NAME.toml": "TEXT"}, "thresholds": null}'
        raise ValueError(f"is no control message: {error}; write {form}") from error
    return replace(
        before,
        catalogue=_files(message.catalogue, before.catalogue),
        thresholds=_files(message.thresholds, before.thresholds),
    )


def _files(wanted: dict[str, str] | msgspec.UnsetType | None, before: Files) -> Files:
    if wanted is msgspec.UNSET:
        return before
    return tuple(sorted(wanted.items())) if isinstance(wanted, dict) else ()


class TopicPart(WatchPart):
    """Reads the topic; the snapshot holds what is in force, what was promised, and the next offset."""

    def __init__(self, source: ControlTopic, snapshot: bytes | None) -> None:
        super().__init__(source, snapshot)
        self._topic = source
        self._place: Place = source.topic, 0
        self._reader: Reader | None = None
        self._end = 0
        self._caught_up = False
        self._wanted: Change | None = None
        state: dict[str, Any] = thaw(snapshot) if snapshot else {}
        kept = state["next"] if state.get("topic") == source.topic else -1
        # A change that was written down after the recovery point is not read again.
        self._next = max(kept, source.journal.reached(source.topic) if source.journal else -1)
        self._since = self._next

    def _ready(self) -> bool:
        """Whether all that was in the topic at the start has been read: nothing is promised before."""
        if self._due:
            return True
        try:
            reader = self._reader = self._reader or self._opened()
        except KafkaAwayError as error:
            LOG.info("control.not_open", error=error)
            return False
        for message in reader.read(AT_ONCE):
            self._take(message)
        for trouble in reader.troubles:
            if trouble.kind != "away":
                LOG.warning("control.trouble", topic=self._topic.topic, error=trouble.text)
        reader.troubles.clear()
        # Marks of transactions have offsets, too: the last message need not be the one before the end.
        self._caught_up = self._caught_up or self._next >= self._end or self._place in reader.ended
        return self._caught_up

    def _opened(self) -> Reader:
        if self._topic.connect is None:
            raise ValueError("no way to reach Kafka was given; give ControlTopic a connect")
        reader = self._topic.connect()
        low, high = reader.range(self._place)
        if self._next >= 0 and not low <= self._next <= high:
            what = f"{self._topic.topic}: offset {self._next} comes next, but the topic has {low} to {high}"
            if self._topic.on_gap == "stop":
                raise ControlGapError(
                    f"kafka.control: {what}: messages were deleted before they were read, or it was made "
                    f"anew; write on_gap = 'earliest' in [kafka] to go on with what is there"
                )
            LOG.error("control.gap", error=what)
            self._next = low
        self._next = self._since = max(self._next, low)
        reader.assign({self._place: self._next})
        self._end = high
        return reader

    def _take(self, message: Message) -> None:
        offset = message.offset() or 0
        self._next = offset + 1
        before = self._wanted or self.changes.last
        try:
            wanted = wanted_of(message.value() or b"", before)
        except ValueError as error:
            faults = [str(error)]
        else:
            # The same files again are as right as they were.
            faults = [] if wanted == before else faults_of(wanted, self._topic.only)
        if faults:
            self.changes.refused += 1
            self._refuse([f"{self._topic.topic} offset {offset}: {fault}" for fault in faults])
        else:
            self._wanted = wanted

    def _found(self) -> list[Change]:
        """The change that came; of several messages that came together the last that is right."""
        wanted, self._wanted, self._since = self._wanted, None, self._next
        if wanted is None or self.changes.is_in_force(wanted):
            return []
        change = self.changes.make(wanted, self._topic.reached())
        self._write_down(change, (self._topic.topic, self._next))
        return [change]

    def _state(self) -> dict[str, Any]:
        # What was read and not told yet is read again.
        return super()._state() | {"topic": self._topic.topic, "next": self._since}


@dataclass(frozen=True)
class ControlTopic(Watched):
    """The control source of a live engine whose files come from a topic.

    Attributes:
        topic: its name.
        on_gap: what to do where messages are not there any more.
        connect: opens a consumer.
    """

    topic: str = ""
    on_gap: Literal["stop", "earliest", "latest"] = "stop"
    connect: Callable[[], Reader] | None = None

    @noted()
    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> TopicPart:
        """The part, from a snapshot on or new."""
        del step_id, for_part
        part = TopicPart(self, resume_state)
        self.built(part)
        return part


def control_reader(settings: KafkaSettings, group: str, topic: str) -> KafkaReader:
    """A consumer for a control topic.

    Raises:
        ValueError: there is no such topic, or one of several partitions.
        KafkaAwayError: no broker answered.
    """
    found = KafkaAdmin(settings).topics().get(topic)
    count = 0 if found is None else len(found.partitions)
    if count != 1:
        raise ValueError(
            f"kafka.control: {topic!r} has {count} partitions / 控制主题必须恰有一个分区; "
            f"make a topic of one partition, for changes have an order, or leave control out"
        )
    return KafkaReader(settings, group)
