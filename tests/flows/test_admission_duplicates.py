"""The last eight readings of a series: repeats are dropped, corrections replace (R7)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.admission.duplicates import DEPTH, Recent


def plain(rows: list[tuple[int, int, int]]) -> list[bool]:
    memory: dict[int, dict[int, int]] = {}
    found = []
    for series, ts, value in rows:
        mine = memory.setdefault(series, {})
        found.append(mine.get(ts) == value)
        mine[ts] = value
        if len(mine) > DEPTH:
            del mine[next(iter(mine))]
    return found


@st.composite
def readings(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Few series and few times, so that times come back before and after they are forgotten."""
    times = draw(st.sampled_from([3, 9, 10, 12, 20, 60]))
    row = st.tuples(st.integers(0, 2), st.integers(0, times), st.integers(0, 1))
    size = draw(st.sampled_from([5, 40, 120]))
    rows = draw(st.lists(row, min_size=size // 2, max_size=size))
    if draw(st.booleans()):
        return rows
    return [(s, i if i % 5 else t, v) for i, (s, t, v) in enumerate(rows)]


@settings(max_examples=300, deadline=None)
@given(rows=readings(), large=st.sampled_from([1, 2**33]), data=st.data())
def test_repeats_are_found_as_if_readings_came_alone(
    rows: list[tuple[int, int, int]], large: int, data: st.DataObject
) -> None:
    rows = [(series, ts * large, (value - 1) * large) for series, ts, value in rows]
    recent, found, at = Recent(), [], 0
    while at < len(rows):
        size = data.draw(st.sampled_from([1, 2, 7, 120]))
        batch, at = np.array(rows[at : at + size]), at + size
        found += recent.duplicates(batch[:, 0].astype(np.int32), batch[:, 1], batch[:, 2]).tolist()
        if data.draw(st.booleans()):
            recent = Recent.restore(recent.state())
    assert found == plain(rows)


@pytest.mark.parametrize(
    ("ts", "value", "duplicate"),
    [
        pytest.param([5, 5], [1, 1], [False, True], id="the same again"),
        pytest.param([5, 5, 5, 5], [1, 2, 1, 1], [False, False, False, True], id="a correction and back"),
        pytest.param([0, *range(1, 8), 0], [1] * 9, [False] * 8 + [True], id="the eighth is remembered"),
        pytest.param([0, *range(1, 9), 0], [1] * 10, [False] * 10, id="the ninth is forgotten"),
        pytest.param(
            [0, 0, *range(1, 9), 0],
            [1, 2, *[1] * 8, 2],
            [False] * 11,
            id="a correction does not keep it longer",
        ),
    ],
)
def test_what_is_remembered(ts: list[int], value: list[int], duplicate: list[bool]) -> None:
    series = np.zeros(len(ts), np.int32)
    assert Recent().duplicates(series, np.array(ts), np.array(value)).tolist() == duplicate


@given(count=st.integers(1, 30), series=st.integers(1, 3), back=st.integers(0, 12))
def test_the_last_eight_of_a_long_rising_batch_are_remembered(count: int, series: int, back: int) -> None:
    recent, ts = Recent(), np.repeat(np.arange(count), series)
    which, value = np.tile(np.arange(series, dtype=np.int32), count), np.ones(len(ts), np.int64)
    assert not recent.duplicates(which, ts, value).any()
    again = np.full(series, count - 1 - back)
    found = recent.duplicates(which[:series], again, value[:series])
    assert found.tolist() == [back < min(DEPTH, count)] * series
