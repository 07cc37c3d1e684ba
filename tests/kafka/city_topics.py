"""A city's files as messages of topics, dealt to partitions as gateways do; what an engine made of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from polars.testing import assert_frame_equal

from flows.config.configuration import Configuration
from sinks.history_hours import KEY
from sinks.kafka_types import Outgoing
from sinks.kafka_writer import KafkaWriter
from tests.kafka.broker import Cluster

KINDS = ("readings", "events", "feedback")
NO_OUTPUTS = {"alerts": "", "dead_letters": False}
_KEYS = {"readings": "sensor_id", "events": "event_id", "feedback": "incident_id"}


@dataclass(slots=True)
class Topics:
    """The three input topics of one test."""

    cluster: Cluster
    partitions: int
    names: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        # The mock makes a topic when it is first written to, and nobody writes feedback here.
        kinds = KINDS if self.cluster.real else KINDS[:2]
        self.names = {"feedback": "", **{kind: self.cluster.topic(self.partitions) for kind in kinds}}

    def outgoing(self, kind: str, lines: Iterable[str], batch: int = 1) -> Iterator[Outgoing]:
        """Messages of so many records each; a sensor's all go to one partition, in order."""
        waiting: dict[int, list[str]] = {}
        for line in lines:
            partition = self._partition(kind, line)
            if batch == 1 or not line.startswith("{"):
                yield Outgoing(self.names[kind], line.encode(), partition=partition)
                continue
            held = waiting.setdefault(partition, [])
            held.append(line)
            if len(held) == batch:
                yield self._array(kind, partition, waiting.pop(partition))
        for partition, held in waiting.items():
            yield self._array(kind, partition, held)

    def send(self, kind: str, lines: Iterable[str], batch: int = 1) -> None:
        """Write records; returns when the broker has them."""
        with KafkaWriter(self.cluster.settings) as writer:
            assert not writer.send(list(self.outgoing(kind, lines, batch)))

    def _array(self, kind: str, partition: int, lines: list[str]) -> Outgoing:
        return Outgoing(self.names[kind], f"[{','.join(lines)}]".encode(), partition=partition)

    def _partition(self, kind: str, line: str) -> int:
        try:
            key = str(json.loads(line)[_KEYS[kind]])
        except (ValueError, KeyError, TypeError):
            key = line
        return zlib.crc32(key.encode()) % self.partitions

    def settings(self, city: Path, work: Path, **engine: Any) -> Configuration:
        """A configuration that reads these topics; outputs and state are under ``work``."""
        raw = {
            "city": {"sensors": str(city / "sensors.csv")},
            "kafka": {"bootstrap_servers": self.cluster.servers, **self.names, **NO_OUTPUTS},
            "engine": {"out": str(work / "out"), "idle_after": 3.0, **engine},
            "history": {"folder": str(work / "history")},
        }
        return msgspec.convert(raw, Configuration)


def values(history: Path) -> pl.DataFrame:
    """The last revision of every window in a history."""
    rows = pl.read_parquet(history / "**/*.parquet")
    return rows.sort(*KEY, "revision").unique(KEY, keep="last", maintain_order=True).sort(KEY)


def closed_by(city: Path, partitions: int) -> None:
    """Let the files end with records, for every partition, three hours later: they close all before."""
    last = json.loads((city / "readings.jsonl").read_text().splitlines()[-1])["ts"] + 3 * 3_600_000
    place = {"lon": 114.3, "lat": 30.6}
    count = 40 * partitions
    with (city / "readings.jsonl").open("a") as file:
        for i in range(count):
            record = {"sensor_id": f"end-{i % (5 * partitions)}", "metric": "gas_lel", "value": 0, **place}
            file.write(json.dumps({**record, "ts": last + i}) + "\n")
    with (city / "events.jsonl").open("a") as file:
        for i in range(count):
            record = {"event_id": f"end-{i % (5 * partitions)}", "type": "ev_gas_leak", "status": "reported"}
            file.write(json.dumps({**record, **place, "ts": last + i}) + "\n")


def dealt(city: Path, topics: Topics) -> dict[str, list[Path]]:
    """The files of a city, one for each partition: what a replay of the topics would read."""
    found: dict[str, list[Path]] = {}
    for kind in ("readings", "events"):
        lines: list[list[str]] = [[] for _ in range(topics.partitions)]
        for message in topics.outgoing(kind, (city / f"{kind}.jsonl").read_text().splitlines()):
            lines[message.partition].append(message.value.decode() + "\n")
        found[kind] = [city / f"{kind}-{number}.jsonl" for number in range(topics.partitions)]
        for path, own in zip(found[kind], lines, strict=True):
            path.write_text("".join(own))
    return found


def same_values(work: Path, whole: Path) -> None:
    """All values of windows that the engine has closed are those of a replay."""
    expected = pl.read_parquet(whole / "indicators.parquet").sort(KEY)
    end = expected["window_end"].max()
    until = pl.col("window_end") < end - pl.duration(hours=2)
    found = values(work / "history").select(expected.columns)
    assert_frame_equal(found.filter(until), expected.filter(until))
    assert expected.filter(until).height > 2_000


def same_alerts(work: Path, whole: Path) -> None:
    """All transitions are those of a replay, each once."""
    ends = pl.read_parquet(whole / "indicators.parquet")["window_end"].dt.epoch("ms")
    last = max(ends.to_list()) - 2 * 3_600_000
    told = {
        name: [line for line in path.read_bytes().splitlines() if json.loads(line)["decided_ts"] < last]
        for name, path in {"live": work / "out" / "alerts.jsonl", "whole": whole / "alerts.jsonl"}.items()
    }
    assert sorted(told["live"]) == sorted(told["whole"])
    assert len(told["live"]) > 10
