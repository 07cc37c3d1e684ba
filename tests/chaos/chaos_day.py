"""A simulated day as messages in the order in which gateways send them, good ones and bad ones."""

from __future__ import annotations

import heapq
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter
from pathlib import Path
from random import Random

from sim.city_writer import Happenings, write_city
from sim.disorder import Disorder
from sinks.kafka_types import Outgoing
from sinks.kafka_writer import KafkaWriter
from tests.kafka.city_topics import Topics
from tests.replays import some_cases, stormy_city

YEAR = 365 * 86_400_000
_LEFT_OUT = 0.1


def write_day(folder: Path, sensors: int, hours: float, seed: int, cases: int) -> Path:
    """A city whose day ended an hour ago; a few readings are spoiled, some carry stamps a year ahead."""
    begin = (int(time.time() * 1000) // 60_000) * 60_000 - int((hours + 1) * 3_600_000)
    city = stormy_city(sensors, hours * 60, seed, begin)
    write_city(city, folder, Happenings(some_cases(city, cases), Disorder(seed, 0.02, 0.01, 0.01)))
    path, random = folder / "readings.jsonl", Random(seed)  # noqa: S311 - any will do
    lines = []
    for line in path.read_text().splitlines():
        lines.append(line)
        if random.random() < 1 / 400:
            reading = json.loads(line)
            lines.append(json.dumps({**reading, "ts": _milliseconds(reading["ts"], begin) + YEAR}))
        if random.random() < 1 / 1_000:
            lines.append('{"sensor_id": "broken", "metric"')
    path.write_text("\n".join(lines) + "\n")
    return folder


def _milliseconds(ts: object, otherwise: int) -> int:
    return ts if isinstance(ts, int) else otherwise


def day_end(city: Path) -> float:
    """A minute before the last events of a day, seconds since 1970."""
    lines = (city / "events.jsonl").read_text().splitlines()
    stamps = sorted(_milliseconds(json.loads(line)["ts"], 0) for line in lines)
    return stamps[len(stamps) * 99 // 100] / 1000 - 60


@dataclass(slots=True)
class Feeder:
    """Sends a day in so many seconds, in a thread; a broker that is away is waited for."""

    topics: Topics
    messages: Sequence[Outgoing]
    seconds: float
    sent: int = 0
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether all has been sent."""
        return self.sent == len(self.messages)

    def _run(self) -> None:
        begun = time.monotonic()
        with KafkaWriter(self.topics.cluster.settings) as writer:
            while not self.done:
                passed = (time.monotonic() - begun) / self.seconds
                until = min(int(passed * len(self.messages)) + 1, len(self.messages))
                if until > self.sent:
                    writer.send(self.messages[self.sent : until])
                    self.sent = until
                time.sleep(_LEFT_OUT)


def messages_of(city: Path, topics: Topics) -> list[Outgoing]:
    """The day's messages in the order in which they are sent: arrays of a few readings, events one by one."""
    readings = list(topics.outgoing("readings", (city / "readings.jsonl").read_text().splitlines(), 5))
    lines = (city / "events.jsonl").read_text().splitlines()
    events = list(topics.outgoing("events", lines))
    # Sensors send at all times alike, so the share of the day that is over is that of the readings.
    passed = list(accumulate((_milliseconds(json.loads(line)["ts"], 0) for line in lines), max))
    begin, end = passed[0], passed[-1]
    places = [(at - begin) * len(readings) // (end - begin) for at in passed]
    numbered = heapq.merge(enumerate(readings), zip(places, events, strict=True), key=itemgetter(0))
    return [message for _, message in numbered]
