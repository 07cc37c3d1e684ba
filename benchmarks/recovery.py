"""Kill a replay at random moments, go on, and compare with one that was left alone.

    python benchmarks/recovery.py --sensors 20000 --readings 1000000 --kills 5

Every start is a process of its own and is killed with SIGKILL after a random share of the time that an
undisturbed replay takes; the last one may come to its end. Prints what snapshots cost, and whether the
outputs are the same bytes; the exit code is 1 if they are not.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from sim.city import START
from sim.device_classes import readings_per_minute
from sim.disorder import Disorder
from sim.scenarios.casting import asked
from sim.simulation import Simulation

ROOT = Path(__file__).resolve().parents[1]
REPLAY = (sys.executable, "-c", "from flows.cli import main; main()", "replay", "--no-progress")
FILES = ("indicators.parquet", "alerts.jsonl", "incidents.jsonl", "rejects.jsonl")
COUNTS = (
    "received",
    "accepted",
    "rejected",
    "duplicates",
    "late",
    "revisions",
    "windows",
    "alerts",
    "watermark",
)
STARTING = 1.0
"""Seconds in which a start is never killed: nothing would have been done yet."""


@dataclass(slots=True)
class Run:
    """Inputs and options of all starts alike."""

    city: Path
    snapshot_every: float
    moments: list[float] = field(default_factory=list)

    def start(self, out: Path, *more: str) -> subprocess.Popen[bytes]:
        """Start a replay."""
        inputs = [f"--{name}={self.city / file}" for name, file in INPUTS.items()]
        command = [*REPLAY, *inputs, f"--out={out}", *more]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def whole(self, out: Path, *more: str) -> dict[str, Any]:
        """Run a replay to its end; its summary.

        Raises:
            RuntimeError: it failed; the message is the end of its own.
        """
        with self.start(out, *more) as run:
            _, errors = run.communicate()
        if run.returncode:
            raise RuntimeError(f"yiwang replay ended with {run.returncode}:\n{errors.decode()[-2000:]}")
        summary: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        return summary

    def killed(self, out: Path, after: float, *more: str) -> bool:
        """Start a replay and kill it after some seconds; False if it was done before."""
        with self.start(out, *more) as run:
            try:
                run.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                run.kill()
                run.communicate()
        if run.returncode > 0:
            raise RuntimeError(f"a start failed with exit code {run.returncode}")
        self.moments.append(after)
        return run.returncode < 0

    def recovered(
        self, out: Path, recovery: Path, processes: list[int], seconds: float, seed: int
    ) -> dict[str, Any]:
        """Kill a start with each number of processes but the last, which finishes; its summary."""
        moments = random.Random(seed)  # noqa: S311 - not for secrets
        *killed, last = processes
        common = (f"--recovery={recovery}", f"--snapshot-every={self.snapshot_every}")
        for workers in killed:
            after = STARTING + moments.random() * seconds / 2
            if not self.killed(out, after, *common, f"--workers={workers}"):
                break
        return self.whole(out, *common, f"--workers={last}")


INPUTS = {"readings": "readings.jsonl", "events": "events.jsonl", "sensors": "sensors.csv"}


def make_city(sensors: int, readings: int, seed: int, to: Path) -> Path:
    """Write a city of about ``readings`` readings; 1 % late, 0.5 % double, 0.3 % faulty."""
    minutes = max(readings / (sensors * readings_per_minute()), 3.0)
    storm = asked(f"rainstorm:start={minutes * 2 / 3:.2f}m,duration={minutes / 3 - 0.1:.2f}m,intensity=2")
    disorder, morning = Disorder(seed, 0.01, 0.005, 0.003), START + 8 * 3_600_000
    Simulation(seed, sensors, morning, minutes / 60, requests=(storm,), disorder=disorder).write(to)
    return to


def differences(one: Path, other: Path) -> list[str]:
    """Names of output files, and keys of the summary, that differ."""
    files = [name for name in FILES if (one / name).read_bytes() != (other / name).read_bytes()]
    a, b = (json.loads((out / "summary.json").read_text(encoding="utf-8")) for out in (one, other))
    return files + [key for key in COUNTS if a[key] != b[key]]


def table(run: Run, summary: dict[str, Any], series: int, different: list[str]) -> Table:
    """The figures as a Markdown table."""
    lines = Table("figure", "value", box=box.MARKDOWN)
    lines.columns[1].justify = "right"
    hot = summary["snapshot_bytes"]
    for name, value in (
        ("killed after, seconds", " ".join(f"{moment:.1f}" for moment in run.moments)),
        ("outputs", "identical" if not different else "DIFFERENT: " + ", ".join(different)),
        ("snapshots of the last start", f"{summary['snapshots']}"),
        ("hot state", f"{hot / 1e6:.2f} MB, {hot / series:.0f} B a series of {series:,}"),
        ("slices written beside them", f"{summary['snapshot_cold_bytes'] / 1e6:.1f} MB"),
        ("pause, median", f"{summary['snapshot_pause_median']:.3f} s"),
        ("pause, longest", f"{summary['snapshot_pause_max']:.3f} s"),
        ("work on snapshots", f"{summary['profile']['snapshot']:.2f} s of {summary['seconds']:.1f} s"),
    ):
        lines.add_row(name, value)
    return lines


def main(  # noqa: PLR0913 - one option each
    *,
    sensors: Annotated[int, typer.Option(help="Devices in the city.")] = 20_000,
    readings: Annotated[int, typer.Option(help="Readings to replay.")] = 1_000_000,
    kills: Annotated[int, typer.Option(min=1, help="How often to kill it.")] = 5,
    snapshot_every: Annotated[float, typer.Option(help="Seconds between two snapshots.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the city and of the moments.")] = 1,
    change_processes: Annotated[bool, typer.Option(help="Alternate one and two processes.")] = True,
) -> None:
    """Kill and resume a replay, compare its outputs, and print a Markdown table."""
    console, messages = Console(width=110), Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="yiwang-recovery-") as name:
        folder = Path(name)
        messages.print(f"making a city of {sensors:,} devices and about {readings:,} readings")
        run = Run(make_city(sensors, readings, seed, folder / "city"), snapshot_every)
        series = len((run.city / "sensors.csv").read_bytes().splitlines()) - 1
        begin = time.monotonic()
        run.whole(folder / "whole")
        processes = [1 + i % 2 if change_processes else 1 for i in range(kills)] + [1]
        seconds = time.monotonic() - begin
        messages.print(f"left alone: {seconds:.1f} s; now killing it {kills} times")
        summary = run.recovered(folder / "out", folder / "recovery", processes, seconds, seed)
        different = differences(folder / "whole", folder / "out")
    console.print(table(run, summary, series, different), highlight=False)
    raise typer.Exit(1 if different else 0)


if __name__ == "__main__":
    typer.run(main)
