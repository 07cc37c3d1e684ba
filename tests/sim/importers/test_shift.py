"""Moving a data set: its centre arrives, its shape in metres stays."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.importers.shift import WUHAN, Shift

GEOD = pyproj.Geod(ellps="WGS84")


def metres(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Distances from the first place to all."""
    n = len(lon)
    return np.asarray(GEOD.inv(np.full(n, lon[0]), np.full(n, lat[0]), lon, lat)[2])


@given(
    st.tuples(st.floats(-179, 179), st.floats(-60, 60)),
    st.lists(st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)), min_size=1, max_size=8),
    st.tuples(st.floats(-170, 170), st.floats(-60, 60)),
)
def test_distances_in_metres_are_kept(
    centre: tuple[float, float], offsets: list[tuple[float, float]], to: tuple[float, float]
) -> None:
    lon, lat = (np.array([centre[i] + offset[i] for offset in offsets]) for i in (0, 1))
    moved = Shift(*to).move(lon, lat)
    np.testing.assert_allclose(metres(*moved), metres(lon, lat), rtol=1e-3, atol=0.01)


def test_the_centre_is_the_median_so_one_wrong_place_does_not_move_it() -> None:
    lon = np.array([-71.06, -71.05, -71.04, -71.05, 0.0])
    lat = np.array([42.35, 42.36, 42.37, 42.36, 0.0])
    moved = WUHAN.move(lon, lat)
    assert (moved[0][1], moved[1][1]) == pytest.approx((114.305, 30.593))


def test_north_stays_north_and_east_stays_east() -> None:
    lon, lat = WUHAN.move([-71.05, -71.05, -71.04], [42.36, 42.37, 42.36])
    assert lat[1] > lat[0] == pytest.approx(lat[2], abs=1e-5)
    assert lon[2] > lon[0] == pytest.approx(lon[1], abs=1e-5)


def test_a_missing_place_stays_missing_and_none_at_all_is_nothing_to_move() -> None:
    lon, _ = WUHAN.move([np.nan, 10.0], [np.nan, 50.0])
    assert np.isnan(lon[0])
    assert lon[1] == pytest.approx(114.305)
    assert np.isnan(WUHAN.move([np.nan], [np.nan])[0]).all()
    assert len(WUHAN.move([], [])[0]) == 0


def test_local_metres_become_degrees_around_the_centre() -> None:
    lon, lat = WUHAN.place([0.0, 1000.0, 2000.0], [0.0, 0.0, 0.0])
    np.testing.assert_allclose(metres(lon, lat), [0, 1000, 2000], rtol=1e-6)


@pytest.mark.parametrize("text", ["", "Paris", "114.3", "114.3,30.5,1", "181,0", "0,88", "nan,0", "x,y"])
def test_what_is_no_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"give wuhan, or LON,LAT in degrees such as 114\.305,30\.593"):
        Shift.parse(text)
