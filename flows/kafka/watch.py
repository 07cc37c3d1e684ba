"""What the brokers say of our partitions, asked in a thread of its own: where each ends, which there are.

The flow must not wait for an answer, and R5 wants one that is not older than five seconds: a partition is at
its end only while a broker keeps saying so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from flows.replay.failures import noted
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, KafkaSettings, Place, Topic
from sinks.log import EventLog

LOG = EventLog("kafka")

FRESH = 5.0
"""Seconds for which a broker's word on the end of a partition holds (R5)."""
ASK_EVERY = 1.0
"""Seconds between two questions about ends."""
DISCOVER_EVERY = 15.0
"""Seconds between two questions about topics: new partitions are read from within so many seconds."""


class Ranges(Protocol):
    """Who knows where a partition begins and ends."""

    def range(self, place: Place) -> tuple[int, int]:
        """The first offset that is there, and the one after the last."""


class Topics(Protocol):
    """Who knows the topics."""

    def topics(self) -> dict[str, Topic]:
        """All topics by name."""


@dataclass(frozen=True, slots=True)
class End:
    """A broker's word: the partition ended before ``offset``, unchanged from ``since`` to ``asked``.

    Both are seconds; no two answers in between were further apart than `FRESH`.
    """

    offset: int
    since: float
    asked: float

    def after(self, before: End | None) -> End:
        """This answer, in the light of the one before.

        >>> End(7, 12.0, 12.0).after(End(7, 3.0, 10.0)), End(7, 20.0, 20.0).after(End(7, 3.0, 10.0))
        (End(offset=7, since=3.0, asked=12.0), End(offset=7, since=20.0, asked=20.0))
        """
        if before is None or before.offset != self.offset or self.asked - before.asked > FRESH:
            return self
        return End(self.offset, before.since, self.asked)


@dataclass(slots=True)
class Watch:
    """Asks while it runs; what it was told last can be read at any time.

    Attributes:
        ends: by partition.
        partitions: numbers of the partitions of each topic that is there; empty before the first answer.
        known: whether the brokers have ever answered.
        away: since when no broker has answered (seconds), None while they do.
    """

    ranges: Ranges
    admin: Topics
    names: Iterable[str]
    settings: KafkaSettings
    wanted: Callable[[], list[Place]] = list
    wall: Callable[[], float] = time.time
    ends: dict[Place, End] = field(default_factory=dict)
    partitions: Mapping[str, list[int]] = field(default_factory=dict)
    known: bool = False
    away: float | None = None
    _discovered: float = float("-inf")
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Ask from now on."""
        self._thread = threading.Thread(target=self._run, name="kafka-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; returns when the thread has let go of the clients."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self.settings.timeout + 1)

    @noted()
    def _run(self) -> None:
        with ExitStack() as waiting:
            while not self._stop.is_set():
                try:
                    self.ask()
                except KafkaAwayError as error:
                    if self.away is None:
                        LOG.warning("kafka.waiting", servers=self.settings.servers, error=error)
                        waiting.enter_context(self.settings.waiting("kafka"))
                        self.away = self.wall()
                except KafkaRefusedError as error:
                    LOG.warning("kafka.refused", error=error)
                else:
                    if self.away is not None:
                        LOG.warning("kafka.back", servers=self.settings.servers)
                        waiting.close()
                    self.away = None
                self._stop.wait(ASK_EVERY)

    def ask(self) -> None:
        """One round of questions.

        Raises:
            KafkaAwayError: a broker did not answer in time.
            KafkaRefusedError: one may not be asked.
        """
        if self.wall() - self._discovered >= DISCOVER_EVERY:
            topics = self.admin.topics()
            self.partitions = {name: topics[name].partitions for name in self.names if name in topics}
            self.known, self._discovered = True, self.wall()
        for place in self.wanted():
            asked = self.wall()
            offset = self.ranges.range(place)[1]
            self.ends[place] = End(offset, asked, asked).after(self.ends.get(place))
