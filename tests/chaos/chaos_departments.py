"""Departments of the city: they read the alerts as anybody does, and report what they do about incidents."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from alerts.incident import incident_id
from alerts.life_cycle import ACTIONS
from sinks.kafka_reader import KafkaReader
from sinks.kafka_writer import KafkaWriter
from tests.kafka.city_topics import Topics

USUAL = ("dispatch", "acknowledge", "arrive", "resolve", "verify", "close")
_STRANGE = 0.15


def report_on(alert: dict[str, Any]) -> list[dict[str, Any]]:
    """What is done about an alert that was raised: mostly in order, now and then what is not legal.

    >>> alert = {"alert_id": "00ab", "transition": "raised", "decided_ts": 60_000}
    >>> [one["incident_id"] for one in report_on(alert)][0], report_on({**alert, "transition": "cleared"})
    ('I00ab', [])
    """
    if alert["transition"] != "raised":
        return []
    random = Random(alert["alert_id"])  # noqa: S311 - any will do
    name, ts = incident_id(alert["alert_id"]), alert["decided_ts"]
    found = []
    for usual in USUAL[: random.randint(1, len(USUAL))]:
        ts += random.randint(1, 600_000)
        action = random.choice(ACTIONS) if random.random() < _STRANGE else usual
        known = f"I{random.getrandbits(64):016x}" if random.random() < _STRANGE / 3 else name
        found.append({"incident_id": known, "action": action, "actor": "市水务局", "ts": ts})
    return found


@dataclass(slots=True)
class Departments:
    """Reads a topic of alerts and writes feedback, in a thread, until it is stopped."""

    topics: Topics
    alerts: str
    partitions: int
    sent: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Report nothing more; returns when all that was reported is in its topic."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        settings = self.topics.cluster.settings
        committed = {"isolation.level": "read_committed"}
        with KafkaReader(settings, "departments", committed) as reader, KafkaWriter(settings) as writer:
            reader.assign({(self.alerts, number): 0 for number in range(self.partitions)})
            while not self._over.is_set():
                told = (json.loads(one.value() or b"") for one in reader.read(100, 0.2))
                lines = [json.dumps(one) for alert in told for one in report_on(alert)]
                writer.send(list(self.topics.outgoing("feedback", lines)))
                self.sent += len(lines)


def actions_of(incidents: Iterable[dict[str, Any]]) -> dict[str, tuple[str, list[tuple[str, int]]]]:
    """Of every incident somebody did something about: its status, and what was done when, in order."""
    found = {}
    for one in incidents:
        done = [(step["change"], step["ts"]) for step in one["history"] if "actor" in step]
        if done:
            found[one["incident_id"]] = (one["status"], done)
    return found
