"""How anomalies are looked for: what both ``city.toml`` and the options of a replay say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flows.config.option_types import Holidays
from geo.public_holidays import WORKDAY, day_kind
from indicators.hour_of_week import HourOfWeek


@dataclass(frozen=True, slots=True)
class ScoreSettings:
    """Settings of the detector in the flow.

    Attributes:
        budget: false alarms per 1,000 series and day.
        sensors: score the readings of single sensors too.
        holidays: whose public holidays count as Sundays, and the weekends worked for them as working days.
    """

    budget: float = 10.0
    holidays: Holidays = "none"
    sensors: bool = False

    def clock(self, tz: str) -> HourOfWeek:
        """The hours of the week in a time zone.

        >>> noon = 1_771_300_800_000  # Tuesday 2026-02-17 12:00, Spring Festival
        >>> ScoreSettings().clock("Asia/Shanghai").at(noon) // 24
        1
        >>> ScoreSettings(holidays="cn").clock("Asia/Shanghai").at(noon) // 24
        6
        """
        return HourOfWeek(tz, _works if self.holidays == "cn" else None)


def _works(day: date) -> bool:
    return day_kind(day) == WORKDAY
