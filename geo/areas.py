"""The areas of a city: arrays of cells → uids of the community, street, district and city around each."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Protocol, Self, TypedDict

import numpy as np
import numpy.typing as npt

from geo.area_codes import CodeAreas
from geo.area_file import read_areas
from geo.area_kinds import AreaKind
from geo.cells import CellSystem

__all__ = ["CITY_UID", "AreaInfo", "AreaKind", "Areas"]

Int64s = npt.NDArray[np.int64]

CITY_UID = 0
"""The uid of the one city area, which holds everything."""


class AreaInfo(TypedDict):
    """One area as written to `yw:areas`."""

    id: str
    name_zh: str
    name_en: str
    kind: str
    parent: str


class _Layout(Protocol):
    """Areas below the city: prefixes of codes, or polygons."""

    def locate(self, cells: Int64s) -> Int64s: ...
    def ids(self, kind: AreaKind, uids: Int64s) -> list[str]: ...
    def parents(self, kind: AreaKind, uids: Int64s) -> list[str]: ...
    def names(self, kind: AreaKind, uids: Int64s) -> list[tuple[str, str]]: ...
    def known(self) -> dict[AreaKind, Int64s]: ...

    def uids(self, kind: AreaKind, texts: Sequence[str]) -> Int64s: ...


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas over a cell system; immutable, and small enough to be pickled to worker processes.

    A uid is an int64, unique over all kinds, and the same in every process and for every order of the area
    file.

    >>> from geo.cells import BeidouGrid
    >>> grid = BeidouGrid()
    >>> areas = Areas.from_codes(grid)
    >>> community, street, district, city = areas.locate(grid.cells([114.3], [30.6])).T
    >>> areas.ids(AreaKind.STREET, street), areas.ids(AreaKind.DISTRICT, district)
    (['N50H05136'], ['N50H051'])
    """

    cells: CellSystem
    layout: _Layout
    city: AreaInfo
    repairs: list[str]

    @classmethod
    def from_codes(cls, cells: CellSystem, city_id: str = "city") -> Self:
        """Areas that are prefixes of cell codes: see `CodeAreas`."""
        return cls(cells, CodeAreas(cells), _city(city_id), [])

    @classmethod
    def from_geojson(cls, path: str | PathLike[str], cells: CellSystem, city_id: str = "city") -> Self:
        """Areas of a GeoJSON file: see `area_file.read_areas`.

        `repairs` then has a line for each area whose geometry was mended. Raises AreaFileError, a ValueError
        with all reasons in `errors`, when the file has a feature that cannot be used: it is taken whole or
        not at all.
        """
        found = read_areas(path, cells)
        return cls(cells, found.layout, _city(city_id, *found.city_names), found.repairs)

    def locate(self, cells: npt.ArrayLike) -> Int64s:
        """Uids around each cell: int64 [n, 4], columns community, street, district, city; -1 for none.

        `cells`: int64 [n]; a negative cell is in no area at all. Depends on the cell codes alone.
        """
        found = np.atleast_1d(np.asarray(cells, dtype=np.int64)).ravel()
        out = np.empty((len(found), 4), dtype=np.int64)
        out[:, :3] = self.layout.locate(found)
        out[:, 3] = CITY_UID
        out[found < 0] = -1
        return out

    def ids(self, kind: AreaKind, uids: npt.ArrayLike) -> list[str]:
        """Text ids of areas (or cells) of one kind; "" for -1."""
        found = np.atleast_1d(np.asarray(uids, dtype=np.int64)).ravel()
        if kind is AreaKind.CELL:
            return self.cells.text(found)
        if kind is AreaKind.CITY:
            return [self.city["id"] if uid == CITY_UID else "" for uid in found.tolist()]
        return self.layout.ids(kind, found)

    def describe(self, kind: AreaKind, uids: npt.ArrayLike) -> list[AreaInfo]:
        """What is known of areas of one kind above the cell, also of prefix areas met only in the data.

        >>> from geo.cells import BeidouGrid
        >>> areas = Areas.from_codes(BeidouGrid())
        >>> street = areas.locate(BeidouGrid().cells([114.3], [30.6]))[:, 1]
        >>> areas.describe(AreaKind.STREET, street)[0]["parent"]
        'N50H051'
        """
        if kind is AreaKind.CITY:
            return [self.city]
        found = np.atleast_1d(np.asarray(uids, dtype=np.int64)).ravel()
        rows = zip(
            self.layout.ids(kind, found),
            self.layout.names(kind, found),
            self.layout.parents(kind, found),
            strict=True,
        )
        return [
            AreaInfo(id=text, name_zh=zh, name_en=en, kind=kind.label, parent=parent or self.city["id"])
            for text, (zh, en), parent in rows
        ]

    def uids(self, kind: AreaKind, texts: Sequence[str]) -> Int64s:
        """Uids (or cells) of ids of one kind: int64 [n].

        Raises ValueError for a text that is no area of this kind here.
        """
        if kind is AreaKind.CELL:
            return self.cells.parse(texts)
        if kind is AreaKind.CITY:
            return np.full(len(texts), CITY_UID, dtype=np.int64)
        return self.layout.uids(kind, texts)

    def district(self, kind: AreaKind, text: str) -> str:
        """Id of the district that an area or cell lies in; the city's id where it lies in none.

        >>> from geo.cells import BeidouGrid
        >>> Areas.from_codes(BeidouGrid()).district(AreaKind.CELL, "N50H0513600")
        'N50H051'
        """
        return self.districts(kind, [text])[0]

    def districts(self, kind: AreaKind, texts: Sequence[str]) -> list[str]:
        """The same for n areas of one kind."""
        if kind is AreaKind.CELL:
            around = self.locate(self.uids(kind, texts))[:, AreaKind.DISTRICT - 1]
            return [text or self.city["id"] for text in self.ids(AreaKind.DISTRICT, around)]
        if kind >= AreaKind.DISTRICT:
            return list(texts)
        above = [area["parent"] for area in self.describe(kind, self.uids(kind, texts))]
        found = {one: self.district(self._kind_above(kind, one), one) for one in set(above)}
        return [found[one] for one in above]

    def _kind_above(self, kind: AreaKind, above: str) -> AreaKind:
        """The kind of an area that areas of `kind` name as their parent."""
        for larger in (AreaKind.STREET, AreaKind.DISTRICT):
            if larger > kind and above == self.ids(larger, self.layout.uids(larger, [above]))[0]:
                return larger
        return AreaKind.CITY

    def known_districts(self) -> Int64s:
        """Uids of the districts known before any data, ascending; empty without polygons."""
        return self.layout.known().get(AreaKind.DISTRICT, np.empty(0, dtype=np.int64))

    def info(self) -> list[AreaInfo]:
        """Every area known before any data, the city first."""
        known = sorted(self.layout.known().items(), reverse=True)
        return [self.city, *(area for kind, uids in known for area in self.describe(kind, uids))]


def _city(city_id: str, name_zh: str = "", name_en: str = "") -> AreaInfo:
    return AreaInfo(
        id=city_id, name_zh=name_zh or city_id, name_en=name_en or city_id, kind="city", parent=""
    )
