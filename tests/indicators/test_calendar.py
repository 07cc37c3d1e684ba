"""Window ends on the city's clock, through summer time too (R1)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.calendar import DAY, HOUR, Calendar, ZoneError

MINUTE = 60_000
YEAR_2024 = 1_704_067_200_000

zones = st.sampled_from(
    ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Africa/Casablanca", "UTC"]
)
hops = st.sampled_from([MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY])
CHANGES = [
    1_711_846_800_000,  # 2024-03-31 01:00 UTC, Berlin
    1_729_990_800_000,  # 2024-10-27 01:00 UTC, Berlin
    1_710_054_000_000,  # 2024-03-10 07:00 UTC, New York
    1_730_613_600_000,  # 2024-11-03 06:00 UTC, New York
]
instants = st.one_of(
    st.integers(YEAR_2024, YEAR_2024 + 366 * DAY),
    st.builds(int.__add__, st.sampled_from(CHANGES), st.integers(-DAY, DAY)),
)


def midnight_before(tz: str, instant: int) -> int:
    """The local midnight at or before an instant, found minute by minute in wall time."""
    local = datetime.fromtimestamp(instant / 1000, ZoneInfo(tz))
    return round(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp() * 1000)


def plain_ends(tz: str, after: int, until: int, hop: int) -> list[int]:
    """Every minute is asked whether it is a whole number of hops after its own midnight."""
    first = -(-(after + 1) // MINUTE) * MINUTE
    minutes = range(first, until + 1, MINUTE)
    return [t for t in minutes if (t - midnight_before(tz, t)) % hop == 0]


@given(tz=zones, hop=hops, after=instants, length=st.integers(0, 30 * HOUR))
def test_ends_are_the_whole_hops_since_local_midnight(tz: str, hop: int, after: int, length: int) -> None:
    found = Calendar(tz).ends(after, after + length, hop)
    assert found.tolist() == plain_ends(tz, after, after + length, hop)


@given(tz=zones, hop=hops, after=instants, cut=st.integers(0, DAY), rest=st.integers(0, DAY))
def test_two_spans_have_the_ends_of_the_whole_one(tz: str, hop: int, after: int, cut: int, rest: int) -> None:
    calendar = Calendar(tz)
    parts = [calendar.ends(after, after + cut, hop), calendar.ends(after + cut, after + cut + rest, hop)]
    assert np.concatenate(parts).tolist() == calendar.ends(after, after + cut + rest, hop).tolist()


@given(tz=zones, hop=hops, after=instants)
def test_the_next_end_is_the_first_of_those_that_follow(tz: str, hop: int, after: int) -> None:
    calendar = Calendar(tz)
    end = calendar.next_end(after, hop)
    assert calendar.ends(after, end, hop).tolist() == [end]


@given(tz=zones, instant=instants)
def test_time_of_day_is_what_the_clock_on_the_wall_shows(tz: str, instant: int) -> None:
    wall = datetime.fromtimestamp(instant / 1000, ZoneInfo(tz)).replace(tzinfo=None)
    since = (wall - wall.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(milliseconds=1)
    assert Calendar(tz).time_of_day(np.array([instant])).tolist() == [round(since) or DAY]


@given(tz=zones, instant=instants, begin=st.integers(0, 23), end=st.integers(1, 24))
def test_a_span_and_the_rest_of_the_day_share_out_all_instants(
    tz: str, instant: int, begin: int, end: int
) -> None:
    calendar, at = Calendar(tz), np.array([instant])
    if begin != end and (begin, end) != (0, 24):
        inside = calendar.within(at, begin * HOUR, end * HOUR)
        outside = calendar.within(at, end * HOUR, begin * HOUR or DAY)
        assert inside.tolist() != outside.tolist()


def test_22_00_is_still_day_and_06_00_still_night() -> None:
    calendar = Calendar("Asia/Shanghai")
    clock = datetime(2024, 7, 3, 6, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC).timestamp() * 1000
    at = np.array([int(clock), int(clock) + 1, int(clock) + 16 * HOUR])
    assert calendar.within(at, 6 * HOUR, 22 * HOUR).tolist() == [False, True, True]


@given(tz=zones, hop=st.sampled_from([MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR]), after=instants)
def test_every_window_end_up_to_an_hour_is_a_slice_end(tz: str, hop: int, after: int) -> None:
    calendar = Calendar(tz)
    assert (calendar.next_end(after, hop) - calendar.slice_origin) % hop == 0


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", "Asia/shanghai ", "../etc/passwd"])
def test_an_unknown_zone_is_refused_with_its_name(tz: str) -> None:
    with pytest.raises(ZoneError, match="unknown time zone"):
        Calendar(tz)


def test_a_zone_that_moves_its_clock_by_half_an_hour_is_refused() -> None:
    with pytest.raises(ZoneError, match="Lord_Howe"):
        Calendar("Australia/Lord_Howe")
