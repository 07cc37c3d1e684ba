"""A shard: what it is told, in whatever batches, is what formulas see."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.shard import Shard
from tests.indicators.small_city import (
    CELLS,
    HOUR,
    METRICS,
    MINUTE,
    NOON,
    PLAN,
    Case,
    Reading,
    empty_shard,
    frame_of,
    full_shard,
    plan_of,
    same,
    take,
)

readings = st.builds(
    Reading,
    st.sampled_from(["rain_1m", "ponding_depth", "bin_fill"]),
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(-90, 0).map(lambda m: NOON + m * MINUTE),
    st.integers(0, 9).map(float),
)
streams = st.lists(readings, max_size=40)
ENDS = NOON + np.arange(-6, 1) * 5 * MINUTE


@settings(max_examples=30)
@given(stream=streams, size=st.integers(1, 9), moves=st.lists(st.integers(-120, -60), min_size=1, max_size=4))
def test_neither_batches_nor_the_passing_of_time_show_in_any_value(
    stream: list[Reading], size: int, moves: list[int]
) -> None:
    whole, split = full_shard(stream), empty_shard()
    for i in range(0, len(stream), size):
        take(split, stream[i : i + size])
        split.advance(NOON + moves[i // size % len(moves)] * MINUTE)
    for plan in (p for p in PLAN.indicators if whole.active(p)):
        a, b = (frame_of(shard, plan, ENDS) for shard in (whole, split))
        codes = [s.layout(plan).code.tolist() for s in (whole, split)]
        assert codes[0] == codes[1]
        pairs = zip((*a.partials, a.evidence), (*b.partials, b.evidence), strict=True)
        assert all(same(one.finish(), other.finish()) for one, other in pairs if one.fn != "evidence")
        assert all(same(c, d) for c, d in zip(a.evidence.columns, b.evidence.columns, strict=True))


@given(stream=streams)
def test_a_reading_that_replaces_another_is_checked_once(stream: list[Reading]) -> None:
    shard = full_shard(stream)
    for place in range(3):
        own = {(r.metric, r.sensor, r.ts) for r in stream if r.place == place}
        cell = int(shard.cells.number(CELLS[[place]])[0])
        low, high = shard.counters.number(np.array([NOON - 3 * HOUR, NOON + HOUR])).tolist()
        for name in ("checked", "correct"):
            assert shard.counters.total(name, low, high, shard.cells.n)[cell] == len(own)


def test_an_indicator_is_active_once_any_of_its_inputs_was_heard_of() -> None:
    plan = plan_of("highest(sum(rain_1m)) + number(open(ev_gas_leak))")
    own = plan.indicators[0]
    shard = empty_shard(plan)
    assert not shard.active(own)
    take(shard, [Reading("bin_fill", 1, 0, NOON, 5.0)])
    assert not shard.active(own)
    with_case, with_reading = empty_shard(plan), empty_shard(plan)
    take(with_case, [Case("ev_gas_leak", 1, 0, (("reported", NOON, 0),))])
    take(with_reading, [Reading("rain_1m", 1, 0, NOON, 5.0)])
    assert with_case.active(own)
    assert with_reading.active(own)


def cells_of(shard: Shard) -> list[int]:
    codes: list[int] = shard.layout(shard.plan.indicators[0]).code.tolist()
    return codes


def test_a_layout_holds_every_cell_that_ever_had_an_input() -> None:
    plan = plan_of("highest(sum(rain_1m)) + number(open(ev_gas_leak))")
    shard = empty_shard(plan)
    take(shard, [Reading("rain_1m", 1, 0, NOON, 5.0), Case("ev_gas_leak", 1, 1, (("reported", NOON, 0),))])
    assert sorted(cells_of(shard)) == sorted(CELLS[[0, 1]].tolist())
    take(shard, [Case("ev_gas_leak", 1, 2, (("reported", NOON, 0),))])
    assert set(cells_of(shard)) >= set(CELLS[[0, 2]].tolist())
    assert shard.layout(plan.indicators[0]) is shard.layout(plan.indicators[0])


def test_the_universe_grows_with_the_series() -> None:
    shard = full_shard([Reading("rain_1m", 1, 0, NOON, 5.0)])
    first = shard.universe(("rain_1m", "ponding_depth"))
    assert shard.universe(("rain_1m", "ponding_depth")) is first
    take(shard, [Reading("ponding_depth", s, 0, NOON, 0.5) for s in (1, 2)])
    assert shard.universe(("rain_1m", "ponding_depth")).size == 2


def test_what_windows_and_corrections_need_is_not_forgotten() -> None:
    hours = range(-30 * 24, 1)
    shard = full_shard([Reading("rain_1m", 1, 0, NOON + h * HOUR, 1.0) for h in hours])
    shard.advance(NOON)
    index = METRICS.index["rain_1m"]
    longest = max(p.indicator.window_ms for p in PLAN.using("rain_1m"))
    oldest = NOON - longest - METRICS["rain_1m"].correct_within_ms
    store = shard.stores[index]
    low, high = store.ring.number(np.array([oldest, NOON])).tolist()
    assert store.ring.total("count", low, high, 1).tolist() == [(NOON - oldest) // HOUR]
    assert store.ring.tier is not None
    assert len(store.ring.slices) < 12 < 9 * 24 < len(store.ring.tier.steps) < len(hours) // 2
