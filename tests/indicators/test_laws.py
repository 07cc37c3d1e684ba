"""Laws over the catalogue: every indicator, because it is listed, obeys them on random towns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.functions import STATUSES
from indicators.plan import IndicatorPlan
from indicators.shard import Shard
from tests.indicators.small_city import (
    CELLS,
    GRID,
    METRICS,
    MINUTE,
    NOON,
    PLAN,
    Case,
    Ints,
    Reading,
    cell_values,
    city_values,
    empty_shard,
    frame_of,
    full_shard,
    judged,
    same,
    stored,
    take,
)

Town = list[Reading | Case]

SPREAD = 1.3
"""Records reach this many windows back: some lie before every window."""


def values(code: str) -> st.SearchStrategy[float]:
    """Readings in range, the metric's ends among them; small numbers are where the thresholds are."""
    metric = METRICS[code]
    low, high = metric.range_min, metric.range_max
    usual = st.floats(low, min(high, low + 1000), allow_nan=False)
    rounded = st.one_of(usual, st.sampled_from([low, high])).map(lambda v: round(v / metric.resolution))
    return rounded.map(lambda k: k * metric.resolution)


@st.composite
def towns(draw: st.DrawFn, plan: IndicatorPlan, places: int = 4) -> Town:
    """Readings of all inputs of an indicator in a few cells, and its cases."""
    town: Town = []
    span = int(SPREAD * plan.indicator.window_ms)
    stamps = st.integers(-span // MINUTE, 10).map(lambda k: NOON + k * MINUTE)
    for code in plan.metrics:
        rows = st.tuples(st.integers(0, 2), st.integers(0, places - 1), stamps, values(code))
        town += [Reading(code, 10 * p + s, p, ts, v) for s, p, ts, v in draw(st.lists(rows, max_size=14))]
    steps = st.lists(
        st.tuples(st.sampled_from(STATUSES), stamps, st.integers(0, 4)), min_size=1, max_size=5, unique=True
    )
    for event in plan.events:
        drawn = draw(st.lists(st.tuples(st.integers(0, places - 1), steps), max_size=5))
        town += [Case(event, key, place, tuple(sorted(own))) for key, (place, own) in enumerate(drawn)]
    return town


def ends_of(plan: IndicatorPlan) -> Ints:
    """The hour around noon: every hop of at most an hour ends at noon."""
    hop = plan.indicator.hop_ms
    return NOON + np.arange(-2, 2) * hop


def without_engine_counters(shard: Shard) -> Shard:
    """The engine's own counters tell cells apart by themselves (R10); here the records are the matter."""
    shard.counters.slices.clear()
    return shard


def on_the_ground(plan: IndicatorPlan) -> bool:
    """Whether the value depends on where things are, by the metre or by the cell."""
    return any(node.fn in {"clusters", "apart", "largest"} for node in plan.reductions)


every_indicator = pytest.mark.parametrize("plan", PLAN.indicators, ids=lambda p: p.indicator.id)


@every_indicator
class TestEveryIndicator:
    @settings(max_examples=8)
    @given(data=st.data())
    def test_cells_do_not_see_each_other(self, plan: IndicatorPlan, data: st.DataObject) -> None:
        town, ends = data.draw(towns(plan)), ends_of(plan)
        found = cell_values(full_shard(town), plan, ends)
        for place in {r.place for r in town}:
            code = GRID.text(CELLS[[place]])[0]
            alone = cell_values(full_shard([r for r in town if r.place == place]), plan, ends)
            assert same(found[code], alone[code])

    @settings(max_examples=8)
    @given(data=st.data())
    def test_no_value_depends_on_batches(self, plan: IndicatorPlan, data: st.DataObject) -> None:
        town, ends = data.draw(towns(plan)), ends_of(plan)
        size = data.draw(st.integers(1, 7))
        split = empty_shard()
        for i in range(0, len(town), size):
            take(split, town[i : i + size])
        found, whole = cell_values(split, plan, ends), cell_values(full_shard(town), plan, ends)
        assert found.keys() == whole.keys()
        assert all(same(found[code], whole[code]) for code in whole)

    @settings(max_examples=8)
    @given(data=st.data())
    def test_the_value_of_a_parent_is_that_of_all_records_in_one_place(
        self, plan: IndicatorPlan, data: st.DataObject
    ) -> None:
        town, ends = data.draw(towns(plan)), ends_of(plan)
        if on_the_ground(plan):
            # Distances count there, so records must stay where they are; any order of cells will do.
            turned = sorted(town, key=lambda r: -r.place)
            merged, recomputed = (city_values(full_shard(rows), plan, ends) for rows in (town, turned))
            np.testing.assert_allclose(merged, recomputed, rtol=1e-12)
            return
        together: Town = [
            Reading(r.metric, r.sensor, 0, r.ts, r.value)
            if isinstance(r, Reading)
            else Case(r.event, r.key, 0, r.steps)
            for r in town
        ]
        merged = city_values(without_engine_counters(full_shard(town)), plan, ends)
        recomputed = city_values(without_engine_counters(full_shard(together)), plan, ends)
        np.testing.assert_allclose(merged, recomputed, rtol=1e-12)

    @settings(max_examples=8)
    @given(data=st.data())
    def test_what_came_after_a_window_end_does_not_show_in_it(
        self, plan: IndicatorPlan, data: st.DataObject
    ) -> None:
        town, ends = data.draw(towns(plan)), ends_of(plan)
        before: Town = [r for r in town if isinstance(r, Reading) and r.ts <= NOON - plan.indicator.hop_ms]
        cases = [r for r in town if isinstance(r, Case)]
        seen = [(c, tuple(s for s in c.steps if s[1] <= NOON - plan.indicator.hop_ms)) for c in cases]
        before += [Case(c.event, c.key, c.place, steps) for c, steps in seen if steps]
        past = ends[ends <= NOON - plan.indicator.hop_ms]
        found, expected = (cell_values(full_shard(rows), plan, past) for rows in (town, before))
        assert all(same(found[code], expected[code]) for code in expected)

    @settings(max_examples=8)
    @given(data=st.data())
    def test_silence_is_no_value_and_never_a_level(self, plan: IndicatorPlan, data: st.DataObject) -> None:
        """A month after the last reading nothing is known any more; only an empty set of cases is 0."""
        town = [r for r in data.draw(towns(plan)) if isinstance(r, Reading)]
        shard = without_engine_counters(full_shard(town))
        later = ends_of(plan) + 31 * 24 * 60 * MINUTE
        found = judged(shard, plan, frame_of(shard, plan, later))
        assert not found.n.any()
        assert not found.recent.any()
        if not plan.events:
            assert np.isnan(found.value).all()

    def test_nothing_heard_is_nothing_known(self, plan: IndicatorPlan) -> None:
        shard = empty_shard()
        assert not shard.active(plan)
        assert shard.layout(plan).size == 0
        assert frame_of(shard, plan, ends_of(plan)).evidence.columns[0].shape == (4, 0)

    @settings(max_examples=6)
    @given(data=st.data())
    def test_neither_records_nor_state_are_changed_by_evaluation(
        self, plan: IndicatorPlan, data: st.DataObject
    ) -> None:
        town, ends = data.draw(towns(plan)), ends_of(plan)
        shard = full_shard(town)
        arrays = [
            column
            for code in plan.metrics
            for part in (kept.awake() for kept in shard.store(code).ring.slices.values())
            for column in (part.series, part.ts, part.value)
        ]
        for column in (*arrays, ends):
            column.flags.writeable = False
        first = cell_values(shard, plan, ends)
        copies = [column.copy() for column in arrays]
        second = cell_values(shard, plan, ends)
        assert all(same(first[code], second[code]) for code in first)
        assert all(same(a, b) for a, b in zip(arrays, copies, strict=True))


def test_readings_are_kept_as_they_were_handed_in() -> None:
    shard = empty_shard()
    take(shard, [Reading("rain_1m", 1, 0, NOON, 0.3)])
    columns = [np.array([0]), np.array([NOON + MINUTE]), stored("rain_1m", [0.3])]
    for column in columns:
        column.flags.writeable = False
    shard.insert(METRICS.index["rain_1m"], columns[0], columns[1], columns[2])
    held = shard.store("rain_1m").ring.packed(
        *shard.store("rain_1m").ring.number(np.array([0, NOON + MINUTE])).tolist()
    )
    assert held[2].tolist() == stored("rain_1m", [0.3, 0.3]).tolist()
