"""Working days, weekends and public holidays in China, with the weekends that are worked to make up for them.

The calendar is that of the package ``chinesecalendar`` (the yearly notices of the State Council's General
Office). For years it does not know, Saturdays and Sundays are free and there are no holidays.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar
import numpy as np
from numpy.typing import NDArray

DAY_MS = 86_400_000

WORKDAY, WEEKEND, HOLIDAY = 0, 1, 2
"""Kinds of days."""


def day_kind(day: date) -> int:
    """Return whether a day is worked, an ordinary free day, or a day of a public holiday.

    >>> day_kind(date(2026, 2, 17)), day_kind(date(2026, 3, 16)), day_kind(date(2040, 1, 1))
    (2, 0, 1)
    """
    try:
        if chinese_calendar.is_workday(day):
            return WORKDAY
        return HOLIDAY if chinese_calendar.get_holiday_detail(day)[1] else WEEKEND
    except NotImplementedError:
        return WEEKEND if day.weekday() >= 5 else WORKDAY


def local_midnight(ts: int, tz: str) -> int:
    """Return the last midnight of the zone at or before a moment, both in epoch ms.

    >>> local_midnight(1_719_964_800_000, "Asia/Shanghai")
    1719936000000
    """
    here = datetime.fromtimestamp(ts / 1000, UTC).astimezone(ZoneInfo(tz))
    return round(here.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)


def local_hours(ts: NDArray[np.int64], tz: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the local hour of the day (0 to 24) and the kind of the day of each moment, epoch ms.

    The zone's offset is taken once a day, at its first moment given.

    >>> hour, kind = local_hours(np.array([1_719_964_800_000]), "Asia/Shanghai")
    >>> hour.tolist(), kind.tolist()
    ([8.0], [0])
    """
    if not len(ts):
        return np.empty(0), np.empty(0, np.int64)
    midnight = local_midnight(int(ts.min()), tz)
    since = ts - midnight
    day = since // DAY_MS
    first = datetime.fromtimestamp(midnight / 1000, UTC).astimezone(ZoneInfo(tz)).date()
    kinds = np.array([day_kind(first + timedelta(days=d)) for d in range(int(day.max()) + 1)])
    return (since % DAY_MS) / 3_600_000, kinds[day]
