"""Sensors that are wrong, in an engine on Kafka: two processes make of them what one and a replay do."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from flows.config.configuration import Configuration
from flows.live.run import Engine
from flows.replay.replaying import replay
from flows.scores.settings import ScoreSettings
from tests.kafka.broker import Cluster
from tests.kafka.city_topics import Topics, closed_by, dealt, same_alerts, same_values
from tests.kafka.live_engine import LiveEngine, run_until_read
from tests.kafka.topics import content, values
from tests.replays import replay_options, write_records

PARTITIONS = 4
BEGIN = 1_772_380_800_000
"""2026-03-02 00:00 in Shanghai."""
STEP = 300_000
STEPS, TAPS = 280, 10
FAR = 6
"""Taps from this one on stand in tiles of their own, which other lanes hold."""
STUCK, NOISY, BURST = 2, 8, 4
"""Taps: stuck from step 150 to 210, noisy from 160 on, without pressure for an hour from 230 on."""


def place(tap: int) -> float:
    """The longitude of a tap."""
    return round(114.3 + 0.001 * tap + 0.07 * max(tap - FAR + 1, 0), 3)


def readings() -> Iterator[dict[str, Any]]:
    """Pressure every five minutes; noise takes a tap below what is allowed now and then."""
    rng = np.random.default_rng(7)
    value = rng.normal(0.3, 0.004, (STEPS, TAPS))
    value[150:210, STUCK] = round(float(value[149, STUCK]), 4)
    value[160:, NOISY] += rng.normal(0.0, 0.12, STEPS - 160)
    value[230:242, BURST] -= 0.2
    for step in range(STEPS):
        for tap in range(TAPS):
            yield {
                "sensor_id": f"tap-{tap}",
                "metric": "tap_pressure",
                "ts": BEGIN + step * STEP + 1_000 * tap,
                "lon": place(tap),
                "lat": 30.6,
                "value": round(float(max(value[step, tap], 0.0)), 4),
            }


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    taps = ([f"tap-{tap}", place(tap), 30.6, "tap_pressure"] for tap in range(TAPS))
    folder = tmp_path_factory.mktemp("city") / "taps"
    write_records(folder, readings(), [["sensor_id", "lon", "lat", "metric"], *taps])
    (folder / "events.jsonl").touch()
    closed_by(folder, PARTITIONS)
    return folder


@pytest.fixture(scope="module")
def topics(city: Path, kafka: Cluster) -> Topics:
    topics = Topics(kafka, PARTITIONS)
    topics.send("readings", (city / "readings.jsonl").read_text().splitlines(), batch=20)
    topics.send("events", (city / "events.jsonl").read_text().splitlines())
    return topics


@pytest.fixture(scope="module")
def whole(city: Path, topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A replay of files that hold what the partitions hold."""
    options = replay_options(city, tmp_path_factory.mktemp("whole"), quarantine=ScoreSettings())
    files = dealt(city, topics)
    options.readings[:], options.events[:] = files["readings"], files["events"]
    replay(options)
    return options.out


def configured(topics: Topics, city: Path, work: Path, **kafka: str) -> Configuration:
    config = topics.settings(city, work, clock="source")
    config.anomaly.enabled, config.anomaly.quarantine, config.anomaly.holidays = False, True, "none"
    for name, topic in kafka.items():
        setattr(config.kafka, name, topic)
    return config


def faults(out: Path) -> list[dict[str, Any]]:
    """What was told of sensors before the taps ended, at which all fall silent."""
    told = [json.loads(line) for line in (out / "sensor_faults.jsonl").read_text().splitlines() if line]
    before = [one for one in told if one["decided_ts"] <= BEGIN + STEPS * STEP]
    return sorted(before, key=lambda one: (one["decided_ts"], one["fault_id"], one["seq"]))


def same_faults(work: Path, whole: Path) -> None:
    """All that is told of sensors is what a replay tells."""
    told = faults(whole)
    assert faults(work / "out") == told
    raised = {(one["sensor"], one["fault"]) for one in told if one["quarantined"] and not one["seq"]}
    assert raised == {(f"tap-{STUCK}", "stuck"), (f"tap-{NOISY}", "noise")}


def test_one_process_keeps_apart_what_a_replay_does(
    city: Path, topics: Topics, whole: Path, tmp_path: Path
) -> None:
    run_until_read(Engine(configured(topics, city, tmp_path)), topics)
    same_faults(tmp_path, whole)
    same_values(tmp_path, whole)
    same_alerts(tmp_path, whole)


def told_of(engine: LiveEngine, workers: int) -> float:
    """How many faults of sensors its processes have told of since they were started."""
    found = engine.metrics(workers)
    return sum(value for name, value in found.items() if name.startswith("yiwang_sensor_faults_total"))


@pytest.mark.slow
def test_two_processes_one_of_which_dies_keep_the_same_apart_and_publish_what_that_changes(
    city: Path, topics: Topics, whole: Path, tmp_path: Path, kafka: Cluster
) -> None:
    alerts, indicators = kafka.topic(2), kafka.topic(2)
    config = configured(topics, city, tmp_path, alerts=alerts, indicators=indicators)
    config.engine.recovery, config.engine.snapshot_every = str(tmp_path / "state"), 2.0
    config.engine.pace = 15_000.0
    engine = LiveEngine(config, tmp_path)
    try:
        engine.start(2)
        engine.until(lambda: told_of(engine, 2) > 0 and engine.has_points(2, 2))
        engine.kill_one()
        engine.until(lambda: "all processes are started again" in engine.said())
        engine.until(lambda: engine.has_read(PARTITIONS * sum(map(bool, topics.names.values())), 2))
        engine.rest(2)
        assert engine.stop() == 0, engine.said()
    finally:
        engine.kill()
    same_faults(tmp_path, whole)
    same_values(tmp_path, whole)
    same_alerts(tmp_path, whole)
    lines = values(content(kafka, alerts))
    assert sorted(lines) == sorted((tmp_path / "out" / "alerts.jsonl").read_bytes().splitlines())
    told = [json.loads(line) for line in lines]
    noisy = next(one for one in faults(whole) if one["fault"] == "noise")
    taken_back = {one["alert_id"] for one in told if one["transition"] == "retracted"}
    assert taken_back & {one["alert_id"] for one in told if one["area"] == noisy["cell"]}
    assert_revised(whole, values(content(kafka, indicators)), noisy)


def assert_revised(whole: Path, messages: list[bytes], fault: dict[str, Any]) -> None:
    """Windows of the city that a fault touched before it was known went out anew, as in a replay."""
    tables = [pl.DataFrame(pl.from_arrow(pa.ipc.open_stream(io.BytesIO(m)).read_all())) for m in messages]
    key = ["indicator", "area", "window_end"]
    pressure = pl.col("indicator") == "water_supply.pressure_min"
    end = pl.col("window_end").dt.epoch("ms")
    touched = (
        pressure & (pl.col("kind") == "city") & end.is_between(fault["since"] + STEP, fault["decided_ts"])
    )
    sent = pl.concat(tables).with_columns(pl.col("indicator", "area", "kind").cast(pl.String)).filter(touched)
    kept = pl.read_parquet(whole / "indicators.parquet")
    kept = kept.with_columns(pl.col("indicator", "area", "kind").cast(pl.String)).filter(touched).sort(key)
    last = sent.sort("revision").unique(key, keep="last").sort(key)
    assert last.filter(pl.col("revision") > 0).height > 5
    assert last.select(*key, "revision", "value").equals(kept.select(*key, "revision", "value"))
