"""Areas drawn as polygons: arrays of cells → uids of the areas around each cell's centre."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from geo.area_kinds import KIND_BITS, AreaKind
from geo.cells import CellSystem
from geo.numbering import number
from geo.polygons import PolygonIndex

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]

NEAR_METRES = 500.0
"""How far a cell outside all areas may be from the street it is given to."""


@dataclass(frozen=True, slots=True)
class Area:
    """One area of a file, or one that others only name as their parent (`parent`: an id, "" for none)."""

    id: str
    kind: AreaKind
    name_zh: str
    name_en: str
    parent: str = ""

    @property
    def uid(self) -> int:
        """The number of the id, shifted, with the kind in its low bits."""
        return number(self.id) << KIND_BITS | self.kind


NOWHERE = Area("000000", AreaKind.DISTRICT, "界外", "outside all areas")
"""The district of cells outside all areas."""


def ancestor(area: Area, kind: AreaKind, by_id: dict[str, Area]) -> int:
    """Uid of the area of `kind` that the chain of parents leads to, -1 for none."""
    while area.kind < kind and area.parent in by_id:
        area = by_id[area.parent]
    return area.uid if area.kind is kind else -1


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLevel:
    """The drawn areas of one kind, ascending by id; `streets`, `districts`: uids declared around them."""

    uids: Int64s
    streets: Int64s
    districts: Int64s
    index: PolygonIndex

    @classmethod
    def of(cls, areas: list[Area], index: PolygonIndex, by_id: dict[str, Area]) -> Self:
        """The level of `areas`, whose polygons `index` holds in the same order."""
        uids, streets, districts = (
            np.array([ancestor(area, kind or area.kind, by_id) for area in areas], dtype=np.int64)
            for kind in (None, AreaKind.STREET, AreaKind.DISTRICT)
        )
        return cls(uids, streets, districts, index)


@dataclass(frozen=True, slots=True, eq=False)
class PolygonAreas:
    """Areas found by the centre of a cell.

    The smallest area there decides: its chain of parents names the larger ones, and where it names none, the
    polygons of the larger kinds do. A cell outside all goes to the nearest street within 500 m, else to
    district "000000". `homes`: uids of the districts drawn around the drawn streets, for their cells that lie
    in no district themselves.
    """

    cells: CellSystem
    areas: dict[int, Area]
    communities: DrawnLevel
    streets: DrawnLevel
    districts: DrawnLevel
    homes: Int64s

    @classmethod
    def of(
        cls, cells: CellSystem, areas: dict[int, Area], levels: tuple[DrawnLevel, DrawnLevel, DrawnLevel]
    ) -> Self:
        """The areas of a file; `levels` are the drawn communities, streets and districts."""
        _, streets, districts = levels
        homes = _at(districts.uids, districts.index.locate(*streets.index.inner_points()))
        return cls(cells, areas, *levels, homes)

    def locate(self, cells: Int64s) -> Int64s:
        """Uids of community, street and district: int64 [n, 3], -1 for none."""
        distinct, inverse = np.unique(cells, return_inverse=True)
        lon, lat = self.cells.center(distinct)
        placed = np.isfinite(lon)
        out = np.full((len(distinct), 3), -1, dtype=np.int64)
        out[placed] = self.around(lon[placed], lat[placed])
        found: Int64s = out[inverse]
        return found

    def around(self, lon: Float64s, lat: Float64s) -> Int64s:
        """The same for WGS84 points in degrees."""
        small, middle, large = (
            level.index.locate(lon, lat) for level in (self.communities, self.streets, self.districts)
        )
        outside = (small < 0) & (middle < 0) & (large < 0)
        middle[outside] = self.streets.index.nearest(lon[outside], lat[outside], NEAR_METRES)
        street = _first(_at(self.communities.streets, small), _at(self.streets.uids, middle))
        declared = np.where(street == _at(self.streets.uids, middle), _at(self.streets.districts, middle), -1)
        district = _first(_at(self.communities.districts, small), declared, _at(self.districts.uids, large))
        stray = (district < 0) & (outside | (len(self.districts.uids) > 0))
        home = _at(self.homes, middle[stray])
        district[stray] = np.where(home < 0, NOWHERE.uid, home)
        return np.stack([_at(self.communities.uids, small), street, district], axis=1)

    def ids(self, kind: AreaKind, uids: Int64s) -> list[str]:
        """Ids of areas; "" for -1 and for areas that are not in the file."""
        return [area.id if area and area.kind is kind else "" for area in map(self.areas.get, uids.tolist())]

    def names(self, kind: AreaKind, uids: Int64s) -> list[tuple[str, str]]:
        """(name_zh, name_en) of areas of one kind."""
        found = map(self.areas.get, uids.tolist())
        return [(area.name_zh, area.name_en) if area and area.kind is kind else ("", "") for area in found]

    def parents(self, kind: AreaKind, uids: Int64s) -> list[str]:
        """Ids of the areas around areas of one kind; "" where only the city is."""
        found = map(self.areas.get, uids.tolist())
        return [area.parent if area and area.kind is kind else "" for area in found]

    def uids(self, kind: AreaKind, texts: Sequence[str]) -> Int64s:
        """The uids that ids have, whether they are in the file or not: int64 [n]."""
        return np.array([number(text) << KIND_BITS | kind for text in texts], dtype=np.int64)

    def known(self) -> dict[AreaKind, Int64s]:
        """Uids of all areas of the file by kind, ascending."""
        return {kind: self._known(kind) for kind in (AreaKind.COMMUNITY, AreaKind.STREET, AreaKind.DISTRICT)}

    def _known(self, kind: AreaKind) -> Int64s:
        uids: Iterable[int] = (
            uid for uid, area in self.areas.items() if area.kind is kind and area != NOWHERE
        )
        return np.array(sorted(uids), dtype=np.int64)


def _at(values: Int64s, rows: Int64s) -> Int64s:
    """`values[rows]`, with -1 for row -1."""
    return np.append(values, -1)[rows]


def _first(*choices: Int64s) -> Int64s:
    """The first choice that is not -1, for each cell."""
    found = choices[0]
    for choice in choices[1:]:
        found = np.where(found < 0, choice, found)
    return found
