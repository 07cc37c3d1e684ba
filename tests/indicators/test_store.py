"""The latest readings and who is known: the same at any window end, however late readings came in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indicators.store import FOREVER, MetricStore
from tests.indicators.small_city import DAY, HOUR, MINUTE, store_of

SERIES = 4
NEVER = np.iinfo(np.int64).min

Row = tuple[int, int, int]
"""series, ts, value"""

rows = st.tuples(
    st.integers(0, SERIES - 1),
    st.one_of(st.integers(0, 3 * HOUR), st.integers(0, 18).map(lambda k: k * 10 * MINUTE)),
    st.integers(-9, 9),
)
batches = st.lists(st.lists(rows, min_size=1, max_size=10), min_size=1, max_size=6)
moves = st.lists(st.integers(0, 3 * HOUR), min_size=6, max_size=6)


def insert(store: MetricStore, batch: Sequence[Row]) -> None:
    series, ts, value = np.array(batch, np.int64).T
    store.insert(series, ts, value)


def naive_latest(batches: Sequence[Sequence[Row]], series: int, end: int) -> tuple[int, int] | None:
    held = {(s, t): v for batch in batches for s, t, v in batch}
    return max(((t, v) for (s, t), v in held.items() if s == series and t <= end), default=None)


def check_latest(store: MetricStore, batches: Sequence[Sequence[Row]], ends: Sequence[int]) -> None:
    ts, value = store.latest(np.array(ends))
    for i, end in enumerate(ends):
        for series in range(SERIES):
            expected = naive_latest(batches, series, end)
            if expected is None:
                assert ts[i, series] == NEVER
            else:
                assert (ts[i, series], value[i, series]) == expected


@given(batches=batches, moves=moves, ends=st.sets(st.integers(0, 240), min_size=1, max_size=5))
def test_the_latest_readings_do_not_depend_on_when_time_moved_on(
    batches: list[list[Row]], moves: list[int], ends: set[int]
) -> None:
    store = store_of(SERIES)
    for i, (batch, to) in enumerate(zip(batches, moves, strict=False)):
        insert(store, batch)
        store.advance(to)
        check_latest(store, batches[: i + 1], [minute * MINUTE for minute in sorted(ends)])


@given(batches=batches, moves=moves, more=st.lists(rows, min_size=1, max_size=5))
def test_a_restored_store_knows_the_latest_readings(
    batches: list[list[Row]], moves: list[int], more: list[Row]
) -> None:
    store = store_of(SERIES)
    for batch, to in zip(batches, moves, strict=False):
        insert(store, batch)
        store.advance(to)
    other = store_of(SERIES)
    other.restore(store.state())
    other.ring.slices = dict(store.ring.slices)
    for both in (store, other):
        insert(both, more)
    ends = np.arange(store.ring.number(np.array([max(store.position, 0)]))[0], 241) * MINUTE
    assert [c.tolist() for c in other.latest(ends)] == [c.tolist() for c in store.latest(ends)]
    assert other.first.tolist() == store.first.tolist()


@given(batches=batches, ends=st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=5))
def test_a_series_is_known_from_its_earliest_reading_until_it_is_retired(
    batches: list[list[Row]], ends: list[int]
) -> None:
    store = store_of(SERIES)
    for batch in batches:
        insert(store, batch)
    store.retired[0] = HOUR
    at = np.array(sorted(ends))
    earliest = {
        s: min((t for b in batches for q, t, _ in b if q == s), default=FOREVER) for s in range(SERIES)
    }
    expected = [
        [earliest[s] <= t < (HOUR if s == 0 else FOREVER) for s in range(SERIES)] for t in at.tolist()
    ]
    assert store.known(at).tolist() == expected


def test_a_sensor_is_expected_for_seven_days_after_its_latest_reading_or_when_registered() -> None:
    store = store_of(3)
    store.add(*(np.array([v]) for v in (2, 0, MINUTE, FOREVER, 1)))
    insert(store, [(0, MINUTE, 1)])
    ends = np.array([0, MINUTE, MINUTE + 7 * DAY - MINUTE, MINUTE + 7 * DAY])
    expected = store.expected(ends, store.latest(ends)[0])
    assert expected.T.tolist() == [[False, True, True, False], [False] * 4, [True] * 4]


def test_a_series_is_a_sensor_in_a_cell_and_keeps_its_number() -> None:
    store = store_of(0)
    one = np.ones(4, np.int64)
    numbers = store.add(np.array([7, 7, 8, 7]), np.array([1, 2, 1, 1]), 5 * one, one * FOREVER, 0 * one)
    assert numbers.tolist() == [0, 1, 2, 0]
    again = store.add(np.array([8]), np.array([1]), np.array([9]), np.array([3]), np.array([1]))
    assert again.tolist() == [2]
    assert (store.n, store.period.tolist(), store.retired[2], store.longest_period) == (3, [5, 5, 9], 3, 9)


@given(to=st.integers(0, 20 * DAY))
def test_what_a_window_may_still_ask_for_is_kept(to: int) -> None:
    store = store_of(1, period=5 * MINUTE)
    stamps = np.arange(0, 20 * DAY, 6 * HOUR)
    store.insert(np.zeros(len(stamps), np.int64), stamps, stamps)
    store.advance(to)
    low = max(to - store.kind.keep_ms - 15 * MINUTE, -1)
    kept = store.ring.packed(int(store.ring.number(np.array([low]))[0]), 20 * 1440)[1]
    assert set(stamps[stamps > low + MINUTE].tolist()) <= set(kept.tolist())
