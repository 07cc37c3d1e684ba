"""Cost of admission per reading, decoding aside: ``python benchmarks/admission.py [--batches 60]``.

Batches of 10,000 readings go through ``ReadingAdmission``; the first of them, where every series is new, are
left out of the time. The budget is 0.35 us a reading on one core in the steady state.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from flows.admission.readings import ReadingAdmission
from flows.admission.roll import Roll
from flows.decoding.columns import Names, Readings
from flows.decoding.provenance import Origin
from geo.cells import BeidouGrid
from indicators.metrics import Metrics

BATCH, SERIES, START, BUDGET = 10_000, 20_000, 1_719_964_800_000, 0.35
METRICS = Metrics.load()
Columns = tuple[np.ndarray, np.ndarray]


def steady(k: int) -> Columns:
    """20,000 sensors, one reading a minute each, in an order that changes."""
    turn = np.random.default_rng(k // 2).permutation(SERIES)
    return turn[:BATCH] if k % 2 else turn[BATCH:], np.sort(np.arange(BATCH) * 3 + k * 30_000)


def disordered(k: int) -> Columns:
    """The same with 2 % repeats and 8 s of disorder."""
    sensor, ts = steady(k)
    jitter = np.random.default_rng(k)
    ts = ts - jitter.integers(0, 8_000, BATCH)
    again = np.flatnonzero(jitter.random(BATCH - 1) < 0.02) + 1
    sensor[again], ts[again] = sensor[again - 1], ts[again - 1]
    return sensor, ts


def single(k: int) -> Columns:
    """One sensor, a reading a second."""
    return np.zeros(BATCH, np.int64), (np.arange(BATCH) + k * BATCH) * 1_000


def hourly(k: int) -> Columns:
    """36 sensors, a reading an hour each: a leap ahead every 36 records."""
    row = np.arange(BATCH) + k * BATCH
    return row % 36, row // 36 * 3_600_000


def batches(make: Callable[[int], Columns], count: int, *, coded: bool, placed: bool) -> Iterator[Readings]:
    """Decoded batches; names are fresh objects in each, as from a decoder."""
    for k in range(count):
        sensor, ts = make(k)
        values, codes = np.unique(sensor, return_inverse=True)
        text = [f"s-{i:06d}" for i in (values if coded else sensor).tolist()]
        same = np.zeros(BATCH, np.int32)
        speak = k == 0 or placed or k < 2 * SERIES // BATCH
        yield Readings(
            sensor=Names(codes.astype(np.int32), text) if coded else Names(None, text),
            metric=Names(same, ["road_speed"])
            if coded
            else Names(None, ["".join("road_speed") for _ in text]),
            value=np.random.default_rng(k).integers(0, 80, BATCH) / 2,
            ts=START + ts,
            lon=114 + sensor % 200 / 500 if speak else np.full(BATCH, np.nan),
            lat=30 + sensor // 200 / 500 if speak else np.full(BATCH, np.nan),
            crs=np.zeros(BATCH, np.uint8),
            index=np.zeros(BATCH, np.int64),
            message=np.arange(BATCH),
        )


def cost(make: Callable[[int], Columns], count: int, *, coded: bool, placed: bool) -> float:
    """Microseconds per reading after the first batches; the median batch, in processor time."""
    slices = np.full(len(METRICS.metrics), 60_000)
    admission = ReadingAdmission(METRICS, slices, BeidouGrid(), Roll.empty(), origin_ms=0)
    origin = Origin("bench", 0, np.arange(BATCH), lambda _m, _i: b"", ts_received=0)
    spent = []
    for readings in batches(make, count, coded=coded, placed=placed):
        begin = time.thread_time()
        admission.admit(readings, origin)
        spent.append(time.thread_time() - begin)
    return float(np.median(spent[6:]) / BATCH * 1e6)


def main() -> None:
    """Print one row per workload."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=60)
    count = parser.parse_args().batches
    table = Table("workload", "names", "coordinates", "us a reading", "budget")
    for make in (steady, disordered, single, hourly):
        for coded, placed in ((False, False), (False, True), (True, False)):
            spent = cost(make, count, coded=coded, placed=placed)
            kind, place = "coded" if coded else "texts", "own" if placed else "known"
            table.add_row(make.__name__, kind, place, f"{spent:.3f}", "ok" if spent <= BUDGET else "over")
    Console().print(table)


if __name__ == "__main__":
    main()
