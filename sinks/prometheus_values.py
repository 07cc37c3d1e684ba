"""Values and levels of city, districts and streets as gauges: the newest window of each, until data stop.

    ("areas", ValueFrame) ─▶ Latest ─▶ text, when scraped

Cells and communities are too many to be labels: they live in Redis and in the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bytewax.outputs import DynamicSink, FixedPartitionedSink, StatefulSinkPartition, StatelessSinkPartition
from numpy.typing import NDArray

from sinks.prometheus import Family, Sample
from sinks.prometheus_text import KeptGauge
from sinks.table_file import KINDS, ValueFrame

_LOWEST = KINDS.index("street")
_LABELS = ("indicator", "area", "kind")
Rows = dict[tuple[str, str, str], tuple[int, float | None, int]]
"""(indicator, area, kind) -> end of its newest window (ms), value or None, level."""


@dataclass(slots=True)
class Latest:
    """The newest value of each (indicator, area, kind): window end ms, value or None, level.

    ``names`` gives the Chinese and English name of an (area, kind); others are called by their ids.

    >>> latest = Latest()
    >>> value, level, n, coverage = np.array([57.0]), np.array([0]), np.array([9]), np.array([1.0])
    >>> latest.take(ValueFrame("air.aqi", 4, ["city"], None, 60_000, value, level, n, coverage, 0, 0))
    >>> [line for line in latest.text().decode().splitlines() if line[0] != "#"][0]
    'yiwang_indicator_value{area="city",indicator="air.aqi",kind="city"} 57.0'
    """

    rows: Rows = field(default_factory=dict)
    names: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _value: KeptGauge = field(init=False)
    _level: KeptGauge = field(init=False)
    _info: KeptGauge = field(init=False)

    def __post_init__(self) -> None:
        """No sample yet."""
        text = "Value of an indicator's newest window, in the indicator's unit."
        self._value = KeptGauge("yiwang_indicator_value", text, _LABELS)
        text = "Level of an indicator: 0 none, 1 blue, 2 yellow, 3 orange, 4 red."
        self._level = KeptGauge("yiwang_indicator_level", text, _LABELS)
        text = "Names of the areas that have values."
        self._info = KeptGauge("yiwang_area_info", text, ("area", "kind", "area_zh", "area_en"))
        rows, self.rows = self.rows, {}
        self.go_on(rows)

    def take(self, frame: ValueFrame) -> None:
        """Take the rows of a frame; an older window than the one shown changes nothing."""
        if frame.news is not None:
            self._forget(set(frame.news.indicators))
        n = len(frame)
        kind, end = (np.broadcast_to(np.asarray(column), n) for column in (frame.kind, frame.window_end))
        area = frame.area
        rows: Rows = {}
        for i in _last(kind, end, area).tolist():
            key = (frame.indicator, area[i].decode(), KINDS[kind[i]])
            known = self.rows.get(key)
            if known is None or end[i] >= known[0]:
                value = float(frame.value[i])
                rows[key] = int(end[i]), None if np.isnan(value) else value, int(frame.level[i])
        self.go_on(rows)

    def go_on(self, rows: Rows) -> None:
        """Show these rows from now on, whatever was shown in their places."""
        self._info.set((self._named(key), 1.0) for key in rows.keys() - self.rows.keys())
        self.rows |= rows
        self._value.set((key, value) for key, (_, value, _) in rows.items())
        levels = ((key, None if value is None else level) for key, (_, value, level) in rows.items())
        self._level.set(levels)

    def _forget(self, indicators: set[str]) -> None:
        gone = {key for key in self.rows if key[0] in indicators}
        self.rows = {key: row for key, row in self.rows.items() if key not in gone}
        self._value.set((key, None) for key in gone)
        self._level.set((key, None) for key in gone)
        still = {key[1:] for key in self.rows}
        self._info.set((self._named(key), None) for key in gone if key[1:] not in still)

    def _named(self, key: tuple[str, str, str]) -> tuple[str, str, str, str]:
        _, area, kind = key
        return (area, kind, *self.names.get((area, kind), (area, area)))

    def text(self) -> bytes:
        """What a scrape gets: an area without data has no sample."""
        return b"".join(gauge.text() for gauge in (self._value, self._level, self._info))

    def families(self) -> Iterator[Family]:
        """The same with all samples, for who looks at them one by one."""
        rows = [
            (key, value, level) for key, (_, value, level) in list(self.rows.items()) if value is not None
        ]
        values = [Sample(key, value) for key, value, _ in rows]
        levels = [Sample(key, level) for key, _, level in rows]
        yield Family(
            "yiwang_indicator_value",
            "gauge",
            "Value of an indicator's newest window, in the indicator's unit.",
            _LABELS,
            values,
        )
        yield Family(
            "yiwang_indicator_level",
            "gauge",
            "Level of an indicator: 0 none, 1 blue, 2 yellow, 3 orange, 4 red.",
            _LABELS,
            levels,
        )
        known = {
            (area, kind): self.names.get((area, kind), (area, area)) for _, area, kind in list(self.rows)
        }
        yield Family(
            "yiwang_area_info",
            "gauge",
            "Names of the areas that have values.",
            ("area", "kind", "area_zh", "area_en"),
            [Sample((*key, *names), 1) for key, names in sorted(known.items())],
        )


def _last(kind: NDArray[Any], end: NDArray[Any], area: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Of each area that is shown the row with the latest window; of equal ones the last."""
    shown = np.flatnonzero(kind >= _LOWEST)
    if len(shown) < 2:
        return shown
    _, number = np.unique(area[shown], return_inverse=True)
    order = np.lexsort((shown, end[shown], number))
    last = np.append(np.diff(number[order]) != 0, True)
    return np.asarray(np.sort(shown[order[last]]))


class _Part(StatefulSinkPartition[ValueFrame, dict[str, Any]]):
    def __init__(self, latest: Latest) -> None:
        self._latest = latest

    def write_batch(self, values: Iterable[ValueFrame]) -> None:
        for frame in values:
            self._latest.take(frame)

    def snapshot(self) -> dict[str, Any]:
        return {"rows": dict(self._latest.rows)}


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
            self._latest.go_on(resume_state["rows"])
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
