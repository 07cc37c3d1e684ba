"""Levels of some areas at some times, instead of those of the catalogue.

An override names an indicator, where it holds (cells, districts with all that lies in them, or everywhere),
when (hours and kinds of days at the window's end), and the levels' bounds there. Of several that hold, that
for the cell comes before that for the district, and that before one for everywhere; of equal ones the last
written.

>>> night = Override("noise.night", {"yellow": Bound(55.0)}, hours=(22 * 60, 6 * 60))
>>> night.holds(date(2026, 2, 17), 23 * 60), night.holds(date(2026, 2, 17), 22 * 60)
(True, False)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

from geo.public_holidays import HOLIDAY, WEEKEND, WORKDAY, day_kind
from indicators.entry import LEVELS, Level
from indicators.indicator import Four, Indicator

Day = Literal["workday", "weekend", "holiday"]
DAYS: dict[Day, int] = {"workday": WORKDAY, "weekend": WEEKEND, "holiday": HOLIDAY}
"""Kinds of days; a weekend worked to make up for a holiday is a workday, a weekday off is a holiday."""

_kind_of_day = lru_cache(512)(day_kind)


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a level is raised, and where it is left (None: as far before as in the catalogue)."""

    raised: float
    clear: float | None = None


@dataclass(frozen=True)
class Override:
    """Levels of one indicator.

    Attributes:
        indicator: its id.
        levels: bounds by level; levels that are not named stay as they are.
        districts: ids of districts; with all cells, communities and streets in them.
        cells: codes of cells.
        hours: minutes of the local day after which it holds, and up to which; None: all day.
        days: kinds of days; empty: all.
    """

    indicator: str
    levels: Mapping[Level, Bound]
    districts: frozenset[str] = frozenset()
    cells: frozenset[str] = frozenset()
    hours: tuple[int, int] | None = None
    days: frozenset[Day] = frozenset()

    @property
    def reach(self) -> int:
        """0 for everywhere, 1 for districts, 2 for cells."""
        return 2 if self.cells else int(bool(self.districts))

    def holds(self, day: date, minute: float) -> bool:
        """Whether it holds for windows that end ``minute`` minutes (above 0, up to 1440) after midnight."""
        if self.days and all(DAYS[name] != _kind_of_day(day) for name in self.days):
            return False
        if self.hours is None:
            return True
        begin, end = self.hours
        return begin < minute <= end if begin < end else minute > begin or minute <= end

    def bounds(self, indicator: Indicator) -> tuple[Four, Four]:
        """Raise and clear bounds of all four levels there; a level the indicator has not stays unused.

        A level without a ``clear`` is left as far before its bound as it is in the catalogue.
        """
        raises, clears = list(indicator.raises), list(indicator.clears)
        for name, bound in self.levels.items():
            level = LEVELS.index(name)
            band = indicator.clears[level] - indicator.raises[level]
            raises[level] = bound.raised
            clears[level] = round(bound.raised + band, 12) if bound.clear is None else bound.clear
        return _four(raises), _four(clears)


def _four(values: list[float]) -> Four:
    a, b, c, d = values
    return a, b, c, d


@dataclass(frozen=True)
class Thresholds:
    """All overrides of a city, in the order in which they are written."""

    overrides: tuple[Override, ...] = ()

    def of(self, indicator: str) -> tuple[Override, ...]:
        """The overrides of an indicator, the one that counts most the last."""
        own = [override for override in self.overrides if override.indicator == indicator]
        return tuple(sorted(own, key=lambda override: override.reach))

    def mildest(self, indicator: Indicator) -> float:
        """The bound at which any level of an indicator may be reached anywhere, NaN if it has no levels."""
        found = [b for o in self.of(indicator.id) for b in o.bounds(indicator)[0] if not math.isnan(b)]
        found += [bound for bound in indicator.raises if not math.isnan(bound)]
        if not found:
            return math.nan
        return min(found) if indicator.high_bad else max(found)

    def hashed(self, catalogue: str) -> str:
        """The hash of a catalogue with these overrides: that of the catalogue where there are none."""
        if not self.overrides:
            return catalogue
        content = [
            (
                o.indicator,
                sorted(o.levels.items(), key=str),
                *map(sorted, (o.districts, o.cells, o.days)),
                o.hours,
            )
            for o in self.overrides
        ]
        return hashlib.blake2b(f"{catalogue}{content!r}".encode(), digest_size=16).hexdigest()
