"""A catalogue that changes while processes read Kafka: all change at once, as a replay of it does."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.control.control_watch import Journal
from flows.replay.replaying import replay
from sinks.kafka_types import Outgoing
from sinks.kafka_writer import KafkaWriter
from tests.kafka.broker import Cluster
from tests.kafka.city_topics import Topics, closed_by, dealt, same_alerts, same_values
from tests.kafka.live_engine import LiveEngine
from tests.replays import MORNING, make_city, replay_options

PARTITIONS = 4
MINUTE = 60_000
MINUTES = 40
OWN = """
[[indicator]]
id = "own.{name}"
name_zh = "{name}"
name_en = "{name}"
theme = "emergency"
domain = "weather"
unit = "{unit}"
window = "{window}"
hop = "{hop}"
formula = "{formula}"
levels = {{ blue = {{ raise = 4 }}, red = {{ raise = 20 }} }}
"""
RAIN = OWN.format(name="rain", unit="mm", window="30m", hop="5m", formula="highest(sum(rain_1m))")
GAS = OWN.format(name="gas", unit="%", window="5m", hop="1m", formula="highest(max(gas_lel))")
GAS += "early = true\n"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random city, and gas in eight tiles that comes and goes: early values ask for what was before."""
    folder = make_city(tmp_path_factory.mktemp("city"), sensors=50, minutes=MINUTES, seed=11)
    path = folder / "readings.jsonl"
    lines = [(_stamp(line), line) for line in path.read_text().splitlines()]
    for number in range(8):
        sensor = {
            "sensor_id": f"gas-{number}",
            "metric": "gas_lel",
            "lon": 114.2 + number * 0.05,
            "lat": 30.6,
        }
        for ts in range(MORNING + number, MORNING + MINUTES * MINUTE, 5_000):
            value = 30 if (ts // MINUTE + number) % 8 == 0 else 0.5
            lines.append((ts, json.dumps({**sensor, "value": value, "ts": ts})))
    path.write_text("".join(line + "\n" for _, line in sorted(lines, key=lambda one: one[0])))
    closed_by(folder, PARTITIONS)
    return folder


def _stamp(line: str) -> int:
    ts = json.loads(line)["ts"]
    return max(ts, MORNING) if isinstance(ts, int) else MORNING


def by_minute(city: Path) -> list[list[str]]:
    """The readings of each minute, and those that close all windows."""
    parts: list[list[str]] = [[] for _ in range(MINUTES + 1)]
    for line in (city / "readings.jsonl").read_text().splitlines():
        parts[min((_stamp(line) - MORNING) // MINUTE, MINUTES)].append(line)
    return parts


def as_told(journal: Journal, work: Path) -> dict[str, Path]:
    """What a run wrote down of its changes, as files of a replay."""
    lines = []
    for change in journal.read():
        folder = work / f"set-{change.number}"
        folder.mkdir()
        for name, text in change.catalogue:
            (folder / Path(name).name).write_text(text)
        lines.append(json.dumps({"ts": change.effective - 1, "catalogue": folder.name}))
    path = work / "control.jsonl"
    path.write_text("\n".join(lines[1:]) + "\n")
    return {"catalogue": work / "set-0", "control": path}


@dataclass
class Operator:
    """Changes the catalogue of an engine: its files, or messages of a control topic."""

    cluster: Cluster
    own: Path
    topic: str | None = None

    def change(self, name: str, text: str) -> None:
        (self.own / name).write_text(text)
        if self.topic is not None:
            files = {file.name: file.read_text() for file in self.own.glob("*.toml")}
            self.tell({"catalogue": files})

    def tell(self, message: dict[str, Any]) -> None:
        with KafkaWriter(self.cluster.settings) as writer:
            assert self.topic is not None
            assert not writer.send([Outgoing(self.topic, json.dumps(message).encode())])


@pytest.mark.parametrize("way", ["files", "topic"])
def test_a_change_amid_records_is_the_same_change_in_all_processes(
    city: Path, kafka: Cluster, tmp_path: Path, way: str
) -> None:
    topics = Topics(kafka, PARTITIONS)
    topics.names |= {"events": "", "feedback": ""}
    own = tmp_path / "own"
    own.mkdir()
    (own / "rain.toml").write_text(RAIN)
    options = {"clock": "source", "recovery": str(tmp_path / "state"), "lanes": 4, "idle_after": 60.0}
    config = topics.settings(city, tmp_path, **options)
    config.city.catalogue = str(own)
    operator = Operator(kafka, own, kafka.topic(1) if way == "topic" else None)
    config.kafka.control = operator.topic
    engine = LiveEngine(config, tmp_path)
    try:
        engine.start(2)
        engine.until(lambda: len(engine.metrics(2)) > 10)
        with KafkaWriter(kafka.settings) as writer:
            for minute, lines in enumerate(by_minute(city)):
                if minute == MINUTES:
                    engine.until(lambda: "change 2 counts" in engine.said())
                writer.send(list(topics.outgoing("readings", lines, 7)))
                time.sleep(0.1)
                if minute == MINUTES // 4:
                    operator.change("gas.toml", GAS)
                if minute == MINUTES // 2:
                    engine.until(lambda: "change 1 counts" in engine.said())
                    if way == "topic":
                        operator.tell({"catalogue": {"wrong.toml": GAS.replace("highest", "hihgest")}})
                        engine.until(lambda: "offset 1: wrong.toml:11:12" in engine.said())
                        engine.kill()
                        engine.start(2)
                    operator.change("rain.toml", RAIN.replace("sum(", "2 * sum("))
        engine.until(lambda: engine.has_read(PARTITIONS, 2))
        engine.rest(2)
        assert engine.stop() == 0, engine.said()
    finally:
        engine.kill()
    told = as_told(Journal(tmp_path / "state" / "control.jsonl"), tmp_path)
    whole = replay_options(city, tmp_path / "whole", **told)
    whole.readings[:], whole.events[:] = dealt(city, topics)["readings"], []
    assert replay(whole).changes == 2
    same_values(tmp_path, tmp_path / "whole")
    same_alerts(tmp_path, tmp_path / "whole")
