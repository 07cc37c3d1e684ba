"""The newest value of every indicator in every area, and which of them are worth telling again.

A value is told when it changed (value or coverage in 6 significant digits, level, status, revision, score) or
was told 15 minutes of event time ago. Areas are row numbers; everything is arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.digits import significant
from sinks.table_file import ValueFrame

Rows = NDArray[np.int64]
Records = NDArray[np.void]

AGAIN_MS = 15 * 60_000
"""An unchanged value is told again after this long."""

DIGITS = 6
"""Significant digits in which a change is a change."""

RECORD = np.dtype(
    [
        ("row", np.int32),
        ("revision", np.int32),
        ("window_end", np.int64),
        ("value", np.float64),
        ("coverage", np.float64),
        ("n", np.int64),
        ("told", np.int64),
        ("level", np.uint8),
        ("status", np.uint8),
        ("score", np.float32),
        ("low", np.float64),
        ("high", np.float64),
    ]
)
"""One value: its area's row, its window end and when it was last told (ms), what C-2.3 shows of it.

Score and band are NaN where a value was not scored.
"""

_COLUMNS = ("window_end", "value", "coverage", "n", "level", "status", "revision")
_SCORES = ("score", "low", "high")
_NEVER = np.iinfo(np.int64).min // 2


@dataclass(slots=True)
class Newest:
    """The newest records of one indicator; ``place`` int32[rows] finds an area's record, -1 for none."""

    records: Records
    place: NDArray[np.int32]

    @classmethod
    def of(cls, records: Records) -> Newest:
        """What holds these records."""
        place = np.full(int(records["row"].max(initial=-1)) + 1, -1, np.int32)
        place[records["row"]] = np.arange(len(records), dtype=np.int32)
        return cls(records, place)

    def take(self, frames: Sequence[ValueFrame]) -> Records:
        """Take in frames; the records to tell, each area once.

        A row of an older window, or of an older revision of the same window, changes nothing.
        """
        new = _last_of_each(_joined(frames))
        at = self._placed(new["row"])
        old = self.records[at]
        newer = (new["window_end"] > old["window_end"]) | (
            (new["window_end"] == old["window_end"]) & (new["revision"] >= old["revision"])
        )
        new, at, old = new[newer], at[newer], old[newer]
        _keep_scores(new, old)
        due = _changed(new, old) | (new["window_end"] - old["told"] >= AGAIN_MS)
        new["told"] = np.where(due, new["window_end"], old["told"])
        self.records[at] = new
        told: Records = new[due]
        return told

    def _placed(self, row: NDArray[np.int32]) -> NDArray[np.int32]:
        """Where the records of areas are; an area seen for the first time gets an empty one."""
        more = int(row.max(initial=-1)) + 1 - len(self.place)
        if more > 0:
            self.place = np.concatenate((self.place, np.full(more, -1, np.int32)))
        fresh = row[self.place[row] < 0]
        if len(fresh):
            empty = np.zeros(len(fresh), RECORD)
            empty["row"], empty["window_end"], empty["told"], empty["score"] = fresh, _NEVER, _NEVER, np.nan
            self.place[fresh] = np.arange(len(self.records), len(self.records) + len(fresh), dtype=np.int32)
            self.records = np.concatenate((self.records, empty))
        return self.place[row]


class ValueMemory:
    """The newest records of all indicators of one part.

    >>> frame = ValueFrame("air.aqi", 4, ["city"], None, 900_000, np.array([57.0]), np.array([1]),
    ...                    np.array([9]), np.array([1.0]), 0, 0, np.array([0]))
    >>> memory = ValueMemory()
    >>> [len(told) for told in memory.take([frame]).values()], memory.take([frame])
    ([1], {})
    """

    def __init__(self, state: Mapping[str, Records] | None = None) -> None:
        """Empty, or as ``state()`` gave it."""
        self._newest = {name: Newest.of(_as_records(found)) for name, found in (state or {}).items()}

    def take(self, frames: Sequence[ValueFrame]) -> dict[str, Records]:
        """Take in frames of any indicators; indicator -> records to tell, where there are any."""
        by_indicator: dict[str, list[ValueFrame]] = {}
        for frame in frames:
            by_indicator.setdefault(frame.indicator, []).append(frame)
        told = {name: self._of(name).take(own) for name, own in by_indicator.items()}
        return {name: records for name, records in told.items() if len(records)}

    def _of(self, indicator: str) -> Newest:
        if indicator not in self._newest:
            self._newest[indicator] = Newest.of(np.empty(0, RECORD))
        return self._newest[indicator]

    def forget(self, indicator: str) -> Records:
        """Forget an indicator; its newest records."""
        newest = self._newest.pop(indicator, None)
        return np.empty(0, RECORD) if newest is None else newest.records

    def all(self) -> dict[str, Records]:
        """Every newest record, by indicator."""
        return {name: newest.records for name, newest in self._newest.items()}

    def state(self) -> dict[str, Any]:
        """A copy of all records, by indicator."""
        return {name: records.copy() for name, records in self.all().items()}


def _joined(frames: Sequence[ValueFrame]) -> Records:
    lengths = [len(frame) for frame in frames]
    joined = np.empty(sum(lengths), RECORD)
    start = 0
    for frame, length in zip(frames, lengths, strict=True):
        if frame.row is None:
            raise ValueError(f"a frame of {frame.indicator} does not number its areas")
        part = joined[start : start + length]
        part["row"] = frame.row
        for name in _COLUMNS:
            part[name] = getattr(frame, name)
        for name in _SCORES:
            column = getattr(frame, name)
            part[name] = np.nan if column is None else column
        start += length
    return joined


def _last_of_each(rows: Records) -> Records:
    """Of every area the row of the latest window, of that the last revision."""
    order = np.lexsort((rows["revision"], rows["window_end"], rows["row"]))
    row = rows["row"][order]
    last = np.ones(len(row), bool)
    last[:-1] = row[1:] != row[:-1]
    found: Records = rows[order[last]]
    return found


def _keep_scores(new: Records, old: Records) -> None:
    """A revision of a window has no score of its own: that of its first value stays."""
    same = (new["window_end"] == old["window_end"]) & np.isnan(new["score"])
    for name in _SCORES:
        new[name] = np.where(same, old[name], new[name])


def _as_records(found: Records) -> Records:
    """A copy; what is from before there were scores has none."""
    if found.dtype == RECORD:
        return found.copy()
    records = np.zeros(len(found), RECORD)
    for name in RECORD.names or ():
        records[name] = found[name] if name in (found.dtype.names or ()) else np.nan
    return records


def _changed(new: Records, old: Records) -> NDArray[np.bool_]:
    changed: NDArray[np.bool_] = old["told"] == _NEVER
    for name in ("level", "status", "revision"):
        changed |= new[name] != old[name]
    changed |= (new["score"] != old["score"]) & ~np.isnan(new["score"])
    for name in ("value", "coverage"):
        one, other = significant(new[name], DIGITS), significant(old[name], DIGITS)
        changed |= (one != other) & ~(np.isnan(one) & np.isnan(other))
    return changed
