"""Which series have scores: (indicator, row of its area) → column, among those whose windows end together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.batches import Ints

Flags = NDArray[np.bool_]


class Roster:
    """Series in the order of their first values: numbers of indicators and rows, int32 [S].

    >>> roster = Roster()
    >>> roster.columns("air.aqi", np.array([7, 3, 7])).tolist()
    [0, 1, 0]
    >>> roster.columns("air.pm25", np.array([3])).tolist()
    [2]
    >>> roster.who(np.array([1, 2])), roster.row[[1, 2]].tolist()
    (['air.aqi', 'air.pm25'], [3, 3])
    """

    def __init__(self) -> None:
        """No series."""
        self.indicators: list[str] = []
        self.indicator = np.empty(0, np.int32)
        self.row = np.empty(0, np.int32)
        self._place: dict[str, NDArray[np.int32]] = {}

    def __len__(self) -> int:
        return len(self.row)

    def columns(self, indicator: str, rows: Ints) -> Ints:
        """The columns of an indicator in some areas; those that are new are added."""
        place = self._place.get(indicator, np.empty(0, np.int32))
        more = int(rows.max(initial=-1)) + 1 - len(place)
        if more > 0:
            place = self._place[indicator] = np.concatenate((place, np.full(more, -1, np.int32)))
        fresh = rows[place[rows] < 0]
        if fresh.size:
            _, first = np.unique(fresh, return_index=True)
            self._add(indicator, fresh[np.sort(first)])
        return place[rows].astype(np.int64)

    def _add(self, indicator: str, rows: Ints) -> None:
        if indicator not in self.indicators:
            self.indicators.append(indicator)
        number = self.indicators.index(indicator)
        self._place[indicator][rows] = np.arange(len(self), len(self) + len(rows), dtype=np.int32)
        self.indicator = np.concatenate((self.indicator, np.full(len(rows), number, np.int32)))
        self.row = np.concatenate((self.row, rows.astype(np.int32)))

    def who(self, columns: Ints) -> list[str]:
        """The indicators of some columns."""
        return [self.indicators[number] for number in self.indicator[columns].tolist()]

    def of(self, indicators: Iterable[str]) -> Flags:
        """Which columns are of some indicators."""
        numbers = [self.indicators.index(name) for name in indicators if name in self.indicators]
        return np.isin(self.indicator, numbers)

    def keep(self, columns: Ints) -> None:
        """Forget all but some columns, which are numbered anew in their order."""
        self._fill(self.indicators, self.indicator[columns], self.row[columns])

    def state(self) -> dict[str, Any]:
        """Plain copied data."""
        return {
            "indicators": list(self.indicators),
            "indicator": self.indicator.copy(),
            "row": self.row.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self._fill(list(state["indicators"]), state["indicator"].copy(), state["row"].copy())

    def _fill(self, indicators: list[str], indicator: NDArray[np.int32], row: NDArray[np.int32]) -> None:
        self.indicators, self.indicator, self.row, self._place = indicators, indicator, row, {}
        for number, name in enumerate(indicators):
            own = np.flatnonzero(indicator == number)
            place = np.full(int(row[own].max(initial=-1)) + 1, -1, np.int32)
            place[row[own]] = own
            self._place[name] = place
