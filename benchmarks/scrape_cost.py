"""What a scrape of the metrics costs a running engine, beside one that is looked at once a second.

    python benchmarks/scrape_cost.py --readings 500000 --runs 2

The engine reads a full topic of an Apache Kafka on this machine, with all indicators; runs with many
and with few scrapes take turns. A scrape asks as Prometheus does, for OpenMetrics in gzip. What it costs
is the difference in processor seconds of the engine, divided by the number of scrapes; the medians are shown,
and as JSON.
"""

from __future__ import annotations

import gzip
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.kafka import cpu_seconds, idle_since
from benchmarks.kafka_fill import fill
from benchmarks.throughput import make_city
from flows.config.configuration import Configuration
from tests.kafka.broker import real_cluster
from tests.kafka.live_engine import LiveEngine

_AS_PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2",
    "Accept-Encoding": "gzip",
}
_LOOK, _LONGEST = 0.1, 300.0
"""Seconds between two looks at what was read; seconds after which a run has failed."""
_RECORDS = "yiwang_records_total{"


@dataclass(slots=True)
class Scraper:
    """Asks an address so often; remembers how long answers took (ms) and what the last one told."""

    url: str
    every: float
    took: list[float] = field(default_factory=list)
    size: int = 0
    records: float = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask while the block runs."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self.every):
            begun = time.perf_counter()
            with suppress(OSError):
                asked = urllib.request.Request(self.url, headers=_AS_PROMETHEUS)  # noqa: S310 - of this machine
                with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
                    body = answer.read()
                self.took.append((time.perf_counter() - begun) * 1000)
                self.size = len(body)
                lines = gzip.decompress(body).decode().splitlines()
                self.records = sum(float(x.rsplit(" ", 1)[1]) for x in lines if x.startswith(_RECORDS))


@dataclass(frozen=True, slots=True)
class Run:
    """One run: wall seconds of reading, processor seconds of all, answers and how long they took (ms)."""

    seconds: float
    cpu: float
    scrapes: int
    answer: float
    size: int


def measure(config: Configuration, folder: Path, every: float, wanted: int) -> Run:
    """Run an engine until it has read so many records; scrape it every so many seconds.

    Raises:
        RuntimeError: the engine ended, or took too long.
    """
    engine, begun = LiveEngine(config, folder), time.monotonic()
    engine.start()
    scraper = Scraper(f"http://127.0.0.1:{engine.port}/metrics", every)
    try:
        with scraper.asking():
            while scraper.records < wanted:
                time.sleep(_LOOK)
                late = time.monotonic() - begun > _LONGEST
                if engine.process is None or engine.process.poll() is not None or late:
                    raise RuntimeError(engine.said())
        seconds = time.monotonic() - begun
        # The last turn is done without being looked at, in both kinds of runs alike.
        idle_since(engine.process.pid if engine.process else 0)
        cpu = cpu_seconds([engine.process.pid if engine.process else 0])
    finally:
        engine.kill()
    return Run(seconds, cpu, len(scraper.took), statistics.median(scraper.took), scraper.size)


def table(quiet: list[Run], scraped: list[Run], readings: int) -> tuple[Table, dict[str, float]]:
    """The medians of both, and the cost of a scrape."""

    def median(runs: list[Run], name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in runs))

    found = {
        "readings": readings,
        "cpu_seconds_without": median(quiet, "cpu"),
        "cpu_seconds_with": median(scraped, "cpu"),
        "seconds_without": median(quiet, "seconds"),
        "seconds_with": median(scraped, "seconds"),
        "scrapes": median(scraped, "scrapes"),
        "answer_ms": median(scraped, "answer"),
        "answer_bytes": median(scraped, "size"),
    }
    more = found["cpu_seconds_with"] - found["cpu_seconds_without"]
    found["scrape_cpu_ms"] = 1000 * more / max(found["scrapes"] - median(quiet, "scrapes"), 1)
    lines = Table("figure", "value", box=box.MARKDOWN)
    lines.columns[1].justify = "right"
    for name, value in found.items():
        lines.add_row(name, f"{value:,.2f}")
    return lines, found


def main(  # noqa: PLR0913, PLR0917 - options of a command
    readings: Annotated[int, typer.Option(help="Readings in the topic.")] = 500_000,
    sensors: Annotated[int, typer.Option(help="Devices in the city.")] = 20_000,
    rate: Annotated[float, typer.Option(help="Scrapes a second.")] = 50.0,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each; medians are shown.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the city.")] = 1,
    to: Annotated[Path | None, typer.Option("--json", help="Write the figures there too.")] = None,
) -> None:
    """Measure what scrapes cost an engine on a full topic."""
    console, messages = Console(width=110), Console(stderr=True)
    quiet, scraped = list[Run](), list[Run]()
    with tempfile.TemporaryDirectory(prefix="yiwang-bench-") as text, real_cluster() as cluster:
        folder = Path(text)
        city = make_city(sensors, readings, seed, "parquet", folder / "city", 0.0)
        fill([city], cluster.servers, "city.readings.v1", "json-array", 4)
        for number in range(2 * runs):
            work = folder / f"run-{number}"
            raw = {
                "city": {"sensors": str(folder / "city" / "sensors.csv"), "areas": _areas(folder)},
                "kafka": {
                    "bootstrap_servers": cluster.servers,
                    "events": "",
                    "feedback": "",
                    "alerts": "",
                    "dead_letters": False,
                },
                "engine": {"out": str(work / "out"), "clock": "source"},
            }
            every = 1 / rate if number % 2 else 1.0
            config = msgspec.convert(raw, Configuration)
            run = measure(config, work, every, int(0.99 * readings))
            (scraped if number % 2 else quiet).append(run)
            messages.print(f"run {number + 1}: {run}", highlight=False)
    lines, found = table(quiet, scraped, readings)
    console.print(lines)
    told = json.dumps(found)
    print(told)  # noqa: T201 - a command
    if to is not None:
        to.write_text(told + "\n")


def _areas(folder: Path) -> str | None:
    path = folder / "city" / "areas.geojson"
    return str(path) if path.exists() else None


if __name__ == "__main__":
    typer.run(main)
