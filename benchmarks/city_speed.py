"""Speed of the simulated city: readings made, and made and written by format, as a Markdown table.

    POLARS_MAX_THREADS=1 python benchmarks/city_speed.py --sensors 100000 --hours 2

Every row is a process of its own, so that its peak memory is its own.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from sim.city import City
from sim.city_writer import write_city
from sim.reading_files import FORMATS

ROOT = Path(__file__).resolve().parents[1]
MADE = "made only"


def measured(what: str, sensors: int, hours: float, seed: int) -> dict[str, float]:
    """Make a city in this process; return readings, seconds, CPU seconds, peak MB."""
    wall, cpu = time.perf_counter(), time.process_time()
    city = City(seed, sensors, hours=hours)
    if what == MADE:
        readings = sum(len(block.readings) for block in city.blocks())
    else:
        with tempfile.TemporaryDirectory() as folder:
            (file_format,) = (f for f in FORMATS if f == what)
            readings = write_city(city, Path(folder), file_format=file_format).readings
    return {
        "readings": readings,
        "seconds": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main(
    sensors: Annotated[int, typer.Option(min=48, help="Devices of the city.")] = 100_000,
    hours: Annotated[float, typer.Option(help="How long it lives.")] = 2.0,
    seed: Annotated[int, typer.Option(help="Of the city.")] = 1,
    only: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure making and writing a city."""
    if only:
        typer.echo(json.dumps(measured(only, sensors, hours, seed)))
        return
    table = Table(
        "output", "readings", "seconds", "CPU s", "readings/s", "readings/CPU s", "peak MB", box=box.MARKDOWN
    )
    for what in (MADE, *FORMATS):
        options = [f"--sensors={sensors}", f"--hours={hours}", f"--seed={seed}", f"--only={what}"]
        run = subprocess.run(
            [sys.executable, __file__, *options],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        row = json.loads(run.stdout)
        rates = (f"{row['readings'] / row[unit]:,.0f}" for unit in ("seconds", "cpu"))
        times = (f"{row['seconds']:.1f}", f"{row['cpu']:.1f}")
        table.add_row(what, f"{row['readings']:,}", *times, *rates, f"{row['mb']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
