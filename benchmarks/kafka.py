"""Readings per second of ``yiwang run`` from a topic that is full already, and what engine and broker cost.

    python benchmarks/kafka.py --form json-array --readings 2000000
    python benchmarks/kafka.py --form json --readings 500000 --workers 2

The broker is Apache Kafka on this machine, from the jars that the tests fetch (Java and Maven). Every run is
an engine of its own that begins at the first offset, with all indicators; its time is that from the first
reading received until it has nothing to do any more. The median run is shown, with the CPU seconds of engine
(its start included) and broker apart. Filling the topic is not timed.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.kafka_fill import fill
from benchmarks.throughput import make_city
from flows.config.configuration import Configuration
from tests.kafka.broker import Cluster, real_cluster
from tests.kafka.live_engine import LiveEngine

_LOOK, _IDLE = 0.2, 0.1
"""Seconds between two looks: a scrape of all metrics, which the engine pays for, until the first record."""
_MILLION = 1_000_000
_GROUP, _USER, _SYSTEM = 2, 11, 12
"""Places in ``/proc/PID/stat``, behind the name."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds from the first reading to the last, CPU seconds, seconds to the first reading.

    ``begin_cpu``: CPU seconds of the engine until the first reading was seen.
    """

    readings: float
    seconds: float
    engine_cpu: float
    broker_cpu: float
    begin: float
    begin_cpu: float = 0.0


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of all processes that run in these groups."""
    groups, ticks = set(pids), 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # A program may have any name, even one with parentheses: behind the last one are numbers.
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[_GROUP]) in groups:
                ticks += int(fields[_USER]) + int(fields[_SYSTEM])
    return ticks / os.sysconf("SC_CLK_TCK")


def idle_since(pid: int) -> float:
    """Wait until a process works no more; when it ceased."""
    while True:
        before, begun = cpu_seconds([pid]), time.monotonic()
        time.sleep(_IDLE)
        if cpu_seconds([pid]) - before < _IDLE / 4:
            return begun


def pid_of(engine: LiveEngine) -> int:
    """The number of a process that runs; RuntimeError with its last words if it does not."""
    if engine.process is None or engine.process.poll() is not None:
        raise RuntimeError(engine.said())
    return engine.process.pid


def measure(cluster: Cluster, config: Configuration, folder: Path, workers: int, wanted: float) -> Run:
    """Run an engine until it has received so many readings."""
    engine = LiveEngine(config, folder)
    brokers = [one.process.pid for one in cluster.brokers if one.process is not None]
    before, begun = cpu_seconds(brokers), time.monotonic()
    engine.start(workers)
    try:
        had = 0.0
        while not had:
            time.sleep(_LOOK)
            pid, had = pid_of(engine), engine.read_so_far(workers)
        at, begin_cpu = time.monotonic(), cpu_seconds([pid])
        received = end = 0.0
        while received < wanted:
            end = idle_since(pid_of(engine))
            received = engine.read_so_far(workers)
        spent = cpu_seconds([pid])
        broker = cpu_seconds(brokers) - before
        return Run(received - had, end - at, spent, broker, at - begun, begin_cpu)
    finally:
        engine.kill()


def table(runs: list[Run], form: str, workers: int, readings: float) -> Table:
    """The median run, and how far the others were from it."""
    median = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    rates = [run.readings / run.seconds for run in runs]
    lines = Table(
        "form", "processes", "readings/s", "all runs", "engine", "broker", "start", box=box.MARKDOWN
    )
    lines.add_row(
        form,
        str(workers),
        f"{statistics.median(rates):,.0f}",
        " ".join(f"{rate:,.0f}" for rate in rates),
        f"{median.engine_cpu / readings * _MILLION:.2f} CPU s/M",
        f"{median.broker_cpu / readings * _MILLION:.2f} CPU s/M",
        f"{median.begin:.1f} s",
    )
    return lines


def main(  # noqa: PLR0913, PLR0917 - options of a command
    form: Annotated[str, typer.Option(help="json-array, json or arrow.")] = "json-array",
    readings: Annotated[int, typer.Option(help="Readings in the topic.")] = 1_000_000,
    sensors: Annotated[int, typer.Option(help="Devices in the city.")] = 20_000,
    partitions: Annotated[int, typer.Option(help="Of the topic.")] = 4,
    workers: Annotated[int, typer.Option(help="Processes of the engine.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Runs; the median is shown.")] = 3,
    recovery: Annotated[bool, typer.Option("--recovery", help="Take recovery points.")] = False,  # noqa: FBT002
    anomaly: Annotated[bool, typer.Option(help="Score the values, as by default.")] = True,  # noqa: FBT002
    seed: Annotated[int, typer.Option(help="Seed of the city.")] = 1,
) -> None:
    """Measure the engine on a full topic and print a Markdown table."""
    console, messages = Console(width=130), Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="yiwang-bench-") as text, real_cluster() as cluster:
        folder = Path(text)
        city = make_city(sensors, readings, seed, "parquet", folder / "city", 0.0)
        fill([city], cluster.servers, "city.readings.v1", form, partitions)
        found = []
        for number in range(runs):
            work = folder / f"run-{number}"
            raw = {
                "city": {"sensors": str(folder / "city" / "sensors.csv")},
                "kafka": {
                    "bootstrap_servers": cluster.servers,
                    "events": "",
                    "feedback": "",
                    "alerts": "",
                    "dead_letters": False,
                },
                "anomaly": {"enabled": anomaly},
                "engine": {"out": str(work / "out"), "recovery": str(work / "state") if recovery else None},
            }
            config = msgspec.convert(raw, Configuration)
            found.append(measure(cluster, config, work, workers, 0.999 * readings))
            messages.print(f"run {number + 1}: {found[-1]}", highlight=False)
        console.print(table(found, form, workers, readings))


if __name__ == "__main__":
    typer.run(main)
