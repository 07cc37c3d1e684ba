"""A simulated city → Kafka: what its gateways and its platforms send, at their pace or as fast as it goes.

blocks of readings ─▶ messages, a partition for each group of tiles ─▶ city.readings.v1, city.events.v1
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.config.file import toml
from flows.config.kafka import KafkaSection, kafka_settings
from flows.kafka.topic_messages import Form, messages
from geo.cells import BeidouGrid
from indicators.layout import tile_number
from sim.city_writer import Progress, paced, records, write_surroundings
from sim.device_classes import METRICS
from sim.readings import Readings
from sim.simulation import Simulation
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_types import Outgoing
from sinks.kafka_writer import KafkaWriter

PARTITIONS = 4
"""Of a topic that is not there yet."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What has been sent: numbers of records and messages, topics that had to be made, how long it took."""

    readings: int
    events: int
    messages: int
    sensors: int
    topics_made: tuple[str, ...]
    bytes: int
    seconds: float
    readings_per_second: int


class TopicCity:
    """The readings of a city as messages.

    Sensors of a tile (BeiDou code of level 4) go to one partition, the tile's number modulo the partitions:
    engines deal their work out in the same way.

    Args:
        simulation: the city.
        topic: where the readings go.
        partitions: how many that has.
        form: what a message is.
        placed: whether readings carry the place of their sensor, for an engine without a registry.
    """

    def __init__(
        self, simulation: Simulation, topic: str, partitions: int, form: Form, *, placed: bool
    ) -> None:
        devices, grid = simulation.city.devices, BeidouGrid()
        self._ids, self._metrics = devices.sensor_ids, pl.Series(METRICS)
        self._topic, self._form, self._placed = topic, form, placed
        self._lon, self._lat = devices.lon, devices.lat
        tiles = grid.tile(grid.cells(devices.lon, devices.lat))
        self._partition: NDArray[np.int64] = tile_number(tiles) % partitions

    def messages(self, readings: Readings) -> list[Outgoing]:
        """The messages for some readings."""
        columns: dict[str, Any] = {
            "sensor_id": self._ids.gather(readings.device),
            "metric": self._metrics.gather(readings.metric),
            "value": readings.value,
            "ts": readings.ts,
        }
        if self._placed:
            columns |= {"lon": self._lon[readings.device], "lat": self._lat[readings.device]}
        where = self._partition[readings.device]
        return list(messages(pl.DataFrame(columns), where, self._topic, self._form))


def send_city(  # noqa: PLR0913 - what is sent, where to, and how
    simulation: Simulation,
    section: KafkaSection,
    form: Form = "json",
    *,
    to: Path | None = None,
    speed: float | None = None,
    progress: Progress | None = None,
) -> Sent:
    """Send a city to the topics of a configuration; ``to``: a folder for what a replay reads beside.

    Without ``to`` there is no sensor registry, so every reading carries its place.

    Raises:
        ValueError: the configuration names no cluster or no topic, or the city cannot be made.
        KafkaAwayError: no broker answers.
        OSError: a broker refuses, or the folder cannot be written to.
    """
    settings = kafka_settings(section)
    if section.readings is None or section.events is None:
        raise ValueError(
            "[kafka]: readings and events must name topics; found none; write e.g. readings = 'r'"
        )
    topics = (section.readings, section.events)
    made, partitions = _topics(KafkaAdmin(settings), topics)
    city, extra = simulation.city, simulation.happenings
    if to is not None:
        write_surroundings(city, to, extra, _inputs(section))
    encode = TopicCity(simulation, section.readings, partitions, form, placed=to is None)
    began = time.perf_counter()
    readings = events = count = size = 0
    with KafkaWriter(settings, patience=settings.timeout * 3) as writer:
        for until, arrived, cases in paced(records(city, extra), city.start, speed):
            batch = [_case(section.events, case) for case in cases] + encode.messages(arrived)
            if too_large := writer.send(batch):
                raise ValueError(
                    f"{too_large[0].topic}: {len(too_large[0].value)} bytes are too large for it"
                )
            readings, events, count = readings + len(arrived), events + len(cases), count + len(batch)
            size += sum(len(one.value) for one in batch)
            if progress:
                progress(until - city.start, city.end - city.start, readings)
    seconds = time.perf_counter() - began
    rate = round(readings / seconds)
    return Sent(readings, events, count, len(city.devices), made, size, round(seconds, 3), rate)


def _topics(admin: KafkaAdmin, names: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Make the topics that are not there; their names, and the partitions of the first topic."""
    known = admin.topics()
    made = tuple(name for name in names if name not in known and admin.create(name, PARTITIONS, -1))
    return made, len(known[names[0]].leaders) if names[0] in known else PARTITIONS


def _case(topic: str, record: dict[str, Any]) -> Outgoing:
    key = str(record["event_id"]).encode()
    return Outgoing(topic, msgspec.json.encode(record), key, (("content-type", b"application/json"),))


def _inputs(section: KafkaSection) -> str:
    """The section of ``city.toml`` that says where these records are."""
    default = KafkaSection()
    names = ("bootstrap_servers", "readings", "events", "security", "mechanism", "user", "ca")
    chosen = {name: getattr(section, name) for name in names if getattr(section, name) is not None}
    lines = [f"{n} = {toml(v)}\n" for n, v in chosen.items() if v != getattr(default, n)]
    return "[kafka]\n" + "".join(lines)
