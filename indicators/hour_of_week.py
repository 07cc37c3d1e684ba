"""The hour of the week a moment belongs to, on a local clock, with holidays at their place.

A day off is like a Sunday whatever day it is, a weekend day that is worked like a Wednesday. What days are
off or worked is asked of whoever knows the calendar, which may be nobody: then Saturdays are Saturdays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

HOURS_OF_DAY = 24
WORKED_LIKE, FREE_LIKE = 2, 6
"""Weekdays (Monday: 0) that other worked and free days are like."""

_FRIDAY = 4

Works = Callable[[date], bool]
"""Whether a day is worked."""


@dataclass(frozen=True)
class HourOfWeek:
    """Hours of the week in a time zone; ``works`` says which days are worked, None that Monday to Friday are.

    A clock that is put forward skips an hour of the week, one that is put back has it twice.

    >>> clock = HourOfWeek("Asia/Shanghai", works=lambda day: day != date(2026, 10, 1))
    >>> clock.at(1_790_838_000_000)  # Thursday 2026-10-01 15:00, a day off
    159
    """

    tz: str = "Asia/Shanghai"
    works: Works | None = None
    _days: dict[int, int] = field(default_factory=dict, repr=False, compare=False)

    def at(self, ts: int) -> int:
        """The hour of the week, 0 to 167, of a moment in epoch ms."""
        local = datetime.fromtimestamp(ts / 1000, UTC).astimezone(ZoneInfo(self.tz))
        return self._like(local.date()) * HOURS_OF_DAY + local.hour

    def of_local(self, local: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """The hours of the week of naive local times, int64 [n].

        >>> local = np.array(["2026-03-02T00:30", "2026-03-08T23:59"], "datetime64[m]")
        >>> HourOfWeek().of_local(local).tolist()
        [0, 167]
        """
        hours = local.astype("datetime64[h]").astype(np.int64)
        day, hour = np.divmod(hours, HOURS_OF_DAY)
        days, place = np.unique(day, return_inverse=True)
        like = np.array([self._like_numbered(d) for d in days.tolist()], np.int64)
        return like[place] * HOURS_OF_DAY + hour

    def _like_numbered(self, day: int) -> int:
        """The weekday a day is like, by its number since 1970; remembered."""
        if day not in self._days:
            self._days[day] = self._like(np.datetime64(day, "D").item())
        return self._days[day]

    def _like(self, day: date) -> int:
        weekday = day.weekday()
        works = weekday <= _FRIDAY if self.works is None else self.works(day)
        if works == (weekday <= _FRIDAY):
            return weekday
        return WORKED_LIKE if works else FREE_LIKE
