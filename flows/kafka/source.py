"""The record source of a live engine on Kafka: partitions of topics, dealt to a fixed number of parts.

    topics ─ one consumer a process ─▶ feed ─▶ partition: door, clock, offset ─▶ part ─▶ pieces for lanes

A part is where recovery finds a partition again: partition n belongs to part n modulo their number, whichever
process runs it. Offsets are in the snapshot; those committed to the group are for lag dashboards alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from flows.inputs import door
from flows.kafka.alignment import IDLE, Alignment
from flows.kafka.feed import Feed
from flows.kafka.partition import KafkaPartition
from flows.kafka.watch import Watch
from flows.live.run_input import GrowingFile
from flows.live.run_source import LivePart, LiveSource
from flows.pieces import BEFORE
from flows.records import Item
from flows.recovery.snapshots import thaw
from flows.replay.failures import noted
from flows.wire import Kind
from sinks.kafka_types import KafkaAwayError, Place, Trouble
from sinks.log import EventLog

LOG = EventLog("kafka")

Start = Literal["earliest", "latest"]
Gap = Literal["stop", "earliest", "latest"]

_OFFSET: Mapping[Kind, int] = {"readings": 0, "events": 1, "feedback": 2}
"""So that the first partitions of all topics do not meet in one part."""


class GapError(OSError):
    """Records are not there any more, and the configuration says to stop rather than to go on without."""


def part_of(kind: Kind, partition: int, parts: int) -> int:
    """The part that a partition belongs to, for ever.

    >>> [part_of("readings", n, 4) for n in range(6)], part_of("events", 0, 4)
    ([0, 1, 2, 3, 0, 1], 1)
    """
    return (partition + _OFFSET[kind]) % parts


@dataclass(frozen=True, slots=True)
class Station:
    """What the parts of one process share: the feed and who asks the brokers; ``parts`` are their names."""

    feed: Feed
    watch: Watch
    parts: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Let go of the connections."""
        self.watch.stop()
        self.feed.close()


class KafkaPart(LivePart):
    """Reads its partitions; the snapshot holds offsets, admission state and counts."""

    poll = 0.02

    def __init__(self, settings: KafkaSource, snapshot: bytes | None, name: str) -> None:
        self._kafka = settings
        self._station = settings.station()
        self._station.parts.append(name)
        self._saved, self._begun = snapshot, False
        self._there: Mapping[str, list[int]] | None = None
        self._row = settings.names.index(name)
        self.gaps = self.skipped = 0
        """Decisions about records that are not there any more, and how many offsets were passed over."""
        super().__init__(settings, None, name)

    @property
    def partitions(self) -> list[KafkaPartition]:
        """All partitions of this part."""
        return self._files  # type: ignore[return-value]

    @noted()
    def next_batch(self) -> list[Item]:
        """What has come since the last time, at most one turn."""
        if not self._live.stopped() and not self._ready():
            self._wait = self.poll
            return []
        self._station.feed.fill()
        self._heed()
        items = super().next_batch()
        counted = any(self._counts(file) for file in self.files)
        self._kafka.alignment.tell(self.name, self._high if counted else IDLE, self.greatest)
        return items

    def _note_pause(self) -> None:
        """A recovery point holds up all parts of a process at once: one of them tells of it."""
        if self._station.parts[0] != self.name:
            self._held = None
        super()._note_pause()

    # -- partitions that come and go -----------------------------------------------------------------

    def _ready(self) -> bool:
        """Whether the partitions are known; those that are new are read from now on."""
        watch = self._station.watch
        there = watch.partitions
        if not watch.known or there is self._there:
            return watch.known
        try:
            if not self._begun:
                self._begin(there)
            for kind, topic in self._kafka.topics.items():
                for number in there.get(topic, []):
                    self._take_up(kind, (topic, number))
        except KafkaAwayError as error:
            LOG.info("kafka.not_open", error=error)
            return self._begun
        self._begun, self._there = True, there
        return True

    def _begin(self, known: Mapping[str, list[int]]) -> None:
        """Go on from the snapshot, or begin with topics that are all there."""
        if self._saved is None:
            for kind, topic in self._kafka.topics.items():
                if topic not in known:
                    raise ValueError(
                        f"kafka.{kind}: there is no topic {topic!r} / 主题不存在; create it, "
                        f"or write {kind} = '' in [kafka] if there are no {kind}"
                    )
            return
        resume = thaw(self._saved)
        kinds = {topic: kind for kind, topic in self._kafka.topics.items()}
        # Every answer that is needed is asked for first: what is begun here is not begun again.
        places = [(state["topic"], state["partition"]) for state in resume["files"]]
        there = [place for place in places if place[1] in known.get(place[0], ())]
        ranges = {place: self._station.feed.reader.range(place) for place in there}
        for place, state in zip(places, resume["files"], strict=True):
            partition = self._add(kinds[place[0]], place, state)
            if place in ranges:
                self._check(partition, *ranges[place])
            else:
                self._lose(partition, "the brokers know no such partition")
        self._restore(resume)
        self._saved = None

    def _take_up(self, kind: Kind, place: Place) -> None:
        if part_of(kind, place[1], len(self._kafka.names)) != self._row:
            return
        known = next((one for one in self.partitions if one.place == place), None)
        if known is not None and not known.gone:
            return
        low, high = self._station.feed.reader.range(place)
        if known is not None:
            known.gone = known.ended = False
            self._check(known, low, high)
            return
        partition = self._add(kind, place, None)
        # One that comes while we run has nothing that we should not read.
        partition.go_to(high if self._kafka.start == "latest" and not self._begun else low)
        LOG.info("kafka.partition", partition=partition.name, offset=partition.offset)

    def _add(self, kind: Kind, place: Place, state: dict[str, Any] | None) -> KafkaPartition:
        number = len(self._files)
        city, roll = self._live.city, self._roll
        enrols = place == (self._kafka.topics.get("readings"), 0)
        limits = self._live.limits
        opened = door(kind, city, roll, state and state["door"], enrols=enrols, limits=limits)
        partition = KafkaPartition(kind, place, number, opened, self._station.feed, state, self._live.wall)
        self._files.append(partition)
        self._readers.append(self._routed(number))
        return partition

    # -- records that are not there ------------------------------------------------------------------

    def _heed(self) -> None:
        for partition in self.partitions:
            trouble = self._station.feed.troubles.pop(partition.place, None)
            if trouble is not None:
                self._decide(partition, trouble)

    def _decide(self, partition: KafkaPartition, trouble: Trouble) -> None:
        if trouble.kind == "out_of_range":
            try:
                self._check(partition, *self._station.feed.reader.range(partition.place))
            except KafkaAwayError:
                self._station.feed.troubles[partition.place] = trouble
        elif trouble.kind == "gone":
            self._lose(partition, trouble.text)
        elif trouble.kind == "refused":
            raise GapError(
                f"{partition.name} may not be read: {trouble.text}; give the user the right to read it"
            )
        else:
            LOG.warning("kafka.partition_trouble", partition=partition.name, error=trouble.text)

    def _check(self, partition: KafkaPartition, low: int, high: int) -> None:
        """Go on only where a partition still has what comes next."""
        wanted = partition.offset
        if low <= wanted <= high:
            partition.go_to(wanted)
            return
        what = f"{partition.name}: offset {wanted} comes next, but the topic has {low} to {high}"
        self._or_stop(f"{what}: records were deleted before they were read, or the topic was made anew")
        found = low if self._kafka.on_gap == "earliest" else high
        self.skipped += max(found - wanted, 0)
        LOG.error("kafka.gap", error=what, offset=found)
        partition.go_to(found)

    def _lose(self, partition: KafkaPartition, why: str) -> None:
        self._or_stop(f"{partition.name} is gone ({why}); offset {partition.offset} came next")
        partition.gone = partition.ended = True
        self._station.feed.leave(partition.place)
        LOG.error("kafka.partition_gone", partition=partition.name)

    def _or_stop(self, what: str) -> None:
        self.gaps += 1
        if self._kafka.on_gap == "stop":
            raise GapError(
                f"{what}. 记录缺失，引擎按设置停止。 Restore the topic and start again, or decide to go on "
                f"without these records: on_gap = 'earliest' or 'latest' in [kafka]"
            )

    # -- clocks --------------------------------------------------------------------------------------

    @staticmethod
    def _counts(file: GrowingFile) -> bool:
        return not (file.ended or file.silent) and file.kind != "feedback"

    def _come(self) -> int:
        """As far as every partition that counts has; without any, as far as the other parts."""
        counted = [file.clock for file in self.files if self._counts(file)]
        if counted or not self._begun:
            return min(counted, default=BEFORE)
        return self._kafka.alignment.others(self.name)

    @property
    def greatest(self) -> int:
        """The greatest event time that any part has seen, ms."""
        return max(super().greatest, self._kafka.alignment.greatest)

    def _is_ahead(self, file: GrowingFile) -> bool:
        """A turn ahead of the slowest of all parts: what waits for it is kept in memory."""
        slowest = min(self._high, self._kafka.alignment.slowest_but(self.name))
        start = slowest if slowest != BEFORE else file.begun
        return BEFORE not in {file.clock, start} and file.clock > start + self._turns.span

    def _close_silent(self, items: list[Item], now: float) -> None:
        for partition in self.partitions:
            partition.look(now)
        super()._close_silent(items, now)

    def _is_silent(self, file: GrowingFile, now: float) -> bool:
        if self._live.clock == "wall" and isinstance(file, KafkaPartition):
            return file.caught_up and now - file.ended_since >= self._live.idle_after
        return super()._is_silent(file, now)

    def lags(self) -> list[tuple[tuple[str, str], int]]:
        """Topic, number and how many messages have not been read, where the brokers have said so."""
        feed, found = self._station.feed, []
        for one in list(self.partitions) if feed.open else ():
            # NB: before the first fetch the cache says 0, which means nothing.
            high = 0 if one.gone else feed.reader.range(one.place, cached=True)[1]
            end = feed.ends.get(one.place)
            if high > 0 or end is not None:
                high = max(high, end.offset if end is not None else 0)
                here = feed.reached(one.place, one.offset)
                found.append(((one.topic, str(one.partition)), max(high - here, 0)))
        return found

    # -- recovery points -----------------------------------------------------------------------------

    @noted()
    def snapshot(self) -> bytes:
        """Offsets, what the doors remember, where series go, and all counts."""
        if not self._begun:
            self.kept = self._live.wall()
            return self._saved or b""
        self._station.feed.commit({one.place: one.offset for one in self.partitions if not one.gone})
        return super().snapshot()


@dataclass(frozen=True)
class KafkaSource(LiveSource):
    """Topics as a source of several parts.

    Attributes:
        names: of the parts; the same at every start of one recovery folder.
        topics: by kind of record.
        start: where to begin where there is nothing to go on from.
        on_gap: what to do where records are not there any more.
        alignment: how far the parts have come.
        connect: makes what the parts of this process share, once.
    """

    names: Sequence[str] = ()
    topics: Mapping[Kind, str] = field(default_factory=dict)
    start: Start = "earliest"
    on_gap: Gap = "stop"
    alignment: Alignment = field(default_factory=lambda: Alignment([]))
    connect: Callable[[], Station] | None = None

    def station(self) -> Station:
        """The connections of this process."""
        if self.connect is None:
            raise ValueError("no way to reach Kafka was given; give KafkaSource a connect")
        return self.connect()

    def list_parts(self) -> list[str]:
        """All parts: every process reaches the same brokers."""
        return list(self.names)

    @noted()
    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> KafkaPart:
        """The part, from a snapshot on or new."""
        del step_id
        part = KafkaPart(self, resume_state or None, for_part)
        self.built(part)
        return part


def once(connect: Callable[[], Station]) -> Callable[[], Station]:
    """The same station for every part of a process."""
    return lru_cache(maxsize=1)(connect)
