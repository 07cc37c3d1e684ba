"""Thresholds by area and time against a plain reading of the rules, and every fault of their files."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evidence import Evidence
from alerts.ladder import Rows
from alerts.levels import LevelBank
from alerts.local_ladders import LocalLadders, Names
from alerts.threshold_file import ThresholdError, check_thresholds, read_thresholds
from alerts.thresholds import Bound, Day, Override, Thresholds
from geo.public_holidays import HOLIDAY, WEEKEND, WORKDAY, day_kind, known_years
from indicators.calendar import Calendar
from indicators.catalogue import Catalogue
from indicators.entry import Level

CATALOGUE = Catalogue.load()
RAIN = CATALOGUE["weather.rain_1h_max"]
CALENDAR = Calendar("Asia/Shanghai")
ZONE = ZoneInfo("Asia/Shanghai")
HOUR = 3_600_000
KINDS = [0, 0, 0, 3, 4]
NAMES = ["A", "B", "C", "d1", "city"]
DISTRICTS = ["d1", "d2", "d1", "d1", ""]


def placed(rows: Rows) -> tuple[np.ndarray, Names, Names]:
    texts = (np.array([one.encode() for one in column]) for column in (NAMES, DISTRICTS))
    name, district = texts
    return np.array(KINDS, np.uint8)[rows], name[rows], district[rows]


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


DAYS: list[Day] = ["workday", "weekend", "holiday"]
PLACES = st.sampled_from([{}, {"districts": ["d1"]}, {"districts": ["d2"]}, {"cells": ["A", "B"]}])
OVERRIDES = st.lists(
    st.builds(
        lambda bound, place, hours, days: Override(
            RAIN.id,
            {"yellow": Bound(bound)},
            **{key: frozenset(names) for key, names in place.items()},
            hours=hours,
            days=frozenset(days),
        ),
        st.floats(21, 49).map(lambda x: round(x, 1)),
        PLACES,
        st.none() | st.sampled_from([(22 * 60, 6 * 60), (0, 1440), (360, 720), (600, 120)]),
        st.sets(st.sampled_from(DAYS)),
    ),
    max_size=6,
)
ENDS = st.datetimes(datetime(2024, 9, 25), datetime(2024, 10, 16)).map(  # noqa: DTZ001 - made local below
    lambda at: int(at.replace(tzinfo=ZONE, second=0, microsecond=0).timestamp() * 1000) // 300_000 * 300_000
)


def plain(overrides: list[Override], row: int, end: int) -> float:
    """Where yellow is raised, by the words of the rules."""
    local = datetime.fromtimestamp((end - 1) / 1000, UTC).astimezone(ZONE)
    midnight = datetime(local.year, local.month, local.day, tzinfo=ZONE)
    minute = (end - int(midnight.timestamp() * 1000)) / 60_000
    found = {0: RAIN.raises[1]}
    for one in overrides:
        here = NAMES[row] in one.cells if one.cells else not one.districts or DISTRICTS[row] in one.districts
        begin, until = one.hours or (0, 1440)
        now = begin < minute <= until if begin < until else not until < minute <= begin
        kind = ("workday", "weekend", "holiday")[day_kind(local.date())]
        if here and now and (not one.days or kind in one.days):
            found[1 + len(one.cells and "cc") + bool(one.districts)] = one.levels["yellow"].raised
    return found[max(found)]


@settings(max_examples=150, deadline=None)
@given(OVERRIDES, st.lists(ENDS, min_size=1, max_size=6))
def test_every_area_has_the_bounds_that_the_rules_give_it(overrides: list[Override], ends: list[int]) -> None:
    local = LocalLadders.of(RAIN, Thresholds(tuple(overrides)), CALENDAR, placed)
    if local is None:
        assert not overrides
        return
    rows = np.arange(len(NAMES))
    for end in ends:
        found = np.broadcast_to(local.at(end, rows).raises[1], rows.shape).tolist()
        assert found == [plain(overrides, row, end) for row in rows.tolist()]
    many = np.repeat(rows[:1], len(ends))
    at = np.array(sorted(ends))
    assert np.broadcast_to(local.at(at, many).raises[1], many.shape).tolist() == [
        plain(overrides, 0, end) for end in at.tolist()
    ]
    assert local.mildest.raises[1] == min([RAIN.raises[1], *(o.levels["yellow"].raised for o in overrides)])


@settings(max_examples=60, deadline=None)
@given(OVERRIDES, st.lists(st.lists(st.floats(0, 60), min_size=5, max_size=5), min_size=1, max_size=30))
def test_a_replay_of_windows_judges_them_as_they_were_judged(
    overrides: list[Override], values: list[list[float]]
) -> None:
    rows = np.arange(len(NAMES))
    begin = instant("2024-10-11T20:00")
    banks = [
        LevelBank(RAIN, 5, LocalLadders.of(RAIN, Thresholds(tuple(overrides)), CALENDAR, placed))
        for _ in "ab"
    ]
    ends = begin + HOUR * np.arange(1, len(values) + 1)
    table, zero = np.array(values), np.zeros((len(values), 5))
    allowed = np.ones(5, bool)
    expected = [
        banks[0].close(int(e), rows, Evidence(v, allowed, decided_ms=0))[1]
        for e, v in zip(ends, table, strict=True)
    ]
    for end, row in zip(ends, zero, strict=True):
        banks[1].close(int(end), rows, Evidence(row, allowed, decided_ms=0))
    seen = Evidence(table, np.ones(table.shape, bool), decided_ms=0)
    assert banks[1].replay(ends, rows, seen)[1].tolist() == np.array(expected).tolist()


def test_a_transition_names_the_bound_of_its_place_and_time() -> None:
    night = Override(
        RAIN.id, {"yellow": Bound(22.0, 21.5)}, districts=frozenset({"d2"}), hours=(22 * 60, 6 * 60)
    )
    bank = LevelBank(RAIN, 5, LocalLadders.of(RAIN, Thresholds((night,)), CALENDAR, placed))
    seen = Evidence(np.array([25.0, 25.0]), np.ones(2, bool), decided_ms=0)
    found, levels = bank.close(instant("2024-07-03T23:00"), np.array([0, 1]), seen)
    assert [(one.row, one.level, one.threshold) for one in found] == [(0, 1, 20.0), (1, 2, 22.0)]
    found, levels = bank.close(instant("2024-07-04T06:05"), np.array([0, 1]), seen)
    assert levels.tolist() == [1, 1]
    assert [(one.row, one.transition, one.threshold) for one in found] == [(1, "eased", 29.5)]


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2024-10-01", HOLIDAY),
        ("2024-10-07", HOLIDAY),
        ("2024-10-12", WORKDAY),
        ("2024-10-13", WEEKEND),
        ("2024-10-14", WORKDAY),
    ],
)
def test_days_worked_to_make_up_for_a_holiday_are_workdays(day: str, kind: int) -> None:
    assert day_kind(date.fromisoformat(day)) == kind


def test_beyond_the_known_years_weekends_are_all_that_is_free() -> None:
    first = date(known_years()[1] + 1, 1, 1)
    for day in (first + timedelta(days=i) for i in range(14)):
        assert day_kind(day) == (WEEKEND if day.weekday() >= 5 else WORKDAY)


def test_the_hash_is_that_of_the_catalogue_without_overrides_and_another_with_any() -> None:
    assert Thresholds().hashed(CATALOGUE.hash) == CATALOGUE.hash
    hashes = {
        Thresholds((Override(RAIN.id, {"yellow": Bound(bound)}),)).hashed(CATALOGUE.hash)
        for bound in (31, 32.0)
    }
    assert len(hashes) == 2
    assert CATALOGUE.hash not in hashes


def test_a_level_without_a_clear_bound_keeps_the_band_of_the_catalogue() -> None:
    levels: dict[Level, Bound] = {"yellow": Bound(40.0)}
    raises, clears = Override(RAIN.id, levels).bounds(RAIN)
    assert raises == (20.0, 40.0, 50.0, 80.0)
    assert clears[1] == 39.5
    assert math.isclose(clears[2], RAIN.clears[2])


FAULTS = """\
[[override]]
indicator = "weather.rain_1h_mx"
levels = { yellow = { raise = 5 } }

[[override]]
indicator = "weather.rain_1h_max"
districts = ["420106"]
cells = ["N50H0"]
hours = "25-6"
days = ["workdya"]
levels = { yellow = { raise = "high", claer = 3 }, purple = { raise = 3 } }

[[override]]
indicator = "weather.rain_1h_max"
levels = { yellow = { raise = 500, clear = 501 } }

[[overide]]
"""


def test_all_faults_are_told_at_once_with_their_places() -> None:
    found = [str(fault) for fault in check_thresholds([("t.toml", FAULTS)], CATALOGUE)]
    assert [line.partition(": ")[0] for line in found] == [
        "t.toml:2:13",
        "t.toml:8:1",
        "t.toml:9:9",
        "t.toml:10:9",
        "t.toml:11:31",
        "t.toml:11:39",
        "t.toml:11:52",
        "t.toml:15:31",
        "t.toml:15:44",
        "t.toml:17:3",
    ]
    assert "did you mean weather.rain_1h_max" in found[0]
    assert "did you mean workday?" in found[3]
    assert "orange 50 after yellow 500" in found[7]
    with pytest.raises(ThresholdError, match=r"t\.toml:15:31"):
        read_thresholds([("t.toml", FAULTS)], CATALOGUE)


def test_a_text_that_is_no_toml_is_told_with_its_place() -> None:
    (fault,) = check_thresholds([("t.toml", "[[override]]\nlevels = {")], CATALOGUE)
    assert (fault.line, fault.message[:7]) == (2, "no TOML")
