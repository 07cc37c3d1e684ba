"""Small random cities in files, replays of them, and what a replay leaves behind."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.replay import ReplayOptions
from sim.city_files import write_city
from sim.random_city import Disorder, random_city

ROOT = Path(__file__).resolve().parents[1]
TABLES = ("indicators.parquet", "alerts.jsonl", "incidents.jsonl", "rejects.jsonl")
COUNTS = (
    "received",
    "accepted",
    "rejected",
    "duplicates",
    "late",
    "revisions",
    "readings",
    "events",
    "windows",
    "alerts",
    "watermark",
)
"""The keys of a summary that describe the data, not the run."""


def make_city(folder: Path, sensors: int, minutes: float, seed: int) -> Path:
    """Write a city with late, double and faulty readings; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    city = random_city(sensors, minutes, seed, disorder=Disorder(0.02, 0.01, 0.01), cases=sensors // 5)
    write_city(city, folder, "jsonl")
    return folder


def replay_options(city: Path, out: Path, **more: Any) -> ReplayOptions:
    """Options for all files of a city."""
    return ReplayOptions(
        readings=[city / "readings.jsonl"],
        events=[city / "events.jsonl"],
        sensors=city / "sensors.csv",
        out=out,
        **more,
    )


def start_replay(city: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    """Start ``yiwang replay`` as a process of its own."""
    inputs = [f"--{name}={city / file}" for name, file in _FILES.items()]
    code = "from flows.cli import main; main()"
    command = [sys.executable, "-c", code, "replay", *inputs, f"--out={out}", "--no-progress", *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def running_until(run: subprocess.Popen[bytes], ready: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is there; the process must still run then."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "waited in vain"
        still_runs_after(run, 0.01)


def still_runs_after(run: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a process not to end."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(seconds)
        raise AssertionError(f"ended too early with {run.returncode}: {run.communicate()[1].decode()}")


_FILES = {"readings": "readings.jsonl", "events": "events.jsonl", "sensors": "sensors.csv"}


def tables(out: Path) -> dict[str, bytes]:
    """The output files by name."""
    return {name: (out / name).read_bytes() for name in TABLES}


def counts(out: Path) -> dict[str, Any]:
    """What the summary says of the data."""
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    return {name: summary[name] for name in COUNTS}
