"""The clock of a partition: honest leaps are believed, future stamps are not, whatever the batches (R6)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.admission.partition_clock import NEVER, PartitionClock, effective, grid

FUTURE, WITHIN, HOUR = 300_000, 3_600_000, 3_600_000
TIMES = st.lists(
    st.sampled_from([0, 60_000, 300_000, 300_001, 600_000, 900_000, HOUR, HOUR + 1, 5 * HOUR]), max_size=40
)


def plain(ts: list[int]) -> list[tuple[bool, int]]:
    """(honest, maximum before) of each record, one at a time, with the whole partition at hand."""
    maximum, judged = NEVER, []
    for i, t in enumerate(ts):
        honest, before, further = t <= maximum + FUTURE, maximum, ts[i + 1 : i + 6]
        if not honest and further:
            honest = 2 * sum(f >= t - FUTURE for f in further) > len(further)
        elif not honest:
            honest = maximum == NEVER or t <= maximum + WITHIN
        judged.append((honest, before))
        maximum = max(maximum, t) if honest else maximum
    return judged


@settings(max_examples=500, deadline=None)
@given(ts=TIMES, data=st.data())
def test_the_clock_judges_as_if_records_came_alone(ts: list[int], data: st.DataObject) -> None:
    clock, honest, before, at = PartitionClock(10_000, FUTURE), list[bool](), list[int](), 0
    waiting: list[int] = []
    while at < len(ts):
        size = data.draw(st.integers(1, 12))
        waiting, at = waiting + ts[at : at + size], at + size
        judged = clock.judge(np.array(waiting, np.int64))
        waiting = waiting[judged.released :]
        assert len(waiting) <= 5
        honest += judged.honest.tolist()
        before += judged.before.tolist()
    judged = clock.judge(np.array(waiting, np.int64), np.full(len(waiting), WITHIN))
    honest += judged.honest.tolist()
    before += judged.before.tolist()
    expected = plain(ts)
    assert honest == [h for h, _ in expected]
    assert before == [b for h, b in expected if h]


def judged(*ts: int, allowance: int | None = WITHIN) -> tuple[list[bool], int]:
    clock = PartitionClock(10_000, FUTURE)
    times = np.array(ts, np.int64)
    verdict = clock.judge(times, None if allowance is None else np.full(len(ts), allowance))
    return verdict.honest.tolist(), clock.maximum


@pytest.mark.parametrize(
    ("ts", "honest", "maximum"),
    [
        pytest.param(
            [0, 9 * HOUR, 1, 2, 3, 4, 5], [True, False] + [True] * 5, 5, id="one future stamp is refused"
        ),
        pytest.param([0, HOUR, HOUR, HOUR], [True] * 4, HOUR, id="an outage that ends is believed"),
        pytest.param([9 * HOUR, 1, 2, 3], [False, True, True, True], 3, id="even the first may be refused"),
        pytest.param([0, HOUR], [True, True], HOUR, id="the last reading of an hourly sensor is honest"),
        pytest.param([0, HOUR + 1], [True, False], 0, id="but not beyond its correction span"),
        pytest.param([7], [True], 7, id="a lonely reading is its own measure"),
        pytest.param(
            [0, HOUR, 0, HOUR], [True, False, True, True], HOUR, id="half the witnesses are not most"
        ),
    ],
)
def test_leaps_ahead(ts: list[int], honest: list[bool], maximum: int) -> None:
    assert judged(*ts) == (honest, maximum)


def test_a_leap_waits_for_its_fifth_witness() -> None:
    clock = PartitionClock(10_000, FUTURE)
    assert clock.judge(np.array([0] * 5)).released == 0
    assert clock.judge(np.array([0] * 6)).released == 6
    assert clock.judge(np.array([HOUR] * 6)).released == 6


@given(
    ts=st.integers(0, 10**13),
    before=st.one_of(st.just(NEVER), st.integers(0, 10**13)),
    length=st.sampled_from([1_000, 60_000, 90_000, HOUR]),
    origin=st.sampled_from([0, -8 * HOUR, 10**12]),
)
def test_a_record_takes_effect_at_a_slice_end_not_before_its_watermark(
    ts: int, before: int, length: int, origin: int
) -> None:
    end = int(effective(np.array([ts]), np.array([before]), length, origin, 10_000)[0])
    watermark = before - 10_000
    assert (end - origin) % length == 0
    assert end >= ts
    assert end > watermark
    assert end - length < ts or end - length <= watermark


@given(ts=st.integers(0, 10**13), before=st.one_of(st.just(NEVER), st.integers(0, 10**13)))
def test_the_grid_is_the_end_of_the_second_of_the_maximum(ts: int, before: int) -> None:
    second = int(grid(np.array([ts]), np.array([before]))[0])
    assert second % 1000 == 0
    assert 0 <= second - max(ts, before) < 1000
