"""Weather, air and rivers: stations that measure nature.

Magnitudes are plausible, not measured; without scenarios they stay below the catalogue's levels.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.device_class import HOUR_S, MINUTE_S, DeviceClass, Scene, Signal, Siting, daily_reference, minutely

Floats = NDArray[np.float64]

TIP_MM = 0.1
"""A rain gauge counts tips of its bucket."""

HANKOU_STAGES = (25.00, 27.30, 29.73)
"""Fortification, warning and guarantee stage of the Hankou gauge, m (public hydrological notices)."""


def rain_1m(s: Scene) -> Floats:
    """Rain of the past minute, mm, in tips of the bucket: nothing is lost between them."""
    share = 10 * (0.9 + 0.2 * s.trait)
    now = np.floor(s.driver("rain_sum") * share + s.another(1))
    before = np.floor(s.driver("rain_sum", minutes_ago=1) * share + s.another(1))
    fallen: Floats = TIP_MM * np.maximum(now - before, 0.0)
    return fallen


def wind_speed(s: Scene) -> Floats:
    """Ten-minute mean wind, m/s."""
    return np.maximum(s.driver("wind") * (0.95 + 0.1 * s.trait) + 0.08 * s.noise, 0.0)


def wind_gust(s: Scene) -> Floats:
    """Gust, m/s."""
    return s.driver("wind") * 1.5 + 0.3 + 0.4 * np.abs(s.noise)


def air_temperature(s: Scene) -> Floats:
    """Air temperature, °C."""
    return s.driver("temperature") + 0.6 * (s.trait - 0.5) + 0.05 * s.noise


def relative_humidity(s: Scene) -> Floats:
    """Relative humidity, %."""
    return s.driver("humidity") + 2.0 * (s.trait - 0.5) + 0.3 * s.noise


def visibility(s: Scene) -> Floats:
    """Meteorological visibility, m."""
    return s.driver("visibility") * (0.95 + 0.1 * s.trait) * (1 + 0.02 * s.noise)


def road_surface_temperature(s: Scene) -> Floats:
    """Temperature of the road surface, °C: warmer than the air by day, hardly colder by night."""
    return s.driver("temperature") + 2.0 + 2.5 * s.driver("sun") + 0.1 * s.noise


def river_level(s: Scene) -> Floats:
    """Stage above datum, m."""
    return s.driver("river") + _offset(s) + 0.006 * s.noise


def _offset(s: Scene) -> Floats:
    """A gauge's own height against Hankou's, m: the river falls along the city."""
    return 1.2 * (s.trait - 0.5)


def river_level_fortify(s: Scene) -> Floats:
    """Fortification stage, m."""
    return HANKOU_STAGES[0] + _offset(s)


def river_level_warning(s: Scene) -> Floats:
    """Warning stage, m."""
    return HANKOU_STAGES[1] + _offset(s)


def river_level_guarantee(s: Scene) -> Floats:
    """Guarantee stage, m."""
    return HANKOU_STAGES[2] + _offset(s)


def water_do(s: Scene) -> Floats:
    """Dissolved oxygen, mg/L: class II and better, so is the rest."""
    return 7.6 + 1.2 * s.trait + 0.3 * s.driver("sun") + 0.1 * s.noise


def water_codmn(s: Scene) -> Floats:
    """Permanganate index, mg/L."""
    return 2.2 + 1.2 * s.another(1) + 0.1 * s.noise


def water_nh3n(s: Scene) -> Floats:
    """Ammonia nitrogen, mg/L."""
    return np.maximum(0.15 + 0.25 * s.another(2) + 0.02 * s.noise, 0.0)


def water_tp(s: Scene) -> Floats:
    """Total phosphorus, mg/L."""
    return np.maximum(0.04 + 0.06 * s.another(3) + 0.005 * s.noise, 0.0)


def pm25(s: Scene) -> Floats:
    """PM2.5, ug/m³."""
    return np.maximum(s.driver("pollution") * (0.92 + 0.16 * s.trait) + 1.5 * s.noise, 0.0)


def pm10(s: Scene) -> Floats:
    """PM10, ug/m³."""
    return np.maximum(1.55 * s.driver("pollution") * (0.92 + 0.16 * s.trait) + 3.0 * s.noise, 0.0)


def so2(s: Scene) -> Floats:
    """SO2, ug/m³."""
    return np.maximum(4.0 + 0.12 * s.driver("pollution") + 0.6 * s.noise, 0.0)


def no2(s: Scene) -> Floats:
    """NO2, ug/m³: of traffic."""
    return np.maximum(14.0 + 26.0 * s.driver("travel") + 8.0 * s.trait + 2.0 * s.noise, 0.0)


def o3(s: Scene) -> Floats:
    """O3, ug/m³: of sunshine, eaten by traffic."""
    return np.maximum(62.0 + 34.0 * s.driver("sun") - 12.0 * s.driver("travel") + 3.0 * s.noise, 0.0)


def co(s: Scene) -> Floats:
    """CO, mg/m³."""
    return np.maximum(0.4 + 0.01 * s.driver("pollution") + 0.04 * s.noise, 0.0)


CLASSES = (
    DeviceClass(
        "weather_station",
        7,
        Siting.EVEN,
        (
            Signal("rain_1m", MINUTE_S, 1, rain_1m, high=20.0),
            minutely("wind_gust", 1, wind_gust),
            minutely("wind_speed", 1, wind_speed),
            Signal("air_temperature", MINUTE_S, 1, air_temperature, low=-40.0, high=60.0),
            Signal("relative_humidity", MINUTE_S, 0, relative_humidity, high=100.0),
            Signal("visibility", MINUTE_S, 0, visibility, high=50_000.0),
        ),
    ),
    DeviceClass(
        "road_weather",
        4,
        Siting.ROADS,
        (
            Signal(
                "road_surface_temperature", 5 * MINUTE_S, 1, road_surface_temperature, low=-40.0, high=85.0
            ),
        ),
    ),
    DeviceClass(
        "water_level",
        6,
        Siting.RIVER,
        (
            daily_reference("river_level_fortify", 2, river_level_fortify),
            daily_reference("river_level_warning", 2, river_level_warning),
            daily_reference("river_level_guarantee", 2, river_level_guarantee),
            Signal("river_level", 10 * MINUTE_S, 2, river_level, high=80.0),
        ),
    ),
    DeviceClass(
        "water_quality",
        4,
        Siting.RIVER,
        tuple(
            Signal(metric, 4 * HOUR_S, decimals, values)
            for metric, decimals, values in (
                ("water_do", 2, water_do),
                ("water_codmn", 2, water_codmn),
                ("water_nh3n", 3, water_nh3n),
                ("water_tp", 3, water_tp),
            )
        ),
    ),
    DeviceClass(
        "air_station",
        8,
        Siting.EVEN,
        tuple(
            Signal(metric, 5 * MINUTE_S, decimals, values, high=math.inf)
            for metric, decimals, values in (
                ("pm25", 1, pm25),
                ("pm10", 1, pm10),
                ("so2", 1, so2),
                ("no2", 1, no2),
                ("o3", 1, o3),
                ("co", 3, co),
            )
        ),
    ),
)
"""The device classes of this file."""
