"""Kafka as a sink of the flow: what its parts share, and how a part that begins again says nothing twice.

    items ─▶ Content ─▶ messages with an id each ─▶ one transaction ─▶ committed when `write_batch` returns
    snapshot: where the topics ended ─▶ after a crash: read from there on, and leave out what is there already

The engine's sinks are at least once: what was written after the last recovery point comes again. A message
has an id that depends on its content alone (header ``ce_id``), so a part that begins again reads the end of
its own topics, from where its snapshot says, and skips the ids it finds there. Before it reads it shuts out
its predecessor, by the transactional id of both: of what a dead engine sent nothing lands after that, and
what lies in a transaction that was never committed is no message. A writer that is lost while the engine runs
is replaced in the same way. Without transactions (``SinkSettings.transactions``) a message that is still on
its way when its dead sender's successor reads comes twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_exponential_jitter

from sinks.kafka_link import KafkaAdmin
from sinks.kafka_spans import ID, message_id, messages_between, topic_ends
from sinks.kafka_transactions import KafkaTransactions
from sinks.kafka_types import (
    KafkaAwayError,
    KafkaLostError,
    KafkaRefusedError,
    KafkaSettings,
    Outgoing,
    Place,
)
from sinks.kafka_writer import KafkaWriter
from sinks.log import EventLog

LOG = EventLog("kafka")

_MOST_WAITING = 1_000
"""Messages that wait for others at most."""

Snapshot = bytes | None
T = TypeVar("T")


class _State(msgspec.Struct, frozen=True):
    """``ends``: of each partition (offset after the last message); ``told``: ids that may come again.

    ``sender``: the transactional id under which the part wrote, "" if it wrote without transactions.
    """

    ends: dict[str, dict[int, int]]
    told: list[str]
    sender: str = ""


_state = msgspec.json.Decoder(_State).decode
_places = msgspec.json.Decoder(list[tuple[str, int, int]]).decode


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """What the Kafka sinks of a run share.

    Attributes:
        kafka: how to reach the cluster.
        durable: whether the run keeps snapshots.
        timed: makes a block whose time is counted under a name.
        patience: seconds to wait for a broker that is away; None for ever.
        transactions: what the transactional ids of the parts begin with, one engine's own on a cluster;
            None: write without transactions.
        folder: where a part notes how far the topics were when it first began, for an engine that dies
            before its first snapshot; it goes with the snapshots.
    """

    kafka: KafkaSettings
    durable: bool = False
    timed: Callable[[str], AbstractContextManager[Any]] = nullcontext
    patience: float | None = None
    transactions: str | None = None
    folder: Path | None = None


class Content(Protocol):
    """What one part writes.

    Attributes:
        once: its messages have ids, so that none need be written twice.
        patience: seconds for which messages may wait for others where the run keeps snapshots; each
            transaction costs the flow several answers of a broker.
    """

    once: bool
    patience: float

    @property
    def topics(self) -> Sequence[str]:
        """Where it writes to."""

    def messages(self, items: list[Any]) -> list[Outgoing]:
        """The messages of some items, in order."""

    def smaller(self, message: Outgoing) -> Outgoing | None:
        """What to write instead of a message that its topic does not take; None for nothing."""


@dataclass(slots=True)
class KafkaPart(StatefulSinkPartition[Any, Snapshot]):
    """One part: items in, written when `write_batch` returns, or a little later but before a snapshot."""

    settings: SinkSettings
    content: Content
    resume: Snapshot = None
    _writer: KafkaWriter | KafkaTransactions = field(init=False)
    _told: set[bytes] = field(default_factory=set, init=False)
    _waiting: list[Outgoing] = field(default_factory=list, init=False)
    _since: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        state = None if self.resume is None or not self._remembers else _state(self.resume)
        before = None
        if state is not None:
            before = {
                (topic, number): end for topic, own in state.ends.items() for number, end in own.items()
            }
        former = state.sender if state is not None else ""
        first = self._first if before is None else None
        if first is not None and first.exists():
            before = {(topic, number): end for topic, number, end in _places(first.read_bytes())}
        self._told = patient(self.settings, lambda: self._begin(before, former))
        if first is not None and before is None:
            self._note(first)
        self._told.update(one.encode() for one in (state.told if state is not None else ()))
        if self._told:
            LOG.info("kafka.there_already", topics=self.content.topics, count=len(self._told))

    @property
    def _remembers(self) -> bool:
        """Whether it finds out what it has written before."""
        return self.content.once and self.settings.durable

    @property
    def _first(self) -> Path | None:
        """Where it notes how far its topics were when it first began, None where nothing is kept."""
        if self.settings.folder is None or not self._remembers:
            return None
        return self.settings.folder / f"{'+'.join(self.content.topics)}.ends.json"

    def _note(self, path: Path) -> None:
        """Note where the topics end, whole or not at all, before anything is written to them."""
        new = path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode([(*place, end) for place, end in self._writer.ends.items()]))
        new.replace(path)

    @property
    def _sender(self) -> str:
        """Its transactional id, the same at every start; "" where it writes without."""
        if self.settings.transactions is None or not self._remembers:
            return ""
        return f"{self.settings.transactions}-{'+'.join(self.content.topics)}"

    def _begin(self, before: dict[Place, int] | None, former: str = "") -> set[bytes]:
        """Make what is missing, shut out whoever wrote before; the ids of what the topics have got since."""
        _make_missing(self.settings.kafka, self.content.topics)
        self._writer = self._opened(former)
        if not self._remembers:
            return set()
        # NB: in this order. What predecessors had on its way has landed by now, or never will.
        ends = topic_ends(self.settings.kafka, self.content.topics)
        self._writer.ends.update(ends)
        if before is None:
            return set()
        missed = {place: (before.get(place, 0), end) for place, end in ends.items()}
        found = map(message_id, messages_between(self.settings.kafka, missed))
        return {one for one in found if one is not None}

    def _opened(self, former: str) -> KafkaWriter | KafkaTransactions:
        if former not in {"", self._sender}:
            _shut_out(self.settings.kafka, former)
        if self._sender:
            return KafkaTransactions(self.settings.kafka, self._sender, self.settings.patience)
        return KafkaWriter(self.settings.kafka, self.settings.patience)

    def write_batch(self, values: list[Any]) -> None:
        """Write what the items say; returns when the broker has it, unless it may wait for more."""
        with self.settings.timed("kafka"):
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting += [one for one in self.content.messages(values) if self._is_new(one)]
            patience = self.content.patience if self._remembers else 0.0
            if len(self._waiting) >= _MOST_WAITING or time.monotonic() - self._since >= patience:
                self._write()

    def _write(self) -> None:
        messages, self._waiting = self._waiting, []
        while messages:
            large = self._sent(messages)
            if len(messages) > 1:
                # A broker refuses batches: which message is too large is seen of each alone.
                large = [one for some in large for one in self._sent([some])]
            smaller = map(self.content.smaller, large)
            messages = [one for one in smaller if one is not None]

    def _sent(self, messages: list[Outgoing]) -> list[Outgoing]:
        """Write some, by one writer or its successors; returns those too large for their topic."""
        before = dict(self._writer.ends)
        while True:
            try:
                return self._writer.send(messages)
            except KafkaLostError as error:
                LOG.warning("kafka.new_producer", servers=self.settings.kafka.servers, error=error)
            self._writer.close()
            found = patient(self.settings, partial(self._begin, before))
            messages = [one for one in messages if _id_of(one) not in found]

    def _is_new(self, message: Outgoing) -> bool:
        if not self._told:
            return True
        found = _id_of(message)
        if found not in self._told:
            return True
        self._told.discard(found)
        return False

    def snapshot(self) -> Snapshot:
        """Where the topics end; and what stands before that, but has not come again yet since a crash."""
        if not self.settings.durable:
            return None
        with self.settings.timed("kafka"):
            self._write()
        ends: dict[str, dict[int, int]] = {}
        for (topic, number), end in self._writer.ends.items():
            ends.setdefault(topic, {})[number] = end
        return msgspec.json.encode(_State(ends, sorted(one.decode() for one in self._told), self._sender))

    def close(self) -> None:
        """Let go of the connection; what waits comes again, for no snapshot knows of it."""
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


def patient(settings: SinkSettings, work: Callable[[], T]) -> T:
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
        return work()
    except KafkaAwayError:
        with settings.kafka.waiting("kafka"):
            return again(work)


def _id_of(message: Outgoing) -> bytes | None:
    found = next((value for name, value in message.headers if name == ID), None)
    return found.encode() if isinstance(found, str) else found


def _shut_out(settings: KafkaSettings, former: str) -> None:
    """End what an engine wrote under the id of another configuration, if that is allowed."""
    try:
        KafkaTransactions(settings, former).close()
    except KafkaRefusedError as error:
        LOG.warning("kafka.not_shut_out", sender=former, error=error)


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
