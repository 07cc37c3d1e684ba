"""Local hours and kinds of days of many moments at once.

>>> local_midnight(1_719_964_800_000, "Asia/Shanghai")
1719936000000
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from geo.public_holidays import HOLIDAY, WEEKEND, WORKDAY, day_kind

__all__ = ["HOLIDAY", "WEEKEND", "WORKDAY", "day_kind", "local_hours", "local_midnight"]

DAY_MS = 86_400_000


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
