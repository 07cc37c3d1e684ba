"""A live engine on Kafka knows what a replay of the same partitions knows, however it was stopped."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from flows.live.run import Engine
from flows.replay.replaying import replay
from tests.kafka.broker import Cluster
from tests.kafka.city_topics import Topics, closed_by, dealt, same_alerts, same_values
from tests.kafka.live_engine import LiveEngine, run_until_read
from tests.replays import make_city, replay_options

PARTITIONS = 4
"""As many as the mock gives every topic."""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=45, seed=11)
    closed_by(folder, PARTITIONS)
    return folder


@pytest.fixture(scope="module")
def topics(city: Path, kafka: Cluster) -> Topics:
    """The city in topics: some readings one by one, most as arrays."""
    topics = Topics(kafka, PARTITIONS)
    lines = (city / "readings.jsonl").read_text().splitlines()
    cut = len(lines) // 4
    topics.send("readings", lines[:cut])
    topics.send("readings", lines[cut:], batch=50)
    topics.send("events", (city / "events.jsonl").read_text().splitlines())
    return topics


@pytest.fixture(scope="module")
def whole(city: Path, topics: Topics, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A replay of files that hold what the partitions hold."""
    out = tmp_path_factory.mktemp("whole")
    options = replay_options(city, out)
    files = dealt(city, topics)
    options.readings[:], options.events[:] = files["readings"], files["events"]
    replay(options)
    return out


@pytest.mark.parametrize("lanes", [1, 4])
def test_topics_give_what_a_replay_of_their_partitions_gives(
    city: Path, topics: Topics, whole: Path, tmp_path: Path, lanes: int
) -> None:
    engine = Engine(topics.settings(city, tmp_path, clock="source", lanes=lanes))
    summary = run_until_read(engine, topics)
    counted = json.loads((whole / "summary.json").read_text())
    names = ("received", "accepted", "rejected", "duplicates", "late", "readings", "events")
    assert {n: getattr(summary, n) for n in names} == {n: counted[n] for n in names}
    same_values(tmp_path, whole)
    same_alerts(tmp_path, whole)


@pytest.mark.slow
def test_processes_that_die_and_other_numbers_of_them_leave_no_trace(
    city: Path, topics: Topics, whole: Path, tmp_path: Path
) -> None:
    options = {"clock": "source", "recovery": str(tmp_path / "state"), "snapshot_every": 1.0}
    engine = LiveEngine(topics.settings(city, tmp_path, **options, pace=120.0), tmp_path)
    partitions = PARTITIONS * sum(map(bool, topics.names.values()))
    try:
        for workers, how in ((2, "one"), (1, "all"), (4, "stop")):
            engine.start(workers)
            engine.until(partial(engine.has_points, workers, 2 * workers))
            if how == "one":
                engine.kill_one()
                engine.until(lambda: "all processes are started again" in engine.said())
                engine.until(lambda: engine.points(2) >= 4)
            if how == "stop":
                assert engine.stop() == 0, engine.said()
            else:
                engine.kill()
        engine.config.engine.pace = None
        engine.start(2)
        engine.until(lambda: engine.has_read(partitions, 2))
        engine.rest(2)
        assert engine.stop() == 0, engine.said()
    finally:
        engine.kill()
    counted, summary = json.loads((whole / "summary.json").read_text()), engine.summary()
    names = ("received", "accepted", "rejected", "duplicates", "late", "readings", "events")
    assert {n: summary[n] for n in names} == {n: counted[n] for n in names}
    same_values(tmp_path, whole)
    same_alerts(tmp_path, whole)
