"""Small random cities in files, replays of them, and what a replay leaves behind."""

from __future__ import annotations

import contextlib
import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from flows.replay.replaying import ReplayOptions
from sim.city import START, City
from sim.city_writer import Happenings, write_city
from sim.disorder import Disorder
from sim.drivers import DriverChange
from sim.effects import Effect
from sim.life_cycles import CODES, NewCases, case_records
from sim.script import Script

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


MORNING = START + 8 * 3_600_000
"""When the cities begin, ms."""


def write_records(folder: Path, rows: Iterable[dict[str, Any]], sensors: Iterable[Iterable[Any]]) -> Path:
    """Write readings and a registry, whose first row are the names of its columns, into a new folder."""
    folder.mkdir(parents=True)
    with (folder / "readings.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    with (folder / "sensors.csv").open("w", newline="") as file:
        csv.writer(file).writerows(sensors)
    return folder


def make_city(folder: Path, sensors: int, minutes: float, seed: int) -> Path:
    """Write a city in a cloudburst with late, double and faulty readings; returns its folder."""
    city = stormy_city(sensors, minutes, seed)
    write_city(city, folder, Happenings(some_cases(city), Disorder(seed, 0.02, 0.01, 0.01)))
    return folder


def stormy_city(sensors: int, minutes: float, seed: int, begin: int = MORNING) -> City:
    """A city where, after a third of the time, it pours everywhere and gas leaks here and there."""
    quiet = City(seed, sensors, begin, minutes / 60)
    third = (quiet.end - quiet.start) // 3
    begin, end = quiet.start + third, quiet.end
    everywhere = np.ones(len(quiet.regions.streets))
    rain = DriverChange("rain", everywhere, [(begin, 2.4), (end, 2.4)])
    own = quiet.devices.sending("gas_lel")
    leaks = Effect("gas_lel", np.arange(own.start, own.stop, 2), begin, end - third // 2, "set", 30.0)
    return quiet.with_scripts([Script(driver_changes=[rain], effects=[leaks])])


def some_cases(city: City, count: int | None = None) -> pl.DataFrame:
    """Transitions of so many cases, or of one for every five devices, of any type, reported at any time."""
    rng, n = np.random.default_rng(city.seed), count or len(city.devices) // 5
    at = rng.integers(0, len(city.devices), n)
    reported = rng.integers(city.start, city.end, n)
    kind, severity = rng.integers(0, len(CODES), n), rng.integers(1, 5, n)
    cases = NewCases(kind, reported, city.devices.lon[at], city.devices.lat[at], severity)
    return case_records(rng, cases, city.end)


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
