"""The record source of a live engine: files that grow, or topics of Kafka."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from flows.admission.guests import Limits
from flows.city import City
from flows.config.configuration import Configuration
from flows.config.kafka import KafkaSection, kafka_settings
from flows.kafka.alignment import Alignment
from flows.kafka.feed import Feed
from flows.kafka.source import KafkaSource, Station, once
from flows.kafka.watch import End, Watch
from flows.live.run_options import inputs_of, is_kafka, parts_of
from flows.live.run_source import LivePart, LiveSource
from flows.replay.replaying import ReplayOptions, roll_of
from flows.router import Lanes
from flows.wire import Kind
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_reader import KafkaReader
from sinks.kafka_types import KafkaSettings, Option, Place

_READING: dict[str, Option] = {
    "fetch.wait.max.ms": 50,
    "fetch.error.backoff.ms": 100,
    "reconnect.backoff.max.ms": 1_000,
    "queued.max.messages.kbytes": 32_768,
}
"""A record is handed on at once; what a held up process reads ahead is bounded."""


@dataclass(frozen=True, slots=True)
class RecordSource:
    """What the record source of one process is made of.

    Attributes:
        stopped: whether the engine has been asked to stop.
        reached: told after each turn how far the clock (ms) has come, and when.
        built: told each part.
        waiting: entered while a broker is waited for.
        shared: the file of an `Alignment` that several processes share.
    """

    config: Configuration
    options: ReplayOptions
    city: City
    lanes: Lanes
    wall: Callable[[], float]
    stopped: Callable[[], bool]
    reached: Callable[[int, float], None]
    built: Callable[[LivePart], None]
    waiting: Callable[[str], AbstractContextManager[Any]] = nullcontext
    shared: Path | None = None

    def source(self, stack: ExitStack) -> LiveSource:
        """The source; ``stack`` closes its connections."""
        if not is_kafka(self.config):
            return LiveSource(**self._common())
        section, names = self.config.kafka, parts_of(self.config, self.options)
        topics = cast("dict[Kind, str]", section.inputs())

        def connect() -> Station:
            settings = kafka_settings(section, waiting=self.waiting)
            station = _station(settings, section, list(topics.values()), self.wall)
            stack.callback(station.close)
            return station

        return KafkaSource(
            **self._common(),
            names=names,
            topics=topics,
            start=section.start,
            on_gap=section.on_gap,
            alignment=Alignment(names, self.shared),
            connect=once(connect),
        )

    def _common(self) -> dict[str, Any]:
        engine, options = self.config.engine, self.options
        return {
            "inputs": inputs_of(self.config),
            "city": self.city,
            "lanes": self.lanes,
            "roll": roll_of(options, self.city.grid),
            "batch_size": engine.batch_size,
            "totals": options.out / "totals.json",
            "progress": lambda _: None,
            "speed": engine.pace,
            "durable": options.recovery is not None,
            "clock": engine.clock,
            "idle_after": engine.idle_after,
            "max_future": engine.max_future,
            "limits": Limits(engine.max_series, engine.max_cases),
            "sensors": options.sensors,
            "stopped": self.stopped,
            "wall": self.wall,
            "reached": self.reached,
            "built": self.built,
        }


def _station(
    settings: KafkaSettings, section: KafkaSection, topics: list[str], wall: Callable[[], float]
) -> Station:
    more = {name: value for name, value in _READING.items() if name not in section.settings}
    reader = KafkaReader(settings, section.group, more)
    ends: dict[Place, End] = {}
    feed = Feed(reader, ends)
    watch = Watch(reader, KafkaAdmin(settings), topics, settings, feed.empty, wall, ends)
    watch.start()
    return Station(feed, watch)
