"""Tables of the standards, at their bounds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.tables import aqi, fire_weather, heat_index, water_class

NAN = math.nan
POLLUTANTS = ("pm25", "pm10", "so2", "no2", "o3", "co")
TOP = {"pm25": 500, "pm10": 600, "so2": 800, "no2": 3840, "o3": 1200, "co": 150}


def index(**concentrations: float) -> float:
    return float(aqi(*(concentrations.get(code, NAN) for code in POLLUTANTS)))


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        pytest.param({"pm25": 75.0}, 100, id="a bound has its index"),
        pytest.param({"pm25": 75.4}, 101, id="above it, rounded up"),
        pytest.param({"pm25": 75.0 + 1e-12}, 100, id="rounding noise is not above"),
        pytest.param({"pm25": 0.0}, 0, id="clean"),
        pytest.param({"pm25": 900.0}, 500, id="beyond the last point"),
        pytest.param({"so2": 5000.0}, 200, id="sulphur dioxide over an hour ends at 200"),
        pytest.param({"so2": 325.0}, 75, id="sulphur dioxide between points"),
        pytest.param({"co": 10.0, "o3": 160.0}, 100, id="the greatest counts"),
        pytest.param({"pm10": 350.0}, 200, id="pm10"),
        pytest.param({"no2": 1200.0}, 200, id="no2"),
        pytest.param({"o3": 800.0}, 300, id="o3"),
    ],
)
def test_air_quality_index(given_: dict[str, float], expected: float) -> None:
    assert index(**given_) == expected


def test_no_pollutant_no_index() -> None:
    assert math.isnan(index())


@given(st.sampled_from(POLLUTANTS), st.floats(0, 5000), st.floats(0, 5000))
def test_more_pollution_is_never_better(code: str, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert index(**{code: low}) <= index(**{code: high})


@given(st.lists(st.floats(0, 1000) | st.just(NAN), min_size=6, max_size=6))
def test_the_index_is_that_of_the_worst_pollutant(values: list[float]) -> None:
    alone = [index(**{code: v}) for code, v in zip(POLLUTANTS, values, strict=True) if not math.isnan(v)]
    together = float(aqi(*values))
    assert together == max(alone) if alone else math.isnan(together)


@pytest.mark.parametrize(
    ("celsius", "humidity", "expected"),
    [
        pytest.param(35.0, 60.0, 45.050171278, id="regression"),
        pytest.param(25.0, 50.0, (0.5 * (77 + 61 + 9 * 1.2 + 50 * 0.094) - 32) / 1.8, id="too cool for it"),
        pytest.param(35.0, 39.0, (0.5 * (95 + 61 + 27 * 1.2 + 39 * 0.094) - 32) / 1.8, id="too dry for it"),
    ],
)
def test_heat_index(celsius: float, humidity: float, expected: float) -> None:
    assert float(heat_index(celsius, humidity)) == pytest.approx(expected, abs=1e-8)


def test_eighty_fahrenheit_takes_the_regression() -> None:
    at = float(heat_index((80.0 - 32.0) / 1.8, 40.0))
    assert at == pytest.approx(float(heat_index((80.0001 - 32.0) / 1.8, 40.0)), abs=1e-3)


def test_heat_index_needs_both() -> None:
    assert np.isnan(heat_index(np.array([NAN, 30.0]), np.array([50.0, NAN]))).all()


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        pytest.param((7.5, 2.0, 0.15, 0.02), 1, id="the bounds of class I"),
        pytest.param((7.4, 2.0, 0.15, 0.02), 2, id="a little less oxygen"),
        pytest.param((2.0, 15.0, 2.0, 0.4), 5, id="the bounds of class V"),
        pytest.param((2.0, 15.1, 2.0, 0.4), 6, id="worse than V"),
        pytest.param((NAN, NAN, 1.0, NAN), 3, id="missing factors are skipped"),
        pytest.param((1.9, NAN, 8.1, NAN), 7, id="black and odorous by both"),
        pytest.param((1.9, NAN, 8.0, NAN), 6, id="not black at the bound"),
        pytest.param((0.1, NAN, NAN, NAN), 7, id="black by oxygen"),
        pytest.param((NAN, NAN, 15.1, NAN), 7, id="black by ammonia"),
        pytest.param((NAN, NAN, NAN, 0.31), 5, id="phosphorus, river column"),
    ],
)
def test_water_class(sample: tuple[float, float, float, float], expected: float) -> None:
    assert float(water_class(*sample)) == expected


def test_no_factor_no_class() -> None:
    assert np.isnan(water_class(NAN, NAN, NAN, NAN))


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        pytest.param((28.0, 30.0, 10.0, 5.5, NAN), 20 + 16 + 50 + 20, id="hot, dry, windy"),
        pytest.param((20.0, 65.0, 2.0, NAN, NAN), 12 + 0 + 10, id="bounds belong to the milder class"),
        pytest.param((20.1, 64.9, NAN, NAN, NAN), 16 + 4, id="just beyond them"),
        pytest.param((5.0, 24.9, 0.0, 0.0, 0.0), 20, id="dry air alone"),
        pytest.param((30.0, 10.0, 99.0, 60.0, 15.0), 20 + 20 + 50 + 40 - 15, id="caps, and phenology"),
        pytest.param((5.0, 70.0, 0.0, 0.3, 0.0), 5, id="force 1 begins at its bound"),
    ],
)
def test_fire_weather(sample: tuple[float, float, float, float, float], expected: float) -> None:
    assert float(fire_weather(*sample)) == expected


@pytest.mark.parametrize("sample", [(NAN, 30.0), (20.0, NAN)])
def test_fire_weather_needs_temperature_and_humidity(sample: tuple[float, float]) -> None:
    assert np.isnan(fire_weather(*sample, 1.0, 1.0, 0.0))
