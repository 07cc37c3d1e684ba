"""Records in, dead letters out, corrected records back in: each once, with an engine killed on the way."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.letters.letters import letters_of_file, letters_of_topics
from tests.kafka.broker import Cluster
from tests.kafka.city_topics import Topics
from tests.kafka.live_engine import LiveEngine
from tests.replays import make_city

PARTITIONS = 3
MISNAMED = 40


def spoil(folder: Path) -> int:
    """Add records that cannot be taken, here and there; the latest time of all, ms."""
    lines = (folder / "readings.jsonl").read_text().splitlines()
    last = max(int(json.loads(line)["ts"]) for line in lines)
    place = {"lon": 114.3, "lat": 30.6}
    step = len(lines) // MISNAMED
    for i in range(MISNAMED):
        ts = json.loads(lines[i * step])["ts"]
        record = {"sensor_id": f"gateway-{i}", "metric": "gass", "value": 1.5, "ts": ts, **place}
        lines.insert(i * step, json.dumps(record))
    naive = '{"sensor_id":"x","metric":"gas_lel","value":1,"ts":"noon"}'
    for i, bad in enumerate(("nonsense", naive, "[]{")):
        lines.insert(100 * i, bad)
    (folder / "readings.jsonl").write_text("\n".join(lines) + "\n")
    return last


def dlq(config: Path, *more: str) -> Any:
    words = ["dlq", "redrive", "--config", str(config), "--json", *more]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.slow
def test_refused_records_come_back_once_corrected(real_kafka: Cluster, tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=60, minutes=45, seed=11)
    end = spoil(city)
    topics = Topics(real_kafka, PARTITIONS)
    for kind in ("readings", "events"):
        topics.send(kind, (city / f"{kind}.jsonl").read_text().splitlines(), batch=20)
    config = topics.settings(
        city, tmp_path / "work", clock="source", recovery=str(tmp_path / "state"), snapshot_every=0.3, lanes=4
    )
    config.engine.batch_size, config.engine.pace = 100, 400.0
    config.kafka.dead_letters = True
    engine = LiveEngine(config, tmp_path / "engine")
    for workers in (1, 2):
        engine.start(workers)
        engine.until(partial(engine.has_points, workers, 3))
        engine.kill()
    config.engine.pace = None
    everything = PARTITIONS * 3
    engine.start()
    engine.until(lambda: engine.has_read(everything))
    engine.until(lambda: engine.has_points(1, 3))
    assert engine.stop() == 0
    received = engine.summary()["received"]

    letters = list(letters_of_topics(real_kafka.settings, [topics.names["readings"] + ".dlq"]))
    counts = Counter(letter.key for letter in letters)
    assert set(counts.values()) == {1}
    local = {letter.key for letter in letters_of_file(tmp_path / "work" / "out" / "rejects.jsonl")}
    assert set(counts) == {key for key in local if key.startswith(topics.names["readings"])}
    reasons = Counter(letter.reason for letter in letters)
    assert reasons["unknown_metric"] == MISNAMED
    assert reasons["bad_json"] >= 2

    path = tmp_path / "engine" / "city.toml"
    choice = ("--reason", "unknown_metric", "--set", "metric=gas_lel", "--set", f"ts={end}")
    assert dlq(path, *choice)["redriven"] == MISNAMED
    assert dlq(path, *choice)["already"] == MISNAMED
    engine.start()
    engine.until(lambda: engine.has_read(everything))
    engine.until(lambda: engine.has_points(1, 3))
    assert engine.stop() == 0
    after = engine.summary()
    assert after["received"] == int(str(received)) + MISNAMED
    again = list(letters_of_topics(real_kafka.settings, [topics.names["readings"] + ".dlq"]))
    assert len(again) == len(letters), [one for one in again if one.key not in counts]
