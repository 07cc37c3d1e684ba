"""Admission told plainly: one record at a time, lists and dictionaries, straight from R4 to R7 and R10."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor, inf
from typing import Any

from flows.batches import FINAL
from indicators.metrics import Metrics

DISORDER, FUTURE, HOUR = 10_000, 300_000, 3_600_000
UNIT = 10  # degrees: places are whole cells of a toy grid, see ``Strips``


@dataclass
class Record:
    """One reading as it arrives; ``place`` is a longitude or None."""

    offset: int
    sensor: str
    metric: str
    value: float
    ts: int
    place: float | None


@dataclass
class Row:
    """One registry row; ``metric`` may be "", ``period`` 0."""

    sensor: str
    metric: str
    place: float
    period: int = 0
    retired: int = FINAL


def cell_of(place: float) -> int:
    return floor(place) if 0 <= place < UNIT else -1


@dataclass
class PlainAdmission:
    """What ``ReadingAdmission`` must equal; ``seen`` collects its outputs in order."""

    metrics: Metrics
    slice_ms: list[int]
    registry: list[Row]
    origin: int = 0
    most: float = inf
    pairs: set[tuple[str, str]] = field(default_factory=set)
    maximum: int | None = None
    waiting: list[Record] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    memory: dict[int, dict[int, int]] = field(default_factory=dict)
    series: dict[tuple[str, str, int], int] = field(default_factory=dict)
    announced: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    seen: dict[str, list[Any]] = field(
        default_factory=lambda: {k: [] for k in ("new", "rows", "strays", "rejects")}
    )
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("received", "duplicates", "late"), 0)
    )

    def __post_init__(self) -> None:
        self.load(self.registry)

    def load(self, registry: list[Row]) -> None:
        self.registry = registry
        for (sensor, metric, cell), number in self.series.items():
            self.announce(sensor, metric, cell, number)
        for row in {(r.sensor, r.metric): r for r in registry}.values():
            if row.metric in self.metrics.index and cell_of(row.place) >= 0:
                self.number(row.sensor, row.metric, cell_of(row.place))

    def row(self, sensor: str, metric: str) -> Row | None:
        mine = [r for r in self.registry if r.sensor == sensor]
        for wanted in (metric, ""):
            named = [r for r in mine if r.metric == wanted]
            if named:
                return named[-1]
        # Of rows for other metrics the one listed last by first appearance lends its place.
        others = {r.metric: r for r in mine}
        return Row(sensor, "", list(others.values())[-1].place) if others else None

    def number(self, sensor: str, metric: str, cell: int) -> int:
        self.pairs.add((sensor, metric))
        number = self.series.setdefault((sensor, metric, cell), len(self.series))
        self.announce(sensor, metric, cell, number)
        return number

    def announce(self, sensor: str, metric: str, cell: int, number: int) -> None:
        row = self.row(sensor, metric) or Row(sensor, "", -1.0)
        period = row.period or self.metrics[metric].period_ms
        named = row.metric == metric and cell_of(row.place) == cell
        attributes = (number, sensor, metric, cell, period, row.retired, named)
        if self.announced.get(number) != attributes:
            self.announced[number] = attributes
            self.seen["new"].append(attributes)

    def push(self, record: Record) -> None:
        self.counts["received"] += 1
        if record.metric not in self.metrics.index:
            self.reject(record, "unknown_metric")
            return
        if not self.welcome(record):
            self.reject(record, "too_many_series")
            return
        self.waiting.append(record)
        self.drain(ended=False)

    def welcome(self, r: Record) -> bool:
        """Whether there is room for its pair of sensor and metric, which is known from then on."""
        guests = [pair for pair in self.pairs if self.row(*pair) is None]
        new = (r.sensor, r.metric) not in self.pairs
        if new and self.row(r.sensor, r.metric) is None and len(guests) >= self.most:
            return False
        self.pairs.add((r.sensor, r.metric))
        return True

    def fits(self, r: Record, cell: int) -> bool:
        """Whether there is room for its series."""
        guests = [(s, m) for s, m, _ in self.series if self.row(s, m) is None]
        new = (r.sensor, r.metric, cell) not in self.series
        return not (new and self.row(r.sensor, r.metric) is None and len(guests) >= self.most)

    def finish(self) -> None:
        self.drain(ended=True)

    def reject(self, record: Record, reason: str) -> None:
        self.seen["rejects"].append((record.offset, reason))

    def drain(self, *, ended: bool) -> None:
        while self.waiting:
            first, further = self.waiting[0], self.waiting[1:6]
            if self.maximum is None or first.ts > self.maximum + FUTURE:
                if len(further) < 5 and not ended:
                    return
                if not self.honest(first, further):
                    self.reject(self.waiting.pop(0), "future_time")
                    continue
            self.judge(self.waiting.pop(0))

    def honest(self, first: Record, further: list[Record]) -> bool:
        if further:
            return 2 * sum(r.ts >= first.ts - FUTURE for r in further) > len(further)
        within = self.metrics[first.metric].correct_within_ms
        return self.maximum is None or first.ts <= self.maximum + within

    def effective(self, ts: int, before: int | None, length: int) -> int:
        end = self.origin + ceil(Fraction(ts - self.origin, length)) * length
        if before is None:
            return end
        after = self.origin + (floor(Fraction(before - DISORDER - self.origin, length)) + 1) * length
        return max(end, after)

    def judge(self, r: Record) -> None:
        before, metric = self.maximum, self.metrics[r.metric]
        self.maximum = r.ts if before is None else max(before, r.ts)
        late = before is not None and r.ts < before - DISORDER
        if before is not None and r.ts < before - DISORDER - metric.correct_within_ms:
            return self.reject(r, "too_late")
        registered = self.row(r.sensor, r.metric)
        if registered is not None:
            cell = cell_of(registered.place)
        elif r.place is not None:
            cell = cell_of(r.place)
            if cell >= 0:
                self.places[r.sensor] = cell
        else:
            cell = self.places.get(r.sensor, -1)
        if cell < 0:
            return self.reject(r, "unknown_location")
        if not metric.range_min <= r.value <= metric.range_max:
            self.seen["strays"].append((cell, r.ts, self.effective(r.ts, before, HOUR)))
            return self.reject(r, "out_of_range")
        if not self.fits(r, cell):
            return self.reject(r, "too_many_series")
        number = self.number(r.sensor, r.metric, cell)
        value, memory = round(r.value / metric.resolution), self.memory.setdefault(number, {})
        if memory.get(r.ts) == value:
            self.counts["duplicates"] += 1
            return None
        memory[r.ts] = value
        if len(memory) > 8:
            del memory[next(iter(memory))]
        self.counts["late"] += late
        slice_ms = self.slice_ms[self.metrics.index[r.metric]]
        second = ceil(Fraction(self.maximum, 1000)) * 1000
        self.seen["rows"].append((number, r.ts, value, self.effective(r.ts, before, slice_ms), second))
        return None
