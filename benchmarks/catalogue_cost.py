"""Calibrate the cost of indicators: measured times of shipped formulas → ``cost_model.json``.

Every shipped indicator is evaluated window after window, as a live engine does, over shards of several sizes
filled with regular readings; the amounts of work that ``indicators.cost`` counts are fitted to the times with
coefficients that are not negative, so that relative errors are least.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from indicators.calendar import Calendar
from indicators.cases import STATUS, CaseRow
from indicators.catalogue import Catalogue
from indicators.cost import MODEL, WORK, CostModel, work
from indicators.evaluate import Evaluation
from indicators.judge import judge
from indicators.layout import Cells
from indicators.metrics import Metrics
from indicators.needs import reach_ms
from indicators.plan import IndicatorPlan, Plan
from indicators.shard import Shard
from indicators.store import FOREVER

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Row = tuple[str, dict[str, float], float]
"""Indicator and series per metric, amounts of work, seconds."""

NOW = 1_719_964_800_000
"""2024-07-03 08:00 in Shanghai, an end of all windows."""

PER_CELL = 4
"""Series of a metric in one cell."""

MOST = 3_000_000
"""Readings of one metric; larger shards are left out."""


def main() -> None:
    """Measure, fit, print a table, and write the model if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000, 5000], help="series per metric")
    parser.add_argument("--repeat", type=int, default=5, help="evaluations of which the fastest counts")
    parser.add_argument("--write", action="store_true", help=f"write {MODEL.name}")
    options = parser.parse_args()
    plan = Plan(Catalogue.load(), Metrics.load())
    rows = [row for size in options.sizes for row in measured(plan, size, options.repeat)]
    amounts = np.array([[found[kind] for kind in WORK] for _, found, _ in rows])
    seconds = np.array([taken for _, _, taken in rows]) * 1e6
    fitted = fit(amounts, seconds)
    error = np.abs(amounts @ fitted - seconds) / seconds
    per_reading, per_row = measured_bytes(plan)
    told = ["| kind of work | µs |", "|---|---|"]
    told += [f"| {kind} | {value:.4g} |" for kind, value in zip(WORK, fitted, strict=True)]
    told.append(f"\nerror: median {np.median(error):.0%}, 9 of 10 below {np.quantile(error, 0.9):.0%}")
    told.append(f"bytes: {per_reading:.1f} per reading, {per_row:.1f} per series and slice")
    told += worst(rows, seconds, amounts @ fitted)
    sys.stdout.write("\n".join(told) + "\n")
    if options.write:
        model = CostModel(
            microseconds=dict(zip(WORK, fitted.round(6).tolist(), strict=True)),
            bytes_per_reading=round(per_reading, 1),
            bytes_per_slice_row=round(per_row, 1),
            measured=datetime.now(UTC).date().isoformat(),
            machine=f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}",
            formulas=len(plan.indicators),
            median_error=round(float(np.median(error)), 3),
            worst_error=round(float(np.quantile(error, 0.9)), 3),
        )
        MODEL.write_bytes(msgspec.json.format(msgspec.json.encode(model), indent=1) + b"\n")


def worst(rows: list[Row], seconds: Floats, model: Floats, shown: int = 5) -> list[str]:
    """Lines about the indicators whose time the model misses most."""
    order = np.argsort(-np.abs(model - seconds) / seconds)[:shown].tolist()
    return [f"{rows[i][0]}: measured {seconds[i]:.0f} µs, model {model[i]:.0f} µs" for i in order]


def measured(plan: Plan, size: int, repeat: int) -> list[Row]:
    """Indicator and size, amounts of work, and seconds for one window, of every indicator."""
    found: list[Row] = []
    for of in plan.indicators:
        past = repeat * of.indicator.hop_ms
        if any(size * (reach_ms(of, code) + past) / period(plan, code) > MOST for code in of.metrics):
            continue
        shard = filled(plan, of, size, past)
        amounts = dict(work(of, plan, lambda _: size))
        found.append((f"{of.indicator.id} {size}", amounts, min(windows(of, shard, repeat))))
    return found


def windows(of: IndicatorPlan, shard: Shard, repeat: int) -> Iterator[float]:
    """Processor seconds of one window after the other."""
    for k in range(repeat - 1, -1, -1):
        end = NOW - k * of.indicator.hop_ms
        begin = time.process_time()
        frame = Evaluation(of, shard, np.array([end], np.int64)).frame()
        judge(of, frame, shard.calendar, {})
        yield time.process_time() - begin
        shard.advance(end)


def period(plan: Plan, code: str) -> int:
    """Sampling period of a metric in ms; a minute where there is none."""
    return plan.metrics[code].period_ms or 60_000


def filled(plan: Plan, of: IndicatorPlan, size: int, past: int) -> Shard:
    """A shard with ``size`` series of every metric of an indicator, and as many cases of every type.

    Readings reach back for windows that end ``past`` ms ago.
    """
    shard = Shard(plan, Calendar(), Cells(one_city, np.zeros_like))
    cells = shard.cells.number(np.arange(size, dtype=np.int64) // PER_CELL)
    random = np.random.default_rng(1)
    for code in of.metrics:
        index, step = plan.metrics.index[code], period(plan, code)
        series = shard.stores[index].add(
            np.arange(size), cells, np.full(size, plan.metrics[code].period_ms), np.full(size, FOREVER),
            np.zeros(size, np.int64),
        )  # fmt: skip
        times = np.arange(NOW, NOW - reach_ms(of, code) - past - 3 * step, -step, dtype=np.int64)[::-1]
        low, high = plan.metrics.low[index], min(plan.metrics.high[index], 1e6)
        value = np.rint(random.uniform(low, high, len(times) * size) / plan.metrics.resolution[index])
        ts = np.repeat(times, size) - np.tile(np.arange(size) % 1000, len(times))
        shard.insert(index, np.tile(series, len(times)), ts, value.astype(np.int64))
    for event in of.events:
        for case in range(size):
            shard.type_cases(event).put(reported(case, int(cells[case])))
    shard.advance(NOW - past)
    return shard


def one_city(codes: Ints) -> Ints:
    """No areas but the city."""
    return np.tile(np.array([-1, -1, -1, 0], np.int64), (len(codes), 1))


def reported(case: int, cell: int) -> CaseRow:
    """A case that was reported and accepted in the last hour."""
    ts = np.array([NOW - 3_000_000 + case % 1000, NOW - 2_000_000], np.int64)
    status = np.array([STATUS["reported"], STATUS["accepted"]], np.int8)
    return CaseRow(case, cell, int(ts[0]), status, ts, np.zeros(2, np.int8))


def fit(amounts: Floats, taken: Floats) -> Floats:
    """Coefficients that are not negative, for the least squares of relative errors."""
    scaled, used = amounts / taken[:, None], np.ones(amounts.shape[1], bool)
    while True:
        found = np.zeros(amounts.shape[1])
        found[used] = np.linalg.lstsq(scaled[:, used], np.ones(len(taken)), rcond=None)[0]
        if (found >= 0).all():
            return found
        used[np.argmin(found)] = False


def measured_bytes(plan: Plan) -> tuple[float, float]:
    """Bytes per reading, and per series in a slice, from shards with many readings and with many slices."""
    dense, sparse = [_held(plan, series, per_slice) for series, per_slice in ((50, 100), (5000, 1))]
    a = np.array([dense[:2], sparse[:2]], np.float64)
    per_reading, per_row = np.linalg.solve(a, np.array([dense[2], sparse[2]], np.float64))
    return float(per_reading), float(per_row)


def _held(plan: Plan, series: int, per_slice: int) -> tuple[int, int, int]:
    """Readings, rows of slices, and bytes of a store after its sums were asked for."""
    index = plan.metrics.index["rain_1m"]
    length, slices = int(plan.slice_ms[index]), 40
    tracemalloc.start()
    store = Shard(plan, Calendar(), Cells(one_city, np.zeros_like)).stores[index]
    who = np.arange(series)
    numbers = store.add(
        who, np.zeros(series, np.int64), np.full(series, 60_000), np.full(series, FOREVER), 0 * who
    )
    before = tracemalloc.get_traced_memory()[0]
    for k in range(slices):
        ts = NOW + k * length + 1 + np.arange(per_slice) * (length // per_slice)
        store.insert(
            np.repeat(numbers, per_slice), np.tile(ts, series), np.zeros(series * per_slice, np.int64)
        )
    first = int(store.ring.number(np.array([NOW + 1]))[0])
    for channel in ("count", "sum"):
        store.ring.total(channel, first - 1, first + slices - 1, series)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return series * per_slice * slices, series * slices, taken


if __name__ == "__main__":
    main()
