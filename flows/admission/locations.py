"""(sensor, registered cell, own coordinates) in arrival order -> cell: where each reading was taken.

The registry's place wins, then the record's own coordinates, then where its sensor last said it was: a sensor
that sends coordinates registers itself, per source partition (C-2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flows.admission.roll import UNREGISTERED, locate
from flows.batches import Floats, Ints
from geo.cells import CellSystem

NOWHERE = -1
"""The cell of a record that cannot be placed."""

_BLANK: dict[str, NDArray[Any]] = {
    "lon": np.array([np.nan]),
    "lat": np.array([np.nan]),
    "crs": np.zeros(1, np.uint8),
    "cell": np.array([NOWHERE]),
}


class Locations:
    """The last known cell of every sensor of a source part that is not registered."""

    __slots__ = ("_cells", "_last", "_own")

    def __init__(self, cells: CellSystem) -> None:
        self._cells = cells
        self._last = np.full(0, NOWHERE)
        # A sensor mostly repeats its coordinates; this only saves work and is no part of the state.
        self._own = {name: blank[:0] for name, blank in _BLANK.items()}

    def cells(self, sensor: Ints, fixed: Ints, lon: Floats, lat: Floats, crs: NDArray[np.uint8]) -> Ints:
        """Cells of n records in arrival order, int64[n]; negative where the place is unknown.

        ``sensor`` are numbers from 0, ``fixed`` the registry's cells (``UNREGISTERED``: ask the record),
        ``lon`` and ``lat`` degrees or NaN, ``crs`` positions in ``CRS_NAMES``.

        >>> from geo.cells import BeidouGrid
        >>> sensor, fixed, crs = np.array([4, 4, 4]), np.array([UNREGISTERED] * 3), np.zeros(3, np.uint8)
        >>> lon, lat = np.array([np.nan, 114.3, np.nan]), np.array([np.nan, 30.6, np.nan])
        >>> BeidouGrid().text(Locations(BeidouGrid()).cells(sensor, fixed, lon, lat, crs))
        ['', 'N50H0513600', 'N50H0513600']
        """
        free = fixed == UNREGISTERED
        if free.all():
            return self._free(sensor, lon, lat, crs)
        cells = fixed.copy()
        if free.any():
            cells[free] = self._free(sensor[free], lon[free], lat[free], crs[free])
        return cells

    def _free(self, sensor: Ints, lon: Floats, lat: Floats, crs: NDArray[np.uint8]) -> Ints:
        self._grow(int(sensor.max(initial=-1)) + 1)
        silent = np.isnan(lon)
        if silent.all():
            return self._last[sensor]
        own = np.full(len(sensor), NOWHERE)
        spoken = np.flatnonzero(~silent)
        own[spoken] = self._located(sensor[spoken], lon[spoken], lat[spoken], crs[spoken])
        placed = own >= 0
        cells = self._carried(sensor, own, placed) if silent.any() else own
        # Of several places of one sensor numpy keeps the last assigned.
        self._last[sensor[placed]] = own[placed]
        return np.where(silent, cells, own)

    def _carried(self, sensor: Ints, own: Ints, placed: NDArray[np.bool_]) -> Ints:
        """For each record the latest own place of its sensor up to it, else the one known before."""
        order = np.argsort(sensor, kind="stable")
        s = sensor[order]
        begin = np.concatenate(([True], np.diff(s) != 0))
        here = np.arange(len(s))
        latest = np.maximum.accumulate(np.where(placed[order], here, -1))
        carried = np.empty(len(s), np.int64)
        known = latest >= np.maximum.accumulate(np.where(begin, here, 0))
        carried[order] = np.where(known, own[order][latest], self._last[s])
        return carried

    def _located(self, sensor: Ints, lon: Floats, lat: Floats, crs: NDArray[np.uint8]) -> Ints:
        own = self._own
        same = (own["lon"][sensor] == lon) & (own["lat"][sensor] == lat) & (own["crs"][sensor] == crs)
        found = own["cell"][sensor]
        rows = np.flatnonzero(~same)
        if len(rows):
            found[rows] = locate(lon[rows], lat[rows], crs[rows], self._cells)
            fresh: dict[str, NDArray[Any]] = {"lon": lon, "lat": lat, "crs": crs, "cell": found}
            for name, column in fresh.items():
                own[name][sensor[rows]] = column[rows]
        return found

    def _grow(self, size: int) -> None:
        more = max(size, 2 * len(self._last), 64) - len(self._last)
        if size > len(self._last):
            self._last = np.concatenate((self._last, np.full(more, NOWHERE)))
        spare = len(self._last) - len(self._own["cell"])
        if spare:
            blanks = {name: np.repeat(blank, spare) for name, blank in _BLANK.items()}
            self._own = {name: np.concatenate((self._own[name], blanks[name])) for name in _BLANK}

    def state(self) -> dict[str, Any]:
        """Plain copy of the last known cells."""
        return {"last": self._last.copy()}

    @classmethod
    def restore(cls, cells: CellSystem, state: Mapping[str, Any]) -> Self:
        """The locations of ``state()``."""
        locations = cls(cells)
        locations._last = state["last"].copy()
        return locations
