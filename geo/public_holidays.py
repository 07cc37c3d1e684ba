"""Working days, weekends and public holidays in China, with the weekends that are worked to make up for them.

The calendar is that of the package ``chinesecalendar`` (the yearly notices of the State Council's General
Office). For years it does not know, Saturdays and Sundays are free and there are no holidays.
"""

from datetime import date

import chinese_calendar
from chinese_calendar.constants import holidays

WORKDAY, WEEKEND, HOLIDAY = 0, 1, 2
"""Kinds of days."""

_SATURDAY = 5


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
        return WEEKEND if day.weekday() >= _SATURDAY else WORKDAY


def known_years() -> tuple[int, int]:
    """The first and the last year whose holidays are known.

    >>> known_years()[0]
    2004
    """
    years = {day.year for day in holidays}
    return min(years), max(years)
