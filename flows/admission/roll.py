"""The sensor registry as admission asks it: (sensor, metric) -> where it stands, its period, its end.

A row that names the metric speaks first, then a row of the sensor without a metric; a sensor that is
registered for other metrics only lends its place, not its period. Of equal rows the last one holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from flows.admission.name_table import CodedTexts, NameTable
from flows.admission.registry import Registry
from flows.batches import FINAL, Floats, Ints
from flows.wire import CRS_NAMES
from geo.cells import CellSystem
from geo.coordinates import to_wgs84
from indicators.key_table import KeyTable
from indicators.points import NOWHERE, nanodegrees

UNREGISTERED = -2
"""In place of a cell where the registry does not know the sensor."""
OUTSIDE = -1
"""In place of a cell where the sensor's place is outside the grid."""


@dataclass(frozen=True, slots=True)
class Entries:
    """What the registry says of n sensors and metrics, int64[n] each and bool[n].

    ``cell`` is ``UNREGISTERED`` for a stranger, -1 outside the grid; ``period_ms`` 0: the metric's own;
    ``named`` where a row names the metric; ``lon`` and ``lat`` in 1e-9 degree of WGS84; ``owner`` a place in
    `Roll.owners`.
    """

    cell: Ints
    period_ms: Ints
    retired: Ints
    named: NDArray[np.bool_]
    lon: Ints
    lat: Ints
    owner: Ints


class Roll:
    """All registered sensors in a city's cells.

    >>> strangers = NameTable(["s-1"])
    >>> Roll.empty().entries(strangers, np.array([0]), ["road_speed"], np.array([0])).cell.tolist()
    [-2]
    """

    __slots__ = (
        "_asked",
        "_cell",
        "_codes",
        "_lat",
        "_lon",
        "_names",
        "_owner",
        "_period",
        "_place",
        "_retired",
        "_rows",
        "owners",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - the columns of a registry
        self,
        sensor: CodedTexts,
        metric: CodedTexts,
        cell: Ints,
        period: Ints,
        retired: Ints,
        lon: Ints,
        lat: Ints,
        owner: CodedTexts,
    ) -> None:
        self._names = sensor.names
        self._codes = metric.names
        self._asked: dict[tuple[str, ...], Ints] = {}
        self._rows = KeyTable(np.int32, np.int32)
        row = self._rows.number(sensor.codes, metric.codes)
        # One more at the end, which -1 reads.
        size = len(self._rows) + 1
        self._cell, self._period, self._retired = (np.zeros(size, np.int64) for _ in range(3))
        self.owners: list[str] = [*owner.names.texts(), ""]
        self._owner = np.full(size, len(self.owners) - 1)
        self._owner[row] = owner.codes
        # Of equal rows numpy keeps the last assigned, and so it does of the rows of a sensor.
        self._cell[row], self._period[row], self._retired[row] = cell, period, retired
        self._retired[-1] = FINAL
        self._place = np.full(len(self._names) + 1, UNREGISTERED)
        self._place[self._rows.column(0)] = self._cell[:-1]
        # All rows of a sensor have one place, the last one given.
        self._lon, self._lat = (np.full(len(self._names) + 1, NOWHERE) for _ in range(2))
        self._lon[sensor.codes], self._lat[sensor.codes] = lon, lat

    @classmethod
    def empty(cls) -> Self:
        """No sensor is registered."""
        nothing, nobody = np.zeros(0, np.int64), CodedTexts.of([])
        return cls(nobody, nobody, nothing, nothing, nothing, nothing, nothing, nobody)

    @classmethod
    def of(cls, registry: Registry | None, cells: CellSystem) -> Self:
        """The rows of a registry, all places turned into cells at once."""
        if registry is None:
            return cls.empty()
        lon, lat = wgs84(registry.lon, registry.lat, registry.crs)
        place = np.maximum(cells.cells(lon, lat), OUTSIDE)
        return cls(
            registry.sensor,
            registry.metric,
            place,
            registry.period_ms,
            registry.retired_ms,
            nanodegrees(lon),
            nanodegrees(lat),
            registry.department,
        )

    def entries(self, names: NameTable, sensor: Ints, codes: Sequence[str], metric: Ints) -> Entries:
        """What is known of n sensors for a metric each.

        ``sensor`` are numbers in ``names``, ``metric`` places in ``codes``.
        """
        here = self._names.find(names, sensor)
        row = self._rows.find(here, self._metrics(codes)[metric])
        named = row >= 0
        row = np.where(named, row, self._rows.find(here, np.full(len(here), self._metrics([""])[0])))
        return self._of(here, row, named)

    def _of(self, sensor: Ints, row: Ints, named: NDArray[np.bool_]) -> Entries:
        """The entries of rows; without one, a sensor that is registered for other metrics has its place."""
        cell = np.where(row >= 0, self._cell[row], self._place[sensor])
        lon, lat = self._lon[sensor], self._lat[sensor]
        return Entries(cell, self._period[row], self._retired[row], named, lon, lat, self._owner[row])

    def _metrics(self, codes: Sequence[str]) -> Ints:
        """The numbers of metrics in the registry, -1 for those it does not name."""
        key = tuple(codes)
        if key not in self._asked:
            asked = NameTable(codes)
            self._asked[key] = self._codes.find(asked, asked.numbers(codes))
        return self._asked[key]

    def named(self, codes: Sequence[str]) -> Enrolled:
        """All rows that name a metric of ``codes`` and a place in the grid, in the order of the registry."""
        table = NameTable(codes)
        here = np.arange(len(self._codes))
        metric = table.find(self._codes, here)[self._rows.column(1)]
        keep = np.flatnonzero((metric >= 0) & (self._cell[:-1] >= 0))
        sensor = self._rows.column(0)[keep].astype(np.int64)
        return Enrolled(self._names, sensor, metric[keep], self._cell[keep])


@dataclass(frozen=True, slots=True)
class Enrolled:
    """n registered sensors with a metric each: numbers in ``names``, places in a list of codes, cells."""

    names: NameTable
    sensor: Ints
    metric: Ints
    cell: Ints


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
