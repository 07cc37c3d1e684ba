"""The sensor registry as admission asks it: (sensor, metric) -> where it stands, its period, its end.

A row that names the metric speaks first, then a row of the sensor without a metric; a sensor that is
registered for other metrics only lends its place, not its period. Of equal rows the last one holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flows.batches import FINAL, Floats, Ints
from flows.registry import Registry
from flows.wire import CRS_NAMES
from geo.cells import CellSystem
from geo.coordinates import to_wgs84

UNREGISTERED = -2
"""In place of a cell where the registry does not know the sensor (-1: its place is outside the grid)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the registry says of one sensor and metric; ``period_ms`` 0: the metric's own."""

    cell: int
    period_ms: int
    retired: int
    named: bool


_STRANGER = Entry(UNREGISTERED, 0, FINAL, named=False)


class Roll:
    """All registered sensors in a city's cells.

    >>> Roll.empty().entry("s-1", "road_speed").cell == UNREGISTERED
    True
    """

    __slots__ = ("_entries", "_places")

    def __init__(self, entries: dict[tuple[str, str], Entry]) -> None:
        self._entries = entries
        self._places = {sensor: Entry(e.cell, 0, FINAL, named=False) for (sensor, _), e in entries.items()}

    @classmethod
    def empty(cls) -> Self:
        """No sensor is registered."""
        return cls({})

    @classmethod
    def of(cls, registry: Registry | None, cells: CellSystem) -> Self:
        """The rows of a registry, all places turned into cells at once."""
        if registry is None:
            return cls.empty()
        place = locate(registry.lon, registry.lat, registry.crs, cells).tolist()
        period, retired = registry.period_ms.tolist(), registry.retired_ms.tolist()
        rows = zip(registry.sensor, registry.metric, place, period, retired, strict=True)
        return cls({(s, m): Entry(max(c, -1), p, r, named=bool(m)) for s, m, c, p, r in rows})

    def entry(self, sensor: str, metric: str) -> Entry:
        """What is known of a sensor for a metric."""
        found = self._entries.get((sensor, metric)) or self._entries.get((sensor, ""))
        return found or self._places.get(sensor, _STRANGER)

    def named(self) -> Iterator[tuple[str, str]]:
        """(sensor, metric) of all rows that name their metric, in the order of the registry."""
        return (key for key, entry in self._entries.items() if entry.named)


def locate(lon: Floats, lat: Floats, crs: NDArray[np.uint8], cells: CellSystem) -> Ints:
    """Cells of places given in several coordinate systems, int64[n]; negative outside the grid.

    ``lon`` and ``lat`` are float64[n] degrees, ``crs`` uint8[n] positions in ``CRS_NAMES``.

    >>> from geo.cells import BeidouGrid
    >>> place = np.array([114.3]), np.array([30.6]), np.array([0], np.uint8)
    >>> BeidouGrid().text(locate(*place, BeidouGrid()))
    ['N50H0513600']
    """
    x, y = wgs84(lon, lat, crs)
    return cells.cells(x, y)


def wgs84(lon: Floats, lat: Floats, crs: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """WGS84 degrees of places given in several coordinate systems; NaN stays NaN."""
    x, y = lon.copy(), lat.copy()
    for code in np.unique(crs).tolist():
        if code:
            rows = crs == code
            x[rows], y[rows] = to_wgs84(lon[rows], lat[rows], CRS_NAMES[code])
    return x, y
