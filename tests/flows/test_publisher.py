"""Which rows are published, and which are published again (R8, R13)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from flows.batches import Floats, Ints
from flows.stages.publisher import Early, Past, Published, Publisher, Windows
from indicators.catalogue import Catalogue
from indicators.judge import Judged
from indicators.metrics import Metrics
from indicators.plan import Plan

MINUTE = 60_000
NOON = 1_719_979_200_000
PLAN = Plan(Catalogue.load(), Metrics.load())
POND = next(p.index for p in PLAN.indicators if p.indicator.id == "drainage.ponding_depth_max")

Row = tuple[int, int, float | None, int]
"""area, window end in minutes after noon, value (None: no data), revision"""

depths = st.sampled_from([math.nan, math.nan, 0.0, 0.05, 0.2, 0.5])
AREAS = 3
NEVER = (10,) * AREAS
"""No area is always due a row."""
tables = st.lists(st.lists(depths, min_size=AREAS, max_size=AREAS), min_size=1, max_size=10)
starts = st.lists(st.integers(0, 10), min_size=AREAS, max_size=AREAS)


def describe(rows: Ints) -> tuple[NDArray[np.uint8], NDArray[np.bytes_]]:
    return np.zeros(len(rows), np.uint8), np.array([str(row).encode() for row in rows.tolist()] or [b""])[
        : len(rows)
    ]


def publisher() -> Publisher:
    return Publisher(PLAN, describe)


def seen(values: Floats, first: int) -> Judged:
    """The windows that end ``first`` minutes after noon and later."""
    shape = values.shape
    return Judged(
        ends=NOON + (first + np.arange(shape[0])) * MINUTE,
        value=values,
        n=(~np.isnan(values)).astype(np.int64),
        coverage=np.ones(shape),
        allowed=np.ones(shape, bool),
        level_ok=None,
        recent=np.ones(shape, bool),
    )


def array(table: Sequence[Sequence[float]]) -> Floats:
    return np.array(table, np.float64).reshape(-1, AREAS)


def born(table: Floats, starts: Sequence[int]) -> list[int]:
    """Areas that are always due are so from their first value on at the latest."""
    known = [np.flatnonzero(~np.isnan(column)).tolist() for column in table.T]
    return [
        min(start, *found, 99) if start < 10 else start for start, found in zip(starts, known, strict=True)
    ]


def always_from(starts: Sequence[int], first: int, count: int) -> NDArray[np.bool_]:
    """Areas that are due a row from a window on; 10 and more: never."""
    t = first + np.arange(count)[:, None]
    return (t >= np.array(starts)) & (np.array(starts) < 10)


def windows(values: Floats, first: int, starts: Sequence[int] = NEVER) -> Windows:
    return Windows(seen(values, first), np.arange(AREAS), always_from(starts, first, len(values)))


def close(own: Publisher, values: Floats, first: int, starts: Sequence[int] = NEVER) -> Published:
    out = Published()
    own.close(POND, windows(values, first, starts), Early.none(), out)
    return out


def rows(out: Published) -> list[Row]:
    found: list[Row] = []
    for frame in out.frames:
        columns = (frame.area, frame.window_end, frame.value, frame.revision, frame.status)
        for area, end, value, revision, status in zip(
            *(np.asarray(c).tolist() for c in columns), strict=True
        ):
            none = math.isnan(value)
            assert none == (status == 1)
            found.append((int(area), (end - NOON) // MINUTE, None if none else value, revision))
    return found


def plainly(values: Sequence[float], start: int) -> dict[int, float | None]:
    """Window -> value: a row where there is one, one null row after it, and a first one where always due."""
    found: dict[int, float | None] = {}
    live = False
    for t, value in enumerate(values):
        known = not math.isnan(value)
        if known or live or (start < 10 and t >= start and not found):
            found[t] = value if known else None
        live = known
    return found


def expected(table: Floats, starts: Sequence[int]) -> dict[tuple[int, int], float | None]:
    return {
        (area, t): value
        for area in range(AREAS)
        for t, value in plainly(table[:, area].tolist(), starts[area]).items()
    }


@given(table=tables, starts=starts, cuts=st.sets(st.integers(1, 9)), restart=st.booleans())
def test_one_null_row_when_data_stop_then_none_until_they_return(
    table: list[list[float]], starts: list[int], cuts: set[int], *, restart: bool
) -> None:
    values, own = array(table), publisher()
    starts = born(values, starts)
    found: list[Row] = []
    at = [0, *sorted(c for c in cuts if c < len(table)), len(table)]
    for begin, end in pairwise(at):
        found += rows(close(own, values[begin:end], begin, starts))
        if restart:
            own = Publisher(PLAN, describe, own.state())
    assert {(area, t): value for area, t, value, _ in found} == expected(values, starts)
    assert len({row[:2] for row in found}) == len(found)
    assert not any(revision for *_, revision in found)


@given(table=tables, starts=starts, data=st.data())
def test_after_a_correction_the_last_revisions_are_the_table_of_the_corrected_values(
    table: list[list[float]], starts: list[int], data: st.DataObject
) -> None:
    old, own = array(table), publisher()
    published = rows(close(own, old, 0, starts))
    count = data.draw(st.integers(1, 3))
    for _ in range(count):
        first = data.draw(st.integers(0, len(old) - 1))
        new = old.copy()
        new[first:] = array(
            data.draw(
                st.lists(
                    st.lists(depths, min_size=3, max_size=3),
                    min_size=len(old) - first,
                    max_size=len(old) - first,
                )
            )
        )
        out = Published()
        around = [np.vstack((np.full(AREAS, np.nan), table_))[first:] for table_ in (new, old)]
        changed = ~((around[0] == around[1]) | (np.isnan(around[0]) & np.isnan(around[1])))
        now, before = (windows(table_, first - 1, starts) for table_ in around)
        own.correct(POND, Past(now, before, changed, NOON + 60 * MINUTE), out)
        published += rows(out)
        old = new
    final: dict[tuple[int, int], tuple[int, float | None]] = {}
    for area, t, value, revision in published:
        known = final.get((area, t))
        assert known is None or revision == known[0] + 1
        final[area, t] = revision, value
    wanted = expected(old, starts)
    assert {key: final[key][1] for key in wanted} == wanted
    assert all(value is None for key, (_, value) in final.items() if key not in wanted)


@given(table=tables)
def test_levels_and_alerts_do_not_depend_on_how_windows_are_split(table: list[list[float]]) -> None:
    values, whole, split = array(table), publisher(), publisher()
    together = close(whole, values, 0)
    parts = [close(split, values[t : t + 1], t) for t in range(len(values))]
    one_by_one = [t for part in parts for t in part.transitions]
    assert [repr(t) for t in one_by_one] == [repr(t) for t in together.transitions]
    levels = [sorted(levels_of(out)) for out in (together, *parts)]
    assert levels[0] == sorted(row for part in levels[1:] for row in part)


def levels_of(out: Published) -> list[tuple[object, ...]]:
    return [
        row
        for f in out.frames
        for row in zip(*(np.asarray(c).tolist() for c in (f.area, f.window_end, f.level)), strict=True)
    ]


def test_a_value_without_recent_input_is_no_row_but_of_areas_always_due() -> None:
    own, out = publisher(), Published()
    zero = windows(np.zeros((1, AREAS)), 0, [0, 10, 10])
    zero.judged.recent[:] = False
    own.close(POND, zero, Early.none(), out)
    assert rows(out) == [(0, 0, 0.0, 0)]


def test_a_corrected_value_that_no_input_stands_behind_any_more_takes_its_row_back() -> None:
    own, out = publisher(), Published()
    published = rows(close(own, np.ones((1, AREAS)), 0))
    now, before = (windows(np.full((2, AREAS), v), -1) for v in (0.0, 1.0))
    now.judged.recent[:] = False
    own.correct(POND, Past(now, before, np.ones((2, AREAS), bool), NOON + MINUTE), out)
    assert [row[2] for row in published] == [1.0] * AREAS
    assert rows(out) == [(area, 0, None, 1) for area in range(AREAS)]


def test_an_early_value_alarms_though_no_window_of_its_area_has_data() -> None:
    own, out = publisher(), Published()
    early = Early(NOON + np.array([5_000, 9_000]), np.array([1, 1]), np.array([0.2, 0.5]))
    own.close(POND, windows(np.full((2, AREAS), math.nan), 0), early, out)
    found = [(t.area, t.transition, t.level, t.early) for t in out.transitions]
    assert found == [("1", "raised", 2, True), ("1", "escalated", 4, True)]


def test_an_early_value_comes_before_the_first_window_end_not_ten_seconds_behind_it() -> None:
    own, out = publisher(), Published()
    early = Early(NOON + np.array([9_999, 10_000]), np.array([0, 1]), np.array([0.5, 0.5]))
    own.close(POND, windows(np.full((2, AREAS), 0.2), 0), early, out)
    found = [(t.area, t.level, t.early) for t in out.transitions if t.transition == "raised"]
    assert found == [("0", 4, True), ("1", 2, False), ("2", 2, False)]


def test_early_values_are_split_at_an_instant() -> None:
    early = Early(np.array([1, 2, 2, 3]), np.arange(4), np.arange(4.0))
    passed, rest = early.split(2)
    assert (passed.row.tolist(), rest.row.tolist()) == ([0], [1, 2, 3])


def test_forgetting_leaves_the_revisions_of_later_windows() -> None:
    own, out = publisher(), Published()
    close(own, np.zeros((2, AREAS)), 0)
    now, before = (windows(np.full((3, AREAS), v), -1) for v in (0.05, 0.0))
    own.correct(POND, Past(now, before, np.ones((3, AREAS), bool), NOON + MINUTE), out)
    own.trim(POND, NOON + MINUTE)
    kept = own.state()["rows"]["drainage.ponding_depth_max"]["revisions"]
    assert sorted(kept.tolist()) == [[area, NOON + MINUTE, 1] for area in range(AREAS)]


def test_the_first_row_of_an_area_is_revised_though_it_has_no_value() -> None:
    own, starts = publisher(), (1, 10, 10)
    nothing = np.full((2, AREAS), np.nan)
    assert rows(close(own, nothing[1:], 1, starts)) == [(0, 1, None, 0)]
    changed = np.zeros((2, AREAS), bool)
    changed[1, 0] = True
    now, out = windows(nothing, 0, starts), Published()
    own.correct(POND, Past(now, now, changed, NOON + 60 * MINUTE), out)
    assert rows(out) == [(0, 1, None, 1)]
