"""Areas without polygons: street and district are prefixes of the cell's code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geo import beidou
from geo.area_kinds import KIND_BITS, AreaKind
from geo.cells import TILE_LEVEL, BeidouGrid, CellSystem, PolygonGrid

Int64s = npt.NDArray[np.int64]

_DISTRICT_LEVEL = 3
_SEQUENCE, _DIGITS = 15, {AreaKind.COMMUNITY: 12, AreaKind.STREET: 9, AreaKind.DISTRICT: 6}


@dataclass(frozen=True, slots=True)
class CodeAreas:
    """Prefix areas of a cell system. A uid is the prefix as a number, shifted, with the kind in its low bits.

    BeiDou cells: street = level-4 code, district = level-3 code, no community (cells of level 3 have no
    street). Polygon grids of 15-digit unit codes: district, street and community are the first 6, 9 and 12
    digits. Other polygon grids: the BeiDou codes at the cell's centre.
    """

    cells: CellSystem

    def locate(self, cells: Int64s) -> Int64s:
        """Uids of community, street and district: int64 [n, 3], -1 for none."""
        out = np.full((len(cells), 3), -1, dtype=np.int64)
        for kind, prefix in self._prefixes(cells).items():
            out[:, kind - 1] = np.where(prefix < 0, -1, prefix << KIND_BITS | kind)
        return out

    def _prefixes(self, cells: Int64s) -> dict[AreaKind, Int64s]:
        if self._is_unit_grid:
            return {
                kind: np.where(cells < 0, -1, cells // 10 ** (_SEQUENCE - n)) for kind, n in _DIGITS.items()
            }
        if isinstance(self.cells, BeidouGrid) and self.cells.level < TILE_LEVEL:
            return {AreaKind.DISTRICT: cells}
        tile = self.cells.tile(cells)
        return {AreaKind.STREET: tile, AreaKind.DISTRICT: beidou.parent(tile, TILE_LEVEL, _DISTRICT_LEVEL)}

    @property
    def _is_unit_grid(self) -> bool:
        return isinstance(self.cells, PolygonGrid) and self.cells.digits == _SEQUENCE

    def ids(self, kind: AreaKind, uids: Int64s) -> list[str]:
        """Texts of prefixes; "" for -1."""
        return self._texts(kind)(np.where(uids < 0, -1, uids >> KIND_BITS))

    def _texts(self, kind: AreaKind) -> Callable[[Int64s], list[str]]:
        if self._is_unit_grid:
            width = _DIGITS[kind]
            return lambda prefixes: [
                "" if prefix < 0 else f"{prefix:0{width}}" for prefix in prefixes.tolist()
            ]
        level = _DISTRICT_LEVEL if kind is AreaKind.DISTRICT else TILE_LEVEL
        return lambda prefixes: beidou.text(prefixes, level)

    def parents(self, kind: AreaKind, uids: Int64s) -> list[str]:
        """Ids of the areas around areas of one kind; "" where only the city is."""
        if kind is AreaKind.DISTRICT:
            return [""] * len(uids)
        prefixes = np.where(uids < 0, -1, uids >> KIND_BITS)
        above = AreaKind(kind + 1)
        if self._is_unit_grid:
            return self._texts(above)(prefixes // 10 ** (_DIGITS[kind] - _DIGITS[above]))
        return self._texts(above)(beidou.parent(prefixes, TILE_LEVEL, _DISTRICT_LEVEL))

    def names(self, kind: AreaKind, uids: Int64s) -> list[tuple[str, str]]:
        """(name_zh, name_en): the id itself."""
        return [(text, text) for text in self.ids(kind, uids)]

    def uids(self, kind: AreaKind, texts: Sequence[str]) -> Int64s:
        """Uids of prefixes, int64 [n]. Raises ValueError for a text that is none."""
        if not texts:
            return np.empty(0, dtype=np.int64)
        if self._is_unit_grid:
            width = _DIGITS[kind]
            for text in texts:
                if not (text.isdecimal() and len(text) == width):
                    raise ValueError(f"a {kind.label} here is a number of {width} digits, found {text!r}")
            codes = np.array([int(text) for text in texts], dtype=np.int64)
        else:
            codes = beidou.parse(texts)[0]
        return codes << KIND_BITS | kind

    def known(self) -> dict[AreaKind, Int64s]:
        """Nothing is known before the first cell."""
        return {}
