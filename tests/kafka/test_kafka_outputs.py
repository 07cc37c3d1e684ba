"""An engine that writes to Kafka, killed again and again: every transition is in the topic once."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from flows.config.file import toml
from flows.replay.replaying import replay
from tests.kafka.broker import Cluster
from tests.kafka.topics import content, values
from tests.replays import make_city, replay_options, running_until, still_runs_after

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=45, seed=11)


@contextmanager
def started(config: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "from flows.cli import main; main()", "run", f"--config={config}", *more]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        try:
            yield run
        finally:
            run.kill()


def configured(city: Path, folder: Path, kafka: Cluster, alerts: str, indicators: str) -> Path:
    sections: dict[str, dict[str, object]] = {
        "city": {"sensors": str(city / "sensors.csv")},
        "files": {"readings": [str(city / "readings.jsonl")], "events": [str(city / "events.jsonl")]},
        "engine": {
            "out": "out",
            "clock": "source",
            "recovery": "state",
            "snapshot_every": 0.3,
            "batch_size": 100,
        },
        "kafka": {"bootstrap_servers": kafka.servers, "alerts": alerts, "indicators": indicators},
    }
    lines = [
        line
        for name, options in sections.items()
        for line in (f"[{name}]", *(f"{key} = {toml(value)}" for key, value in options.items()))
    ]
    path = folder / "city.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.slow
def test_a_killed_engine_has_written_every_transition_once(
    city: Path, tmp_path: Path, kafka: Cluster
) -> None:
    alerts, indicators = kafka.topic(3), kafka.topic(2)
    config = configured(city, tmp_path, kafka, alerts, indicators)
    replay(replay_options(city, tmp_path / "whole"))
    before = 0
    for seconds in (0.4, 0.9, 0.2):
        with started(config, "--pace=300") as run:
            running_until(run, partial(has_more, kafka, alerts, before), 180)
            still_runs_after(run, seconds)
            run.send_signal(signal.SIGKILL)
            run.communicate()
        before = len(content(kafka, alerts))
    expected = {
        line
        for line in (tmp_path / "whole" / "alerts.jsonl").read_bytes().splitlines()
        if json.loads(line)["decided_ts"] < last(city)
    }
    with started(config) as run:
        running_until(run, lambda: expected <= set(values(content(kafka, alerts))), 180)
        run.terminate()
        _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said.decode()
    told = Counter(values(content(kafka, alerts)))
    assert len(expected) > 10
    assert set(told.values()) == {1}
    assert set(told) == set((tmp_path / "out" / "alerts.jsonl").read_bytes().splitlines())
    assert_values(
        tmp_path / "whole",
        [pa.ipc.open_stream(io.BytesIO(v)).read_all() for v in values(content(kafka, indicators))],
    )


def has_more(kafka: Cluster, topic: str, before: int) -> bool:
    return len(content(kafka, topic)) > before


def last(city: Path) -> int:
    """When the records end, less what a live engine still waits for."""
    return int(json.loads((city / "readings.jsonl").read_text().splitlines()[-1])["ts"]) - 120_000


def assert_values(whole: Path, tables: list[pa.Table]) -> None:
    """The last revisions of all rows are those of a replay, as far as the live engine has come."""
    key = ["indicator", "area", "kind", "window_end"]
    found = pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in tables])
    newest = found.sort("revision").unique(key, keep="last").sort(key)
    expected = pl.read_parquet(whole / "indicators.parquet").filter(pl.col("kind") != "cell").sort(key)
    both = newest.join(expected, on=[*key, "revision"], how="inner")
    assert both.height > 0.9 * min(newest.height, expected.height)
    assert newest.join(expected, on=key, how="anti").is_empty()
    for column in ("value", "level", "n", "coverage", "status"):
        assert both[column].equals(both[f"{column}_right"]), column
