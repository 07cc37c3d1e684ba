"""Partials merge exactly: any grouping of cells gives what all rows together give (FORMULAS.md 4.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from indicators.partials import Partial
from indicators.slices import Ints
from tests.indicators.small_city import same

Rows = list[list[list[int]]]
"""window end -> cell -> values in thousandths"""

SCALE = 1000.0
numbers = st.integers(-10_000, 10_000)


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    ends, cells = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    return [[draw(st.lists(numbers, max_size=4)) for _ in range(cells)] for _ in range(ends)]


def table(rows: Rows, of: Callable[[list[int]], float], dtype: type = np.int64) -> NDArray[np.generic]:
    return np.array([[of(values) for values in row] for row in rows], dtype)


def partial(fn: str, rows: Rows) -> Partial:
    """The partial of one reduction over each cell's values; ``share`` and ``number`` count positive ones."""
    count: Ints = table(rows, len).astype(np.int64)
    total: Ints = table(rows, sum).astype(np.int64)
    true: Ints = table(rows, lambda v: sum(x > 0 for x in v)).astype(np.int64)
    width = len(rows[0])
    at = [i * width + j for i, row in enumerate(rows) for j, values in enumerate(row) for _ in values]
    kept = np.array([x / SCALE for row in rows for values in row for x in values], np.float64)
    edge = {"highest": (max, -math.inf), "lowest": (min, math.inf)}
    if fn in edge:
        choose, none = edge[fn]
        extreme = table(rows, lambda v: choose(v) / SCALE if v else none, np.float64).astype(np.float64)
        return Partial(fn, ("max" if fn == "highest" else "min",), (extreme,))
    found = {
        "number": Partial("number", ("add", "add"), (count, true), zero=True),
        "total": Partial("total", ("add", "add"), (count, total), SCALE),
        "average": Partial("average", ("add", "add"), (count, total), SCALE),
        "share": Partial("share", ("add",) * 3, (count, count, true)),
        "ratio": Partial("ratio", ("add",) * 3, (count, count, total)),
        "quantile": Partial("quantile", ("add",), (count,), q=0.5, row=np.array(at, np.int64), value=kept),
    }
    return found[fn]


def plain(fn: str, values: Sequence[int]) -> float:
    if fn == "number":
        return float(sum(v > 0 for v in values))
    if not values:
        return math.nan
    ranked, half = sorted(values), len(values) // 2
    middle = (
        ranked[half] / SCALE if len(values) % 2 else (ranked[half - 1] / SCALE + ranked[half] / SCALE) / 2
    )
    return {
        "total": sum(values) / SCALE,
        "average": sum(values) / len(values) / SCALE,
        "share": sum(v > 0 for v in values) / len(values),
        "ratio": sum(values) / len(values),
        "highest": max(values) / SCALE,
        "lowest": min(values) / SCALE,
        "quantile": middle,
    }[fn]


def grouping(draw: st.DrawFn, size: int) -> tuple[Ints, Ints]:
    """Random non-empty runs over a random order of the columns."""
    perm = draw(st.permutations(range(size)))
    cuts = draw(st.sets(st.integers(1, size - 1), max_size=size)) if size > 1 else set()
    return np.array(perm, np.int64), np.array([0, *sorted(cuts)], np.int64)


FUNCTIONS = ["number", "total", "average", "share", "ratio", "highest", "lowest", "quantile"]


@pytest.mark.parametrize("fn", FUNCTIONS)
@given(rows=tables(), data=st.data())
def test_merged_in_any_steps_a_value_is_that_of_all_rows(fn: str, rows: Rows, data: st.DataObject) -> None:
    part = partial(fn, rows)
    while part.columns[0].shape[1] > 1:
        size = part.columns[0].shape[1]
        perm, start = data.draw(st.composite(grouping)(size))
        part = part.grouped(perm, start)
        if len(start) == size:
            break
    whole = part.grouped(np.arange(part.columns[0].shape[1]), np.zeros(1, np.int64))
    expected = [plain(fn, [x for values in row for x in values]) for row in rows]
    np.testing.assert_allclose(whole.finish()[:, 0], expected, rtol=1e-15)


@pytest.mark.parametrize("fn", FUNCTIONS)
@given(rows=tables(), cut=st.integers(0, 7))
def test_shards_side_by_side_are_one_shard(fn: str, rows: Rows, cut: int) -> None:
    width = len(rows[0])
    cut = min(cut, width)
    parts = [partial(fn, [row[:cut] for row in rows]), partial(fn, [row[cut:] for row in rows])]
    assert same(Partial.joined(parts).finish(), partial(fn, rows).finish())


@pytest.mark.parametrize("fn", FUNCTIONS)
@given(rows=tables(), first=st.integers(0, 2), size=st.integers(0, 3))
def test_a_part_has_the_window_ends_asked_for(fn: str, rows: Rows, first: int, size: int) -> None:
    part, last = partial(fn, rows), min(first + size, len(rows))
    assert same(part.part(first, last).finish(), part.finish()[first:last])


@pytest.mark.parametrize("fn", FUNCTIONS)
@given(rows=tables(), data=st.data())
def test_in_a_wider_table_the_other_columns_hold_nothing(fn: str, rows: Rows, data: st.DataObject) -> None:
    part, width = partial(fn, rows), len(rows[0])
    size = width + data.draw(st.integers(0, 3))
    where = np.array(data.draw(st.permutations(range(size)))[:width], np.int64)
    found = part.at(where, len(rows), size).finish()
    assert same(found[:, where], part.finish())
    others = np.setdiff1d(np.arange(size), where)
    assert same(found[:, others], np.full((len(rows), len(others)), plain(fn, [])))


@given(
    tiles=st.lists(st.tuples(st.integers(0, 63), st.floats(-1e6, 1e6)), min_size=1, max_size=40),
    order=st.randoms(use_true_random=False),
)
def test_sums_of_floats_are_the_same_for_every_number_of_lanes(
    tiles: list[tuple[int, float]], order: object
) -> None:
    """Per tile in the lane, then by tile in the area step: which lane held a tile cannot show."""
    found = set()
    for lanes in (1, 2, 8):
        parts, numbers = [], []
        shuffled = list(range(lanes))
        order.shuffle(shuffled)  # type: ignore[attr-defined]
        for lane in shuffled:
            own = sorted(((t, i) for i, (t, _) in enumerate(tiles) if t % lanes == lane))
            if not own:
                continue
            tile = np.array([t for t, _ in own])
            value = np.array([[tiles[i][1] for _, i in own]])
            start = np.flatnonzero(np.append(True, np.diff(tile) != 0))
            column = Partial("total", ("add", "add"), (np.ones(value.shape, np.int64), value))
            parts.append(column.grouped(np.arange(len(own)), start))
            numbers.append(tile[start])
        by_tile = np.argsort(np.concatenate(numbers), kind="stable")
        city = Partial.joined(parts).grouped(by_tile, np.zeros(1, np.int64))
        found.add(float(city.finish()[0, 0]))
    assert len(found) == 1


def test_an_empty_set_of_cases_is_zero_and_of_readings_unknown() -> None:
    none = np.zeros((1, 1), np.int64)
    assert Partial("number", ("add", "add"), (none, none), zero=True).finish().tolist() == [[0.0]]
    assert np.isnan(Partial("number", ("add", "add"), (none, none)).finish()).all()


def test_a_share_of_weights_that_are_all_zero_is_unknown() -> None:
    one, none = np.ones((1, 1), np.int64), np.zeros((1, 1))
    assert np.isnan(Partial("share", ("add",) * 3, (one, none, none)).finish()).all()
