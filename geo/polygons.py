"""Polygons and points: GeoJSON geometries → which polygon holds, or is nearest to, each point.

The only module that knows shapely.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from geo import projection
from geo.geojson import AreaFileError, Feature, FeatureFile
from geo.numbering import clashes
from geo.rings import GeometryError, Transform, clean, polygons_of

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]
Shape = BaseGeometry

MAX_VERTICES = 200_000
"""Most points of one area: what mends a geometry takes longer than in proportion to them."""


def mend(geometry: dict[str, Any] | None, transform: Transform) -> tuple[Shape, list[str]]:
    """(valid polygonal geometry in WGS84, what was mended) of a GeoJSON geometry.

    `transform` takes the file's x and y to WGS84. Raises GeometryError where nothing with an area is left.

    >>> bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    >>> shape, notes = mend(bow_tie, lambda x, y: (x, y))
    >>> shape.area, notes
    (0.5, ['resolved a self-intersection'])
    """
    notes: set[str] = set()
    polygons = polygons_of(geometry)
    _check_size(polygons)
    parts = [part for rings in polygons if (part := _polygon(rings, transform, notes)) is not None]
    shape: Shape = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    if not shape.is_valid:
        notes.discard("turned a ring round")
        notes.add(_fault(shape))
        shape = _polygonal(shapely.make_valid(shape))
    if shape.is_empty or shape.area == 0:
        msg = "no polygon with an area is left of its geometry"
        raise GeometryError(msg)
    return shape, sorted(notes)


def voronoi_rings(points: Float64s, outline: Float64s) -> list[Float64s]:
    """The Voronoi cell of each point inside a convex outline: open rings, anticlockwise, float64 [k, 2].

    `points` float64 [n, 2] lie inside `outline` float64 [k, 2]. The cells are convex, touch without gaps and
    together fill the outline. Raises ValueError where a point has no cell: outside, or twice the same.

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    >>> [shapely.Polygon(ring).area for ring in voronoi_rings(np.array([[0.5, 1.0], [1.5, 1.0]]), square)]
    [2.0, 2.0]
    """
    whole = shapely.Polygon(outline)
    if len(points) == 1:
        return [np.asarray(outline, dtype=np.float64)]
    if len(np.unique(points, axis=0)) < len(points):
        raise ValueError("two of the points are the same; give distinct ones")
    drawn = shapely.voronoi_polygons(shapely.multipoints(points), extend_to=whole)
    tree = shapely.STRtree(shapely.get_parts(drawn))
    owner, cell = tree.query(shapely.points(points), predicate="within")
    if len(points) != len(owner):
        raise ValueError(f"{len(points)} points have {len(owner)} cells; give points inside the outline")
    own = np.empty(len(points), dtype=np.int64)
    own[owner] = cell
    cells = shapely.intersection(tree.geometries[own], whole)
    backward = ~shapely.is_ccw(shapely.get_exterior_ring(cells))
    cells[backward] = shapely.reverse(cells[backward])
    return [shapely.get_coordinates(cell)[:-1] for cell in cells]


def _check_size(polygons: list[Sequence[Any]]) -> None:
    points = sum(len(ring) for rings in polygons for ring in rings if isinstance(ring, list))
    if points > MAX_VERTICES:
        msg = f"has {points} points, at most {MAX_VERTICES} are read: simplify its outline"
        raise GeometryError(msg)


def _polygon(rings: Sequence[Any], transform: Transform, notes: set[str]) -> shapely.Polygon | None:
    shell = clean(rings[0], transform, outer=True, notes=notes)
    holes = [clean(ring, transform, outer=False, notes=notes) for ring in rings[1:]]
    return None if shell is None else shapely.Polygon(shell, [hole for hole in holes if hole is not None])


def _fault(shape: Shape) -> str:
    reason = shapely.is_valid_reason(shape).split("[")[0].strip().lower()
    if "self-intersection" in reason and "ring" not in reason:
        return "resolved a self-intersection"
    return f"made valid ({reason})"


def _polygonal(shape: Shape) -> Shape:
    parts = shapely.get_parts(shapely.get_parts(np.array([shape])))
    return shapely.union_all([part for part in parts if part.geom_type == "Polygon"])


def read_shapes(
    file: FeatureFile, id_of: Callable[[Feature], str], id_names: str
) -> tuple[dict[str, Shape], list[str]]:
    """(geometry by id, what was mended) of the features of a file.

    Raises AreaFileError with a line for every feature without an id, with one that is taken, or without a
    usable geometry, and for an unknown coordinate system.
    """
    shapes: dict[str, Shape] = {}
    repairs: list[str] = []
    errors = [
        f"{later}: is the same id as {earlier}"
        for earlier, later in clashes([*filter(None, map(id_of, file.features))])
    ]
    transform = _transform(file)
    for feature in file.features:
        text = id_of(feature)
        if not text:
            errors.append(
                f"feature {feature.index}: needs the property {id_names}, has {sorted(feature.properties)}"
            )
            continue
        try:
            shapes[text], notes = mend(feature.geometry, transform)
            repairs += [f"{text}: {', '.join(notes)}"] if notes else []
        except GeometryError as error:
            errors.append(f"{text}: {error}")
    if errors:
        raise AreaFileError(file.source, errors)
    return shapes, repairs


def _transform(file: FeatureFile) -> Transform:
    try:
        return projection.to_wgs84(file.crs)
    except ValueError as error:
        raise AreaFileError(file.source, [str(error)]) from error


def _moved(shapes: npt.NDArray[np.object_], transform: Transform) -> npt.NDArray[np.object_]:
    return shapely.transform(shapes, lambda xy: np.column_stack(transform(xy[:, 0], xy[:, 1])))


class PolygonIndex:
    """Polygons in order of precedence: where they overlap or touch, the lowest index holds the point.

    `shapes`: valid polygonal geometries in WGS84.

    >>> squares = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    >>> index = PolygonIndex(squares)
    >>> index.locate(np.array([1.0, 1.5, 3.0]), np.array([0.5, 0.5, 0.5])).tolist()
    [0, 1, -1]
    >>> index.nearest(np.array([2.004, 2.006]), np.array([0.5, 0.5]), 500.0).tolist()
    [1, -1]
    """

    __slots__ = ("_metric", "_shapes", "_tree")

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._shapes = np.array(shapes, dtype=object)
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)
        self._metric: shapely.STRtree | None = None

    @classmethod
    def from_wkb(cls, shapes: list[bytes]) -> Self:
        """The index of geometries in well-known binary."""
        return cls(shapely.from_wkb(shapes).tolist())

    def __reduce__(self) -> tuple[Any, tuple[list[bytes]]]:
        """Pickle by the geometries; trees are built again where they arrive."""
        return type(self).from_wkb, (shapely.to_wkb(self._shapes).tolist(),)

    def __len__(self) -> int:
        return len(self._shapes)

    def locate(self, lon: Float64s, lat: Float64s) -> Int64s:
        """Lowest index of the polygons that hold each point, borders included: int64 [n], -1 for none."""
        out = np.full(len(lon), len(self), dtype=np.int64)
        if not len(self):
            return np.full(len(lon), -1, dtype=np.int64)
        points, polygons = self._tree.query(shapely.points(lon, lat))
        inside = shapely.intersects_xy(self._shapes[polygons], lon[points], lat[points])
        np.minimum.at(out, points[inside], polygons[inside])
        out[out == len(self)] = -1
        return out

    def nearest(self, lon: Float64s, lat: Float64s, within: float) -> Int64s:
        """Index of the polygon nearest to each point: int64 [n], -1 for none within `within` metres.

        Of equally near ones the lowest index.
        """
        out = np.full(len(lon), len(self), dtype=np.int64)
        if len(self) and len(lon):
            to_metres, tree = self._in_metres()
            points = shapely.points(*to_metres(lon, lat))
            found, polygons = tree.query_nearest(points, max_distance=within, all_matches=True)
            np.minimum.at(out, found, polygons)
        out[out == len(self)] = -1
        return out

    def _in_metres(self) -> tuple[Transform, shapely.STRtree]:
        west, south, east, north = shapely.total_bounds(self._shapes).tolist()
        to_metres = projection.to_metres((west + east) / 2, (south + north) / 2)
        if self._metric is None:
            self._metric = shapely.STRtree(_moved(self._shapes, to_metres))
        return to_metres, self._metric

    def inner_points(self) -> tuple[Float64s, Float64s]:
        """(lon, lat) of a point inside each polygon: its centroid unless that lies outside."""
        middle = shapely.centroid(self._shapes)
        off = ~shapely.intersects(self._shapes, middle)
        middle[off] = shapely.point_on_surface(self._shapes[off])
        return shapely.get_x(middle), shapely.get_y(middle)
