"""(sensor, metric) -> pair, (pair, cell) -> series: the numbers by which a source part knows its sensors.

A *pair* is a sensor and one of its metrics; a *series* is a pair in one cell, so a sensor that moves has
several. Both are numbered in the order of their first appearance, which makes the numbers a function of the
partition's order of records alone. Texts are looked up once per record; after that all is arithmetic: the
pairs of a sensor form a chain, newest first. Sensors that nobody registered are guests: of them there may be
so many pairs and so many series, and what would make another is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flows.admission.batch_names import numbered, some
from flows.admission.guests import TOO_MANY, UNLIMITED, Guests, fitting
from flows.admission.name_table import NameTable
from flows.admission.roll import UNREGISTERED, Entries, Roll
from flows.admission.spots import Spots
from flows.admission.table import Table
from flows.batches import FINAL, NAME_BYTES, Ints, NewSeries
from flows.decoding.columns import Names
from flows.recovery.snapshots import packed, thaw
from indicators.key_table import KeyTable
from indicators.metrics import Metrics
from indicators.points import NOWHERE

_PAIR = {"sensor": np.int32, "metric": np.int16, "fixed": np.int64, "current": np.int32, "next": np.int32}
_SERIES = {
    "period": np.int64,
    "retired": np.int64,
    "registered": np.bool_,
    "lon": np.int64,
    "lat": np.int64,
}
_ANNOUNCED = ("period", "retired", "registered")
_NONE, _UNKNOWN = -1, -2


@dataclass(frozen=True, slots=True)
class _Attributes:
    """What is announced of n series beside who they are."""

    period: Ints
    retired: Ints
    registered: NDArray[np.bool_]


class SeriesIndex:
    """The pairs and series of one source part, and what the registry says of them.

    Columns of ``pairs``: ``sensor``, ``metric`` (numbers), ``fixed`` (the registry's cell, -2: no entry, -1:
    outside), ``current`` (its latest series, -1: none), ``next`` (the next pair of the sensor). Columns of
    ``series``: ``period`` ms, ``retired`` ms, ``registered``, ``lon`` and ``lat`` where the sensor stands in
    1e-9 degree; its pair and cell are in ``places``.

    Args:
        metrics: what may be sent.
        roll: the registry.
        enrols: whether to open a series for every row of the registry that names its metric, so that
            silent sensors are known; one index of a city does.
        most: how many pairs, and how many series, there may be of sensors that are not registered.

    >>> index = SeriesIndex(Metrics.load(), Roll.empty())
    >>> index.pairs_of(Names(None, ["s-1", "s-2", "s-1"]), Names(None, ["bin_fill", "?", "bin_fill"]))
    array([ 0, -1,  0])
    """

    __slots__ = (
        "_codes",
        "_enrols",
        "_first",
        "_guests",
        "_metrics",
        "_packed",
        "_pending",
        "_roll",
        "pairs",
        "places",
        "sensors",
        "series",
    )

    def __init__(self, metrics: Metrics, roll: Roll, *, enrols: bool = True, most: int = UNLIMITED) -> None:
        self._metrics, self._roll, self._enrols = metrics, roll, enrols
        self._guests = Guests(most)
        self._codes = [metric.code for metric in metrics.metrics]
        self.sensors = NameTable()
        self.pairs, self.series = Table(_PAIR), Table(_SERIES)
        self.places = KeyTable(np.int32, np.int64)
        self._first = np.full(0, _NONE, np.int32)
        self._pending: list[NDArray[np.integer[Any]]] = []
        self._packed: tuple[tuple[int, ...], bytes] | None = None
        self._enrol()

    def pairs_of(self, sensor: Names, metric: Names) -> Ints:
        """The pair of each of n records, int64[n]; new ones are added.

        -1 where the metric is unknown, ``TOO_MANY`` where there is no room for another guest.
        """
        # Sensors may be numbered in any order: pairs are not, and only they are seen from outside.
        codes = self._metrics.index
        number = numbered(
            metric, lambda texts: np.fromiter(map(codes.get, texts, repeat(_UNKNOWN)), np.int64, len(texts))
        )
        known = number != _UNKNOWN
        room = self._guests.room
        if known.all() and len(number) <= room:
            return self._pairs(numbered(sensor, self.sensors.numbers), number)
        pairs = np.where(known, TOO_MANY, _NONE)
        rows = np.flatnonzero(known)
        if len(rows) > room:
            rows = rows[self._welcome(some(sensor, rows), number[rows], room)]
        # Names that are not let in leave nothing behind.
        pairs[rows] = self._pairs(numbered(some(sensor, rows), self.sensors.numbers), number[rows])
        return pairs

    def _welcome(self, sensor: Names, metric: Ints, room: int) -> NDArray[np.bool_]:
        """Which of n records have a pair, or one of a registered sensor, or find room for another guest."""
        own = NameTable()
        row = numbered(sensor, own.numbers)
        number = self.sensors.find(own, np.arange(len(own)))[row]
        welcome = np.ones(len(row), np.bool_)
        here = np.flatnonzero(number >= 0)
        pairs = np.full(len(row), _NONE)
        pairs[here] = self._known_pairs(number[here], metric[here])
        missing = np.flatnonzero(pairs == _NONE)
        first, place = _first_rows(row[missing] * len(self._codes) + metric[missing])
        asked = missing[first]
        guest = self._roll.entries(own, row[asked], self._codes, metric[asked]).cell == UNREGISTERED
        welcome[missing] = fitting(guest, room)[place]
        return welcome

    def _pairs(self, sensor: Ints, metric: Ints) -> Ints:
        pairs = self._known_pairs(sensor, metric)
        missing = np.flatnonzero(pairs == _NONE)
        if len(missing):
            pairs[missing] = self._new_pairs(sensor[missing], metric[missing])
        return pairs

    def _known_pairs(self, sensor: Ints, metric: Ints) -> Ints:
        self._grow()
        pairs = self._first[sensor].astype(np.int64)
        rows = np.flatnonzero(pairs != _NONE)
        while len(rows):
            rows = rows[self.pairs["metric"][pairs[rows]] != metric[rows]]
            pairs[rows] = self.pairs["next"][pairs[rows]]
            rows = rows[pairs[rows] != _NONE]
        return pairs

    def _new_pairs(self, sensor: Ints, metric: Ints) -> Ints:
        """Add the pairs of n records, none of them known, some equal."""
        first, row = _first_rows(sensor * len(self._codes) + metric)
        sensor, metric = sensor[first], metric[first]
        fixed = self._roll.entries(self.sensors, sensor, self._codes, metric).cell
        self._guests.pairs += int((fixed == UNREGISTERED).sum())
        pair = self.pairs.extend(
            len(first), sensor=sensor, metric=metric, fixed=fixed, current=_NONE, next=_NONE
        )
        order = np.argsort(sensor, kind="stable")
        s, p = sensor[order], pair[order]
        again = np.concatenate(([False], s[1:] == s[:-1]))
        self.pairs["next"][p] = np.where(again, np.roll(p, 1), self._first[s])
        # Of several pairs of a sensor numpy keeps the last assigned: the newest begins its chain.
        self._first[sensor] = pair
        return pair[row]

    def _grow(self) -> None:
        if len(self._first) < len(self.sensors):
            more = max(len(self.sensors), len(self._first) * 3 // 2) - len(self._first)
            self._first = np.concatenate((self._first, np.full(more, _NONE, np.int32)))

    def series_of(self, pair: Ints, cell: Ints, spots: Spots | None = None) -> NDArray[np.int32]:
        """The series of n pairs in their cells (int64[n], not negative), int32[n]; new ones are announced.

        ``spots`` are the coordinates the records came with. ``TOO_MANY`` where there is no room for another
        series of a guest.
        """
        found: NDArray[np.int32] = self.pairs["current"][pair]
        # A pair without a series reads the last one's cell; the first test tells that it is not its own.
        strange = found < 0
        if len(self.series):
            strange |= self.places.column(1).take(found, mode="clip") != cell
        rows = np.flatnonzero(strange)
        if self.crowded(len(rows)):
            fits = self._fits(pair[rows], cell[rows])
            found[rows[~fits]] = TOO_MANY
            rows = rows[fits]
        if len(rows):
            said = (np.full(len(rows), NOWHERE),) * 2 if spots is None else spots.at(rows)
            found[rows] = self._series(pair[rows], cell[rows], *said)
        return found

    def crowded(self, n: int) -> bool:
        """Whether n records could bring more series than there may be."""
        return n > self._guests.room_for_series

    def _fits(self, pair: Ints, cell: Ints) -> NDArray[np.bool_]:
        """Which of n pairs in cells are a series, or one of a registered sensor, or find room for another."""
        fits = np.ones(len(pair), np.bool_)
        new = np.flatnonzero(self.places.find(pair, cell) < 0)
        own = KeyTable(np.int32, np.int64)
        row = own.number(pair[new], cell[new])
        guest = self.pairs["fixed"][own.column(0)] == UNREGISTERED
        fits[new] = fitting(guest, self._guests.room_for_series)[row]
        return fits

    def _series(self, pair: Ints, cell: Ints, lon: Ints, lat: Ints) -> Ints:
        """The series of n pairs in their cells, which become current; of several of a pair the last.

        A sensor stands where the registry says, else where the record said that opened the series.
        """
        known = len(self.places)
        series = self.places.number(pair, cell)
        self.pairs["current"][pair] = series
        if len(self.places) > known:
            new = np.arange(known, len(self.places))
            self._guests.series += int(
                (self.pairs["fixed"][self.places.column(0)[new]] == UNREGISTERED).sum()
            )
            found = self._attributes(new)
            first = _first_rows(series)[0]
            opened = first[series[first] >= known]
            opened = opened[np.argsort(series[opened])]
            stands = self._entries(new)
            by_roll = stands.cell == self.places.column(1)[new]
            self.series.extend(
                len(new),
                period=found.period,
                retired=found.retired,
                registered=found.registered,
                lon=np.where(by_roll, stands.lon, lon[opened]),
                lat=np.where(by_roll, stands.lat, lat[opened]),
            )
            self._pending.append(new)
        return series

    def _entries(self, series: Ints) -> Entries:
        """What the registry says of some series."""
        pair = self.places.column(0)[series]
        sensor, metric = (self.pairs[name][pair].astype(np.int64) for name in ("sensor", "metric"))
        return self._roll.entries(self.sensors, sensor, self._codes, metric)

    def _attributes(self, series: Ints) -> _Attributes:
        pair, cell = self.places.column(0)[series], self.places.column(1)[series]
        metric = self.pairs["metric"][pair].astype(np.int64)
        entry = self._entries(series)
        # A metric that is gone has no period, and no row of the registry counts for it.
        there = metric != _NONE
        period = np.where(entry.period_ms > 0, entry.period_ms, self._metrics.period_ms[metric])
        return _Attributes(
            np.where(there, period, 0),
            np.where(there, entry.retired, FINAL),
            there & entry.named & (entry.cell == cell),
        )

    def reload(self, roll: Roll) -> None:
        """Take over another registry; series with changed attributes are announced again."""
        every = np.arange(len(self.series))
        self._packed = None
        owners, self._roll = self._owners(every), roll
        pairs = np.flatnonzero(self.pairs["metric"] != _NONE)
        sensor, metric = (self.pairs[name][pairs].astype(np.int64) for name in ("sensor", "metric"))
        self.pairs["fixed"][pairs] = roll.entries(self.sensors, sensor, self._codes, metric).cell
        self._count_guests()
        found = self._attributes(every)
        changed = self._owners(every) != owners
        for name in _ANNOUNCED:
            changed |= self.series[name] != getattr(found, name)
            self.series[name][:] = getattr(found, name)
        self._pending.append(np.flatnonzero(changed))
        self._enrol()

    def _count_guests(self) -> None:
        guest = self.pairs["fixed"] == UNREGISTERED
        self._guests.pairs = int(guest.sum())
        self._guests.series = int(guest[self.places.column(0)].sum())

    def _enrol(self) -> None:
        if not self._enrols:
            return
        rows = self._roll.named(self._codes)
        sensor = self.sensors.adopt(rows.names, rows.sensor)
        nowhere = np.full(len(rows.cell), NOWHERE)
        self._series(self._pairs(sensor, rows.metric), rows.cell, nowhere, nowhere)

    def announce(self) -> NewSeries | None:
        """The series that are new or changed since the last call, each once; None if there are none."""
        series = np.concatenate([np.zeros(0, np.int64), *self._pending])
        self._pending = []
        if not len(series):
            return None
        series = series[_first_rows(series)[0]]
        pair = self.places.column(0)[series]
        names = [_short(text) for text in self.sensors.texts(self.pairs["sensor"][pair])]
        return NewSeries(
            index=series.astype(np.int32),
            sensor_key=self.sensors.keys(self.pairs["sensor"][pair]),
            metric=self.pairs["metric"][pair],
            cell=self.places.column(1)[series],
            period=self.series["period"][series],
            retired=self.series["retired"][series],
            registered=self.series["registered"][series],
            lon=self.series["lon"][series],
            lat=self.series["lat"][series],
            name=np.array(names, "S"),
            placed=self.pairs["fixed"][pair] == self.places.column(1)[series],
            owner=self._owners(series),
        )

    def _owners(self, series: Ints) -> NDArray[np.bytes_]:
        """The departments that the registry names for series, S[n]."""
        names = np.array([_short(text) for text in self._roll.owners], "S")
        return names[self._entries(series).owner]

    def announce_again(self) -> None:
        """Let all be announced once more: who listens now may not have before, or not for the names."""
        self._pending.append(np.flatnonzero(self.pairs["metric"][self.places.column(0)] != _NONE))

    def state(self) -> dict[str, Any]:
        """Plain copy. Metrics go by their codes, so that they may be numbered anew after a restart."""
        return {
            "tables": self._tables(),
            "current": self.pairs["current"].copy(),
            "pending": np.concatenate([np.zeros(0, np.int64), *self._pending]),
        }

    def _tables(self) -> bytes:
        """What only new series and another registry change: the same bytes until then."""
        sizes = len(self.sensors), len(self.pairs), len(self.places)
        if self._packed is None or self._packed[0] != sizes:
            tables = {
                "metrics": self._codes,
                "sensors": self.sensors.state(),
                "pairs": self.pairs.state(),
                "series": self.series.state(),
                "places": self.places.columns(),
            }
            self._packed = sizes, packed(tables)
        return self._packed[1]

    @classmethod
    def restore(
        cls,
        metrics: Metrics,
        roll: Roll,
        state: Mapping[str, Any],
        *,
        enrols: bool = True,
        most: int = UNLIMITED,
    ) -> Self:
        """The index of ``state()``; what the registry says differently today will be announced."""
        index, tables = cls(metrics, Roll.empty(), enrols=enrols, most=most), thaw(state["tables"])
        index.sensors = NameTable.restore(tables["sensors"])
        index.pairs = Table.restore(_PAIR, {**tables["pairs"], "current": state["current"]})
        index.series = Table.restore(_SERIES, tables["series"])
        index.places.put(*tables["places"])
        index._pending = [state["pending"].copy()]
        today = np.array([metrics.index.get(code, _NONE) for code in tables["metrics"]] + [_NONE], np.int16)
        index.pairs["metric"][:] = today[index.pairs["metric"]]
        index._grow()
        # Later pairs of a sensor come first in its chain, and numpy keeps the last assigned.
        index._first[index.pairs["sensor"]] = np.arange(len(index.pairs))
        index.reload(roll)
        return index


def _short(text: str) -> bytes:
    """What is told of a sensor's id, whole characters.

    >>> len(_short("温" * 50)), _short("s-1")
    (126, b's-1')
    """
    told = text.encode(errors="replace")
    return told if len(told) <= NAME_BYTES else told[:NAME_BYTES].decode(errors="ignore").encode()


def _first_rows(key: Ints) -> tuple[Ints, Ints]:
    """The rows where each distinct key comes first, ascending, and for each row which of them is its own."""
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[place]
