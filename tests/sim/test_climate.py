"""The weather of a quiet city: it rains nearly daily, never much, and a date has its weather in every run."""

import numpy as np
import pytest

from sim.city import START
from sim.drivers import Drivers
from sim.regions import Regions

HOUR = 3_600_000
REGIONS = Regions.wuhan()


def made(seed: int, start: int, hours: int) -> Drivers:
    return Drivers.made(seed, REGIONS, start, start + hours * HOUR, "Asia/Shanghai")


@pytest.mark.parametrize("seed", range(6))
def test_the_default_week_is_mild_and_damp(seed: int) -> None:
    week = made(seed, START, 168)
    since = week.fields["rain_sum"].astype(np.float64)
    day = 288
    by_day = since[day:] - since[:-day]
    hourly = since[12:] - since[:-12]
    assert hourly.max() < 10.0
    # Two dry days on end are rare.
    dry = (by_day < 0.1).mean(axis=1) > 0.5
    assert (dry[day:] & dry[:-day]).mean() < 0.05
    assert week.fields["temperature"].max() < 15.0
    assert week.fields["humidity"].min() > 65.0
    assert week.fields["wind"].max() < 3.4


def test_a_date_has_its_weather_whenever_a_city_begins() -> None:
    early, late = made(3, START, 72), made(3, START + 24 * HOUR, 24)
    at = START + 30 * HOUR + HOUR // 4 * np.arange(20)
    zone = np.full(20, 8)
    for name in ("rain", "temperature", "humidity", "wind"):
        assert early.at(name, at, zone) == pytest.approx(late.at(name, at, zone), abs=1e-5)


def test_the_year_has_its_seasons() -> None:
    january, july = (made(1, START + days * 24 * HOUR, 24).fields for days in (-45, 135))
    assert january["temperature"].mean() < 8.0
    assert july["temperature"].mean() > 25.0
    assert january["river"].mean() + 5.0 < july["river"].mean() < 25.0
