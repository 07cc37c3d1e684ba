"""Everyday cases of a city: as many as its people make, where and when they are."""

import numpy as np
import polars as pl
import pytest

from sim.cases import INHABITANTS_PER_DEVICE, base_cases
from sim.city import START, City
from sim.drivers import DriverChange
from sim.event_types import EVENT_TYPES, HOUR
from sim.script import Script

DAY = 24 * HOUR
SENSORS = 20_000


@pytest.fixture(scope="module")
def city() -> City:
    return City(seed=5, sensors=SENSORS, hours=48.0)


@pytest.fixture(scope="module")
def cases(city: City) -> pl.DataFrame:
    return base_cases(city.devices, city.drivers, (city.start, city.end), city.seed)


def beginnings(cases: pl.DataFrame) -> pl.DataFrame:
    return cases.group_by("event_id", maintain_order=True).first()


def test_the_same_arguments_give_the_same_cases(city: City, cases: pl.DataFrame) -> None:
    again = base_cases(city.devices, city.drivers, (city.start, city.end), city.seed)
    assert cases.equals(again)
    other = base_cases(city.devices, city.drivers, (city.start, city.end), city.seed + 1)
    assert not cases.equals(other)


def test_types_come_as_often_as_their_rates_on_two_working_days(cases: pl.DataFrame) -> None:
    count = dict(beginnings(cases)["type"].value_counts().iter_rows())
    for code, kind in EVENT_TYPES.items():
        daily = max(kind.daily * SENSORS * INHABITANTS_PER_DEVICE / 10_000, kind.least_daily)
        expected = 0 if kind.wet else 2 * daily
        slack = 0.03 * expected + 5 * np.sqrt(expected) + 5
        assert abs(count.get(code, 0) - expected) < slack, (code, count.get(code, 0), expected)


def test_people_call_more_at_noon_than_at_night(cases: pl.DataFrame) -> None:
    def between(code: str, low: int, high: int) -> int:
        hours = (beginnings(cases).filter(type=code)["ts"] - START) // HOUR % 24
        return int(hours.is_between(low, high).sum())

    assert 2 * between("ev_hotline", 10, 13) > 3 * between("ev_hotline", 1, 4)
    assert between("ev_traffic_accident", 7, 8) > 4 * between("ev_traffic_accident", 1, 2)


def test_institutions_have_their_cases_in_one_place(cases: pl.DataFrame) -> None:
    visits = beginnings(cases).filter(type="ev_fever_visit")
    assert visits.n_unique(["lon", "lat"]) == 1
    schools = beginnings(cases).filter(type="ev_ili_case")
    most = schools.group_by("lon", "lat").len()["len"].max()
    assert isinstance(most, int)
    assert most < 5


def test_every_district_has_one_office_that_opens_and_closes_firms(cases: pl.DataFrame) -> None:
    entries = beginnings(cases).filter(pl.col("type").is_in(["ev_market_open", "ev_market_close"]))
    assert entries.filter(type="ev_market_open").n_unique(["lon", "lat"]) == 13
    assert entries.n_unique(["lon", "lat"]) == 13


def test_cases_lie_beside_the_sensors_of_their_kind(city: City, cases: pl.DataFrame) -> None:
    own = city.devices.sending("road_speed")
    accidents = beginnings(cases).filter(type="ev_traffic_accident").select("lon", "lat").to_numpy()
    roads = np.stack([city.devices.lon[own], city.devices.lat[own]], axis=1)
    nearest = np.abs(accidents[:, None, :] - roads[None, :, :]).max(axis=2).min(axis=1)
    assert nearest.max() < 0.005


def test_standing_water_brings_reports_of_it_and_dry_days_none(city: City, cases: pl.DataFrame) -> None:
    assert cases.filter(type="ev_waterlogging").is_empty()
    zones = np.ones(len(city.regions.streets))
    rain = DriverChange("rain", zones, [(START + 10 * HOUR, 1.5), (START + 12 * HOUR, 1.5)])
    wet = city.with_scripts([Script(driver_changes=[rain])])
    after = base_cases(city.devices, wet.drivers, (city.start, city.end), city.seed)
    reports = after.filter(type="ev_waterlogging", status="reported")["ts"]
    assert len(reports) > 20
    assert reports.is_between(START + 10 * HOUR, START + 30 * HOUR).all()
