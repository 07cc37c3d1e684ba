"""Values and levels of city, districts and streets as gauges: the newest window of each, until data stop.

    ("areas", ValueFrame) ─▶ newest rows of each indicator ─▶ text, when scraped

Cells and communities are too many to be labels: they live in Redis and in the history. A turn of the flow
only keeps columns; labels and numbers become text in the thread of whoever scrapes.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from bytewax.outputs import DynamicSink, FixedPartitionedSink, StatefulSinkPartition, StatelessSinkPartition
from numpy.typing import NDArray

from sinks.prometheus import Family, Sample
from sinks.prometheus_text import KeptGauge
from sinks.table_file import KINDS, ValueFrame

_LOWEST = KINDS.index("street")
_LABELS = ("indicator", "area", "kind")
_VALUE = "Value of an indicator's newest window, in the indicator's unit."
_LEVEL = "Level of an indicator: 0 none, 1 blue, 2 yellow, 3 orange, 4 red."
_INFO = "Names of the areas that have values."
Pair = tuple[str, str]
"""An area and its kind."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest window of n areas of one indicator, each once.

    Attributes:
        area: bytes[n], UTF-8 ids.
        kind: uint8[n], index into `KINDS`.
        end: int64[n], end of the window, epoch ms.
        value: float64[n], NaN for none.
        level: uint8[n], 0 to 4.
    """

    area: NDArray[np.bytes_]
    kind: NDArray[np.uint8]
    end: NDArray[np.int64]
    value: NDArray[np.float64]
    level: NDArray[np.uint8]

    @classmethod
    def of(cls, frame: ValueFrame) -> Self:
        """Those of a frame from streets up; of rows of equal ends the last."""
        kind, end = (np.broadcast_to(np.asarray(x), len(frame)) for x in (frame.kind, frame.window_end))
        shown = np.flatnonzero(kind >= _LOWEST)
        # A place is an area, so that only the texts of those that stay are looked at.
        rows = shown if frame.place is None else shown[_last(frame.place[shown], end[shown])]
        new = cls(frame.area_at(rows), kind[rows], end[rows], frame.value[rows], frame.level[rows])
        return new.once() if frame.place is None else new

    def then(self, later: Self) -> Self:
        """With rows that were told later: they stand unless their window is older."""
        if self.has_areas_of(later):
            old = later.end < self.end
            pairs = zip(self.columns[2:], later.columns[2:], strict=True)
            return type(self)(self.area, self.kind, *(np.where(old, mine, new) for mine, new in pairs))
        pairs = zip(self.columns, later.columns, strict=True)
        return type(self)(*(np.concatenate(pair) for pair in pairs)).once()

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """All of them, in order; they are never written to."""
        return self.area, self.kind, self.end, self.value, self.level

    def has_areas_of(self, other: Self) -> bool:
        """Whether both have the same areas in the same order."""
        return np.array_equal(self.area, other.area) and np.array_equal(self.kind, other.kind)

    def pairs(self) -> list[Pair]:
        """The areas."""
        return [(a.decode(), KINDS[k]) for a, k in zip(self.area.tolist(), self.kind.tolist(), strict=True)]

    def once(self) -> Self:
        """Each area once, with its latest window; of equal ones the last."""
        _, number = np.unique(self.area, return_inverse=True)
        rows = _last(number * len(KINDS) + self.kind, self.end)
        return type(self)(*(column[rows] for column in self.columns))


def _last(number: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each number the row with the latest end, of equal ends the last; by rising number."""
    order = np.argsort(end, kind="stable")
    at = np.full(int(number.max(initial=-1)) + 1, -1)
    # Of repeated targets numpy keeps the last assigned.
    at[number[order]] = order
    return np.asarray(at[at >= 0])


@dataclass(slots=True)
class Latest:
    """The newest value of each (indicator, area, kind).

    ``names`` gives the Chinese and English name of an (area, kind); others are called by their ids.

    >>> latest = Latest()
    >>> value, level, n, coverage = np.array([57.0]), np.array([0]), np.array([9]), np.array([1.0])
    >>> latest.take(ValueFrame("air.aqi", 4, ["city"], None, 60_000, value, level, n, coverage, 0, 0))
    >>> [line for line in latest.text().decode().splitlines() if line[0] != "#"][0]
    'yiwang_indicator_value{area="city",indicator="air.aqi",kind="city"} 57.0'
    """

    rows: dict[str, Newest] = field(default_factory=dict)
    names: Mapping[Pair, Pair] = field(default_factory=dict)
    _told: dict[str, tuple[Newest, list[Pair]]] = field(default_factory=dict, init=False)
    _telling: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _value: KeptGauge = field(init=False)
    _level: KeptGauge = field(init=False)
    _info: KeptGauge = field(init=False)

    def __post_init__(self) -> None:
        """No sample yet."""
        self._value = KeptGauge("yiwang_indicator_value", _VALUE, _LABELS)
        self._level = KeptGauge("yiwang_indicator_level", _LEVEL, _LABELS)
        self._info = KeptGauge("yiwang_area_info", _INFO, ("area", "kind", "area_zh", "area_en"))

    def take(self, frame: ValueFrame) -> None:
        """Take the rows of a frame; an older window than the one shown changes nothing."""
        if frame.news is not None:
            gone = set(frame.news.indicators)
            self.rows = {name: rows for name, rows in self.rows.items() if name not in gone}
        new = Newest.of(frame)
        if len(new.area):
            known = self.rows.get(frame.indicator)
            self.rows[frame.indicator] = new if known is None else known.then(new)

    def text(self) -> bytes:
        """What a scrape gets: an area without data has no sample."""
        with self._telling:
            rows = dict(self.rows)
            for indicator in self._told.keys() - rows.keys():
                self._untell(indicator, self._told.pop(indicator)[1])
            for indicator, new in rows.items():
                self._tell(indicator, new)
            return b"".join(gauge.text() for gauge in (self._value, self._level, self._info))

    def _tell(self, indicator: str, new: Newest) -> None:
        old, before = self._told.get(indicator, (None, []))
        if new is old:
            return
        if old is not None and new.has_areas_of(old):
            pairs = before
            same = (new.value == old.value) | (np.isnan(new.value) & np.isnan(old.value))
            changed = np.flatnonzero(~same | (new.level != old.level)).tolist()
        else:
            pairs, changed = new.pairs(), list(range(len(new.area)))
        self._told[indicator] = new, pairs
        if pairs is not before:
            there = set(pairs)
            self._untell(indicator, [pair for pair in before if pair not in there])
            self._info.set((self._named(pair), 1.0) for pair in pairs)
        values, levels = new.value.tolist(), new.level.tolist()
        told = [(i, (indicator, *pairs[i]), math.isnan(values[i])) for i in changed]
        self._value.set((key, None if none else values[i]) for i, key, none in told)
        self._level.set((key, None if none else levels[i]) for i, key, none in told)

    def _untell(self, indicator: str, pairs: list[Pair]) -> None:
        keys = [(indicator, *pair) for pair in pairs]
        for gauge in (self._value, self._level):
            gauge.set((key, None) for key in keys)
        still = {pair for _, others in self._told.values() for pair in others}
        self._info.set((self._named(pair), None) for pair in pairs if pair not in still)

    def _named(self, pair: Pair) -> tuple[str, str, str, str]:
        return (*pair, *self.names.get(pair, (pair[0], pair[0])))

    def families(self) -> Iterator[Family]:
        """The same with all samples, for who looks at them one by one."""
        values, levels, areas = list[Sample](), list[Sample](), set[Pair]()
        for indicator, rows in dict(self.rows).items():
            pairs = rows.pairs()
            areas.update(pairs)
            for pair, value, level in zip(pairs, rows.value.tolist(), rows.level.tolist(), strict=True):
                if not math.isnan(value):
                    values.append(Sample((indicator, *pair), value))
                    levels.append(Sample((indicator, *pair), level))
        yield Family(self._value.name, "gauge", _VALUE, _LABELS, values)
        yield Family(self._level.name, "gauge", _LEVEL, _LABELS, levels)
        info = [Sample(self._named(pair), 1) for pair in sorted(areas)]
        yield Family(self._info.name, "gauge", _INFO, self._info.labels, info)


class _Part(StatefulSinkPartition[ValueFrame, dict[str, Any]]):
    def __init__(self, latest: Latest) -> None:
        self._latest = latest

    def write_batch(self, values: Iterable[ValueFrame]) -> None:
        for frame in values:
            self._latest.take(frame)

    def snapshot(self) -> dict[str, Any]:
        return {"newest": {name: rows.columns for name, rows in self._latest.rows.items()}}


class ValueGauges(FixedPartitionedSink[ValueFrame, dict[str, Any]]):
    """Sink of the area step's frames into a `Latest`; it goes on with what it showed before a restart.

    One part: the engine gives it to the process that has the source, too.
    """

    def __init__(self, latest: Latest) -> None:
        self._latest = latest

    def list_parts(self) -> list[str]:
        """The one part."""
        return ["areas"]

    def build_part(self, step_id: str, for_part: str, resume_state: dict[str, Any] | None) -> _Part:
        """The part, with what a snapshot says was shown."""
        del step_id, for_part
        if resume_state is not None:
            # What an earlier layout holds comes again with the next windows.
            newest = resume_state.get("newest", {})
            self._latest.rows |= {name: Newest(*columns) for name, columns in newest.items()}
        return _Part(self._latest)


@dataclass(slots=True)
class Revisions:
    """How many rows of this process were published again after late records."""

    count: int = 0

    def families(self) -> Iterator[Family]:
        """What a scrape gets."""
        text = "Rows published again because records came late, all areas."
        yield Family("yiwang_revisions_total", "counter", text, (), [Sample((), self.count)])


class _RevisionPart(StatelessSinkPartition[tuple[str, ValueFrame]]):
    def __init__(self, revisions: Revisions) -> None:
        self._revisions = revisions

    def write_batch(self, items: list[tuple[str, ValueFrame]]) -> None:
        for _, frame in items:
            if np.ndim(frame.revision):
                self._revisions.count += int(np.count_nonzero(frame.revision))
            elif frame.revision:
                self._revisions.count += len(frame)


class RevisionCounter(DynamicSink[tuple[str, ValueFrame]]):
    """Sink of all frames of a process into its `Revisions`; it begins at 0 after a restart."""

    def __init__(self, revisions: Revisions) -> None:
        self._revisions = revisions

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _RevisionPart:
        """The part of this process."""
        del step_id, worker_index, worker_count
        return _RevisionPart(self._revisions)
