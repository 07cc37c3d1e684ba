"""Slices: whatever the order and the batches, the ring is what its readings say (R2, R7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indicators.rested import Rested
from indicators.slice_ring import SliceRing
from indicators.slices import Ints, Slice
from tests.indicators.small_city import HOUR, MINUTE

SERIES = 5
SPAN = 4 * HOUR
LARGEST, LEAST = np.iinfo(np.int64).max, np.iinfo(np.int64).min

Row = tuple[int, int, int]
"""series, ts, value"""

origins = st.sampled_from([0, -30 * MINUTE, 7])
lengths = st.sampled_from([MINUTE, 5 * MINUTE, HOUR])
# Few distinct times, so that readings often replace each other; borders of slices among them.
times = st.one_of(st.integers(-HOUR, SPAN), st.integers(-12, 48).map(lambda k: k * 5 * MINUTE))
rows = st.tuples(st.integers(0, SERIES - 1), times, st.integers(-1000, 1000))
batches = st.lists(st.lists(rows, min_size=1, max_size=12), min_size=1, max_size=8)


def columns(batch: Sequence[Row]) -> tuple[Ints, Ints, Ints]:
    series, ts, value = np.array(batch, np.int64).T
    return series, ts, value


def filled(batches: Sequence[Sequence[Row]], length: int = MINUTE, origin: int = 0) -> SliceRing:
    ring = SliceRing(length, origin)
    for batch in batches:
        ring.insert(*columns(batch), SERIES)
    return ring


def last_arrivals(batches: Sequence[Sequence[Row]]) -> dict[tuple[int, int], int]:
    return {(series, ts): value for batch in batches for series, ts, value in batch}


def contents(ring: SliceRing) -> dict[tuple[int, int], int]:
    low, high = min(ring.slices) - 1, max(ring.slices)
    series, ts, value = (c.tolist() for c in ring.packed(low, high))
    assert list(zip(series, ts, strict=True)) == sorted(set(zip(series, ts, strict=True)))
    return dict(zip(zip(series, ts, strict=True), value, strict=True))


@given(batches=batches, length=lengths, origin=origins)
def test_a_ring_holds_the_last_arrival_of_every_series_and_time(
    batches: list[list[Row]], length: int, origin: int
) -> None:
    ring = filled(batches, length, origin)
    assert contents(ring) == last_arrivals(batches)
    for k, part in ((k, kept.awake()) for k, kept in ring.slices.items()):
        assert ((part.ts > origin + (k - 1) * length) & (part.ts <= origin + k * length)).all()


@given(rows=st.lists(rows, min_size=1, max_size=40), cuts=st.sets(st.integers(1, 39)), length=lengths)
def test_cutting_arrivals_into_batches_changes_no_slice(rows: list[Row], cuts: set[int], length: int) -> None:
    at = sorted(c for c in cuts if c < len(rows))
    parts = [rows[a:b] for a, b in zip([0, *at], [*at, len(rows)], strict=True)]
    whole, split = filled([rows], length), filled(parts, length)
    assert whole.slices.keys() == split.slices.keys()
    for k, part in ((k, kept.awake()) for k, kept in whole.slices.items()):
        other = split.slices[k].awake()
        assert part.series.tolist() == other.series.tolist()
        assert part.ts.tolist() == other.ts.tolist()
        assert part.value.tolist() == other.value.tolist()


@given(
    batches=batches,
    length=lengths,
    origin=origins,
    rests=st.lists(st.integers(-HOUR, SPAN), min_size=8, max_size=8),
    channel=st.sampled_from(["count", "sum", "min", "max"]),
)
def test_slices_at_rest_say_what_they_said_and_take_what_comes_late(
    batches: list[list[Row]], length: int, origin: int, rests: list[int], channel: str
) -> None:
    awake, rested = SliceRing(length, origin), SliceRing(length, origin)
    for batch, instant in zip(batches, rests, strict=False):
        fresh = [ring.insert(*columns(batch), SERIES) for ring in (awake, rested)]
        assert [f.tolist() for f in fresh[0]] == [f.tolist() for f in fresh[1]]
        rested.rest(instant)
        assert contents(rested) == contents(awake)
        low, high = min(awake.slices) - 1, max(awake.slices)
        totals = [ring.total(channel, low, high, SERIES).tolist() for ring in (awake, rested)]
        assert totals[0] == totals[1]
        for k, kept in rested.slices.items():
            assert isinstance(kept, Rested) or origin + k * length > instant
            assert [c.tolist() for c in kept.last()] == [c.tolist() for c in awake.slices[k].last()]
            assert rested.dump(k) == awake.dump(k)


@given(batches=batches)
def test_only_readings_that_replace_no_other_are_new(batches: list[list[Row]]) -> None:
    ring, known = SliceRing(MINUTE, 0), set[tuple[int, int]]()
    for batch in batches:
        series, ts = ring.insert(*columns(batch), SERIES)
        arrived = {(s, t) for s, t, _ in batch}
        assert sorted(zip(series.tolist(), ts.tolist(), strict=True)) == sorted(arrived - known)
        known |= arrived


def positive(values: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.where(values == 0, np.nan, values > 0).astype(np.float64)


def naive(inside: Sequence[tuple[int, int]], channel: object) -> int:
    """A channel's sum over (series, value) pairs of one series."""
    values = [value for _, value in inside]
    found: dict[object, int] = {
        "count": len(values),
        "sum": sum(values),
        "min": min(values, default=LARGEST),
        "max": max(values, default=LEAST),
        ("true", "positive"): sum(v > 0 for v in values),
        ("known", "positive"): sum(v != 0 for v in values),
    }
    return found[channel]


channels = st.sampled_from(["count", "sum", "min", "max", ("true", "positive"), ("known", "positive")])


@given(
    batches=batches,
    length=lengths,
    origin=st.sampled_from([0, -30 * MINUTE]),
    spans=st.lists(st.tuples(st.integers(-13, 49), st.integers(0, 60)), min_size=1, max_size=4),
    channel=channels,
)
def test_totals_are_those_of_the_readings_also_while_more_arrive(
    batches: list[list[Row]], length: int, origin: int, spans: list[tuple[int, int]], channel: object
) -> None:
    ring = SliceRing(length, origin)
    ring.tests = {("true", "positive"): positive, ("known", "positive"): positive}
    arrived: list[list[Row]] = []
    for batch in batches:
        ring.insert(*columns(batch), SERIES)
        arrived.append(batch)
        held = last_arrivals(arrived)
        for first, size in spans:
            step = max(1, 5 * MINUTE // length)
            low, high = first * step, (first + size) * step
            found = ring.total(channel, low, high, SERIES).tolist()
            begin, end = origin + low * length, origin + high * length
            for series in range(SERIES):
                inside = [(t, v) for (s, t), v in held.items() if s == series and begin < t <= end]
                assert found[series] == naive(inside, channel)


@given(
    batches=batches,
    length=lengths,
    first=st.integers(-13, 49),
    moves=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6),
    channel=channels,
)
def test_windows_that_move_on_have_the_totals_of_each(
    batches: list[list[Row]], length: int, first: int, moves: list[tuple[int, int]], channel: object
) -> None:
    ring = filled(batches, length)
    ring.tests = {("true", "positive"): positive, ("known", "positive"): positive}
    bounds = [(first, first + 20)]
    for leaving, entering in moves:
        bounds.append((bounds[-1][0] + leaving, max(bounds[-1][1] + entering, bounds[-1][0] + leaving)))
    alone = [ring.total(channel, low, high, SERIES).tolist() for low, high in bounds]
    assert ring.totals(channel, bounds, SERIES).tolist() == alone


@given(batches=batches, length=lengths, before=st.integers(-HOUR, SPAN))
def test_forgetting_drops_the_slices_that_ended_and_no_other(
    batches: list[list[Row]], length: int, before: int
) -> None:
    ring = filled(batches, length)
    border = before // length * length
    ring.total("count", min(ring.slices) - 1, max(ring.slices), SERIES)
    ring.forget(border)
    kept = {key: value for key, value in last_arrivals(batches).items() if key[1] > border}
    assert (contents(ring) if ring.slices else {}) == kept
    low, high = border // length, SPAN // length
    assert ring.total("count", low, high, SERIES).sum() == len(kept)


@given(batch=st.lists(rows, min_size=1, max_size=30))
def test_the_last_of_a_slice_are_the_latest_readings(batch: list[Row]) -> None:
    part = Slice.of(*columns(batch))
    latest = {s: max(t for q, t, _ in batch if q == s) for s, _, _ in batch}
    who, ts, _ = part.last()
    assert dict(zip(who.tolist(), ts.tolist(), strict=True)) == latest


def test_what_is_handed_in_is_not_written_to() -> None:
    given_ = [np.array([2, 0, 2]), np.array([50, 10, 50]), np.array([1, 2, 3])]
    for column in given_:
        column.flags.writeable = False
    ring = SliceRing(MINUTE, 0)
    ring.insert(given_[0], given_[1], given_[2], SERIES)
    ring.insert(given_[0], given_[1], given_[2], SERIES)
    assert contents(ring) == {(0, 10): 2, (2, 50): 3}
