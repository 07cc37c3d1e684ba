"""The Chinese datums: known points, and inverses better than 0.1 m all over China."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo import coordinates

METRES_PER_DEGREE = 111_320.0

in_china = st.tuples(st.floats(73.5, 135.5), st.floats(3.5, 54.0))
systems = st.sampled_from(coordinates.SYSTEMS)


def test_known_points_of_the_published_formulas_are_met() -> None:
    assert np.allclose(
        coordinates.from_wgs84(116.404, 39.915, "gcj02"), (116.41024449916938, 39.91640428150164), atol=1e-12
    )
    lon, lat = coordinates.to_wgs84(116.404, 39.915, "gcj02")
    assert np.allclose(
        coordinates.from_wgs84(lon, lat, "bd09"), (116.41036949371029, 39.92133699351021), atol=1e-9
    )


@given(st.lists(in_china, min_size=1, max_size=20), systems)
def test_there_and_back_is_closer_than_a_millimetre(points: list[tuple[float, float]], crs: str) -> None:
    lon, lat = np.array(points).T
    x, y = coordinates.to_wgs84(*coordinates.from_wgs84(lon, lat, crs), crs)
    assert np.hypot(x - lon, y - lat).max() * METRES_PER_DEGREE < 1e-3


@given(in_china)
def test_the_shift_is_of_the_size_maps_have(point: tuple[float, float]) -> None:
    lon, lat = coordinates.from_wgs84(*point, "gcj02")
    metres = np.hypot((lon - point[0]) * np.cos(np.deg2rad(point[1])), lat - point[1]) * METRES_PER_DEGREE
    assert 5 < metres < 1500


@pytest.mark.parametrize(("lon", "lat"), [(2.35, 48.86), (-74.0, 40.7), (151.2, -33.9), (139.7, 35.7)])
def test_outside_china_gcj02_is_wgs84(lon: float, lat: float) -> None:
    np.testing.assert_array_equal(coordinates.to_wgs84(lon, lat, "gcj02"), (lon, lat))
    np.testing.assert_array_equal(coordinates.from_wgs84(lon, lat, "gcj02"), (lon, lat))


@given(in_china)
def test_cgcs2000_is_wgs84(point: tuple[float, float]) -> None:
    np.testing.assert_array_equal(coordinates.to_wgs84(*point, "cgcs2000"), point)


def test_missing_coordinates_stay_missing() -> None:
    lon, lat = coordinates.to_wgs84([np.nan, 114.3], [30.6, np.nan], "bd09")
    assert np.isnan(lon[0])
    assert np.isnan(lat[1])


def test_an_unknown_datum_is_named() -> None:
    with pytest.raises(ValueError, match="crs must be one of wgs84, gcj02, bd09, cgcs2000, found 'wgs'"):
        coordinates.to_wgs84(1.0, 1.0, "wgs")
    with pytest.raises(ValueError, match="found 'EPSG:4326'"):
        coordinates.from_wgs84(1.0, 1.0, "EPSG:4326")
