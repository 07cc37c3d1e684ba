"""(sensor, metric) -> pair, (pair, cell) -> series: the numbers by which a source part knows its sensors.

A *pair* is a sensor and one of its metrics; a *series* is a pair in one cell, so a sensor that moves has
several. Both are numbered in the order of their first appearance, which makes the numbers a function of the
partition's order of records alone. Texts are looked up once per record; after that all is arithmetic: the
pairs of a sensor form a chain, newest first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flows.batches import FINAL, Ints, NewSeries
from flows.columns import Names
from flows.name_table import NameTable
from flows.roll import Roll
from flows.stable_key import stable_key
from flows.table import Table
from indicators.metrics import Metrics

_PAIR = {"sensor": np.int32, "metric": np.int16, "fixed": np.int64, "current": np.int32, "next": np.int32}
_SERIES = {
    "pair": np.int32,
    "cell": np.int64,
    "period": np.int64,
    "retired": np.int64,
    "registered": np.bool_,
}
_ANNOUNCED = ("period", "retired", "registered")
_NONE, _UNKNOWN = -1, -2


class SeriesIndex:
    """The pairs and series of one source part, and what the registry says of them.

    Columns of ``pairs``: ``sensor``, ``metric`` (numbers), ``fixed`` (the registry's cell, -2: no entry, -1:
    outside), ``current`` (its latest series, -1: none), ``next`` (the next pair of the sensor). Columns of
    ``series``: ``pair``, ``cell``, ``period`` ms, ``retired`` ms, ``registered``.

    >>> index = SeriesIndex(Metrics.load(), Roll.empty())
    >>> index.pairs_of(Names(None, ["s-1", "s-2", "s-1"]), Names(None, ["bin_fill", "?", "bin_fill"]))
    array([ 0, -1,  0])
    """

    __slots__ = ("_first", "_metrics", "_pending", "_places", "_roll", "pairs", "sensors", "series")

    def __init__(self, metrics: Metrics, roll: Roll) -> None:
        self._metrics, self._roll = metrics, roll
        self.sensors = NameTable()
        self.pairs, self.series = Table(_PAIR), Table(_SERIES)
        self._first = np.full(0, _NONE, np.int32)
        self._places: dict[tuple[int, int], int] = {}
        self._pending: list[int] = []
        self._enrol()

    def pairs_of(self, sensor: Names, metric: Names) -> Ints:
        """The pair of each of n records, int64[n]; -1 where the metric is unknown. New pairs are added."""
        # Sensors may be numbered in any order: pairs are not, and only they are seen from outside.
        codes = self._metrics.index
        return self._pairs(
            _numbered(sensor, self.sensors.numbers),
            _numbered(
                metric,
                lambda texts: np.fromiter(map(codes.get, texts, repeat(_UNKNOWN)), np.int64, len(texts)),
            ),
        )

    def _pairs(self, sensor: Ints, metric: Ints) -> Ints:
        self._grow()
        pairs = self._first[sensor].astype(np.int64)
        pairs[metric == _UNKNOWN] = _NONE
        rows = np.flatnonzero(pairs != _NONE)
        while len(rows):
            rows = rows[self.pairs["metric"][pairs[rows]] != metric[rows]]
            pairs[rows] = self.pairs["next"][pairs[rows]]
            rows = rows[pairs[rows] != _NONE]
        for row in np.flatnonzero((pairs == _NONE) & (metric != _UNKNOWN)).tolist():
            pairs[row] = self._pair(int(sensor[row]), int(metric[row]))
        return pairs

    def _pair(self, sensor: int, metric: int) -> int:
        """The pair of a known metric, found or added."""
        self._grow()
        first = pair = int(self._first[sensor])
        while pair != _NONE:
            if self.pairs["metric"][pair] == metric:
                return pair
            pair = int(self.pairs["next"][pair])
        cell = self._roll.entry(self.sensors.names[sensor], self._metrics.metrics[metric].code).cell
        self._first[sensor] = self.pairs.append(
            sensor=sensor, metric=metric, fixed=cell, current=_NONE, next=first
        )
        return len(self.pairs) - 1

    def _grow(self) -> None:
        if len(self._first) < len(self.sensors):
            more = max(len(self.sensors), 2 * len(self._first)) - len(self._first)
            self._first = np.concatenate((self._first, np.full(more, _NONE, np.int32)))

    def series_of(self, pair: Ints, cell: Ints) -> NDArray[np.int32]:
        """The series of n pairs in their cells (int64[n], not negative), int32[n]; new ones are announced."""
        found: NDArray[np.int32] = self.pairs["current"][pair]
        # A pair without a series reads the last one's cell; the first test tells that it is not its own.
        strange = found < 0
        if len(self.series):
            strange |= self.series["cell"].take(found, mode="clip") != cell
        for row in np.flatnonzero(strange).tolist():
            found[row] = self._series(int(pair[row]), int(cell[row]))
        return found

    def _series(self, pair: int, cell: int) -> int:
        series = self._places.get((pair, cell), -1)
        if series < 0:
            period, retired, registered = self._attributes(pair, cell)
            series = self.series.append(
                pair=pair, cell=cell, period=period, retired=retired, registered=registered
            )
            self._places[pair, cell] = series
            self._pending.append(series)
        self.pairs["current"][pair] = series
        return series

    def _attributes(self, pair: int, cell: int) -> tuple[int, int, bool]:
        metric = int(self.pairs["metric"][pair])
        if metric == _NONE:
            return 0, FINAL, False
        entry = self._roll.entry(self._sensor(pair), self._metrics.metrics[metric].code)
        period = entry.period_ms or int(self._metrics.period_ms[metric])
        return period, entry.retired, entry.named and entry.cell == cell

    def _sensor(self, pair: int) -> str:
        return self.sensors.names[int(self.pairs["sensor"][pair])]

    def reload(self, roll: Roll) -> None:
        """Take over another registry; series with changed attributes are announced again."""
        self._roll = roll
        metrics = self._metrics.metrics
        for pair, metric in enumerate(self.pairs["metric"].tolist()):
            if metric != _NONE:
                self.pairs["fixed"][pair] = roll.entry(self._sensor(pair), metrics[metric].code).cell
        for series in range(len(self.series)):
            pair, cell = int(self.series["pair"][series]), int(self.series["cell"][series])
            fresh = self._attributes(pair, cell)
            if fresh != tuple(self.series[name][series].item() for name in _ANNOUNCED):
                for name, value in zip(_ANNOUNCED, fresh, strict=True):
                    self.series[name][series] = value
                self._pending.append(series)
        self._enrol()

    def _enrol(self) -> None:
        """Open a series for every registry row that names its metric, so that silent sensors are known."""
        for sensor, code in self._roll.named():
            cell = self._roll.entry(sensor, code).cell
            if cell >= 0 and code in self._metrics.index:
                self._series(self._pair(self.sensors.number(sensor), self._metrics.index[code]), cell)

    def announce(self) -> NewSeries | None:
        """The series that are new or changed since the last call, each once; None if there are none."""
        if not self._pending:
            return None
        index = np.array(list(dict.fromkeys(self._pending)), np.int32)
        self._pending = []
        pair = self.series["pair"][index]
        numbers, place = np.unique(self.pairs["sensor"][pair], return_inverse=True)
        names = [self.sensors.names[number] for number in numbers.tolist()]
        keys = np.fromiter(map(stable_key, names), np.int64, len(names))
        return NewSeries(
            index=index,
            sensor=[names[i] for i in place.tolist()],
            sensor_key=keys[place],
            metric=self.pairs["metric"][pair],
            cell=self.series["cell"][index],
            period=self.series["period"][index],
            retired=self.series["retired"][index],
            registered=self.series["registered"][index],
        )

    def state(self) -> dict[str, Any]:
        """Plain copy. Metrics go by their codes, so that they may be numbered anew after a restart."""
        return {
            "metrics": [metric.code for metric in self._metrics.metrics],
            "sensors": list(self.sensors.names),
            "pairs": self.pairs.state(),
            "series": self.series.state(),
            "pending": list(self._pending),
        }

    @classmethod
    def restore(cls, metrics: Metrics, roll: Roll, state: Mapping[str, Any]) -> Self:
        """The index of ``state()``; what the registry says differently today will be announced."""
        index = cls(metrics, Roll.empty())
        index.sensors = NameTable(state["sensors"])
        index.pairs = Table.restore(_PAIR, state["pairs"])
        index.series = Table.restore(_SERIES, state["series"])
        index._pending = list(state["pending"])
        today = np.array([metrics.index.get(code, _NONE) for code in state["metrics"]] + [_NONE], np.int16)
        index.pairs["metric"][:] = today[index.pairs["metric"]]
        index._grow()
        # Later pairs of a sensor come first in its chain, and numpy keeps the last assigned.
        index._first[index.pairs["sensor"]] = np.arange(len(index.pairs))
        places = zip(index.series["pair"].tolist(), index.series["cell"].tolist(), strict=True)
        index._places = {place: series for series, place in enumerate(places)}
        index.reload(roll)
        return index


def _numbered(names: Names, numbers: Callable[[list[str]], Ints]) -> Ints:
    """Numbers of n texts; where they are given by codes, only the codes that occur are looked up."""
    if names.codes is None:
        return numbers(names.values)
    occurs = np.zeros(len(names.values), np.bool_)
    occurs[names.codes] = True
    used = np.flatnonzero(occurs)
    table = np.zeros(len(names.values), np.int64)
    table[used] = numbers([names.values[code] for code in used.tolist()])
    return table[names.codes]
