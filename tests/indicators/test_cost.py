"""Needs and costs of indicators, told before they run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.cost import WORK, Cost, cost, cost_model, slices_read, work
from indicators.needs import needs
from indicators.plan import Plan
from indicators.slice_ring import SliceRing
from tests.indicators.small_city import DAY, HOUR, METRICS, MINUTE, PLAN, SHIPPED, catalogue

KEPT = PLAN.kind(METRICS.index["rain_1m"]).keep_ms


def own(formula: str, **keys: str) -> Plan:
    """The shipped catalogue and one indicator, the last of its plan."""
    added = catalogue({"id": "zz.own", "formula": formula, **keys})
    both = type(SHIPPED)((*SHIPPED.indicators, *added.indicators), "", "")
    return Plan(both, METRICS)


def told(formula: str, series: int = 100, **keys: str) -> Cost:
    plan = own(formula, **keys)
    return cost(plan.indicators[-1], plan, PLAN, lambda _: series)


def test_what_the_shipped_catalogue_uses_is_there_at_once() -> None:
    for of in PLAN.indicators:
        found = needs(of, PLAN)
        assert found, of.indicator.id
        assert all(need.at_once for need in found), of.indicator.id


@pytest.mark.parametrize(
    ("formula", "reach"),
    [
        ("highest(sum(rain_1m))", HOUR),
        ("total(rain_1m)", HOUR),
        ("highest(sum(rain_1m, '3h'))", 3 * HOUR),
        ("highest(sum(rain_1m, '1h', offset='2d'))", 2 * DAY + HOUR),
        ("highest(only(sum(rain_1m), mean(rain_1m, '2h') > 1))", 2 * HOUR),
    ],
)
def test_a_need_is_window_and_offset(formula: str, reach: int) -> None:
    found = needs(own(formula, window="1h").indicators[-1], PLAN)
    assert max(need.reach_ms for need in found) == reach
    assert all(need.kept_ms == KEPT for need in found)


def test_what_reaches_further_than_is_kept_warms_up() -> None:
    (need,) = needs(own("highest(sum(rain_1m, '20d'))").indicators[-1], PLAN)
    assert not need.at_once
    assert need.warm_ms == 20 * DAY - KEPT


def test_sets_of_cases_are_needs_too() -> None:
    found = needs(own("number(entered(ev_gas_leak, 'reported', window='7d'))").indicators[-1], PLAN)
    assert [(need.code, need.reach_ms, need.at_once) for need in found] == [("ev_gas_leak", 7 * DAY, True)]


def test_what_is_kept_anyhow_costs_no_bytes() -> None:
    assert told("highest(sum(rain_1m))", window="1h", hop="5m").bytes == 0
    assert told("highest(sum(rain_1m, '20d'))", window="1h", hop="5m").bytes > 0


def test_finer_slices_cost_bytes() -> None:
    assert PLAN.slice_ms[METRICS.index["noise_laeq"]] == 15 * MINUTE
    assert told("highest(max(noise_laeq))", window="15m", hop="15m").bytes == 0
    assert told("highest(max(noise_laeq))", window="15m", hop="1m").bytes > 0


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_more_series_cost_more(a: int, b: int) -> None:
    few, many = (told("highest(median(rain_1m, '6h'))", n) for n in sorted((a, b)))
    assert few.series <= many.series
    assert few.microseconds <= many.microseconds
    assert few.bytes <= many.bytes


def test_the_work_of_an_order_statistic_is_its_readings() -> None:
    plan = own("highest(median(rain_1m))", window="30m")
    amounts = work(plan.indicators[-1], plan, lambda _: 10)
    assert amounts["ranked"] == 10 * 30
    assert set(amounts) == set(WORK)


def test_the_model_knows_every_kind_of_work_and_how_far_it_is_off() -> None:
    model = cost_model()
    assert set(model.microseconds) == set(WORK)
    assert all(value >= 0 for value in model.microseconds.values())
    assert 0 < model.median_error < model.worst_error < 1


@pytest.mark.parametrize("length", [MINUTE, 5 * MINUTE, HOUR])
@pytest.mark.parametrize("hours", [1, 3, 24])
def test_the_slices_read_are_those_of_a_ring(length: int, hours: int) -> None:
    asked: list[str] = []

    class Counted(SliceRing):
        def _fine_sums(self, k: int, channel: object) -> None:
            del k, channel
            asked.append("fine")

        def _coarse_sums(self, number: int, channel: object) -> None:
            del number, channel
            asked.append("coarse")

    Counted(length, 0).total("count", 0, hours * HOUR // length, 1)
    assert len(asked) == slices_read(hours * HOUR, length)
