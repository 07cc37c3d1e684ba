"""Readings of single sensors for the scores: the last one of each step, as frames of values.

A step is the metric's sampling period, in whole slices. Only what is in time counts: what comes late changes
no score. References and metrics that are sampled more rarely than every hour are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flows.batches import Ints, NewSeries
from flows.city import City
from flows.stages.intake import SeriesMap
from indicators.calendar import DAY
from indicators.shard import Shard
from indicators.store import MetricStore
from sinks.table_file import KINDS, ValueFrame

SENSOR = len(KINDS)
"""The kind of a frame of single sensors; its indicator is a metric, its rows are series of it."""

RAREST = 3_600_000
"""The longest step, ms."""

_INTRODUCED = 1
"""Revision of rows that only tell names: no first value."""


def steps_of(city: City) -> dict[str, int]:
    """The step of every metric whose sensors can be scored, ms."""
    plan = city.beginning
    found = {}
    for number, metric in enumerate(plan.metrics.metrics):
        length, period = int(plan.slice_ms[number]), metric.period_ms
        step = -(-period // length) * length if length > 0 else 0
        if metric.kind == "sensor" and 0 < step <= RAREST and DAY % step == 0:
            found[metric.code] = step
    return found


class SensorReadings:
    """The readings of one lane's sensors, and those that nobody has been told the names of."""

    def __init__(self, city: City) -> None:
        """Nobody has been told anything."""
        self._calendar = city.calendar
        self._metrics = city.plan.metrics
        self._steps = steps_of(city)
        self.new: list[ValueFrame] = []

    def introduce(self, new: NewSeries, series: SeriesMap) -> None:
        """Take the names of announced series."""
        numbers = series.number[new.index].astype(np.int64)
        for metric in np.unique(new.metric).tolist():
            code = self._metrics.metrics[metric].code if metric >= 0 else ""
            rows = np.flatnonzero(new.metric == metric)
            if code in self._steps:
                self.new.append(_frame(code, numbers[rows], new.name[rows]))

    def close(self, shard: Shard, after: int, until: int) -> list[ValueFrame]:
        """Names first, then the readings of all steps that end after an instant up to another."""
        frames, self.new = self.new, []
        for code, step in self._steps.items():
            store = shard.stores[self._metrics.index[code]]
            ends = self._calendar.ends(after, until, step) if store.n else np.empty(0, np.int64)
            if len(ends):
                frames += _readings(code, store, ends, step)
        return frames


def _readings(code: str, store: MetricStore, ends: Ints, step: int) -> Iterator[ValueFrame]:
    ring = store.ring
    low, high = ring.number(np.array([ends[0] - step + 1, ends[-1]])).tolist()
    parts = [ring.slices[k].last() for k in range(low, high + 1) if k in ring.slices]
    if not parts:
        return
    who, ts, value = (np.concatenate([np.asarray(p[i], np.int64) for p in parts]) for i in range(3))
    own = (ts > ends[0] - step) & (ts <= ends[-1])
    who, ts, value = who[own], ts[own], value[own]
    place = np.searchsorted(ends, ts)
    order = np.lexsort((ts, who, place))
    last = np.ones(len(order), bool)
    last[:-1] = (np.diff(who[order]) != 0) | (np.diff(place[order]) != 0)
    rows = order[last]
    if rows.size:
        yield _frame(code, who[rows], None, ends[place[rows]], value[rows] / store.kind.scale)


def _frame(
    code: str,
    row: Ints,
    names: np.ndarray | None,
    end: Ints | int = 0,
    value: np.ndarray | None = None,
) -> ValueFrame:
    n = len(row)
    none = np.full(n, np.nan)
    return ValueFrame(
        indicator=code,
        kind=SENSOR,
        names=np.zeros(1, "S1") if names is None else names,
        place=np.zeros(n, np.int64) if names is None else None,
        window_end=end,
        value=none if value is None else value,
        level=np.zeros(n, np.uint8),
        n=np.ones(n, np.int64),
        coverage=none,
        revision=0 if names is None else _INTRODUCED,
        status=0,
        row=row,
    )
