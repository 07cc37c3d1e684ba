"""Dividing a convex outline: seat of each part → its Voronoi cell, and what convex rings measure.

Everything is in the plane of the coordinates given (degrees): for drawing made-up areas, not for surveying.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from geo.polygons import voronoi_rings

Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))
"""Turn between two seats of a spiral, in radians: no two ever lie in one direction."""


def spiral(center: Float64s, outline: Float64s, n: int, crowding: float) -> Float64s:
    """Return ``n`` distinct seats inside a convex outline, float64 [n, 2], the first at ``center``.

    ``center`` float64 [2] lies inside ``outline`` float64 [k, 2]. ``crowding`` 0.5 spreads the seats evenly
    over a disk; a greater one crowds them around the centre.

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> spiral(np.array([1.0, 1.0]), square, 3, 0.5).round(2).tolist()
    [[1.0, 1.0], [0.31, 1.63], [1.09, 0.03]]
    """
    k = np.arange(n)
    way = np.stack([np.cos(k * GOLDEN_ANGLE), np.sin(k * GOLDEN_ANGLE)], axis=1)
    share = 0.97 * (k / max(n - 1, 1)) ** crowding
    return center + way * (share * _reach(center, way, outline))[:, None]


def _reach(center: Float64s, way: Float64s, outline: Float64s) -> Float64s:
    """Distance from the centre to the outline along each direction."""
    edge = np.roll(outline, -1, axis=0) - outline
    gap = outline - center
    across = way[:, None, 0] * edge[:, 1] - way[:, None, 1] * edge[:, 0]
    with np.errstate(divide="ignore"):
        along = (gap[:, 0] * edge[:, 1] - gap[:, 1] * edge[:, 0]) / across
    reach: Float64s = np.where(along > 0, along, np.inf).min(axis=1)
    return reach


def divide(center: Float64s, outline: Float64s, n: int, crowding: float) -> tuple[Float64s, list[Float64s]]:
    """Divide a convex outline into ``n`` convex parts: (centroids float64 [n, 2], rings of corners).

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> middles, rings = divide(np.array([1.0, 1.0]), square, 5, 0.5)
    >>> len(rings), bool(((0 < middles) & (middles < 2)).all())
    (5, True)
    """
    rings = voronoi_rings(spiral(center, outline, n, crowding), outline)
    return np.array([centroid(ring) for ring in rings]), rings


def area(ring: Float64s) -> float:
    """Area of a ring float64 [k, 2], in the square of its unit.

    >>> area(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]))
    2.0
    """
    x, y = ring.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def centroid(ring: Float64s) -> Float64s:
    """Centre of mass of a ring float64 [k, 2] with an area, float64 [2].

    >>> centroid(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])).tolist()
    [1.0, 0.5]
    """
    origin = ring[0]
    here = ring - origin
    there = np.roll(here, -1, axis=0)
    twice = here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]
    middle: Float64s = origin + ((here + there) * twice[:, None]).sum(axis=0) / (3 * twice.sum())
    return middle


@dataclass(frozen=True, slots=True, eq=False)
class Fans:
    """Convex rings cut into triangles, to draw points from.

    ``corners`` float64 [t, 3, 2] are the triangles, ``first`` int64 [rings + 1] where each ring's begin,
    ``size`` float64 [t + 1] twice the area of all triangles before.

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    >>> points = Fans.of([square]).points(np.zeros(3, np.int64), np.random.default_rng(1))
    >>> bool(((points >= 0) & (points <= [2.0, 1.0])).all())
    True
    """

    corners: Float64s
    first: Int64s
    size: Float64s

    @classmethod
    def of(cls, rings: list[Float64s]) -> Self:
        """Cut rings, each float64 [k, 2]."""
        fans = [np.stack([np.broadcast_to(r[0], r[1:-1].shape), r[1:-1], r[2:]], axis=1) for r in rings]
        corners = np.concatenate(fans)
        one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        size = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])
        return cls(corners, np.cumsum([0, *map(len, fans)]), np.concatenate([[0.0], np.cumsum(size)]))

    def points(self, which: Int64s, rng: np.random.Generator) -> Float64s:
        """Draw a uniform point inside the ring ``which[i]``, float64 [n, 2]."""
        low, high = self.first[which], self.first[which + 1]
        u, v, w = rng.random((3, len(which)))
        at = self.size[low] + u * (self.size[high] - self.size[low])
        triangle = np.clip(np.searchsorted(self.size, at, side="right") - 1, low, high - 1)
        turned = v + w > 1
        v, w = np.where(turned, 1 - v, v), np.where(turned, 1 - w, w)
        a, b, c = self.corners[triangle].transpose(1, 0, 2)
        drawn: Float64s = a + v[:, None] * (b - a) + w[:, None] * (c - a)
        return drawn
