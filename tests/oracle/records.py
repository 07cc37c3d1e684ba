"""Plain records of a city as they arrived, and the little geometry the tests need.

Nothing here uses the engine: areas are text codes of the standard grid, computed once more by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LOCAL = 8 * HOUR
"""Local time less UTC in ms; the tests live in Asia/Shanghai, which knows no summer time."""


LONG_AGO = -(10**15)
"""Before all records."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading; ``ts`` in epoch ms, ``cell`` a code or a case's letter."""

    sensor: str
    metric: str
    value: float
    ts: int
    cell: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One status of one case; ``cell`` is None on a record without coordinates, ``place`` their degrees."""

    case: str
    kind: str
    status: str
    ts: int
    cell: str | None = None
    severity: int | None = None
    channel: str | None = None
    place: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the sensor registry; ``period`` in ms (None: the metric's), ``place`` in degrees."""

    sensor: str
    cell: str
    metric: str | None = None
    period: int | None = None
    retired: bool = False
    place: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """All that is known of a city, each list in order of arrival.

    Readings outside their metric's range are among them: refused by every formula, but counted as checked.
    ``streets`` names the street of a cell; absent cells are their own. ``since`` is the first watermark.
    """

    readings: tuple[Reading, ...] = ()
    transitions: tuple[Transition, ...] = ()
    listed: tuple[Listed, ...] = ()
    streets: Mapping[str, str] = field(default_factory=dict)
    since: int = LONG_AGO

    def street(self, cell: str) -> str:
        """The street a cell lies in."""
        return self.streets.get(cell, cell)


def grid_code(lon: float, lat: float) -> str:
    """Level-5 code of the standard grid for a place in the north-east quarter of the globe.

    The first 9 characters are its level-4 code, the first 7 its level-3 code.

    >>> grid_code(116 + 18 / 60 + 45.37 / 3600, 39 + 59 / 60 + 35.38 / 3600)
    'N50J47539B8'
    """
    x, y = round(lon * 1e9) * 3600, round(lat * 1e9) * 3600
    second = 10**9
    column, x = divmod(x, 6 * 3600 * second)
    row, y = divmod(y, 4 * 3600 * second)
    code = f"N{31 + column}{chr(ord('A') + row)}"
    for width, height, one_digit in ((1800, 1800, False), (900, 600, True), (60, 60, False), (4, 4, False)):
        i, x = divmod(x, width * second)
        j, y = divmod(y, height * second)
        code += str(j * 2 + i) if one_digit else f"{i:X}{j:X}"
    return code
