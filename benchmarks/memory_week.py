"""Whether the memory of a live engine stays flat over a week of event time.

    python benchmarks/memory_week.py --sensors 100 --days 15 --after 8

A simulated city with its cases is written to Arrow and JSON lines and followed by ``yiwang run`` on the
records' own clock, as fast as it goes, with everything a live engine keeps: recovery points, Redis, metrics.
Its resident memory of its own (files that are mapped belong to the system, and that of the readings is read
through) and its watermark are looked at four times a second; the table shows every day's median.
The first week fills what is kept on purpose: readings for two days, cases and what they touch for seven,
hours of the week. From the day ``--after`` on the median of a day must stay within 5 % of that of the first
such day; what still grows on purpose then are histories of up to 28 days.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flows.config.configuration import Configuration
from sim.city import START
from sim.simulation import Simulation
from sinks.redis_server import embedded_server
from tests.kafka.live_engine import LiveEngine

LOOK = 0.25
BAR = 0.05
DAY = 86_400.0
_LONGEST = 3_000.0


@dataclass(frozen=True, slots=True)
class Look:
    """Event time (s since the beginning) and resident memory (MB)."""

    at: float
    memory: float


def own_memory(process: int) -> float:
    """Resident memory of a process without the files that it has mapped, MB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e6


def watched(engine: LiveEngine, wanted: int) -> list[Look]:
    """Looks at an engine until it has read so many records.

    Raises:
        RuntimeError: it failed, or takes too long.
    """
    looks, begun, read = list[Look](), time.monotonic(), 0.0
    told = Console(stderr=True)
    while read < wanted:
        if engine.process is None or engine.process.poll() is not None:
            raise RuntimeError(engine.said())
        time.sleep(LOOK)
        found = engine.metrics()
        at = found.get("yiwang_watermark_timestamp_seconds", 0.0) - START / 1000
        memory = own_memory(engine.process.pid)
        if at > 0:
            if not looks or at // DAY > looks[-1].at // DAY:
                told.print(f"day {int(at // DAY) + 1}: {memory:,.0f} MB, {time.monotonic() - begun:.0f} s")
            looks.append(Look(at, memory))
        read = sum(value for name, value in found.items() if name.startswith("yiwang_records_total"))
        if time.monotonic() - begun > _LONGEST:
            raise RuntimeError(f"{read:,.0f} of {wanted:,} records after {_LONGEST:g} s")
    return looks


def by_day(looks: list[Look]) -> dict[int, tuple[float, float, float]]:
    """Median, least and greatest memory of every day of event time, MB."""
    days: dict[int, list[float]] = {}
    for one in looks:
        days.setdefault(int(one.at // DAY) + 1, []).append(one.memory)
    return {day: (statistics.median(own), min(own), max(own)) for day, own in sorted(days.items())}


def config_of(folder: Path, url: str) -> Configuration:
    """An engine that follows the files of a city."""
    city = folder / "city"
    raw: dict[str, Any] = {
        "city": {"sensors": str(city / "sensors.csv"), "areas": str(city / "areas.geojson")},
        "files": {"readings": [str(city / "readings.arrow")], "events": [str(city / "events.jsonl")]},
        "engine": {"out": str(folder / "out"), "recovery": str(folder / "state")},
        "redis": {"url": url},
    }
    # One lane: what a window costs beside its data is paid once, and a week is short.
    raw["engine"] |= {"clock": "source", "lanes": 1}
    return msgspec.convert(raw, Configuration)


def main(
    sensors: Annotated[int, typer.Option(help="Devices in the city.")] = 100,
    days: Annotated[float, typer.Option(help="Days of event time.")] = 15.0,
    after: Annotated[int, typer.Option(help="The day with which the others are compared.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the city.")] = 1,
    to: Annotated[Path | None, typer.Option("--json", help="Write the figures there too.")] = None,
) -> None:
    """Watch the memory of an engine; exit code 1 if it is not flat."""
    with tempfile.TemporaryDirectory(prefix="yiwang-bench-") as text, embedded_server() as server:
        folder = Path(text)
        made = Simulation(seed, sensors, START, days * 24).write(folder / "city", file_format="arrow")
        engine = LiveEngine(config_of(folder, server.url), folder)
        begun = time.monotonic()
        engine.start()
        try:
            looks = watched(engine, made.readings + made.events)
        finally:
            engine.kill()
        seconds = time.monotonic() - begun
    found = by_day(looks)
    if after not in found:
        raise typer.BadParameter(f"the city has no day {after}; give more --days", param_hint="--days")
    base = found[after][0]
    lines = Table("day", "median MB", "least", "greatest", f"beside day {after}", box=box.MARKDOWN)
    for column in lines.columns[1:]:
        column.justify = "right"
    for day, (median, least, most) in found.items():
        lines.add_row(
            str(day), f"{median:,.1f}", f"{least:,.1f}", f"{most:,.1f}", f"{median / base - 1:+.1%}"
        )
    Console(width=110).print(lines)
    apart = {day: median / base - 1 for day, (median, _, _) in found.items() if day >= after}
    told = {"sensors": sensors, "days": days, "seconds": round(seconds, 1), "base_mb": base}
    told["greatest_change"] = max(apart.values(), key=abs)
    print(json.dumps(told | {"median_mb": {day: row[0] for day, row in found.items()}}))  # noqa: T201
    if to is not None:
        to.write_text(json.dumps(told) + "\n")
    raise typer.Exit(int(abs(told["greatest_change"]) > BAR))


if __name__ == "__main__":
    typer.run(main)
