"""Window ends on the city's clock: (instants, hop) -> the multiples of hop since local midnight (R1).

>>> shanghai = Calendar("Asia/Shanghai")
>>> shanghai.ends(after=0, until=3_600_000, hop=1_800_000)
array([1800000, 3600000])
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

HOUR = 3_600_000
DAY = 24 * HOUR


class ZoneError(ValueError):
    """The city's time zone is unknown or unusable."""


@dataclass(frozen=True)
class Calendar:
    """Local midnights, window ends and clock times of one time zone.

    Raises :class:`ZoneError` for an unknown zone, and for one that moves its clock by less than an hour:
    slices of an hour could not end on its full hours all year round.
    """

    tz: str = "Asia/Shanghai"
    zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Load the zone once."""
        try:
            object.__setattr__(self, "zone", ZoneInfo(self.tz))
        except (ZoneInfoNotFoundError, ValueError) as error:
            message = f"unknown time zone {self.tz!r}: use an IANA name such as 'Asia/Shanghai'"
            raise ZoneError(message) from error
        if len({self._offset(datetime(2024, month, 1, tzinfo=UTC)) % HOUR for month in (1, 7)}) > 1:
            raise ZoneError(
                f"time zone {self.tz!r} moves its clock by less than an hour: use one that does not"
            )

    @property
    def slice_origin(self) -> int:
        """An instant on which slices of up to one hour begin, ms: offsets may be whole half hours."""
        return -int(self._offset(datetime(2024, 1, 1, tzinfo=UTC)) % HOUR)

    def _offset(self, at: datetime) -> int:
        offset = at.astimezone(self.zone).utcoffset() or timedelta()
        return int(offset.total_seconds() * 1000)

    def ends(self, after: int, until: int, hop: int) -> NDArray[np.int64]:
        """Window ends t with after < t <= until, ascending, ms."""
        if until <= after:
            return np.empty(0, np.int64)
        fixed = self._fixed_offset(after, until)
        if fixed is not None and DAY % hop == 0:
            first = (after + fixed) // hop + 1
            last = (until + fixed) // hop
            return np.arange(first, last + 1, dtype=np.int64) * hop - fixed
        return self._ends_by_day(after, until, hop)

    def _fixed_offset(self, after: int, until: int) -> int | None:
        """The zone's offset if it is one and the same from the day before to the day after, else None."""
        days = range((after - DAY) // DAY, (until + DAY) // DAY + 1)
        offsets = {_offset_on(self.tz, day) for day in days} if len(days) < 4000 else set()
        return offsets.pop() if len(offsets) == 1 else None

    def _ends_by_day(self, after: int, until: int, hop: int) -> NDArray[np.int64]:
        first = datetime.fromtimestamp(after / 1000, self.zone).date() - timedelta(days=1)
        last = datetime.fromtimestamp(until / 1000, self.zone).date() + timedelta(days=1)
        midnights = [self._midnight(first + timedelta(days=i)) for i in range((last - first).days + 2)]
        parts = [np.arange(begin, end, hop, dtype=np.int64) for begin, end in pairwise(midnights)]
        ends = np.concatenate(parts)
        return ends[(ends > after) & (ends <= until)]

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp() * 1000)

    def next_end(self, after: int, hop: int) -> int:
        """The first window end later than ``after``, ms."""
        return int(self.ends(after, after + 2 * max(hop, HOUR) + DAY, hop)[0])

    def time_of_day(self, ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """Milliseconds since local midnight of each instant; midnight itself is a whole day.

        >>> Calendar().time_of_day(np.array([1_719_964_800_000])) // HOUR  # 2024-07-03T08:00+08:00
        array([8])
        """
        days, inverse = np.unique(ends // DAY, return_inverse=True)
        offsets = np.array(
            [(_offset_on(self.tz, d), _offset_on(self.tz, d + 1)) for d in days.tolist()], np.int64
        )
        shift = offsets.reshape(-1, 2)[inverse, 0]
        for i in np.flatnonzero(np.diff(offsets.reshape(-1, 2))[inverse, 0]).tolist():
            shift[i] = self._offset(datetime.fromtimestamp(int(ends[i]) / 1000, UTC))
        local = (ends + shift) % DAY
        return np.where(local == 0, DAY, local)

    def last_span(self, ends: NDArray[np.int64], begin: int, end: int) -> NDArray[np.int64]:
        """Begin and end of the last daily local span (begin, end] that is over at each instant: int64[n, 2].

        ``begin`` and ``end`` in ms since local midnight; the end may lie on the next day.

        >>> at_noon = np.array([1_719_979_200_000])
        >>> (at_noon[0] - Calendar().last_span(at_noon, 2 * HOUR, 4 * HOUR)) // HOUR
        array([[10,  8]])
        """
        if self._fixed_offset(int(ends.min()) - DAY, int(ends.max())) is not None:
            stop = ends - (self.time_of_day(ends) - end) % DAY
            return np.stack((stop - (end - begin) % DAY, stop), axis=1)
        return np.array([self._span_before(t, begin, end) for t in ends.tolist()], np.int64).reshape(-1, 2)

    def _span_before(self, t: int, begin: int, end: int) -> tuple[int, int]:
        day = datetime.fromtimestamp(t / 1000, self.zone).date()
        stop = self._at(day, end)
        while stop > t:
            day -= timedelta(days=1)
            stop = self._at(day, end)
        return self._at(day if begin < end else day - timedelta(days=1), begin), stop

    def _at(self, day: date, clock: int) -> int:
        """When the clock shows a time of a day, ms; 24:00 is the next midnight."""
        if clock == DAY:
            return self._midnight(day + timedelta(days=1))
        hours, minutes = divmod(clock // 60_000, 60)
        at = datetime(day.year, day.month, day.day, hours, minutes, tzinfo=self.zone)
        return int(at.timestamp() * 1000)

    def within(self, ends: NDArray[np.int64], begin: int, end: int) -> NDArray[np.bool_]:
        """Whether each instant lies in the daily local span (begin, end], which may cross midnight.

        >>> at_22 = np.array([1_720_015_200_000])  # 22:00 local
        >>> Calendar().within(at_22, 6 * HOUR, 22 * HOUR), Calendar().within(at_22, 22 * HOUR, 6 * HOUR)
        (array([ True]), array([False]))
        """
        clock = self.time_of_day(ends)
        if begin < end:
            return (clock > begin) & (clock <= end)
        return (clock > begin) | (clock <= end)


@lru_cache(maxsize=65_536)
def _offset_on(tz: str, day: int) -> int:
    at = datetime.fromtimestamp(day * 86_400, UTC)
    offset = at.astimezone(ZoneInfo(tz)).utcoffset() or timedelta()
    return int(offset.total_seconds() * 1000)
