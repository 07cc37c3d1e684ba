"""Drivers: what they are between the rows of their grid, and what follows from changing one."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.city import START
from sim.drivers import BASE, FIELDS, STEP_MS, DriverChange, Drivers
from sim.regions import Regions
from sim.working_days import HOLIDAY, WEEKEND, WORKDAY, local_hours, local_midnight

HOUR = 3_600_000
REGIONS = Regions.wuhan()
DRIVERS = Drivers.made(5, REGIONS, START, START + 48 * HOUR, "Asia/Shanghai")
ZONES = len(REGIONS.streets)


@settings(max_examples=40)
@given(name=st.sampled_from(sorted(FIELDS)), seed=st.integers(0, 99))
def test_between_rows_a_field_is_interpolated(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ts = rng.integers(DRIVERS.begin, START + 48 * HOUR, 50)
    zone = rng.integers(0, ZONES, 50)
    grid = DRIVERS.fields[name].astype(np.float64)
    expected = [np.interp(t, DRIVERS.times, grid[:, z]) for t, z in zip(ts, zone, strict=True)]
    assert DRIVERS.at(name, ts, zone) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_field_at_many_moments_of_each_zone_has_a_row_a_zone() -> None:
    ts = START + np.arange(12).reshape(3, 4) * 600_000
    zone = np.array([0, 7, 9])
    table = DRIVERS.at("temperature", ts, zone)
    assert table.shape == (3, 4)
    assert table[1].tolist() == DRIVERS.at("temperature", ts[1], np.repeat(7, 4)).tolist()


def test_beyond_the_ends_a_field_keeps_its_last_value() -> None:
    early = DRIVERS.at("temperature", np.array([0, DRIVERS.begin]), np.array([3, 3]))
    assert early[0] == early[1]
    late = DRIVERS.at("temperature", np.array([START * 2]), np.array([3]))
    assert late[0] == pytest.approx(float(DRIVERS.fields["temperature"][-1, 3]), abs=0.01)


@pytest.mark.parametrize(("op", "expected"), [("add", 11.0), ("scale", 32.5), ("set", 8.5), ("atleast", 6.0)])
def test_a_change_acts_by_weight_within_its_profile(
    op: Literal["add", "scale", "set", "atleast"], expected: float
) -> None:
    times = np.arange(4) * STEP_MS
    grid = np.full((4, 2), 5.0, np.float32)
    change = DriverChange("travel", np.array([0.5, 0.0]), [(STEP_MS, 12.0), (2 * STEP_MS, 12.0)], op)
    changed = change.applied(grid, times)
    assert changed[:, 0].tolist() == [5.0, expected, expected, 5.0]
    assert changed[:, 1].tolist() == [5.0] * 4
    assert grid.tolist() == [[5.0, 5.0]] * 4


def test_rain_alone_brings_water_and_slows_the_traffic() -> None:
    noon = START + 12 * HOUR
    zone = np.array([4])
    weights = np.zeros(ZONES)
    weights[4] = 1.0
    profile = [(noon, 0.0), (noon + HOUR // 2, 1.5), (noon + HOUR, 0.0)]
    wet = DRIVERS.apply([DriverChange("rain", weights, profile)])
    after = np.array([noon + HOUR])
    for name, sign in (("standing", 1), ("sewer", 1), ("congestion", 1), ("river", 1)):
        assert sign * (wet.at(name, after, zone) - DRIVERS.at(name, after, zone))[0] > 0.005
    during = np.array([noon + HOUR // 2])
    assert wet.at("visibility", during, zone)[0] < 0.5 * DRIVERS.at("visibility", during, zone)[0]
    # 45 mm fall; a day later the streets are dry again, and other zones never knew.
    fallen = wet.at("rain_sum", after, zone) - DRIVERS.at("rain_sum", after, zone)
    assert fallen[0] == pytest.approx(45.0, abs=0.1)
    tomorrow = np.array([noon + 24 * HOUR])
    assert wet.at("standing", tomorrow, zone)[0] == 0.0
    assert wet.at("standing", after, np.array([5]))[0] == 0.0
    assert np.array_equal(wet.apply(()).fields["standing"], DRIVERS.fields["standing"])


def test_a_change_of_a_derived_field_stays_with_it() -> None:
    change = DriverChange("congestion", np.ones(ZONES), [(START, 1.0), (START + HOUR, 1.0)], "set")
    changed = DRIVERS.apply([change])
    assert changed.at("congestion", np.array([START + 600_000]), np.array([0]))[0] == pytest.approx(1.0)
    assert all(np.array_equal(changed.fields[name], DRIVERS.fields[name]) for name in BASE)


@pytest.mark.parametrize(
    ("field", "profile", "said"),
    [
        ("snow", [(0, 1.0), (1, 1.0)], "there is no driver 'snow'; known: rain,"),
        ("rain", [(0, 1.0)], "two or more points in rising order"),
        ("rain", [(5, 1.0), (5, 2.0)], "two or more points in rising order"),
    ],
)
def test_a_change_that_cannot_be_is_refused(field: str, profile: list[tuple[int, float]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DriverChange(field, np.ones(ZONES), profile)


def test_a_quiet_week_stays_below_the_weather_warnings() -> None:
    week = Drivers.made(9, REGIONS, START, START + 168 * HOUR, "Asia/Shanghai").fields
    assert float(week["standing"].max()) == 0.0
    assert float(np.diff(week["rain_sum"][::12], axis=0).max()) < 15.0
    assert float(week["visibility"].min()) > 1000.0
    assert float(week["wind"].max()) < 3.4


def test_people_keep_the_hours_of_working_days_weekends_and_holidays() -> None:
    eight = np.array([START + 8 * HOUR])
    saturday = Drivers.made(5, REGIONS, START + 120 * HOUR, START + 144 * HOUR, "Asia/Shanghai")
    workday = DRIVERS.at("travel", eight, np.array([0]))[0]
    assert workday > 0.9
    assert saturday.at("travel", eight + 120 * HOUR, np.array([0]))[0] < 0.6 * workday


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2026-03-02", WORKDAY),
        ("2026-03-07", WEEKEND),
        ("2026-02-17", HOLIDAY),
        ("2026-02-28", WORKDAY),  # a Saturday worked to make up for the Spring Festival
        ("2040-01-01", WEEKEND),  # a Sunday of a year nobody has decided on
        ("2040-01-02", WORKDAY),
    ],
)
def test_days_are_worked_as_the_calendar_says(day: str, kind: int) -> None:
    noon = np.array([np.datetime64(f"{day}T04:00", "ms").astype(np.int64)])
    hour, kinds = local_hours(noon, "Asia/Shanghai")
    assert (hour.tolist(), kinds.tolist()) == ([12.0], [kind])
    assert local_midnight(int(noon[0]), "Asia/Shanghai") == int(noon[0]) - 12 * HOUR
