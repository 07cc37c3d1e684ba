"""Rings of polygons as files have them: lists of positions → closed rings without repeats."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ring = npt.NDArray[np.float64]
Transform = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], tuple[Any, Any]]


class GeometryError(ValueError):
    """A geometry no area can be made of; the message says why."""


def polygons_of(geometry: dict[str, Any] | None) -> list[Sequence[Any]]:
    """The polygons, as lists of rings, in a GeoJSON Polygon, MultiPolygon or GeometryCollection of these.

    >>> len(polygons_of({"type": "MultiPolygon", "coordinates": [[[]], [[]]]}))
    2
    """
    kind = geometry.get("type") if geometry else None
    found: object = None
    if geometry and kind == "Polygon":
        found = [geometry.get("coordinates")]
    elif geometry and kind == "MultiPolygon":
        found = geometry.get("coordinates")
    elif geometry and kind == "GeometryCollection":
        parts = geometry.get("geometries") or []
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            msg = "its geometries must be a list of geometries"
            raise GeometryError(msg)
        return [polygon for part in parts for polygon in polygons_of(part)]
    else:
        msg = f"its geometry must be a Polygon or MultiPolygon, found {kind or 'none'}"
        raise GeometryError(msg)
    if not isinstance(found, list) or not all(isinstance(rings, list) and rings for rings in found):
        msg = f"its {kind} has no rings"
        raise GeometryError(msg)
    return found


def clean(positions: object, transform: Transform, *, outer: bool, notes: set[str]) -> Ring | None:
    """One ring in WGS84: float64 [k, 2], closed, no repeats, counter-clockwise if `outer`, else clockwise.

    `transform` takes the file's x and y to WGS84. What was mended is added to `notes`. None for a ring of
    fewer than three different points. Raises GeometryError for what is no list of finite positions on the
    globe.

    >>> notes: set[str] = set()
    >>> clean([[0, 0], [0, 1], [1, 1], [1, 1]], lambda x, y: (x, y), outer=True, notes=notes).tolist()
    [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
    >>> sorted(notes)
    ['closed a ring', 'removed repeated points', 'turned a ring round']
    """
    ring = _on_globe(_matrix(positions), transform)
    if (ring[0] != ring[-1]).any():
        notes.add("closed a ring")
        ring = np.vstack([ring, ring[:1]])
    repeated = np.r_[False, (ring[1:] == ring[:-1]).all(axis=1)]
    if repeated.any():
        notes.add("removed repeated points")
        ring = ring[~repeated]
    if len(np.unique(ring, axis=0)) < 3:
        notes.add("dropped a ring of fewer than three points")
        return None
    if (_signed_area(ring) > 0) is not outer:
        notes.add("turned a ring round")
        ring = ring[::-1]
    return ring


def _matrix(positions: object) -> Ring:
    if not isinstance(positions, list | tuple) or not positions:
        msg = "a ring must be a list of [x, y] numbers, found none"
        raise GeometryError(msg)
    try:
        ring = np.array([[position[0], position[1]] for position in positions], dtype=np.float64)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        msg = "a ring must be a list of [x, y] numbers"
        raise GeometryError(msg) from error
    if not np.isfinite(ring).all():
        msg = "a ring has a coordinate that is not finite"
        raise GeometryError(msg)
    return ring


def _on_globe(ring: Ring, transform: Transform) -> Ring:
    lonlat = np.column_stack(transform(ring[:, 0], ring[:, 1]))
    if not ((np.abs(lonlat[:, 0]) <= 180) & (np.abs(lonlat[:, 1]) <= 90)).all():
        x, y = ring[0]
        msg = f'[{x:g}, {y:g}] is not on the globe: declare the right coordinate system in "crs"'
        raise GeometryError(msg)
    return lonlat


def _signed_area(ring: Ring) -> float:
    # Relative to the first point, or the products of far coordinates drown a small ring.
    x, y = (ring - ring[0]).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
