"""Spans of readings that are kept apart: joined where metrics are read together, never overlapping."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.batches import FINAL
from flows.quarantine.apart import Apart
from flows.quarantine.watched import Columns
from flows.stages.quarantine import Spans

TOGETHER = {0: {0: 0, 1: 25}, 1: {0: 0, 1: 25}, 2: {2: 0}}
"""By column: those that are read together with it, and by how much earlier they go."""

STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(TOGETHER)), st.integers(1, 40), st.integers(0, 60)), max_size=12
)


def columns_of(count: int) -> Columns:
    columns, each = Columns(), np.arange(count)
    columns.add(each * 0 + 7, each, each * 0 + 3, each * 0, each * 0)
    return columns


@given(steps=STEPS)
def test_faults_that_come_and_go_keep_apart_what_is_read_together(steps: list[tuple[int, int, int]]) -> None:
    columns, apart, spans = columns_of(3), Apart(), {column: Spans() for column in TOGETHER}
    faulty: dict[int, int] = {}
    now = 1_000
    for column, later, back in steps:
        now += later
        if column in faulty:
            began = faulty.pop(column)
            orders = apart.remove(column, max(now - back, began), now, columns)
        else:
            faulty[column], orders = apart.add(column, TOGETHER[column], now - back, now, columns)
        for _, metric, _, _, begin, end in orders:
            spans[metric].put(0, begin, end)
        copy = Apart()
        copy.restore(apart.state())
        assert copy.state() == apart.state()
        for one, together in TOGETHER.items():
            standing = bool((spans[one].end == FINAL).sum())
            assert standing == any(other in faulty for other in together)
            assert not standing or spans[one].hold(np.array([0]), np.array([now + 1])).all()
    for one in TOGETHER:
        mine = sorted(zip(spans[one].begin.tolist(), spans[one].end.tolist(), strict=True))
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(mine))


def test_a_series_that_came_later_is_not_kept_apart() -> None:
    """Whether a batch already knows it must not show."""
    columns = columns_of(2)
    columns.born[1] = 500
    assert columns.of_sensor(0, np.array([0, 1]), 400).tolist() == [0]
    assert columns.of_sensor(0, np.array([0, 1]), 500).tolist() == [0, 1]
