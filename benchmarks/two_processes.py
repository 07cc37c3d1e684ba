"""What a second process brings and costs, beside one process on the same full topic.

    python benchmarks/two_processes.py --readings 2000000 --runs 3

Runs of `benchmarks/kafka.py` with one and with two processes take turns. Two may cost 1.35 times the
processor seconds of one, and should be 1.4 times as fast where both cores are free; how much of the machine
others had meanwhile (from ``/proc/stat``) is shown beside, for on two cores the broker is one of them.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import show
from benchmarks.kafka import Run, measure
from benchmarks.kafka_fill import fill
from benchmarks.throughput import make_city
from flows.config.configuration import Configuration
from tests.kafka.broker import Cluster, real_cluster

CPU_BAR, WALL_BAR = 1.35, 1.4
_IDLE = (3, 4)
"""Places of idle and of waiting time in the first line of ``/proc/stat``, behind its name."""


@dataclass(slots=True)
class Machine:
    """How busy the machine was while something ran, in processor seconds."""

    busy: float = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Add up while the block runs."""
        before = _busy_seconds()
        yield
        self.busy = _busy_seconds() - before


def _busy_seconds() -> float:
    ticks = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(ticks) - sum(ticks[place] for place in _IDLE)) / os.sysconf("SC_CLK_TCK")


def config_of(cluster: Cluster, folder: Path, work: Path, *, recovery: bool) -> Configuration:
    """An engine that reads the topic and writes nowhere but to its folder."""
    raw: dict[str, Any] = {
        "city": {"sensors": str(folder / "city" / "sensors.csv")},
        "kafka": {
            "bootstrap_servers": cluster.servers,
            "events": "",
            "feedback": "",
            "alerts": "",
            "dead_letters": False,
        },
        # The same lanes with any number of processes, as with recovery points.
        "engine": {"out": str(work / "out"), "lanes": 4},
    }
    if recovery:
        raw["engine"]["recovery"] = str(work / "state")
    return msgspec.convert(raw, Configuration)


def figures(runs: dict[int, list[Run]], others: dict[int, list[float]]) -> dict[str, float]:
    """Medians of both, their ratios, and the cores that others had."""
    found: dict[str, float] = {}
    for workers, own in runs.items():
        found[f"readings_per_second_{workers}"] = statistics.median(r.readings / r.seconds for r in own)
        found[f"engine_cpu_s_{workers}"] = statistics.median(r.engine_cpu for r in own)
        # A start costs every process the same, however long it works: by the million readings behind it.
        work = [(r.engine_cpu - r.begin_cpu) / r.readings * 1e6 for r in own]
        found[f"engine_cpu_s_a_million_{workers}"] = statistics.median(work)
        found[f"start_cpu_s_{workers}"] = statistics.median(r.begin_cpu for r in own)
        found[f"broker_cpu_s_{workers}"] = statistics.median(r.broker_cpu for r in own)
        found[f"cores_of_others_{workers}"] = statistics.median(others[workers])
    found["cpu_ratio"] = found["engine_cpu_s_a_million_2"] / found["engine_cpu_s_a_million_1"]
    found["cpu_ratio_with_start"] = found["engine_cpu_s_2"] / found["engine_cpu_s_1"]
    found["speed_ratio"] = found["readings_per_second_2"] / found["readings_per_second_1"]
    return found


def main(  # noqa: PLR0913, PLR0917 - options of a command
    form: Annotated[str, typer.Option(help="json-array, json or arrow.")] = "json-array",
    readings: Annotated[int, typer.Option(help="Readings in the topic.")] = 2_000_000,
    sensors: Annotated[int, typer.Option(help="Devices in the city.")] = 20_000,
    partitions: Annotated[int, typer.Option(min=4, help="Of the topic.")] = 4,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each; medians are shown.")] = 3,
    recovery: Annotated[bool, typer.Option("--recovery", help="Take recovery points.")] = False,  # noqa: FBT002
    seed: Annotated[int, typer.Option(help="Seed of the city.")] = 1,
    to: Annotated[Path | None, typer.Option("--json", help="Write the figures there too.")] = None,
) -> None:
    """Compare one process with two on a full topic; prints a table and JSON."""
    messages = Console(stderr=True)
    found: dict[int, list[Run]] = {1: [], 2: []}
    others: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="yiwang-bench-") as text, real_cluster() as cluster:
        folder = Path(text)
        city = make_city(sensors, readings, seed, "parquet", folder / "city", 0.0)
        fill([city], cluster.servers, "city.readings.v1", form, partitions)
        for number in range(2 * runs):
            workers, work, machine = 1 + number % 2, folder / f"run-{number}", Machine()
            config = config_of(cluster, folder, work, recovery=recovery)
            with machine.watched():
                run = measure(cluster, config, work, workers, 0.999 * readings)
            found[workers].append(run)
            rest = machine.busy - run.engine_cpu - run.broker_cpu
            others[workers].append(max(rest, 0.0) / (run.begin + run.seconds))
            messages.print(f"{workers} process(es): {run}", highlight=False)
    told = figures(found, others)
    show(told, to, bars=f"CPU <= {CPU_BAR} times, speed >= {WALL_BAR} times")


if __name__ == "__main__":
    typer.run(main)
