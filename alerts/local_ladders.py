"""The bounds of one indicator's levels by area and time: (rows, window ends) → a ladder of arrays.

>>> from alerts.ladder import Ladder
>>> from indicators.catalogue import Catalogue
>>> local = LocalLadders.of(Catalogue.load()["weather.rain_1h_max"], Thresholds(), Calendar(), NOWHERE)
>>> local is None
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from alerts.ladder import Ladder, Rows, Times
from alerts.thresholds import Override, Thresholds
from indicators.calendar import Calendar
from indicators.indicator import Indicator
from indicators.tolerance import Array

Names = NDArray[np.bytes_]
Placed = Callable[[Rows], tuple[NDArray[np.uint8], Names, Names]]
"""Rows -> kind (0: cell), id, and id of the district of each."""

Bounds = tuple[float, ...]
_MINUTE = 60_000


def NOWHERE(rows: Rows) -> tuple[NDArray[np.uint8], Names, Names]:  # noqa: N802 - stands for a constant
    """Areas nobody knows."""
    empty = np.zeros(len(rows), "S1")
    return np.zeros(len(rows), np.uint8), empty, empty


@dataclass
class LocalLadders:
    """Ladders of an indicator for which there are overrides, the one that counts most the last."""

    base: Ladder
    overrides: Sequence[Override]
    raises: Array
    clears: Array
    calendar: Calendar
    placed: Placed
    _matches: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        """No area is known yet."""
        self._matches = np.zeros((0, len(self.overrides)), bool)
        self._holding = lru_cache(4096)(self._holding_at)

    @classmethod
    def of(
        cls, indicator: Indicator, thresholds: Thresholds, calendar: Calendar, placed: Placed
    ) -> LocalLadders | None:
        """Those of an indicator, None where its levels are the same everywhere at any time."""
        own = thresholds.of(indicator.id)
        if not own:
            return None
        base = Ladder.of(indicator)
        bounds = [(base.raises, base.clears), *(override.bounds(indicator) for override in own)]
        raises, clears = (np.array(column, np.float64) for column in zip(*bounds, strict=True))
        return cls(base, own, raises, clears, calendar, placed)

    @property
    def mildest(self) -> Ladder:
        """A ladder on which every level is reached that is reached anywhere at any time."""
        find = np.fmin if self.base.high_bad else np.fmax
        raises = find.reduce(self.raises, axis=0)
        return replace(self.base, raises=tuple(raises.tolist()))

    def at(self, ends: int | Times, rows: Rows) -> Ladder:
        """The ladder of ``rows`` int64[m] for windows that end at ``ends``, one or m: bounds float64[m]."""
        self._learn(int(rows.max(initial=-1)) + 1)
        choice = np.zeros(len(rows), np.int64)
        for end in np.unique(ends).tolist():
            own = np.broadcast_to(np.asarray(ends) == end, rows.shape)
            for number in self._holding(end):
                choice[own & self._matches[rows, number]] = number + 1
        raises, clears = self.raises[choice].T, self.clears[choice].T
        # Arrays stand where numbers do: a ladder treats every value of an array like the one number.
        return replace(self.base, raises=cast("Bounds", tuple(raises)), clears=cast("Bounds", tuple(clears)))

    def _holding_at(self, end: int) -> tuple[int, ...]:
        """The overrides that hold for windows with an end; it belongs to the minute, and day, before it."""
        local = datetime.fromtimestamp((end - 1) / 1000, UTC).astimezone(self.calendar.zone)
        minute = (local.hour * 60 + local.minute) + (
            local.second * 1000 + local.microsecond // 1000 + 1
        ) / _MINUTE
        return tuple(i for i, one in enumerate(self.overrides) if one.holds(local.date(), minute))

    def _learn(self, size: int) -> None:
        known = len(self._matches)
        if size <= known:
            return
        kind, name, district = self.placed(np.arange(known, size))
        fresh = np.zeros((size - known, len(self.overrides)), bool)
        for number, one in enumerate(self.overrides):
            if one.cells:
                fresh[:, number] = (kind == 0) & np.isin(name, _encoded(one.cells))
            else:
                fresh[:, number] = not one.districts or np.isin(district, _encoded(one.districts))
        self._matches = np.concatenate((self._matches, fresh))


def _encoded(names: frozenset[str]) -> Names:
    return np.array(sorted(name.encode() for name in names))
