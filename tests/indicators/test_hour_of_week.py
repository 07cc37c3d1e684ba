"""Hours of the week: holidays are like Sundays, worked weekends like Wednesdays, clocks may change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from indicators.hour_of_week import HourOfWeek
from sim.working_days import WORKDAY, day_kind

CHINA = HourOfWeek("Asia/Shanghai", lambda day: day_kind(day) == WORKDAY)


def moment(text: str, tz: str = "Asia/Shanghai") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "weekday"),
    [
        pytest.param("2026-03-04T05:30", 2, id="a Wednesday"),
        pytest.param("2026-02-17T05:30", 6, id="New Year's Day, a Tuesday"),
        pytest.param("2026-02-14T05:30", 2, id="a Saturday worked for the holiday"),
        pytest.param("2026-03-07T05:30", 5, id="an ordinary Saturday"),
        pytest.param("2040-01-02T05:30", 0, id="a Monday no calendar knows"),
    ],
)
def test_a_day_is_like_a_weekday(text: str, weekday: int) -> None:
    assert CHINA.at(moment(text)) == weekday * 24 + 5
    assert CHINA.of_local(np.array([text], "datetime64[m]")).tolist() == [weekday * 24 + 5]


def test_without_a_calendar_days_are_what_they_are() -> None:
    assert HourOfWeek().at(moment("2026-02-17T05:30")) == 24 + 5


def test_clocks_that_change_repeat_and_skip_an_hour() -> None:
    clock = HourOfWeek("America/New_York")
    autumn = int(datetime(2026, 11, 1, 4, tzinfo=UTC).timestamp() * 1000)
    assert [clock.at(autumn + h * 3_600_000) % 24 for h in range(4)] == [0, 1, 1, 2]
    spring = int(datetime(2026, 3, 8, 6, tzinfo=UTC).timestamp() * 1000)
    assert [clock.at(spring + h * 3_600_000) % 24 for h in range(3)] == [1, 3, 4]
