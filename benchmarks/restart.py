"""Recovery points of a large city on Kafka: their size, their pauses, and how long a start from one takes.

    python benchmarks/restart.py --sensors 53000 --readings 1500000 --kills 3

``yiwang run`` reads a full topic of an Apache Kafka on this machine, thirty seconds of event time a second,
with recovery points every five seconds, and is killed without a word in the middle of it; each start is timed
from its first instruction to the first new message on ``city.indicators.v1``. The pauses are told apart by
looking at the metrics four times a second. The bars, for 100,000 series: a first result within 10 s, 99 % of
pauses within 200 ms, 5 % of the run at most for recovery points, 40 MB and 256 bytes a series. All times are
the wall's, which a busy machine stretches; beside those of a start stand its processor seconds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import polars as pl
import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import show
from benchmarks.kafka import cpu_seconds
from benchmarks.kafka_fill import fill
from benchmarks.throughput import make_city
from flows.config.configuration import Configuration
from sinks.kafka_reader import KafkaReader
from sinks.kafka_types import KafkaSettings
from tests.kafka.broker import Cluster, real_cluster
from tests.kafka.live_engine import LiveEngine

VALUES = "city.indicators.v1"
LOOK = 0.25
POINTS = 6
"""Recovery points of a start before it is killed."""
PACE = 30.0
"""Seconds of event time a second: with 100,000 series about 12,500 readings a second, a minute in two."""
PATIENCE = 240.0
"""Seconds after which a start has failed."""


@dataclass(slots=True)
class Start:
    """One start: seconds to the first result (wall, processor), its pauses, its time, what its state is."""

    first: float = 0.0
    first_cpu: float = 0.0
    pauses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    work: float = 0.0
    size: float = 0.0
    resumed: bool = False


def series_of(readings: Path) -> int:
    """Pairs of sensor and metric that have readings in a file."""
    whole = pl.scan_parquet(readings).select("sensor_id", "metric").unique()
    return int(whole.select(pl.len()).collect().item())


def first_message(engine: LiveEngine, reader: KafkaReader, begun: float) -> float:
    """Seconds from the start until the topic of values has a further message.

    Raises:
        RuntimeError: the engine ended, or nothing came.
    """
    while not reader.read(100, 0.02):
        if engine.process is None or engine.process.poll() is not None:
            raise RuntimeError(engine.said())
        if time.monotonic() - begun > PATIENCE:
            raise RuntimeError(f"no result after {PATIENCE:g} s\n{engine.said()}")
    return time.monotonic() - begun


def watch(engine: LiveEngine, start: Start, wanted: float) -> bool:
    """Note every pause until enough recovery points are there or everything is read; whether it is."""
    count = total = 0.0
    begun = time.monotonic()
    while len(start.pauses) < POINTS:
        time.sleep(LOOK)
        if engine.process is None or engine.process.poll() is not None:
            raise RuntimeError(engine.said())
        found = engine.metrics()
        more = found.get("yiwang_snapshot_seconds_count", 0.0) - count
        if more:
            seconds = found["yiwang_snapshot_seconds_sum"] - total
            start.pauses.append(seconds / more)
            count, total = count + more, total + seconds
        start.size = max(start.size, found.get("yiwang_snapshot_bytes", 0.0))
        start.work = found.get('yiwang_batch_seconds_sum{step="snapshot"}', 0.0)
        read = sum(value for name, value in found.items() if name.startswith("yiwang_records_total"))
        if read >= wanted and start.pauses:
            return True
        if time.monotonic() - begun > PATIENCE:
            break
    return False


def run(engine: LiveEngine, reader: KafkaReader, readings: int, kills: int) -> list[Start]:
    """Start, watch and kill; the last start goes on until everything is read or it has had its points."""
    starts: list[Start] = []
    for number in range(kills + 1):
        start, begun = Start(resumed=number > 0), time.monotonic()
        reader.read(100_000, 0.5)
        begun = time.monotonic()
        engine.start()
        start.first = first_message(engine, reader, begun)
        start.first_cpu = cpu_seconds([engine.process.pid]) if engine.process else 0.0
        done = watch(engine, start, 0.999 * readings)
        pid = engine.process.pid if engine.process else 0
        start.seconds, start.cpu = time.monotonic() - begun, cpu_seconds([pid])
        engine.kill()
        starts.append(start)
        if done:
            break
    return starts


def config_of(cluster: Cluster, folder: Path) -> Configuration:
    """An engine with recovery points whose values go to a topic."""
    raw: dict[str, Any] = {
        "city": {"sensors": str(folder / "city" / "sensors.csv")},
        "kafka": {
            "bootstrap_servers": cluster.servers,
            "events": "",
            "feedback": "",
            "alerts": "",
            "indicators": VALUES,
            "indicator_kinds": ["city", "district"],
            "dead_letters": False,
        },
        "engine": {"out": str(folder / "out"), "recovery": str(folder / "state"), "pace": PACE},
    }
    return msgspec.convert(raw, Configuration)


def figures(starts: list[Start], series: int) -> dict[str, float]:
    """What is told."""
    pauses = np.array([pause for start in starts for pause in start.pauses])
    resumed = [start.first for start in starts if start.resumed]
    seconds, points = sum(start.seconds for start in starts), max(len(pauses), 1)
    size = max(start.size for start in starts)
    return {
        "series": series,
        "restarts": len(resumed),
        "first_result_median_s": float(np.median(resumed)) if resumed else float("nan"),
        "first_result_max_s": max(resumed, default=float("nan")),
        "first_result_cpu_s": float(np.median([s.first_cpu for s in starts if s.resumed] or [0.0])),
        "first_start_s": starts[0].first,
        "first_start_cpu_s": starts[0].first_cpu,
        "recovery_points": len(pauses),
        "pause_p50_ms": 1000 * float(np.percentile(pauses, 50)),
        "pause_p99_ms": 1000 * float(np.percentile(pauses, 99)),
        "pause_max_ms": 1000 * float(pauses.max()),
        "pause_share_of_run": float(pauses.sum()) / seconds,
        "making_ms_a_point": 1000 * sum(start.work for start in starts) / points,
        "hot_state_mb": size / 1e6,
        "hot_bytes_a_series": size / series,
        "engine_cpu_s": sum(start.cpu for start in starts),
        "run_s": seconds,
    }


def main(
    sensors: Annotated[int, typer.Option(help="Devices; 53,000 have 100,000 series.")] = 53_000,
    readings: Annotated[int, typer.Option(help="Readings in the topic.")] = 1_500_000,
    kills: Annotated[int, typer.Option(min=1, help="How often it is killed.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the city.")] = 1,
    to: Annotated[Path | None, typer.Option("--json", help="Write the figures there too.")] = None,
) -> None:
    """Measure recovery points and starts; prints a table and JSON."""
    with tempfile.TemporaryDirectory(prefix="yiwang-bench-") as text, real_cluster() as cluster:
        folder = Path(text)
        city = make_city(sensors, readings, seed, "parquet", folder / "city", 0.0)
        fill([city], cluster.servers, "city.readings.v1", "json-array", 4)
        cluster.topic(1, VALUES)
        reader = KafkaReader(KafkaSettings(cluster.servers), "yiwang-bench", {})
        reader.assign({(VALUES, 0): 0})
        engine = LiveEngine(config_of(cluster, folder), folder)
        try:
            starts = run(engine, reader, readings, kills)
        finally:
            engine.kill()
            reader.close()
        series = series_of(city)
    told = figures(starts, series)
    show(told, to, digits=3)


if __name__ == "__main__":
    typer.run(main)
