"""Frames of values -> the commands that keep the state of cells and areas in Redis (C-2.3).

Of a batch only the newest value of each indicator and area matters, and only if `ValueMemory` says that it
is worth telling. An area's values go into one command.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from geo.areas import AreaInfo
from sinks.digits import significant
from sinks.redis_keys import Keys
from sinks.redis_link import Argument, Command
from sinks.table_file import KINDS, STATUSES, ValueFrame
from sinks.value_memory import DIGITS, Records, ValueMemory

EXPIRES_S = 7 * 86_400
"""A cell or area that is written no more disappears after this many seconds."""

_EXPIRY_EVERY_MS = 3_600_000
"""The expiry of a key is moved at most this often, in event time."""

_CELL = KINDS.index("cell")
_SEVERAL = 512
"""Members of one ZADD or ZREM, so that no single command holds the server up."""

Describe = Callable[[str, list[str]], list[AreaInfo]]
"""(kind, ids) of areas -> what is known of each."""


class _Value(msgspec.Struct):
    """The JSON of one value, C-2.3; ``a`` and ``b``, score and band, where it was scored."""

    v: float
    l: int  # noqa: E741 - the contract's name
    t: int
    n: int
    c: float
    r: int
    s: str
    a: float | msgspec.UnsetType = msgspec.UNSET
    b: tuple[float, float] | msgspec.UnsetType = msgspec.UNSET


class StateCommands:
    """Makes the commands for one part of the flow, whose areas have row numbers of their own."""

    def __init__(self, keys: Keys, describe: Describe, state: Mapping[str, Any] | None = None) -> None:
        """Nothing told yet, or all that was told before ``state()`` was taken."""
        self._keys, self._describe = keys, describe
        self._memory = ValueMemory(state["values"] if state else None)
        self._names: NDArray[np.bytes_] = state["names"].copy() if state else np.empty(0, "S1")
        self._kinds: NDArray[np.uint8] = state["kinds"].copy() if state else np.empty(0, np.uint8)
        self._moved = np.full(len(self._names), -_EXPIRY_EVERY_MS, np.int64)
        self.latest = state["latest"] if state else -1

    def take(self, frames: Sequence[ValueFrame]) -> list[Command]:
        """The commands that tell what is new in some frames."""
        if any(frame.news is not None and frame.news.indicators for frame in frames):
            return self._parted(frames)
        frames = [frame for frame in frames if len(frame)]
        commands = self._introduced(self._named(frames))
        self.latest = max([self.latest, *(int(np.max(frame.window_end)) for frame in frames)])
        return commands + self._told(self._memory.take(frames))

    def _parted(self, frames: Sequence[ValueFrame]) -> list[Command]:
        """The commands of frames amid which indicators are withdrawn: all in order."""
        commands: list[Command] = []
        for frame in frames:
            if frame.news is None:
                commands += self.take([frame])
                continue
            for name in frame.news.indicators:
                commands += self._withdrawn(name, self._memory.forget(name))
        return commands

    def _withdrawn(self, indicator: str, records: Records) -> Iterable[Command]:
        """The field out of every area, and the cells out of the ranking."""
        keys = self._key_names(records["row"])
        yield from (("HDEL", key, indicator) for key in keys)
        cells = self._names[records["row"][self._kinds[records["row"]] == _CELL]].tolist()
        for i in range(0, len(cells), _SEVERAL):
            yield ("ZREM", self._keys.rank(indicator), *cells[i : i + _SEVERAL])

    def everything(self) -> list[Command]:
        """The commands that fill an empty Redis."""
        self._moved[:] = -_EXPIRY_EVERY_MS
        known = np.flatnonzero(self._names != b"")
        return self._introduced(known) + self._told(self._memory.all())

    def state(self) -> dict[str, Any]:
        """Everything as plain copied data."""
        return {
            "version": 1,
            "values": self._memory.state(),
            "names": self._names.copy(),
            "kinds": self._kinds.copy(),
            "latest": self.latest,
        }

    def _named(self, frames: Iterable[ValueFrame]) -> NDArray[np.int64]:
        """Learn the names of areas; the rows that were unknown."""
        found = []
        for frame in frames:
            if frame.row is None:
                raise ValueError(f"a frame of {frame.indicator} does not number its areas")
            self._ensure(int(frame.row.max()) + 1)
            unknown = np.flatnonzero(self._names[frame.row] == b"")
            if unknown.size:
                row, first = np.unique(frame.row[unknown], return_index=True)
                self._name(row, frame.area[unknown[first]])
                self._kinds[row] = np.broadcast_to(np.asarray(frame.kind), len(frame))[unknown[first]]
                found.append(row)
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def _name(self, row: NDArray[np.int64], texts: NDArray[np.bytes_]) -> None:
        if texts.dtype.itemsize > self._names.dtype.itemsize:
            self._names = self._names.astype(texts.dtype)
        self._names[row] = texts

    def _ensure(self, size: int) -> None:
        more = size - len(self._names)
        if more > 0:
            more = max(more, len(self._names))
            self._names = np.concatenate((self._names, np.zeros(more, self._names.dtype)))
            self._kinds = np.concatenate((self._kinds, np.zeros(more, np.uint8)))
            self._moved = np.concatenate((self._moved, np.full(more, -_EXPIRY_EVERY_MS, np.int64)))

    def _introduced(self, rows: NDArray[np.int64]) -> list[Command]:
        """``yw:areas`` for areas above the cell."""
        fields: list[Argument] = []
        for kind in np.unique(self._kinds[rows]).tolist():
            if kind != _CELL:
                names = [name.decode() for name in self._names[rows[self._kinds[rows] == kind]].tolist()]
                about = map(area_entry, self._describe(KINDS[kind], names))
                fields += [x for pair in zip(names, about, strict=True) for x in pair]
        return [("HSET", self._keys.areas, *fields)] if fields else []

    def _told(self, by_indicator: Mapping[str, Records]) -> list[Command]:
        if not by_indicator:
            return []
        records = np.concatenate(list(by_indicator.values()))
        lengths = [len(own) for own in by_indicator.values()]
        indicators = np.repeat(np.arange(len(lengths)), lengths)
        order = np.argsort(records["row"], kind="stable")
        hashes = self._hashes(records[order], indicators[order], list(by_indicator))
        ranks = [c for name, own in by_indicator.items() for c in self._ranks(name, own)]
        return hashes + ranks

    def _hashes(self, records: Records, which: NDArray[np.int64], indicators: list[str]) -> list[Command]:
        """One HSET per area, in wire format; records in the order of areas."""
        row = records["row"]
        start = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
        fields = [b"$%d\r\n%b\r\n" % (len(name), name) for name in map(str.encode, indicators)]
        parts = [
            fields[i] + b"$%d\r\n%b\r\n" % (len(value), value)
            for i, value in zip(which.tolist(), _json(records), strict=True)
        ]
        edges = [*start.tolist(), len(parts)]
        keys = self._key_names(row[start])
        commands: list[Command] = [
            b"*%d\r\n$4\r\nHSET\r\n$%d\r\n%b\r\n%b" % (2 + 2 * (b - a), len(key), key, b"".join(parts[a:b]))
            for key, a, b in zip(keys, edges[:-1], edges[1:], strict=True)
        ]
        newest = np.maximum.reduceat(records["window_end"], start)
        stale = np.flatnonzero(newest - self._moved[row[start]] >= _EXPIRY_EVERY_MS)
        self._moved[row[start][stale]] = newest[stale]
        expiry = b"$%d\r\n%d\r\n" % (len(str(EXPIRES_S)), EXPIRES_S)
        expire = b"*3\r\n$6\r\nEXPIRE\r\n$%d\r\n%b\r\n%b"
        return commands + [expire % (len(keys[i]), keys[i], expiry) for i in stale.tolist()]

    def _key_names(self, rows: NDArray[np.int32]) -> list[bytes]:
        cell, area = self._keys.cell("").encode(), self._keys.area("").encode()
        names = zip(self._kinds[rows].tolist(), self._names[rows].tolist(), strict=True)
        return [(area if kind else cell) + name for kind, name in names]

    def _ranks(self, indicator: str, records: Records) -> Iterable[Command]:
        """Cells with a value into the ranking, those without out of it."""
        key = self._keys.rank(indicator)
        cells = records[self._kinds[records["row"]] == _CELL]
        valued = ~np.isnan(cells["value"])
        scores = significant(cells["value"][valued]).tolist()
        names = self._names[cells["row"][valued]].tolist()
        for i in range(0, len(names), _SEVERAL):
            part: list[Argument] = [b""] * (2 * len(names[i : i + _SEVERAL]))
            part[0::2], part[1::2] = scores[i : i + _SEVERAL], names[i : i + _SEVERAL]
            yield ("ZADD", key, *part)
        gone = self._names[cells["row"][~valued]].tolist()
        for i in range(0, len(gone), _SEVERAL):
            yield ("ZREM", key, *gone[i : i + _SEVERAL])


def area_entry(area: AreaInfo) -> bytes:
    """The entry of an area in ``yw:areas``: names, kind and parent as JSON."""
    return msgspec.json.encode({name: value for name, value in area.items() if name != "id"})


def _scores(records: Records) -> Iterable[list[Any]]:
    """What else is told of n values where some were scored: scores, bands."""
    if np.isnan(records["score"]).all():
        return
    scores = significant(records["score"].astype(np.float64), 4).tolist()
    yield [msgspec.UNSET if math.isnan(score) else score for score in scores]
    bands = np.stack((records["low"], records["high"]), axis=1)
    ends = significant(bands.ravel(), DIGITS).reshape(-1, 2).tolist()
    yield [msgspec.UNSET if math.isnan(low) else (low, high) for low, high in ends]


def _json(records: Records) -> list[bytes]:
    """The JSON of n records, made in one go and cut apart."""
    values = map(
        _Value,
        significant(records["value"]).tolist(),
        records["level"].tolist(),
        records["window_end"].tolist(),
        records["n"].tolist(),
        significant(records["coverage"]).tolist(),
        records["revision"].tolist(),
        map(STATUSES.__getitem__, records["status"].tolist()),
        *_scores(records),
    )
    # No text inside holds a brace, so braces alone tell where one value ends.
    inside = msgspec.json.encode(list(values))[2:-2]
    return [b"{%b}" % one for one in inside.split(b"},{")]
