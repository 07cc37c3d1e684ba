"""Made-up areas fill their outline, and every point belongs to the nearest seat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.polygons import voronoi_rings
from geo.voronoi import Fans, area, centroid, divide, spiral

SQUARE = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
OUTLINES = (SQUARE, np.array([[0.0, 0.0], [5.0, -1.0], [6.0, 2.0], [3.0, 5.0], [0.5, 3.0]]))


def inside(ring: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which points a convex ring holds, borders included, by the turn at every edge."""
    edge = np.roll(ring, -1, axis=0) - ring
    gap = points[:, None] - ring
    turn = edge[:, 0] * gap[..., 1] - edge[:, 1] * gap[..., 0]
    held: np.ndarray = (turn >= -1e-9).all(axis=1) | (turn <= 1e-9).all(axis=1)
    return held


@settings(max_examples=40)
@given(n=st.integers(1, 40), seed=st.integers(0, 99), outline=st.sampled_from(OUTLINES))
def test_cells_fill_the_outline_and_hold_what_is_nearest(n: int, seed: int, outline: np.ndarray) -> None:
    rng = np.random.default_rng(seed)
    fan = Fans.of([outline])
    seats = fan.points(np.zeros(n, np.int64), rng)
    rings = voronoi_rings(seats, outline)
    assert sum(map(area, rings)) == pytest.approx(area(outline))
    points = fan.points(np.zeros(200, np.int64), rng)
    nearest = np.hypot(*(points[:, None] - seats).transpose(2, 0, 1)).argmin(axis=1)
    for i, ring in enumerate(rings):
        assert inside(ring, points[nearest == i]).all()


@given(n=st.integers(1, 60), crowding=st.floats(0.4, 1.0), outline=st.sampled_from(OUTLINES))
def test_a_spiral_stays_inside_and_starts_in_the_middle(n: int, crowding: float, outline: np.ndarray) -> None:
    middle = centroid(outline)
    seats = spiral(middle, outline, n, crowding)
    assert inside(outline, seats).all()
    assert seats[0].tolist() == middle.tolist()
    assert len(np.unique(seats.round(9), axis=0)) == n


@given(n=st.integers(1, 30), outline=st.sampled_from(OUTLINES))
def test_parts_are_convex_and_hold_their_centroid(n: int, outline: np.ndarray) -> None:
    middles, rings = divide(centroid(outline), outline, n, 0.6)
    assert len(rings) == n
    assert all(inside(ring, ring).all() for ring in rings)
    assert all(inside(ring, middle[None]).all() for ring, middle in zip(rings, middles, strict=True))


def test_points_are_spread_over_a_ring_by_area() -> None:
    rings = [SQUARE, SQUARE + 10]
    points = Fans.of(rings).points(np.repeat([0, 1], 4000), np.random.default_rng(1))
    assert inside(SQUARE, points[:4000]).all()
    assert inside(SQUARE + 10, points[4000:]).all()
    quarter = ((points[:4000] < 2).all(axis=1)).mean()
    assert 0.22 < quarter < 0.28


def test_seats_twice_the_same_have_no_cells() -> None:
    with pytest.raises(ValueError, match="two of the points are the same"):
        voronoi_rings(np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]), SQUARE)
