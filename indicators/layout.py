"""Who is where in one shard: cells with their areas, and the rows that a reduction runs over.

Rows are ordered by tile, cell and sensor, so that sums of floats come out the same for every number of
processes (FORMULAS.md section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indicators.key_table import KeyTable
from indicators.points import NOWHERE, nanodegrees
from indicators.slices import Ints
from indicators.store import MetricStore

TILES = 64
"""Tiles a city's sums are split into: the hash of the level-4 code, modulo this number."""

Floats = NDArray[np.float64]
Locate = Callable[[Ints], Ints]
"""Cell codes -> int64[n, 4]: uid of community, street, district and city, -1 for none."""
TileOf = Callable[[Ints], Ints]
"""Cell codes -> the level-4 code of each cell's centre."""
CentreOf = Callable[[Ints], tuple[Floats, Floats]]
"""Cell codes -> longitude and latitude of each cell's centre, degrees."""


def _unplaced(codes: Ints) -> tuple[Floats, Floats]:
    return np.zeros(len(codes)), np.zeros(len(codes))


def tile_number(tiles: Ints) -> Ints:
    """The tile's number 0..63: a fixed mix of its code's bits (splitmix64's finaliser).

    >>> bool((tile_number(np.arange(10_000)) < TILES).all())
    True
    """
    x = tiles.astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) % np.uint64(TILES)).astype(np.int64)


class Cells:
    """The cells of one shard, numbered in order of appearance: arrays of length ``n``."""

    def __init__(self, locate: Locate, tile_of: TileOf, centre_of: CentreOf = _unplaced) -> None:
        """No cells yet."""
        self._locate = locate
        self._centre_of = centre_of
        self._tile_of = tile_of
        self.code = np.empty(0, np.int64)
        self.tile = np.empty(0, np.int64)
        self.areas = np.empty((0, 4), np.int64)
        self._number = KeyTable(np.int64)

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.code)

    def number(self, codes: Ints) -> Ints:
        """The number of each cell; new ones are added."""
        numbers = self._number.number(codes)
        new = self._number.column(0)[self.n :]
        if len(new):
            self.code = np.concatenate((self.code, new))
            self.tile = np.concatenate((self.tile, tile_number(self._tile_of(new))))
            self.areas = np.concatenate((self.areas, self._locate(new)))
        return numbers

    def centres(self, cells: Ints) -> tuple[Ints, Ints]:
        """Longitude and latitude of the centres of some cells, 1e-9 degree."""
        lon, lat = self._centre_of(self.code[cells])
        return nanodegrees(lon), nanodegrees(lat)

    def restore(self, codes: Ints) -> None:
        """Take up the cells of a snapshot, in their order."""
        self.code = codes.copy()
        self.tile = tile_number(self._tile_of(self.code))
        self.areas = self._locate(self.code)
        self._number = KeyTable(np.int64)
        self._number.put(self.code)

    def ordered(self, cells: Ints) -> Ints:
        """Distinct cell numbers by (tile, code)."""
        present = np.zeros(self.n, bool)
        present[cells] = True
        unique = np.flatnonzero(present)
        return unique[np.lexsort((self.code[unique], self.tile[unique]))]


@dataclass(frozen=True)
class Universe:
    """The sensors of a shard known for any of some metrics: U rows by (tile, cell, sensor).

    ``position[i]`` is each row's series in the i-th metric's store, -1 where it has none; ``cells`` the
    distinct cells in order, ``start`` the first row of each.
    """

    stores: tuple[MetricStore, ...]
    cells: Ints
    start: NDArray[np.intp]
    position: tuple[Ints, ...]

    @classmethod
    def of(cls, stores: Sequence[MetricStore], cells: Cells) -> Universe:
        """Join the series of several metrics by sensor and cell."""
        cell = np.concatenate([s.cell for s in stores])
        sensor = np.concatenate([s.sensor for s in stores])
        order = np.lexsort((sensor, cells.code[cell], cells.tile[cell]))
        cell, sensor = cell[order], sensor[order]
        first = np.ones(len(cell), bool)
        first[1:] = (cell[1:] != cell[:-1]) | (sensor[1:] != sensor[:-1])
        row_of = np.empty(len(cell), np.int64)
        row_of[order] = np.cumsum(first) - 1
        size = int(first.sum())
        row_cell = cell[first]
        begins = np.ones(size, bool)
        begins[1:] = row_cell[1:] != row_cell[:-1]
        start = np.flatnonzero(begins)
        position, at = [], 0
        for store in stores:
            where = np.full(size, -1, np.int64)
            where[row_of[at : at + store.n]] = np.arange(store.n)
            position.append(where)
            at += store.n
        return cls(tuple(stores), row_cell[start], start, tuple(position))

    @property
    def size(self) -> int:
        """Rows."""
        return len(self.position[0])

    def take(self, index: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values per series of the i-th metric -> values per row, NaN where a row has no such series."""
        if not self.stores[index].n:
            return np.full((len(values), self.size), np.nan)
        where = self.position[index]
        taken = values[:, np.maximum(where, 0)]
        return np.where(where >= 0, taken, np.nan)

    def spots(self) -> tuple[Ints, Ints]:
        """Longitude and latitude of each row's sensor in 1e-9 degree, NOWHERE where no record said."""
        lon, lat = np.full(self.size, NOWHERE, np.int64), np.full(self.size, NOWHERE, np.int64)
        for store, where in zip(self.stores, self.position, strict=True):
            rows = np.flatnonzero((where >= 0) & (lon == NOWHERE))
            lon[rows], lat[rows] = store.lon[where[rows]], store.lat[where[rows]]
        return lon, lat

    def known(self, ends: Ints) -> NDArray[np.bool_]:
        """Whether each row's sensor is known for any of the metrics: bool[ends, U]."""
        out = np.zeros((len(ends), self.size), bool)
        for store, where in zip(self.stores, self.position, strict=True):
            if store.n:
                out |= store.known(ends)[:, np.maximum(where, 0)] & (where >= 0)
        return out


@dataclass(frozen=True)
class AreaGroups:
    """How a layout's cells fall into areas: rows by (kind, uid, tile), each a run of ``perm``."""

    perm: NDArray[np.intp]
    start: NDArray[np.intp]
    kind: Ints
    uid: Ints
    tile: Ints
    district: Ints

    def holding(self, columns: Ints) -> AreaGroups:
        """Only the areas that hold any of some columns, each with all its runs."""
        marked = np.zeros(int(self.perm.max(initial=-1)) + 1, bool)
        marked[columns] = True
        sizes = np.diff(self.start, append=len(self.perm))
        run = np.repeat(np.arange(len(self.start)), sizes)
        new_area = np.ones(len(self.start), bool)
        new_area[1:] = (self.kind[1:] != self.kind[:-1]) | (self.uid[1:] != self.uid[:-1])
        area = np.cumsum(new_area) - 1
        held = np.zeros(int(area[-1]) + 1 if len(area) else 0, bool)
        held[area[run[marked[self.perm]]]] = True
        keep = held[area]
        perm = self.perm[keep[run]]
        start = np.cumsum(sizes[keep]) - sizes[keep]
        return AreaGroups(perm, start, self.kind[keep], self.uid[keep], self.tile[keep], self.district[keep])


@dataclass(frozen=True)
class Layout:
    """The cells an indicator has values for in one shard, C of them, by (tile, code)."""

    cells: Ints
    code: Ints
    tile: Ints
    areas: Ints

    @classmethod
    def of(cls, cell_numbers: Sequence[Ints], cells: Cells, only: Ints | None = None) -> Layout:
        """The union of several sets of cells, or what of it is also in ``only``."""
        union = cells.ordered(np.concatenate([*cell_numbers, np.empty(0, np.int64)]))
        if only is not None:
            union = union[np.isin(union, only)]
        return cls(union, cells.code[union], cells.tile[union], cells.areas[union])

    @property
    def size(self) -> int:
        """Cells."""
        return len(self.cells)

    @cached_property
    def _lookup(self) -> Ints:
        lookup = np.full(int(self.cells.max(initial=-1)) + 1, -1, np.int64)
        lookup[self.cells] = np.arange(self.size)
        return lookup

    def columns(self, cells: Ints) -> Ints:
        """The column of each cell, -1 for a cell that is not in the layout."""
        lookup = self._lookup
        inside = cells < len(lookup)
        if inside.all():
            return lookup[cells]
        found = np.full(len(cells), -1, np.int64)
        found[inside] = lookup[cells[inside]]
        return found

    @cached_property
    def groups(self) -> AreaGroups:
        """The areas above the cells: kind 1 community, 2 street, 3 district, 4 city."""
        column = np.tile(np.arange(self.size), 4)
        kind = np.repeat(np.arange(1, 5), self.size)
        uid = self.areas.T.ravel()
        inside = uid >= 0
        column, kind, uid = column[inside], kind[inside], uid[inside]
        tile = self.tile[column]
        order = np.lexsort((column, tile, uid, kind))
        column, kind, uid, tile = column[order], kind[order], uid[order], tile[order]
        first = np.ones(len(column), bool)
        first[1:] = (kind[1:] != kind[:-1]) | (uid[1:] != uid[:-1]) | (tile[1:] != tile[:-1])
        start = np.flatnonzero(first)
        district = self.areas[column[start], 2]
        return AreaGroups(column, start, kind[start], uid[start], tile[start], district)
