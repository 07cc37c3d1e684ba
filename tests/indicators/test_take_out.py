"""Readings that are taken out of a store leave it as if they had never come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.small_city import HOUR, MINUTE, store_of
from tests.indicators.test_store import SERIES, Row, batches, check_latest, insert, moves

spans = st.lists(st.tuples(st.integers(0, 3 * HOUR), st.integers(0, 3 * HOUR)), min_size=1, max_size=SERIES)


@settings(deadline=None)
@given(batches=batches, moves=moves, spans=spans, ends=st.sets(st.integers(0, 240), min_size=1, max_size=5))
def test_latest_readings_and_sums_are_those_of_a_store_without_them(
    batches: list[list[Row]], moves: list[int], spans: list[tuple[int, int]], ends: set[int]
) -> None:
    store, rest = store_of(SERIES), store_of(SERIES)
    for batch, to in zip(batches, moves, strict=False):
        insert(store, batch)
        store.advance(to)
    begin, end = np.array([(min(s), max(s)) for s in spans]).T
    out = store.take_out(np.arange(len(spans)), begin, end)
    left = [
        [row for row in batch if row[0] >= len(spans) or not begin[row[0]] < row[1] <= end[row[0]]]
        for batch in batches
    ]
    held = {(s, t): v for batch in batches for s, t, v in batch}
    kept = {(s, t): v for batch in left for s, t, v in batch}
    taken = {(s, t): v for s, t, v in zip(*(column.tolist() for column in out), strict=True)}
    assert taken == {key: value for key, value in held.items() if key not in kept}
    check_latest(store, left, [minute * MINUTE for minute in sorted(ends)])
    for batch in left:
        if batch:
            insert(rest, batch)
    last = int(store.ring.number(np.array([4 * HOUR]))[0])
    for channel in ("count", "sum", "min", "max"):
        found = store.ring.total(channel, 0, last, SERIES)
        assert found.tolist() == rest.ring.total(channel, 0, last, SERIES).tolist()
    # Put back, all is as it was.
    if len(out[0]):
        store.insert(*out)
    check_latest(store, batches, [minute * MINUTE for minute in sorted(ends)])


@pytest.mark.parametrize("channel", ["count", "sum"])
def test_sums_of_hours_that_were_asked_before_are_made_anew(channel: str) -> None:
    store = store_of(SERIES)
    rows = [(0, minute * MINUTE, 5) for minute in range(1, 121)]
    insert(store, rows)
    last = int(store.ring.number(np.array([2 * HOUR]))[0])
    before = store.ring.total(channel, 0, last, SERIES)[0]
    store.take_out(np.array([0]), np.array([10 * MINUTE]), np.array([20 * MINUTE]))
    assert store.ring.total(channel, 0, last, SERIES)[0] == before * 110 // 120
