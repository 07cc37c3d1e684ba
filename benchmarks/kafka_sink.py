"""What it costs to write each message once: turns of transitions to Kafka, with and without transactions.

    python benchmarks/kafka_sink.py --brokers 1
    python benchmarks/kafka_sink.py --brokers 3 --turns 300

A turn is what the engine says at once, and it waits until the brokers have it. Shown are the median and the
99th percentile of a turn, messages a second, and how long a part takes to begin (with transactions: to shut
out its predecessor). Both ways take turns, so that a busy machine treats them alike.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alerts.transitions import RawTransition, Transition, publish
from sinks.kafka_contents import AlertMessages
from sinks.kafka_sink import KafkaPart, SinkSettings
from tests.kafka.broker import Cluster, real_cluster

SIZES = (1, 10, 100, 1_000, 5_000)
WAYS = {"without": None, "transactions": "yiwang-bench"}


def transitions(first: int, count: int) -> list[Transition]:
    """So many transitions of different alerts."""
    found = []
    for number in range(first, first + count):
        ts = 60_000 * number
        raw = RawTransition("air.aqi", number % 500, ts, 1, "raised", 2, 0, 151.5, 100.0, ts, 0)
        found.append(publish(raw, f"street-{number % 500}", "street", None, "5f3c"))
    return found


def opened(cluster: Cluster, topic: str, prefix: str | None) -> tuple[KafkaPart, float]:
    """A part and the seconds it took to begin; the first of an id makes the id known and is not counted."""
    settings = SinkSettings(cluster.settings, durable=True, transactions=prefix)
    KafkaPart(settings, AlertMessages(topic, "bench")).close()
    begun = time.monotonic()
    return KafkaPart(settings, AlertMessages(topic, "bench")), time.monotonic() - begun


def measured(parts: dict[str, KafkaPart], size: int, turns: int) -> dict[str, list[float]]:
    """Seconds of every turn, by way."""
    found: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(turns):
        told = transitions(turn * size, size)
        for name, part in parts.items():
            begun = time.monotonic()
            part.write_batch([told])
            found[name].append(time.monotonic() - begun)
    return found


def main(
    brokers: Annotated[int, typer.Option(help="1 or 3.")] = 1,
    turns: Annotated[int, typer.Option(min=10, help="Turns of each size and way.")] = 200,
) -> None:
    """Measure and print a Markdown table."""
    lines = Table("messages a turn", "way", "median ms", "p99 ms", "messages/s", box=box.MARKDOWN)
    with real_cluster(brokers) as cluster:
        made = {name: opened(cluster, cluster.topic(4), prefix) for name, prefix in WAYS.items()}
        parts = {name: part for name, (part, _) in made.items()}
        for size in SIZES:
            for name, seconds in measured(parts, size, min(turns, 100_000 // size)).items():
                percentile = statistics.quantiles(seconds, n=100)[-1]
                lines.add_row(
                    f"{size:,}",
                    name,
                    f"{1000 * statistics.median(seconds):.1f}",
                    f"{1000 * percentile:.1f}",
                    f"{size * len(seconds) / sum(seconds):,.0f}",
                )
    console = Console(width=100)
    console.print(lines)
    console.print("; ".join(f"to begin {name}: {seconds:.2f} s" for name, (_, seconds) in made.items()))


if __name__ == "__main__":
    typer.run(main)
