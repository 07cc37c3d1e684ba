"""Decoded records as columns, and the checks that JSON and Arrow records share.

Row i of every column belongs to record ``index[i]`` of message ``message[i]`` of the decoded block, so
that a row refused later can still be traced to its bytes. Times are int64 epoch milliseconds, missing
coordinates NaN, ``crs`` a uint8 position in ``flows.wire.CRS_NAMES`` (0, WGS84, where none is given).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flows.decoding.time_texts import usual_times
from flows.wire import (
    END_OF_TIME,
    MAX_LATITUDE,
    MAX_LONGITUDE,
    MIN_LONGITUDE,
    MIN_TIME,
    NaiveTimeError,
    Reason,
    parse_time,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

FAULTS: tuple[Reason | None, ...] = (None, Reason.BAD_FIELD, Reason.NAIVE_TIME)
"""What the codes of a fault column mean."""

BAD, NAIVE = 1, 2


@dataclass(frozen=True, slots=True)
class Names:
    """A column of n texts: one by one (``codes`` is None), or int32 ``codes`` into ``values``.

    >>> Names(np.array([1, 0, 1], np.int32), ["a", "b"]).to_list()
    ['b', 'a', 'b']
    """

    codes: NDArray[np.int32] | None
    values: list[str]

    def __len__(self) -> int:
        return len(self.values) if self.codes is None else len(self.codes)

    def to_list(self) -> list[str]:
        """Return the n texts."""
        if self.codes is None:
            return self.values
        return [self.values[code] for code in self.codes.tolist()]

    def take(self, rows: Ints) -> "Names":
        """Return the texts of the given rows."""
        if self.codes is None:
            return Names(None, [self.values[row] for row in rows.tolist()])
        return Names(self.codes[rows], self.values)

    @classmethod
    def joined(cls, parts: Sequence["Names"]) -> "Names":
        """The texts of all parts, one part after the other; ``values`` may then repeat.

        >>> Names.joined([Names(np.array([0, 0], np.int32), ["a"]), Names(None, ["b"])]).to_list()
        ['a', 'a', 'b']
        """
        filled = [part for part in parts if len(part)]
        if all(part.codes is None for part in filled):
            return cls(None, list(chain.from_iterable(part.values for part in filled)))
        codes, values = [], list[str]()
        for part in filled:
            own = np.arange(len(part), dtype=np.int32) if part.codes is None else part.codes
            codes.append(np.where(own < 0, own, own + np.int32(len(values))))
            values += part.values
        return cls(np.concatenate(codes), values)


@dataclass(frozen=True, slots=True)
class _Columns:
    """n rows; every field is an array, a list or a ``Names`` of length n."""

    def __len__(self) -> int:
        return len(self.message)  # type: ignore[attr-defined]  # every subclass has it

    def take(self, rows: Ints) -> Self:
        """Return the given rows, in the given order."""
        return type(self)(*(_take(getattr(self, f.name), rows) for f in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one part after the other; at least one part."""
        return cls(*(_concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True, slots=True)
class Readings(_Columns):
    """n readings: ``value`` in the metric's unit as sent (never rounded here), finite."""

    sensor: Names
    metric: Names
    value: Floats
    ts: Ints
    lon: Floats
    lat: Floats
    crs: Bytes
    index: Ints
    message: Ints


@dataclass(frozen=True, slots=True)
class Events(_Columns):
    """n status transitions of cases: ``severity`` is 1 to 4, 0 where none is given."""

    event_id: list[str]
    type: list[str]
    status: list[str]
    ts: Ints
    lon: Floats
    lat: Floats
    crs: Bytes
    severity: NDArray[np.int8]
    channel: list[str | None]
    department: list[str | None]
    index: Ints
    message: Ints


@dataclass(frozen=True, slots=True)
class Feedback(_Columns):
    """n actions on incidents."""

    incident_id: list[str]
    action: list[str]
    actor: list[str]
    ts: Ints
    note: list[str | None]
    index: Ints
    message: Ints


@dataclass(frozen=True, slots=True)
class Reject:
    """A refused record: where it stood (message of the block, index in it), why, and its bytes.

    ``raw`` is the record alone (an element of an array, a row of an Arrow batch as JSON), the whole
    message where its records cannot be told apart.
    """

    message: int
    index: int
    reason: Reason
    raw: bytes


def moments(times: Iterable[int | str]) -> tuple[Ints, Bytes]:
    """Return times as epoch milliseconds with a fault code each.

    >>> moments([5, "1970-01-01T00:00:01Z", "1970-01-01T00:00:01"])
    (array([   5, 1000,    0]), array([0, 0, 2], dtype=uint8))
    """
    listed = list(times)
    ts, known = np.zeros(len(listed), np.int64), np.zeros(len(listed), bool)
    if set(map(type, listed)) == {str}:
        ts, known = usual_times([str(text) for text in listed])
    faults = np.zeros(len(listed), np.uint8)
    rest = np.flatnonzero(~known).tolist()
    judged = {time: _moment(time) for time in {listed[row] for row in rest}}
    for row in rest:
        ts[row], faults[row] = judged[listed[row]]
    return ts, faults


def out_of_time(ts: Ints) -> Flags:
    """Tell which epoch milliseconds lie outside the years 1970 to 2200."""
    return (ts < MIN_TIME) | (ts >= END_OF_TIME)


def misplaced(lon: Floats, lat: Floats) -> Flags:
    """Tell which places are no places: only one coordinate, or outside what the grid covers.

    >>> misplaced(np.array([114.3, np.nan, 114.3, 114.3]), np.array([30.6, np.nan, np.nan, 88.0]))
    array([False, False,  True,  True])
    """
    outside: Flags = (np.abs(lat) >= MAX_LATITUDE) | (lon < MIN_LONGITUDE) | (lon > MAX_LONGITUDE)
    alone: Flags = np.isnan(lon) != np.isnan(lat)
    return outside | alone


def _moment(time: int | str) -> tuple[int, int]:
    if isinstance(time, int):
        return (time, 0) if MIN_TIME <= time < END_OF_TIME else (0, BAD)
    try:
        return parse_time(time), 0
    except NaiveTimeError:
        return 0, NAIVE
    except ValueError:
        return 0, BAD


def _take(column: Any, rows: Ints) -> Any:  # noqa: ANN401  # one of three column types, returned as it came
    if isinstance(column, Names):
        return column.take(rows)
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows.tolist()]


def _concatenate(columns: list[Any]) -> Any:  # noqa: ANN401  # one of three column types, returned as it came
    if isinstance(columns[0], Names):
        return Names.joined(columns)
    if isinstance(columns[0], np.ndarray):
        return np.concatenate(columns)
    return list(chain.from_iterable(columns))
