"""Reductions over series: (rows of a universe) -> partials per cell (FORMULAS.md section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from indicators.expression import Reduce
from indicators.layout import Universe
from indicators.partials import Partial, group
from indicators.slices import Ints

Floats = NDArray[np.float64]
Rows = TypeVar("Rows", Ints, Floats)


def _sum_rows(universe: Universe, rows: Rows, op: str = "add") -> Rows:
    """Reduce the rows [T, U] of each cell: [T, cells]."""
    return cast("Rows", group(op, rows, np.arange(universe.size), universe.start))


def _number(node: Reduce, universe: Universe, args: list[Floats]) -> Partial:
    known = (~np.isnan(args[0])).astype(np.int64)
    true = (args[0] == 1).astype(np.int64)
    return Partial(node.fn, ("add", "add"), (_sum_rows(universe, known), _sum_rows(universe, true)))


def _total(node: Reduce, universe: Universe, args: list[Floats]) -> Partial:
    known = ~np.isnan(args[0])
    values = np.where(known, args[0], 0.0)
    columns = (_sum_rows(universe, known.astype(np.int64)), _sum_rows(universe, values))
    return Partial(node.fn, ("add", "add"), columns)


def _ratio(node: Reduce, universe: Universe, args: list[Floats]) -> Partial:
    both = ~(np.isnan(args[0]) | np.isnan(args[1]))
    above, below = np.where(both, args[0], 0.0), np.where(both, args[1], 0.0)
    columns = (
        _sum_rows(universe, both.astype(np.int64)),
        _sum_rows(universe, below),
        _sum_rows(universe, above),
    )
    return Partial(node.fn, ("add",) * 3, columns)


def _share(node: Reduce, universe: Universe, args: list[Floats]) -> Partial:
    if len(args) > 1:
        weight = np.where(np.isnan(args[0]), np.nan, args[1])
        return replace(
            _ratio(node, universe, [np.where(args[0] == 1, weight, 0 * weight), weight]), fn="share"
        )
    known = (~np.isnan(args[0])).astype(np.int64)
    counted = _sum_rows(universe, known)
    true = _sum_rows(universe, (args[0] == 1).astype(np.int64))
    return Partial(node.fn, ("add",) * 3, (counted, counted, true))


def _highest(node: Reduce, universe: Universe, args: list[Floats]) -> Partial:
    values = np.where(np.isnan(args[0]), -np.inf, args[0])
    return Partial(node.fn, ("max",), (_sum_rows(universe, values, "max"),))


def _lowest(node: Reduce, universe: Universe, args: list[Floats]) -> Partial:
    values = np.where(np.isnan(args[0]), np.inf, args[0])
    return Partial(node.fn, ("min",), (_sum_rows(universe, values, "min"),))


SERIES_REDUCTIONS: dict[str, Callable[[Reduce, Universe, list[Floats]], Partial]] = {
    "number": _number,
    "total": _total,
    "average": _total,
    "ratio": _ratio,
    "share": _share,
    "highest": _highest,
    "lowest": _lowest,
}
"""Name of the reduction -> its body: arguments are float64[ends, rows]."""
