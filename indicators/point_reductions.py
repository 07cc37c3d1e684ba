"""Reductions over points: (case sets, flagged series) -> partials of the united points."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indicators.expression import Kind, Node, Reduce
from indicators.history import metrics_of
from indicators.partials import Partial
from indicators.points import NO_TIME, NOWHERE, chains
from indicators.slices import Ints

if TYPE_CHECKING:
    from indicators.evaluate import Evaluation

Floats = NDArray[np.float64]

OF_POINTS = frozenset({"clusters", "apart", "largest"})


def of_points(node: Reduce, at: Evaluation) -> Partial:
    """The partial of a reduction over points, in the layout's columns."""
    rows, values = zip(*(_points(arg, at) for arg in node.args), strict=True)
    row, value = np.concatenate(rows), np.concatenate(values)
    order = np.lexsort((*value.T, row))
    row, value = row[order], value[order]
    shape = (len(at.ends), at.layout.size)
    count = np.bincount(row, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)
    if node.fn == "largest":
        return _largest(row, value, count)
    if math.isnan(node.params[0]):
        return _chained(row, value, count, int(node.params[1]))
    return Partial(node.fn, ("add",), (count,), row=row, value=value, limits=node.params)


def _points(node: Node, at: Evaluation) -> tuple[Ints, Floats]:
    """Row (end * size + column) and, per point, longitude, latitude, time, channel, 1 for a case."""
    if node.kind is Kind.CASES:
        return at.cases.points(node)
    codes = metrics_of(node)
    universe = at.shard.universe(codes)
    flags = np.broadcast_to(at.series(node, codes, universe), (len(at.ends), universe.size))
    end, which = np.nonzero((flags == 1) & universe.known(at.ends))
    sizes = np.diff(universe.start, append=universe.size)
    cell = np.repeat(universe.cells, sizes)
    lon, lat = _spots(universe.spots(), cell, at)
    row = end * at.layout.size + at.layout.columns(cell)[which]
    blank = np.zeros(len(which))
    return row, np.stack((lon[which], lat[which], blank + NO_TIME, blank, blank), axis=1)


def _spots(spots: tuple[Ints, Ints], cell: Ints, at: Evaluation) -> tuple[Floats, Floats]:
    """Where sensors stand; the centre of the cell where no record said."""
    lon, lat = spots
    unknown = lon == NOWHERE
    if unknown.any():
        lon, lat = lon.copy(), lat.copy()
        lon[unknown], lat[unknown] = at.shard.cells.centres(cell[unknown])
    return lon.astype(np.float64), lat.astype(np.float64)


def _starts(*columns: NDArray[np.float64] | Ints) -> Ints:
    """Where runs of equal rows begin in sorted columns."""
    first = np.ones(len(columns[0]), bool)
    first[1:] = np.logical_or.reduce([c[1:] != c[:-1] for c in columns])
    return np.flatnonzero(first)


def _largest(row: Ints, value: Floats, count: Ints) -> Partial:
    """The greatest number of cases of one place; a place lies in one cell."""
    out = np.full(count.size, -np.inf)
    lon, lat, _, channel, _ = value.T
    # Cases of an unknown channel are told apart by cell alone.
    lon, lat = np.where(channel == 0, 0, lon), np.where(channel == 0, 0, lat)
    order = np.lexsort((channel, lat, lon, row))
    row = row[order]
    start = _starts(row, lon[order], lat[order], channel[order]) if len(row) else np.empty(0, np.int64)
    np.maximum.at(out, row[start], np.diff(start, append=len(row)))
    return Partial("largest", ("max",), (out.reshape(count.shape),))


def _chained(row: Ints, value: Floats, count: Ints, within: int) -> Partial:
    """Groups of points of one cell."""
    out = np.zeros(count.size, np.int64)
    start = _starts(row) if len(row) else np.empty(0, np.int64)
    for begin, end in pairwise([*start.tolist(), len(row)]):
        out[row[begin]] = chains(value[begin:end, 2].astype(np.int64), within)
    return Partial("number", ("add", "add"), (count, out.reshape(count.shape)), zero=True)
