"""An engine on a guarded Kafka and Redis: it works with its rights, and logs no secret and no note."""

from __future__ import annotations

import base64
import json
import shutil
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flows.config.configuration import Configuration
from flows.replay.processes import free_ports
from sinks.kafka_contents import DLQ
from sinks.kafka_types import Outgoing
from sinks.kafka_writer import KafkaWriter
from sinks.redis_server import embedded_server
from tests.kafka.broker import Cluster, chosen
from tests.kafka.guarded import guarded_cluster
from tests.kafka.live_engine import LiveEngine
from tests.kafka.topics import content, values
from tests.redis_servers import server_program
from tests.replays import make_city

KINDS = ("readings", "events", "feedback")
INPUTS = {kind: f"city.{kind}.v1" for kind in KINDS}
ALERTS = "city.alerts.v1"
PASSWORD, REDIS_PASSWORD = "yiwang-secret", "redis-secret-7c1d"
NOTE = "居民王某，电话 13900000000"
NEVER = (
    *(PASSWORD, REDIS_PASSWORD, NOTE, "13900000000"),
    *(json.dumps(NOTE)[1:-1], base64.b64encode(NOTE.encode()).decode()),
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if chosen() != "maven" or shutil.which("keytool") is None:
        pytest.skip("a broker with logins and rights needs Java and Maven")
    topics = (*INPUTS.values(), ALERTS, *(topic + DLQ for topic in INPUTS.values()))
    with guarded_cluster(tmp_path_factory.mktemp("tls"), topics) as running:
        yield running


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Redis that wants a password, which is in the environment."""
    monkeypatch.setenv("YIWANG_REDIS_PASSWORD", REDIS_PASSWORD)
    monkeypatch.setenv("YIWANG_KAFKA_PASSWORD", PASSWORD)
    port = free_ports(1)[0]
    with embedded_server(port, program=server_program(), options=("--requirepass", REDIS_PASSWORD)):
        yield f"redis://default@127.0.0.1:{port}/0"


def configured(cluster: Cluster, redis: str, city: Path, work: Path) -> Configuration:
    raw: dict[str, Any] = {
        "city": {"sensors": str(city / "sensors.csv")},
        "kafka": {
            "bootstrap_servers": cluster.servers,
            "security": "sasl_ssl",
            "mechanism": "SCRAM-SHA-512",
            "user": "yiwang",
            "ca": str(cluster.login["ssl.ca.location"]),
        },
        "engine": {
            "out": str(work / "out"),
            "recovery": str(work / "state"),
            "clock": "source",
            "lanes": 1,
            "snapshot_every": 1.0,
        },
        "redis": {"url": redis},
    }
    return msgspec.convert(raw, Configuration)


def send(cluster: Cluster, kind: str, records: Iterable[bytes]) -> None:
    with KafkaWriter(cluster.settings) as gateway:
        assert not gateway.send([Outgoing(INPUTS[kind], record, partition=0) for record in records])


def noted(lines: Iterable[str]) -> Iterator[bytes]:
    """Cases with notes, and records with notes that cannot be taken."""
    for line in lines:
        yield json.dumps(json.loads(line) | {"note": NOTE}).encode()
    yield json.dumps({"event_id": "e", "note": NOTE, "ts": "noon"}).encode()
    yield f'{{"event_id": "e", "note": "{NOTE}"'.encode()


def reports(work: Path) -> Iterator[bytes]:
    """What departments report on the first alerts, with notes: legal, illegal, about nothing, and no JSON."""
    lines = (work / "out" / "alerts.jsonl").read_text().splitlines()
    raised = [one for one in map(json.loads, lines) if one["transition"] == "raised"]
    assert len(raised) > 2
    for alert, action in zip(raised, ("dispatch", "close", "reopen"), strict=False):
        ts = alert["decided_ts"] + 1_000
        said = {"incident_id": f"I{alert['alert_id']}", "action": action, "actor": "水务局", "ts": ts}
        yield json.dumps({**said, "note": NOTE}).encode()
        yield json.dumps({**said, "incident_id": "I0000000000000000", "note": NOTE}).encode()
    yield f'{{"note": "{NOTE}", '.encode()


def told(engine: LiveEngine, *, since: int = 0) -> str:
    """All that it has logged, and its metrics."""
    url = f"http://127.0.0.1:{engine.port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        metrics: str = answer.read().decode()
    return (engine.folder / "log").read_bytes()[since:].decode() + metrics


def test_a_guarded_run_keeps_all_and_logs_no_secret(cluster: Cluster, redis: str, tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=60, minutes=30, seed=11)
    config = configured(cluster, redis, city, tmp_path)
    engine = LiveEngine(config, tmp_path / "engine")
    lines = (city / "readings.jsonl").read_bytes().splitlines()
    cut = len(lines) // 2
    logged = ["", ""]
    try:
        send(cluster, "readings", lines[:cut])
        send(cluster, "events", noted((city / "events.jsonl").read_text().splitlines()))
        config.log = msgspec.structs.replace(config.log, format="console", language="zh", level="debug")
        engine.start()
        engine.until(lambda: engine.has_read(3))
        engine.rest()
        logged[0] = told(engine)
        assert engine.stop() == 0, engine.said()
        begun = (engine.folder / "log").stat().st_size

        send(cluster, "readings", lines[cut:])
        send(cluster, "feedback", reports(tmp_path))
        config.log = msgspec.structs.replace(config.log, format="json", language="en")
        engine.start()
        engine.until(lambda: engine.has_read(3))
        engine.rest()
        logged[1] = told(engine, since=begun)
        assert engine.stop() == 0, engine.said()
    finally:
        engine.kill()
    assert "已开始运行" in logged[0]
    assert '"event": "run.started"' in logged[1]
    whole = "".join(logged) + (engine.folder / "log").read_text()
    assert [word for word in NEVER if word in whole] == []
    assert NOTE in (tmp_path / "out" / "incidents.jsonl").read_text(), "it is kept where it belongs"
    alerts = (tmp_path / "out" / "alerts.jsonl").read_bytes().splitlines()
    assert sorted(values(content(cluster, ALERTS))) == sorted(alerts)
    rejects = list(map(json.loads, (tmp_path / "out" / "rejects.jsonl").read_bytes().splitlines()))
    letters = [
        json.loads(value) for topic in INPUTS.values() for value in values(content(cluster, topic + DLQ))
    ]
    keys = [
        [(one["source"], one["partition"], one["offset"], one["index"], one["reason"]) for one in found]
        for found in (letters, rejects)
    ]
    assert sorted(keys[0]) == sorted(keys[1])
    assert {one["source"] for one in letters} == set(INPUTS.values())
    assert any(NOTE in base64.b64decode(one["raw_base64"]).decode() for one in letters)
