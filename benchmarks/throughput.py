"""Readings per second of ``yiwang replay`` on a simulated city: first byte read to last file closed.

    python benchmarks/throughput.py --sensors 20000 --readings 1000000

Every run is a process of its own; the figures are those of the median run. Making the city is not timed.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sim.city import START
from sim.device_classes import readings_per_minute
from sim.disorder import Disorder
from sim.reading_files import Format
from sim.scenarios.casting import asked
from sim.simulation import Simulation

ROOT = Path(__file__).resolve().parents[1]
REPLAY = (sys.executable, "-c", "from flows.cli import main; main()", "replay")
FIFTEEN = (
    "air.aqi",
    "data_quality.accuracy_rate",
    "drainage.ponding_depth_max",
    "drainage.waterlogging_risk",
    "environment_sanitation.bin_overflow_share",
    "gas.leak_lel_max",
    "grid_cases.ontime_closure_rate",
    "heat_power.voltage_violation_share",
    "noise.construction_exceedance",
    "parking.occupancy_rate",
    "traffic.congestion_index",
    "traffic.incident_rate",
    "transit.bus_punctuality",
    "weather.rain_1h_max",
    "weather.rain_warning_level",
)
"""One indicator of every class of aggregate, whose sensors the city has; ``*`` is the whole catalogue."""

MORNING = START + 8 * 3_600_000
"""When the city begins, ms: its people are on their way."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Summaries of the whole engine's median run and of the median run that stops after decoding."""

    whole: dict[str, Any]
    decode: dict[str, Any]


def make_city(  # noqa: PLR0913, PLR0917 - a city and where it goes
    sensors: int, readings: int, seed: int, file_format: Format, to: Path, late: float
) -> Path:
    """Write a city of about ``readings`` readings; a share of them late, 0.1 % double, 0.1 % faulty."""
    minutes = max(readings / (sensors * readings_per_minute()), 3.0)
    storm = asked(f"rainstorm:start={minutes * 2 / 3:.2f}m,duration={minutes / 3 - 0.1:.2f}m,intensity=2")
    disorder = Disorder(seed, late, 0.001, 0.001)
    Simulation(seed, sensors, MORNING, minutes / 60, requests=(storm,), disorder=disorder).write(
        to, file_format
    )
    return to / f"readings.{file_format}"


def replay(readings: Path, out: Path, *options: str) -> dict[str, Any]:
    """Run the engine once and return its summary.

    Raises:
        RuntimeError: the engine failed; the message is the end of its own.
    """
    folder = readings.parent
    inputs = [
        "--readings",
        readings,
        "--events",
        folder / "events.jsonl",
        "--sensors",
        folder / "sensors.csv",
    ]
    command = [*REPLAY, *map(str, inputs), "--out", str(out), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"yiwang replay ended with {done.returncode}:\n{done.stderr[-2000:]}")
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return summary


def median_run(summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the run whose time is the (lower) median."""
    middle = statistics.median_low(s["seconds"] for s in summaries)
    return next(s for s in summaries if s["seconds"] == middle)


def measure(readings: Path, runs: int, console: Console, options: Sequence[str]) -> Figures:
    """Alternate whole runs with runs that only decode, so that both meet the same machine."""
    whole, decode = [], []
    for run in track(range(runs), "measuring", console=console, transient=True):
        whole.append(replay(readings, readings.parent / f"whole-{run}", *options))
        decode.append(replay(readings, readings.parent / f"decode-{run}", "--stop-after", "decode"))
    return Figures(median_run(whole), median_run(decode))


def table(figures: Figures) -> Table:
    """Return the figures as a Markdown table: the whole, decoding alone, and the profile by step."""
    whole, decode = figures.whole, figures.decode
    lines = Table("step", "seconds", "share", "readings/s", box=box.MARKDOWN)
    for column in lines.columns[1:]:
        column.justify = "right"

    def add(name: str, seconds: float) -> None:
        rate = whole["readings"] / seconds if seconds else 0.0
        lines.add_row(name, f"{seconds:.2f}", f"{seconds / whole['seconds']:.0%}", f"{rate:,.0f}")

    add("whole engine", whole["seconds"])
    add("decode alone (--stop-after decode)", decode["seconds"])
    for step, seconds in sorted(whole.get("profile", {}).items(), key=lambda item: -item[1]):
        add(f"· {step}", seconds)
    return lines


def main(  # noqa: PLR0913, PLR0917 - options of a command
    sensors: Annotated[int, typer.Option(help="Devices in the city.")] = 20_000,
    readings: Annotated[int, typer.Option(help="Readings to replay.")] = 1_000_000,
    runs: Annotated[int, typer.Option(min=1, help="Runs; the median is shown.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the city.")] = 1,
    indicators: Annotated[
        list[str] | None,
        typer.Option("--indicator", help="Only these, as in yiwang replay; default: fifteen."),
    ] = None,
    file_format: Annotated[str, typer.Option("--format", help="jsonl, arrow or parquet.")] = "jsonl",
    late: Annotated[float, typer.Option(min=0, max=1, help="Share of the readings that come late.")] = 0.0,
    redis: Annotated[str, typer.Option(help="As in yiwang replay: none, embedded or a URL.")] = "none",
) -> None:
    """Measure the throughput of the engine and print a Markdown table."""
    if file_format not in {"jsonl", "arrow", "parquet"}:
        raise typer.BadParameter(f"{file_format!r} is none of jsonl, arrow, parquet", param_hint="--format")
    console, messages = Console(width=110), Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="yiwang-bench-") as folder:
        messages.print(f"making a city of {sensors:,} devices and {readings:,} readings")
        path = make_city(sensors, readings, seed, file_format, Path(folder), late)  # type: ignore[arg-type]
        size = path.stat().st_size / 1e6
        options = [f"--redis={redis}", *(f"--indicator={name}" for name in indicators or FIFTEEN)]
        figures = measure(path, runs, messages, options)
    whole = figures.whole
    console.print(
        f"{whole['readings']:,} readings ({file_format}, {size:.0f} MB), {sensors:,} devices, "
        f"{late:.1%} late, {whole['windows']:,} windows, peak {whole['peak_rss_mb']:.0f} MB, "
        f"median of {runs}\n",
        highlight=False,
    )
    console.print(table(figures), highlight=False)


if __name__ == "__main__":
    typer.run(main)
