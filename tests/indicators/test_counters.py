"""The engine's own counters by cell and slice (R10)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indicators.counters import CellCounters
from tests.indicators.small_city import HOUR

Event = tuple[str, int, int]
"""counter, cell, ts"""

names = st.sampled_from(["checked", "correct"])
events = st.tuples(names, st.integers(0, 4), st.integers(-2 * HOUR, 5 * HOUR))


def counted(batches: list[list[Event]], origin: int = 0) -> CellCounters:
    counters = CellCounters(HOUR, origin)
    for batch in batches:
        for name in ("checked", "correct"):
            own = [(cell, ts) for n, cell, ts in batch if n == name]
            cells, ts = np.array(own, np.int64).reshape(-1, 2).T
            counters.add([name], cells, ts)
    return counters


@given(
    batches=st.lists(st.lists(events, max_size=10), max_size=5),
    name=names,
    low=st.integers(-3, 5),
    size=st.integers(0, 4),
    origin=st.sampled_from([0, -HOUR // 2]),
)
def test_a_total_counts_the_records_of_each_cell(
    batches: list[list[Event]], name: str, low: int, size: int, origin: int
) -> None:
    begin, end = origin + low * HOUR, origin + (low + size) * HOUR
    everything = [event for batch in batches for event in batch]
    expected = [
        sum(n == name and c == cell and begin < t <= end for n, c, t in everything) for cell in range(6)
    ]
    assert counted(batches, origin).total(name, low, low + size, 6).tolist() == expected


@given(batches=st.lists(st.lists(events, max_size=10), max_size=5), keep=st.integers(-2, 5))
def test_forgetting_takes_nothing_from_later_slices(batches: list[list[Event]], keep: int) -> None:
    counters, whole = counted(batches), counted(batches)
    counters.forget(keep * HOUR)
    assert counters.total("checked", keep, 6, 5).tolist() == whole.total("checked", keep, 6, 5).tolist()
    assert not counters.total("checked", -4, keep, 5).any()
