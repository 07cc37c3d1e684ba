"""From partials to values: what an area may show, and whether it may alarm."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.judge import Judged
from indicators.plan import Plan
from tests.indicators.small_city import (
    HOUR,
    METRICS,
    MINUTE,
    NOON,
    Case,
    Reading,
    catalogue,
    frame_of,
    full_shard,
    judged,
    plan_of,
)

ONE = np.array([NOON])


def judge_at_noon(plan: Plan, stream: list[Reading | Case]) -> Judged:
    shard = full_shard(stream, plan)
    return judged(shard, plan.indicators[0], frame_of(shard, plan.indicators[0], ONE))


def fill(sensor: int, value: float = 50.0, minutes: int = 1) -> Reading:
    return Reading("bin_fill", sensor, 0, NOON - minutes * MINUTE, value)


@settings(max_examples=40)
@given(
    alive=st.integers(0, 6),
    silent=st.integers(0, 6),
    least=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_coverage_is_the_share_of_known_sensors_and_bars_levels_below_its_minimum(
    alive: int, silent: int, least: float
) -> None:
    plan = plan_of("100 * share(last(bin_fill) >= 90)", min_coverage=least)
    found = judge_at_noon(
        plan, [*map(fill, range(alive)), *(fill(9 + s, minutes=600) for s in range(silent))]
    )
    if alive + silent:
        share = alive / (alive + silent)
        assert math.isclose(found.coverage[0, 0], share)
        assert found.allowed[0, 0] == (share >= least - 1e-9)
        assert math.isnan(found.value[0, 0]) == (alive == 0)


def test_the_least_covered_input_counts_and_events_have_none() -> None:
    plan = plan_of("100 * share(last(bin_fill) >= 90) + total(rain_1m) + number(open(ev_gas_leak))")
    rain = [Reading("rain_1m", s, 0, NOON - m * MINUTE, 0.0) for s, m in ((1, 1), (2, 1), (3, 1), (4, 600))]
    found = judge_at_noon(plan, [fill(1), *rain, Case("ev_gas_leak", 1, 0, (("reported", NOON, 0),))])
    assert found.coverage.tolist() == [[0.75]]


@given(n=st.integers(1, 8))
def test_an_alarm_needs_what_it_says_and_the_value_is_shown_all_the_same(n: int) -> None:
    plan = plan_of("f = last(bin_fill); n = number(present(f)); highest(f)", alarm_needs="n >= 5")
    found = judge_at_noon(plan, [fill(s) for s in range(n)])
    assert found.value.tolist() == [[50.0]]
    assert found.allowed.tolist() == [[n >= 5]]


@given(value=st.integers(0, 100))
def test_a_level_counts_only_where_its_own_condition_is_true(value: int) -> None:
    plan = plan_of(
        "highest(last(bin_fill))",
        levels={"yellow": {"raise": 60}, "red": {"raise": 80}},
        level_needs={"red": "highest(last(bin_fill)) > 90"},
    )
    found = judge_at_noon(plan, [fill(1, float(value))])
    assert found.level_ok is not None
    assert found.level_ok[0, 0].tolist() == [True, True, True, value > 90]


def test_an_unknown_condition_allows_nothing() -> None:
    plan = plan_of(
        "total(last(bin_fill)) + total(last(ponding_depth))", alarm_needs="highest(max(ponding_depth)) >= 0"
    )
    found = judge_at_noon(plan, [fill(1)])
    assert found.allowed.tolist() == [[False]]


def test_settings_of_the_city_and_the_clock_enter_area_arithmetic() -> None:
    text = "highest(last(bin_fill)) - (setting('limit', 10) if clock('06:00-22:00') else 0)"
    plain = plan_of(text)
    strict = Plan(catalogue({"formula": text}), METRICS)
    strict.catalogue.settings["limit"] = 30.0  # type: ignore[index]
    assert judge_at_noon(plain, [fill(1)]).value.tolist() == [[40.0]]
    assert judge_at_noon(strict, [fill(1)]).value.tolist() == [[20.0]]
    night = np.array([NOON + 12 * HOUR])
    shard = full_shard([Reading("bin_fill", 1, 0, int(night[0]), 50.0)], plain)
    found = judged(shard, plain.indicators[0], frame_of(shard, plain.indicators[0], night))
    assert found.value.tolist() == [[50.0]]


def test_without_any_input_there_is_neither_value_nor_evidence() -> None:
    found = judge_at_noon(plan_of("highest(last(bin_fill))"), [fill(1, minutes=45 * 24 * 60)])
    assert np.isnan(found.value).all()
    assert found.n.tolist() == [[0]]
    assert found.recent.tolist() == [[False]]
