"""Text id of an area or cell → id of the district it lies in, as alerts and queues want it."""

from __future__ import annotations

import numpy as np

from geo import beidou
from geo.areas import AreaKind, Areas

NO_DISTRICT = "000000"
"""The district of what lies in none, or in all of them (C-2.2)."""

_LEVEL = 3


class Districts:
    """Knows the district of every area; asks the geography once for each.

    >>> from geo.cells import BeidouGrid
    >>> districts = Districts(Areas.from_codes(BeidouGrid()))
    >>> [districts.of(*one) for one in (("cell", "N50H0513600"), ("street", "N50H05136"), ("city", "city"))]
    ['N50H051', 'N50H051', '000000']
    """

    def __init__(self, areas: Areas) -> None:
        self._areas = areas
        self._known: dict[tuple[str, str], str] = {}
        self._parents = {(info["kind"], info["id"]): info["parent"] for info in areas.info()}

    def of(self, kind: str, area: str) -> str:
        """The district's id; `NO_DISTRICT` for the city and for what is in no district."""
        key = (kind, area)
        if key not in self._known:
            self._known[key] = self._found(kind, area) or NO_DISTRICT
        return self._known[key]

    def _found(self, kind: str, area: str) -> str:
        if kind == "district":
            return area
        if kind == "city":
            return ""
        if kind == "cell":
            uid = self._areas.locate(self._areas.cells.parse([area]))[:, AreaKind.DISTRICT - 1]
            return self._areas.ids(AreaKind.DISTRICT, uid)[0]
        if (kind, area) in self._parents:
            above = "district" if kind == "street" else "street"
            return self._found(above, self._parents[kind, area])
        return _prefix(area)


def _prefix(area: str) -> str:
    """The district of a street or community that is a prefix of codes."""
    codes, levels = beidou.parse_each([area])
    if levels[0] > _LEVEL:
        return beidou.text(beidou.parent(np.array(codes), int(levels[0]), _LEVEL), _LEVEL)[0]
    return area[:6]
