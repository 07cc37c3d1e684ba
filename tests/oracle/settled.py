"""Records put in order: one reading per series and time stamp, cases with their place and dated statuses."""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.oracle.records import DAY, HOUR, MINUTE, Records, Transition

METRICS_CSV = Path(__file__).resolve().parents[2] / "indicators" / "data" / "metrics.csv"
UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
SEVERITY_FACTOR = {1: 1.0, 2: 0.5, 3: 0.25, 4: 0.125}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One row of metrics.csv; ``period`` in ms (0: irregular), ``sla`` in whole minutes (0: none)."""

    low: float
    high: float
    period: int
    reference: bool
    resolution: float
    sla: int


@cache
def metric_rows() -> Mapping[str, MetricRow]:
    """The metrics by code, as published."""

    def number(text: str, default: float) -> float:
        return float(text) if text else default

    def row(r: dict[str, str]) -> MetricRow:
        text = r["sampling_period"]
        period = 0 if text == "event" else int(text[:-1]) * UNITS[text[-1]]
        limits = number(r["range_min"], float("-inf")), number(r["range_max"], float("inf"))
        sla = round(number(r["sla_h"], 0) * 60)
        return MetricRow(*limits, period, r["kind"] == "reference", number(r["resolution"], 1), sla)

    with METRICS_CSV.open(encoding="utf-8", newline="") as lines:
        return {r["code"]: row(r) for r in csv.DictReader(lines)}


@dataclass(frozen=True, slots=True)
class Series:
    """The settled readings of one sensor and metric, by time.

    ``hold`` is how long a reading lasts; ``listed``: the registry names the series, so it is known unheard.
    """

    sensor: str
    cell: str
    period: int
    hold: int
    listed: bool
    retired: bool
    place: tuple[float, float] | None
    times: list[int]
    values: list[float]

    def inside(self, end: int, window: int) -> list[float]:
        """Values with time stamps in (end - window, end]."""
        return self.values[bisect_right(self.times, end - window) : bisect_right(self.times, end)]

    def latest(self, end: int, age: int) -> float | None:
        """The latest value at or before ``end``, if not older than ``age``."""
        i = bisect_right(self.times, end) - 1
        return self.values[i] if i >= 0 and end - self.times[i] <= age else None

    def held(self, end: int) -> float | None:
        """The value held at ``end``: at most 3 periods (references: 48 h) after its own time."""
        return self.latest(end, self.hold)

    def reached(self, end: int, window: int) -> list[float]:
        """The values inside; where there is none and window < 2 periods, the latest of the last 2 periods."""
        values = self.inside(end, window)
        back = self.latest(end, 2 * self.period) if not values and window < 2 * self.period else None
        return values if back is None else [back]

    def mean_held(self, end: int, window: int) -> float | None:
        """Time-weighted mean of the held value over the time it covers; None if it covers none."""
        spans = list(self.steps(end, window))
        covered = sum(span for span, _ in spans)
        return math.fsum(span * value for span, value in spans) / covered if covered else None

    def steps(self, end: int, window: int) -> Iterator[tuple[int, float]]:
        """Milliseconds of the window for which each value is held, and the value."""
        first = max(bisect_right(self.times, end - window) - 1, 0)
        for i in range(first, bisect_right(self.times, end)):
            after = self.times[i + 1] if i + 1 < len(self.times) else end
            begin = max(self.times[i], end - window)
            yield max(min(after, self.times[i] + self.hold, end) - begin, 0), self.values[i]

    def minutes(self, end: int, window: int) -> int:
        """Minutes of data, in ms: readings times the sensor's own period."""
        return len(self.inside(end, window)) * self.period

    def heard(self, end: int) -> bool:
        """Was any reading accepted by ``end``, and is the sensor in service?"""
        return not self.retired and bool(self.times) and self.times[0] <= end

    def known(self, end: int) -> bool:
        """Listed, or heard of in the last 7 days; never when retired."""
        return not self.retired and (self.listed or self.latest(end, 7 * DAY - 1) is not None)


@dataclass(frozen=True, slots=True)
class Case:
    """A case: its cell (of the earliest record with coordinates) and its transitions by time."""

    kind: str
    cell: str | None
    transitions: tuple[Transition, ...]

    def first(self, status: str, end: int) -> int | None:
        """When the status came first, as known at ``end``."""
        return next((t.ts for t in self.transitions if t.status == status and t.ts <= end), None)

    def entered(self, status: str, begin: int, end: int) -> bool:
        """Is any transition into the status in (begin, end]?"""
        return any(t.status == status and begin < t.ts <= end for t in self.transitions)

    def by(self, end: int) -> list[Transition]:
        """The transitions known at ``end``."""
        return [t for t in self.transitions if t.ts <= end]

    def placed(self, end: int) -> bool:
        """Has a record with coordinates come by ``end``?"""
        return any(t.cell is not None and t.ts <= end for t in self.transitions)

    def channel(self, end: int) -> str | None:
        """The channel of the earliest record that names one."""
        return next((t.channel for t in self.by(end) if t.channel), None)

    @property
    def place(self) -> tuple[float, float] | None:
        """The coordinates of the earliest record that has some."""
        return next((t.place for t in self.transitions if t.cell is not None), None)

    def severity(self, end: int) -> int:
        """The latest one given, 1 if none is."""
        return ([1] + [t.severity for t in self.by(end) if t.severity])[-1]

    def is_open(self, end: int) -> bool:
        """Known at ``end``, neither rejected nor closed by then."""
        by_now = {t.status for t in self.transitions if t.ts <= end}
        return bool(by_now) and not by_now & {"rejected", "closed"}

    def deadline(self, end: int, since: str = "accepted", within: int | None = None) -> float | None:
        """A status plus the time allowed for the latest severity known at ``end``, or plus ``within``."""
        begin = self.first(since, end)
        allowed = metric_rows()[self.kind].sla * MINUTE * SEVERITY_FACTOR[self.severity(end)]
        return None if begin is None else begin + (allowed if within is None else within)


@dataclass(frozen=True, slots=True)
class Settled:
    """What formulas may look at: series by metric, check marks by cell, cases by type."""

    series: Mapping[str, list[Series]]
    checked: Mapping[str, list[int]]
    correct: Mapping[str, list[int]]
    cases: Mapping[str, list[Case]]
    records: Records


def settle(records: Records) -> Settled:
    """Bring records of arrival into the order of their own time: the last arrival of a time stamp wins."""
    rows = metric_rows()
    kept: dict[tuple[str, str, str], dict[int, float]] = defaultdict(dict)
    checked: dict[str, list[int]] = defaultdict(list)
    for r in records.readings:
        row = rows[r.metric]
        if row.low <= r.value <= row.high:
            kept[r.sensor, r.metric, r.cell][r.ts] = round(r.value / row.resolution) * row.resolution
        else:
            checked[r.cell].append(r.ts)
    correct: dict[str, list[int]] = defaultdict(list)
    for (_, _, cell), values in kept.items():
        correct[cell].extend(values)
    for cell, stamps in correct.items():
        checked[cell].extend(stamps)
    series = _series(records, kept)
    return Settled(series, _sorted(checked), _sorted(correct), _cases(records.transitions), records)


def within(stamps: list[int], begin: int, end: int) -> int:
    """How many sorted time stamps lie in (begin, end]."""
    return bisect_right(stamps, end) - bisect_right(stamps, begin)


def _sorted(stamps: Mapping[str, list[int]]) -> dict[str, list[int]]:
    return {cell: sorted(values) for cell, values in stamps.items()}


def _series(
    records: Records, kept: Mapping[tuple[str, str, str], Mapping[int, float]]
) -> dict[str, list[Series]]:
    listed = {row.sensor: row for row in records.listed}
    silent = {(r.sensor, r.metric, r.cell) for r in records.listed if r.metric}
    found: dict[str, list[Series]] = defaultdict(list)
    for key in sorted(silent | set(kept)):
        sensor, metric, cell = key
        row, own = metric_rows()[metric], listed.get(sensor)
        period = own.period if own and own.period else row.period
        hold = 48 * HOUR if row.reference else 3 * period
        times = sorted(kept.get(key, {}))
        values = [kept[key][ts] for ts in times]
        retired = own is not None and own.retired
        place = own.place if own else None
        found[metric].append(Series(sensor, cell, period, hold, key in silent, retired, place, times, values))
    return found


def _cases(transitions: Iterable[Transition]) -> dict[str, list[Case]]:
    grouped: dict[str, list[Transition]] = defaultdict(list)
    for t in transitions:
        grouped[t.case].append(t)
    cases: dict[str, list[Case]] = defaultdict(list)
    for records in grouped.values():
        by_time = sorted(records, key=lambda t: t.ts)
        cell = next((t.cell for t in by_time if t.cell), None)
        cases[by_time[0].kind].append(Case(by_time[0].kind, cell, tuple(by_time)))
    return cases
