"""What a large sensor registry costs at the start of an engine: ``python benchmarks/registry.py``.

A registry of ``--sensors`` sensors with two metrics each is made by numpy; every step is timed in processor
time, and how much memory the process holds after it.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from flows.admission.registry import read_registry
from flows.admission.roll import Roll
from flows.admission.series_index import SeriesIndex
from flows.decoding.columns import Names
from geo.areas import Areas
from geo.cells import BeidouGrid
from indicators.layout import Cells
from indicators.metrics import Metrics
from indicators.slice_ring import SliceRing
from indicators.store import MetricKind, MetricStore

T = TypeVar("T")
METRICS = ("road_speed", "road_freeflow_speed")


def write_registry(sensors: int, path: Path) -> None:
    """Sensors on places of their own, in an order that is not that of their ids."""
    rng = np.random.default_rng(1)
    number = rng.permutation(sensors)
    lon, lat = rng.uniform(114.0, 115.0, sensors).round(6), rng.uniform(30.0, 31.0, sensors).round(6)
    with path.open("w", encoding="utf-8") as file:
        file.write("sensor_id,lon,lat,metric,period_s\n")
        for metric in METRICS:
            rows = zip(number.tolist(), lon.tolist(), lat.tolist(), strict=True)
            file.writelines(f"sensor-{n:07d},{x},{y},{metric},60\n" for n, x, y in rows)


class Steps:
    """Runs steps and notes what each cost."""

    def __init__(self) -> None:
        self.table = Table("step", "seconds", "MB held", box=box.MARKDOWN)

    def run(self, name: str, step: Callable[[], T]) -> T:
        """One step, its processor time, and the memory held after it."""
        begin = time.process_time()
        found = step()
        self.table.add_row(name, f"{time.process_time() - begin:.2f}", f"{held():,.0f}")
        return found


def held() -> float:
    """Memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Print one row per step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sensors", type=int, default=1_000_000)
    sensors = parser.parse_args().sensors
    metrics, grid, steps = Metrics.load(), BeidouGrid(), Steps()
    with tempfile.TemporaryDirectory(prefix="yiwang-bench-") as folder:
        path = Path(folder, "sensors.csv")
        write_registry(sensors, path)
        steps.run("(before)", lambda: None)
        registry, _ = steps.run("read the file", lambda: read_registry(path))
    roll = steps.run("places to cells, rows to entries", lambda: Roll.of(registry, grid))
    index = steps.run("open a series for every row", lambda: SeriesIndex(metrics, roll))
    new = steps.run("announce them", index.announce)
    if new is None:
        raise SystemExit("a registry without sensors; give --sensors a number above 0")
    cells = Cells(Areas.from_codes(grid).locate, grid.tile)
    number = steps.run("number their cells in a lane", lambda: cells.number(new.cell))
    store = MetricStore(MetricKind(METRICS[0], 1e6, reference=False, keep_ms=0), SliceRing(60_000, 0))
    own = new.metric == metrics.index[METRICS[0]]
    columns = new.sensor_key, number, new.period, new.retired, new.registered
    steps.run(f"number the series of {METRICS[0]}", lambda: store.add(*(c[own] for c in columns)))
    names = Names(None, [f"sensor-{n:07d}" for n in range(min(sensors, 10_000))])
    codes = Names(np.zeros(len(names), np.int32), [METRICS[0]])
    steps.run("look up 10,000 readings", lambda: index.pairs_of(names, codes))
    state = steps.run("take a snapshot", index.state)
    steps.run("restore it", lambda: SeriesIndex.restore(metrics, roll, state))
    Console().print(steps.table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    Console().print(f"{len(registry):,} rows, peak {peak:,.0f} MB", highlight=False)


if __name__ == "__main__":
    main()
