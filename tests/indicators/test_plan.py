"""What a catalogue needs kept: slices that divide every duration, tests of readings, a long enough memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.expression import Aggregate
from indicators.plan import COUNTERS, IndicatorPlan, metric_of, reading_test
from indicators.plan import tested as counted_flag
from indicators.store import REFERENCE_HOLD
from tests.indicators.small_city import (
    HOUR,
    METRICS,
    MINUTE,
    NOON,
    PLAN,
    Reading,
    city_values,
    full_shard,
    plan_of,
    same,
    stored,
)


@pytest.mark.parametrize("plan", PLAN.indicators, ids=lambda p: p.indicator.id)
def test_slices_divide_every_duration_of_every_formula(plan: IndicatorPlan) -> None:
    for code in plan.metrics:
        length = int(PLAN.slice_ms[METRICS.index[code]])
        durations = list(plan.durations(code))
        assert {plan.indicator.window_ms, plan.indicator.hop_ms} <= set(durations)
        assert all(duration % length == 0 for duration in durations)
        assert length <= HOUR
    for event in plan.events:
        assert plan.indicator.hop_ms % int(PLAN.event_slice_ms[METRICS.event_index[event]]) == 0
    assert plan.indicator.hop_ms % PLAN.tick_ms == 0


def test_metrics_nobody_reads_still_have_slices_and_a_retention() -> None:
    plan = plan_of("highest(max(rain_1m))")
    unused = next(i for i, m in enumerate(METRICS.metrics) if not plan.using(m.code))
    assert plan.slice_ms[unused] == HOUR
    assert plan.kind(unused).keep_ms >= METRICS.metrics[unused].correct_within_ms


@pytest.mark.parametrize("plan", PLAN.indicators, ids=lambda p: p.indicator.id)
def test_a_store_keeps_what_the_latest_correction_may_ask_for(plan: IndicatorPlan) -> None:
    for code in plan.metrics:
        keep = PLAN.kind(METRICS.index[code]).keep_ms
        assert keep >= plan.indicator.window_ms + METRICS[code].correct_within_ms


@given(limit=st.integers(-50, 50), values=st.lists(st.integers(-60_000, 60_000), max_size=20))
def test_a_reading_test_sees_stored_values_in_the_metrics_own_unit(limit: int, values: list[int]) -> None:
    plan = plan_of(f"share(ponding_depth > {limit})").indicators[0]
    flag = counted_flag(plan.reductions[0])
    assert flag is not None
    assert metric_of(flag) == "ponding_depth"
    found = reading_test(flag, 1000.0)(np.array(values, np.int64))
    assert found.tolist() == [float(v / 1000 > limit + 1e-9 * max(1, abs(limit))) for v in values]


def test_both_channels_of_a_flag_are_counted_by_its_own_metric_alone() -> None:
    plan = plan_of("share(rain_1m > 1) + number(present(bin_fill)) * 0 + total(count(rain_1m > 2))")
    rain, bins = (plan.tests(METRICS.index[code]) for code in ("rain_1m", "bin_fill"))
    assert len(rain) == 4
    assert {name[0] for name in rain if isinstance(name, tuple)} == {"true", "known"}
    assert {metric_of(name[1]) for name in bins if isinstance(name, tuple)} == {"bin_fill"}


FORMULAS = {
    "ponding_depth": [
        "highest(median(ponding_depth))",
        "highest(mean(ponding_depth, '30m'))",
        "average(ponding_depth)",
    ],
    "parking_occupied": ["total(twm(parking_occupied))", "total(last(parking_occupied))"],
    "parking_total": ["total(last(parking_total))"],
    "rain_1m": [
        "highest(sum(rain_1m))",
        "highest(sum(rain_1m, '1h', offset='30m'))",
        "number(count(rain_1m) > 1)",
    ],
}


@pytest.mark.parametrize(("code", "formula"), [(code, f) for code, fs in FORMULAS.items() for f in fs])
@settings(max_examples=20)
@given(
    minutes=st.lists(st.integers(-180, 60), unique=True, max_size=5),
    extra=st.integers(-60, 60),
    period=st.sampled_from([MINUTE, 10 * MINUTE, HOUR]),
)
def test_outside_its_reach_a_reading_changes_no_value(
    code: str, formula: str, minutes: list[int], extra: int, period: int
) -> None:
    """Its windows and its hold: what an excerpt of a shard must hold to be evaluated as the whole is."""
    plan = plan_of(formula)
    known = Reading(code, 1, 0, NOON - 60 * HOUR, 1.0)
    others = [known, *(Reading(code, 1, 0, NOON + m * MINUTE, m % 7) for m in minutes)]
    late = Reading(code, 1, 0, NOON + extra * MINUTE, 99.0)
    reach = plan.indicators[0].reach(code) + max(3 * period, METRICS[code].reference * REFERENCE_HOLD)
    ends = NOON + np.arange(-24, 49) * 5 * MINUTE
    outside = (ends < late.ts) | (ends >= late.ts + reach)
    without, with_it = (
        np.array(city_values(full_shard(rows, plan, period), plan.indicators[0], ends))
        for rows in (others, [*others, late])
    )
    assert same(without[outside], with_it[outside])


def test_the_engines_own_counters_enter_where_the_formula_reads_their_metrics() -> None:
    using = [p.indicator.id for p in PLAN.indicators if p.uses_counters]
    assert using == ["data_quality.accuracy_rate"]
    assert set(COUNTERS) == set(PLAN.catalogue[using[0]].metrics)


def test_the_same_aggregate_of_two_formulas_is_one_node() -> None:
    plan = plan_of(
        "highest(sum(rain_1m)) + lowest(sum(rain_1m))", alarm_needs="highest(sum(rain_1m)) > 1"
    ).indicators[0]
    assert len(plan.reductions) == 2
    assert sum(isinstance(node, Aggregate) for node in plan.nodes) == 1


def test_values_are_stored_in_whole_steps_of_the_resolution() -> None:
    for index, metric in enumerate(METRICS.metrics):
        scale = PLAN.kind(index).scale
        assert math.isclose(scale * metric.resolution, 1)
        assert stored(metric.code, [metric.resolution * 3]).tolist() == [3]
