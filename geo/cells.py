"""The cells a city is observed in: arrays of longitude and latitude → int64 cells, texts and centres.

Two systems: the standard BeiDou grid (`BeidouGrid`) and polygons a city brings itself (`PolygonGrid`, for
example the 15-digit unit grid of digital city management).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from geo import beidou
from geo.geojson import FeatureFile, read_features
from geo.numbering import number
from geo.polygons import PolygonIndex, read_shapes

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]

TILE_LEVEL = 4
"""BeiDou level of the tiles that share out work: 1′ × 1′."""


class CellSystem(Protocol):
    """What the engine asks of a grid. All arrays are [n]; a negative cell is "none" and passes through."""

    @property
    def name(self) -> str:
        """Name of the system, with what parametrises it; equal names mean equal cells."""

    def cells(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Int64s:
        """Cells of WGS84 points in degrees; negative where the point is outside or refused."""

    def text(self, cells: npt.ArrayLike) -> list[str]:
        """Codes as people and Redis see them; "" for none."""

    def parse(self, texts: Sequence[str]) -> Int64s:
        """Cells of codes. Raises ValueError for a text that is no cell of this system."""

    def center(self, cells: npt.ArrayLike) -> tuple[Float64s, Float64s]:
        """(lon, lat) of centres, WGS84 degrees; NaN for none."""

    def tile(self, cells: npt.ArrayLike) -> Int64s:
        """BeiDou code of level 4 of each centre; -1 for none."""


@dataclass(frozen=True, slots=True)
class BeidouGrid:
    """The standard grid: cells are BeiDou codes of one level, 3 (15′ × 10′) to 6 (2″ × 2″).

    Raises ValueError for other levels.

    >>> grid = BeidouGrid()
    >>> grid.text(grid.cells([114.3, 0.0], [30.6, 89.0]))
    ['N50H0513600', '']
    """

    level: int = 5

    def __post_init__(self) -> None:
        if not 3 <= self.level <= 6:
            msg = f"a BeiDou grid has level 3 to 6, found {self.level}: 5 is the 4″ × 4″ cell"
            raise ValueError(msg)

    @property
    def name(self) -> str:
        """For example "beidou-5"."""
        return f"beidou-{self.level}"

    def cells(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Int64s:
        """Cells of WGS84 points in degrees: int64 [n]; -1 where not finite or |lat| ≥ 88°."""
        return beidou.encode(lon, lat, self.level)

    def text(self, cells: npt.ArrayLike) -> list[str]:
        """BeiDou codes; "" for -1."""
        return beidou.text(cells, self.level)

    def parse(self, texts: Sequence[str]) -> Int64s:
        """Cells of BeiDou codes of this level. Raises ValueError for others."""
        if not texts:
            return np.empty(0, dtype=np.int64)
        codes, level = beidou.parse(texts)
        if level != self.level:
            msg = f"cells here are codes of level {self.level}, found {texts[0]!r} of level {level}"
            raise ValueError(msg)
        return codes

    def center(self, cells: npt.ArrayLike) -> tuple[Float64s, Float64s]:
        """(lon, lat) of centres, float64 [n] degrees."""
        return beidou.center(cells, self.level)

    def tile(self, cells: npt.ArrayLike) -> Int64s:
        """Code of level 4: the parent, or for cells of level 3 the one at the centre."""
        if self.level >= TILE_LEVEL:
            return beidou.parent(cells, self.level, TILE_LEVEL)
        return beidou.encode(*self.center(cells), TILE_LEVEL)


class PolygonGrid:
    """Cells that are polygons of a file, each with its code; a point on a border belongs to the lowest code.

    A cell is the `number` of its code. `repairs` has a line for each mended geometry. Raises AreaFileError,
    listing every feature that has no code, a code twice, or no usable geometry.

    >>> from geo.geojson import parse_features
    >>> square = {"type": "Polygon", "coordinates": [[[114, 30], [115, 30], [115, 31], [114, 31], [114, 30]]]}
    >>> unit = {"type": "Feature", "properties": {"bm": "420106001001001"}, "geometry": square}
    >>> grid = PolygonGrid(parse_features({"type": "FeatureCollection", "features": [unit]}), "bm")
    >>> grid.text(grid.cells([114.3, 116.0], [30.6, 30.6]))
    ['420106001001001', '']
    """

    __slots__ = ("_cells", "_index", "_lats", "_lons", "_order", "_texts", "digits", "name", "repairs")

    def __init__(self, features: FeatureFile, code_field: str) -> None:
        shapes, self.repairs = read_shapes(features, lambda feature: feature.text(code_field), code_field)
        self._texts = sorted(shapes)
        self._index = PolygonIndex([shapes[text] for text in self._texts])
        self._cells = np.array([number(text) for text in self._texts], dtype=np.int64)
        self._order = np.argsort(self._cells)
        self._lons, self._lats = self._index.inner_points()
        lengths = {len(text) if text.isdecimal() else 0 for text in self._texts}
        self.digits: int = lengths.pop() if len(lengths) == 1 else 0
        """Digits of the codes where all are numbers of one length, else 0."""
        self.name = f"polygons-{code_field}"

    @classmethod
    def from_geojson(cls, path: str | PathLike[str], code_field: str) -> Self:
        """The grid of a GeoJSON file, with the property that holds the codes."""
        return cls(read_features(path), code_field)

    def cells(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Int64s:
        """Cells of WGS84 points in degrees: int64 [n]; -1 outside all polygons."""
        x = np.atleast_1d(np.asarray(lon, dtype=np.float64)).ravel()
        y = np.atleast_1d(np.asarray(lat, dtype=np.float64)).ravel()
        return np.append(self._cells, -1)[self._index.locate(x, y)]

    def text(self, cells: npt.ArrayLike) -> list[str]:
        """Codes of the file; "" for cells that are not (or no longer) in it."""
        return ["" if row < 0 else self._texts[row] for row in self._rows(cells).tolist()]

    def parse(self, texts: Sequence[str]) -> Int64s:
        """Cells of codes of the file. Raises ValueError for others."""
        cells = np.array([number(text) for text in texts], dtype=np.int64)
        for text, found in zip(texts, self.text(cells), strict=True):
            if text != found:
                msg = f"{text!r} is no cell of this grid, whose codes are like {self._texts[0]!r}"
                raise ValueError(msg)
        return cells

    def center(self, cells: npt.ArrayLike) -> tuple[Float64s, Float64s]:
        """(lon, lat) of a point inside each cell, its centroid where possible; NaN for none."""
        rows = self._rows(cells)
        return np.append(self._lons, np.nan)[rows], np.append(self._lats, np.nan)[rows]

    def tile(self, cells: npt.ArrayLike) -> Int64s:
        """BeiDou code of level 4 of each centre; -1 for none."""
        return beidou.encode(*self.center(cells), TILE_LEVEL)

    def _rows(self, cells: npt.ArrayLike) -> Int64s:
        found = np.atleast_1d(np.asarray(cells, dtype=np.int64)).ravel()
        at = np.searchsorted(self._cells, found, sorter=self._order)
        rows: Int64s = self._order[np.minimum(at, len(self._order) - 1)]
        return np.where(self._cells[rows] == found, rows, -1)
