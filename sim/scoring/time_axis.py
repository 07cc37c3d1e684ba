"""The time axis of a picture: epoch ms → pixels, and round local times to label it with."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

_MINUTE, _DAY = 60_000, 86_400_000
_STEPS = (
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *(_DAY * n for n in (1, 2, 7, 14, 30, 91, 365)),
)
_MOST_TICKS = 9


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Time from ``begin`` to ``end`` (epoch ms, not equal) over the pixels ``left`` to ``right``."""

    begin: int
    end: int
    left: float
    right: float
    tz: str

    def x(self, ms: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Pixels of times, rounded to halves: float64 of the same shape.

        >>> TimeAxis(0, 1_000, 100.0, 200.0, "UTC").x([0, 503]).tolist()
        [100.0, 150.5]
        """
        share = (np.asarray(ms, dtype=np.float64) - self.begin) / (self.end - self.begin)
        halves: npt.NDArray[np.float64] = np.round((self.left + share * (self.right - self.left)) * 2) / 2
        return halves

    def ticks(self) -> list[tuple[int, str]]:
        """At most nine round local times with labels; the date stands where it is new.

        Round is counted from the local midnight before ``begin``; where clocks change, later ticks shift.

        >>> TimeAxis(0, 7_200_000, 0.0, 1.0, "Asia/Shanghai").ticks()[:2]
        [(0, '01-01 08:00'), (900000, '08:15')]
        """
        zone = ZoneInfo(self.tz)
        step = next((s for s in _STEPS if (self.end - self.begin) / s < _MOST_TICKS), self.end - self.begin)
        offset = datetime.fromtimestamp(self.begin / 1000, UTC).astimezone(zone).utcoffset() or timedelta()
        shift = round(offset.total_seconds() * 1000)
        first = -(-(self.begin + shift) // step) * step - shift
        found: list[tuple[int, str]] = []
        day = ""
        for ms in range(first, self.end + 1, step):
            local = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
            date = f"{local:%m-%d}"
            found.append((ms, f"{local:%H:%M}" if date == day else f"{date} {local:%H:%M}"))
            day = date
        return found
