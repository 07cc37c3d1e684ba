"""Mergeable partials of reductions: columns that add, meet at an extreme, or concatenate.

A :class:`Partial` holds one reduction of one indicator for T window ends and A areas (or cells). Partials
of the same reduction merge exactly in any grouping; only sums of floats have a fixed order (FORMULAS.md
section 4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray

from indicators.aggregates import quantile_of
from indicators.points import far, groups
from indicators.slices import Ints

Floats = NDArray[np.float64]
Column = Ints | Floats

_UFUNC: dict[str, np.ufunc] = {"add": np.add, "max": np.maximum, "min": np.minimum}
NEUTRAL = {"add": 0, "max": -np.inf, "min": np.inf}


@dataclass(frozen=True)
class Partial:
    """One reduction: ``columns[i]`` is [T, A] and merges by ``ops[i]`` (add, max, min).

    ``row`` and ``value`` hold the kept values of a quantile, or points (a row each: longitude and latitude in
    1e-9 degree, time, channel, 1 for a case) with the ``limits`` of their groups: row = end * A + area.
    ``zero`` tells that an empty set is 0, not unknown (cases); ``scale`` divides an exact integer sum.
    """

    fn: str
    ops: tuple[str, ...]
    columns: tuple[Column, ...]
    scale: float = 1.0
    q: float = 0.5
    zero: bool = False
    row: Ints | None = None
    value: Floats | None = None
    limits: tuple[float, ...] = ()

    def at(self, where: Ints, ends: int, size: int) -> Partial:
        """The same partial in a wider table: column j moves to ``where[j]``, the rest is neutral."""
        columns: list[Column] = []
        for op, column in zip(self.ops, self.columns, strict=True):
            out = cast("Column", np.full((ends, size), NEUTRAL[op], column.dtype))
            out[:, where] = column
            columns.append(out)
        row = self.row
        if row is not None and len(where):
            row = row // len(where) * size + where[row % len(where)]
        return self._having(tuple(columns), row, self.value)

    def lasting(self, ends: int) -> Partial:
        """A partial of no areas for another number of window ends."""
        return replace(self, columns=tuple(c[:0].reshape(ends, 0) for c in self.columns))

    def part(self, first: int, last: int) -> Partial:
        """The window ends first <= i < last."""
        columns = tuple(c[first:last] for c in self.columns)
        if self.row is None or self.value is None:
            return replace(self, columns=columns)
        width = self.width
        inside = (self.row >= first * width) & (self.row < last * width)
        return replace(self, columns=columns, row=self.row[inside] - first * width, value=self.value[inside])

    def only(self, ends: Ints, where: Ints) -> Partial:
        """Some window ends (positions) of some columns."""
        columns = tuple(c[np.ix_(ends, where)] for c in self.columns)
        if self.row is None or self.value is None:
            return replace(self, columns=columns)
        place = np.full(self.columns[0].shape, -1, np.int64)
        place[np.ix_(ends, where)] = np.arange(len(ends) * len(where)).reshape(len(ends), len(where))
        row = place.ravel()[self.row]
        return replace(self, columns=columns, row=row[row >= 0], value=self.value[row >= 0])

    def grouped(self, perm: NDArray[np.intp], start: NDArray[np.intp]) -> Partial:
        """Merge runs: group g takes the columns perm[start[g]:start[g + 1]]."""
        columns = tuple(
            group(op, column, perm, start) for op, column in zip(self.ops, self.columns, strict=True)
        )
        if self.row is None or self.value is None:
            return self._having(columns, self.row, self.value)
        return self._having(columns, *_group_values(self.row, self.value, self.width, perm, start))

    def _having(self, columns: tuple[Column, ...], row: Ints | None, value: Floats | None) -> Partial:
        """`dataclasses.replace`, which is several times slower, for what is done most."""
        return Partial(self.fn, self.ops, columns, self.scale, self.q, self.zero, row, value, self.limits)

    @property
    def width(self) -> int:
        """How many areas."""
        return int(self.columns[0].shape[1])

    @staticmethod
    def stacked(parts: Sequence[Partial]) -> Partial:
        """The same reduction over consecutive window ends, in arrays of its own."""
        columns = tuple(np.concatenate(column) for column in zip(*(p.columns for p in parts), strict=True))
        if parts[0].row is None:
            return replace(parts[0], columns=columns)
        above, rows, values = 0, [np.empty(0, np.int64)], []
        for part in parts:
            if part.row is not None and part.value is not None:
                rows.append(part.row + above * part.width)
                values.append(part.value)
            above += len(part.columns[0])
        return replace(parts[0], columns=columns, row=np.concatenate(rows), value=np.concatenate(values))

    def patch(self, ends: Ints, where: Ints, new: Partial) -> None:
        """Overwrite some window ends (positions) and columns; the partial must be nobody else's."""
        place = np.ix_(ends, where)
        for column, fresh in zip(self.columns, new.columns, strict=True):
            column[place] = fresh
        if self.row is None or self.value is None or new.row is None or new.value is None or not len(where):
            return
        gone = np.zeros(self.columns[0].shape, bool)
        gone[place] = True
        keep = ~gone.ravel()[self.row]
        moved = ends[new.row // len(where)] * self.width + where[new.row % len(where)]
        object.__setattr__(self, "row", np.concatenate((self.row[keep], moved)))
        object.__setattr__(self, "value", np.concatenate((self.value[keep], new.value)))

    @staticmethod
    def joined(parts: Sequence[Partial]) -> Partial:
        """The same reduction of several shards side by side."""
        if len(parts) == 1:
            return parts[0]
        by_column = zip(*(p.columns for p in parts), strict=True)
        columns = tuple(np.concatenate(column, axis=1) for column in by_column)
        if parts[0].row is None:
            return replace(parts[0], columns=columns)
        width, at, rows = columns[0].shape[1], 0, []
        for part in parts:
            own, row = part.width, part.row
            if row is not None and own:
                rows.append(row // own * width + row % own + at)
            at += own
        row = np.concatenate([*rows, np.empty(0, np.int64)])
        value = np.concatenate([p.value for p in parts if p.value is not None])
        return replace(parts[0], columns=columns, row=row, value=value)

    def finish(self) -> Floats:
        """The reduction's value: float64[T, A], NaN where there is nothing to reduce."""
        return _FINISH[self.fn](self)


def group(op: str, column: Column, perm: NDArray[np.intp], start: NDArray[np.intp]) -> Column:
    """Merge runs of columns of [T, A] by an operation; runs must not be empty.

    Floats are added one after the other, so that a zero more or less cannot show in the last digit.

    >>> group("add", np.array([[1, 2, 3]]), np.array([2, 0, 1]), np.array([0, 1]))
    array([[3, 3]])
    """
    ends, size = len(column), len(perm)
    if not size:
        return column[:, :0]
    flat = column.take(perm, axis=1).ravel()
    if op == "add" and column.dtype == np.float64:
        run = np.repeat(np.arange(len(start)), np.diff(start, append=size))
        where = (np.arange(ends)[:, None] * len(start) + run[None, :]).ravel()
        return np.bincount(where, flat, ends * len(start)).reshape(ends, len(start))
    starts = (np.arange(ends)[:, None] * size + start[None, :]).ravel()
    found: Column = _UFUNC[op].reduceat(flat, starts).reshape(ends, len(start))
    return found


def _group_values(
    row: Ints, value: Floats, width: int, perm: NDArray[np.intp], start: NDArray[np.intp]
) -> tuple[Ints, Floats]:
    rows, values = [], []
    end, column = row // max(width, 1), row % max(width, 1)
    group_of = np.repeat(np.arange(len(start)), np.diff(start, append=len(perm)))
    order = np.argsort(perm, kind="stable")
    first = np.searchsorted(perm[order], np.arange(width + 1))
    copies = (first[1:] - first[:-1])[column]
    for i in range(int(copies.max(initial=0))):
        has = copies > i
        rows.append(end[has] * len(start) + group_of[order[first[column[has]] + i]])
        values.append(value[has])
    return np.concatenate([*rows, row[:0]]), np.concatenate([*values, value[:0]])


def _where(known: Column, values: Floats | Ints, *, zero: bool) -> Floats:
    return np.where(known > 0, values, 0.0 if zero else np.nan).astype(np.float64)


def _number(p: Partial) -> Floats:
    return _where(p.columns[0], p.columns[1], zero=p.zero)


def _total(p: Partial) -> Floats:
    return _where(p.columns[0], p.columns[1] / p.scale, zero=p.zero)


def _average(p: Partial) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _where(p.columns[0], p.columns[1] / p.columns[0] / p.scale, zero=False)


def _share(p: Partial) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = p.columns[2] / p.columns[1]
    return np.where((p.columns[0] > 0) & (p.columns[1] != 0), found, np.nan)


def _extreme(p: Partial) -> Floats:
    found = p.columns[0]
    return np.where(np.isfinite(found), found / p.scale, np.nan)


def _quantile(p: Partial) -> Floats:
    out = np.full(p.columns[0].shape, np.nan)
    if p.row is None or p.value is None or not len(p.row):
        return out
    order = np.lexsort((p.value, p.row))
    row, value = p.row[order], p.value[order]
    start = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    counts = np.diff(start, append=len(row))
    out.ravel()[row[start]] = quantile_of(value, start, counts, p.q)
    return out


def _of_points(p: Partial, count: Callable[[Floats], int]) -> Floats:
    """A number from the points of each end and area; 0 where there are none."""
    out = np.zeros(p.columns[0].shape)
    if p.row is None or p.value is None or not len(p.row):
        return out
    order = np.lexsort((*p.value.T, p.row))
    row, value = p.row[order], p.value[order]
    start = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    for begin, end in pairwise([*start.tolist(), len(row)]):
        out.ravel()[row[begin]] = count(value[begin:end])
    return out


def _clusters(p: Partial) -> Floats:
    radius, within = p.limits

    def count(points: Floats) -> int:
        lon, lat, ts = points.T[:3].astype(np.int64)
        return groups(lon, lat, radius, ts, int(within))

    return _of_points(p, count)


def _apart(p: Partial) -> Floats:
    (radius,) = p.limits

    def count(points: Floats) -> int:
        lon, lat = points.T[:2].astype(np.int64)
        return far(lon, lat, points[:, 4] == 0, radius)

    return _of_points(p, count)


def _largest(p: Partial) -> Floats:
    found = p.columns[0]
    return np.where(np.isfinite(found), found, 0.0)


_FINISH = {
    "number": _number,
    "total": _total,
    "average": _average,
    "share": _share,
    "ratio": _share,
    "highest": _extreme,
    "lowest": _extreme,
    "quantile": _quantile,
    "clusters": _clusters,
    "apart": _apart,
    "largest": _largest,
}
