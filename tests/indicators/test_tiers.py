"""Closed steps keep exactly what the readings said: a shard with them has the values of one without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.narrow import Narrow, pack, unpack
from indicators.plan import IndicatorPlan, Plan
from indicators.shard import Shard
from indicators.slice_ring import SliceRing
from indicators.stocks import Stocks, ring_of
from indicators.tiers import Tier
from tests.indicators.small_city import (
    DAY,
    HOUR,
    METRICS,
    MINUTE,
    NOON,
    Reading,
    cell_values,
    empty_shard,
    plan_of,
    same,
    take,
)

END = NOON - NOON % DAY
"""A whole hour; local midnight is 16 h before."""

FORMULAS = {
    "sums of earlier days": ("robust_z(total(otc_fever_sales), days=9, need=2)", "24h", ("otc_fever_sales",)),
    "extremes and reach-back": (
        "zscore(log10(2 + highest(max(sewage_virus))), days=5, lag=1, need=2, floor=0.1)",
        "24h",
        ("sewage_virus",),
    ),
    "held values of earlier weeks": (
        "ratio(twm(enterprise_power), same_hour(twm(enterprise_power), weeks=2, need=1))",
        "3h",
        ("enterprise_power",),
    ),
    "step means": (
        "highest(max(bridge_strain) - running_percentile(bridge_strain, 50, '7d', step='1h', need='3h'))",
        "10m",
        ("bridge_strain",),
    ),
    "runs of windows": ("streak(quantile(sum(rain_1m), 0.5) < 5, '1d', cap=9)", "24h", ("rain_1m",)),
    "offsets": (
        "highest(max(air_temperature)) - highest(max(air_temperature, offset='4d'))",
        "24h",
        ("air_temperature",),
    ),
    "last words and counters": (
        (
            "robust_z(total(last(parking_total)) + total(parking_total)"
            " + number(parking_total > 50), days=9, need=1)"
        ),
        "6h",
        ("parking_total",),
    ),
}


def plan_for(name: str) -> Plan:
    formula, window, _ = FORMULAS[name]
    return plan_of(formula, window=window, hop="1h")


def unclosed(plan: Plan) -> Plan:
    """The same plan for a city that keeps all readings for ever."""
    found = Plan(plan.catalogue, plan.metrics)
    found.__dict__["_retentions"] = [
        replace(kept, kept=400 * DAY, raw=400 * DAY, channels=()) for kept in plan._retentions
    ]
    return found


@st.composite
def histories(draw: st.DrawFn, codes: tuple[str, ...]) -> list[Reading]:
    """Runs of readings over two weeks, in order of time, with gaps and own rhythms."""
    found = []
    for code in codes:
        step = max(METRICS[code].period_ms, 20 * MINUTE)
        for sensor in range(draw(st.integers(1, 3))):
            for _ in range(draw(st.integers(1, 4))):
                begin = draw(st.integers(0, 15 * DAY // step)) * step + draw(
                    st.sampled_from([0, 1, 7 * MINUTE])
                )
                length = draw(st.sampled_from([1, 5, 60, 300]))
                values = draw(st.lists(st.integers(0, 90), min_size=1, max_size=4))
                found += [
                    Reading(
                        code, sensor, sensor % 2, END - 15 * DAY + begin + i * step, values[i % len(values)]
                    )
                    for i in range(length)
                    if begin + i * step <= 15 * DAY
                ]
    return sorted(found, key=lambda r: r.ts)


def filled(plan: Plan, rows: list[Reading], *, moving: bool) -> Shard:
    """A shard that took the rows day by day, moving on after each if it is to close steps."""
    shard = empty_shard(plan)
    days = sorted({(r.ts - 1) // DAY for r in rows})
    for day in days:
        take(shard, [r for r in rows if (r.ts - 1) // DAY == day])
        if moving:
            shard.advance((day + 1) * DAY)
    if moving:
        shard.advance(END)
    return shard


@pytest.mark.parametrize("name", FORMULAS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_closed_steps_give_the_values_that_readings_give(name: str, data: st.DataObject) -> None:
    plan = plan_for(name)
    rows = data.draw(histories(FORMULAS[name][2]))
    own: IndicatorPlan = plan.indicators[0]
    ends = END + np.arange(3) * HOUR
    kept = filled(plan, rows, moving=True)
    whole = filled(unclosed(plan), rows, moving=False)
    found, expected = cell_values(kept, own, ends), cell_values(whole, own, ends)
    assert found.keys() == expected.keys()
    assert all(same(found[code], expected[code]) for code in expected)
    # What late records make of single cells is evaluated from an excerpt.
    for cell in kept.layout(own).cells.tolist():
        alone = cell_values(kept.excerpt(own, np.array([cell]), ends), own, ends)
        assert all(same(values, expected[code]) for code, values in alone.items())


def test_the_histories_above_are_long_enough_to_be_closed() -> None:
    for name, (_, _, codes) in FORMULAS.items():
        plan = plan_for(name)
        stocks = Stocks.of(plan).by_metric
        rings = [ring_of(stocks[i][0], plan, i, 0) for i in map(METRICS.index.__getitem__, codes)]
        assert all(ring.tier is not None for ring in rings), name


@given(st.lists(st.lists(st.integers(-(2**62), 2**62), min_size=3, max_size=3), min_size=1, max_size=5))
def test_narrow_columns_come_back_as_they_were(columns: list[list[int]]) -> None:
    packed = pack([Narrow.of(np.array(column, np.int64)) for column in columns])
    assert [c.wide().tolist() for c in unpack(packed)] == columns


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-90, 90)), max_size=20), st.integers(1, 3))
def test_a_tier_on_disk_is_the_tier(rows: list[tuple[int, int]], steps: int) -> None:
    tier, again = Tier(HOUR, 0, ("count", "sum")), Tier(HOUR, 0, ("count", "sum"))
    for k in range(1, steps + 1):
        totals: dict[int, int] = {}
        for who, value in rows[k - 1 :: steps]:
            totals[who] = totals.get(who, 0) + value
        who_ = np.array(sorted(totals), np.int64)
        tier.put(
            k,
            who_,
            {"count": np.ones(len(who_), np.int64), "sum": np.array([totals[w] for w in who_.tolist()])},
        )
    for k in tier.kept:
        again.load(k, tier.dump(k))
    assert tier.until == steps
    for k in tier.kept:
        for channel in tier.channels:
            one, other = tier.sums(k, channel), again.sums(k, channel)
            assert one is not None
            assert other is not None
            assert [part.tolist() for part in one] == [part.tolist() for part in other]


def test_a_ring_without_steps_has_none_to_forget() -> None:
    ring = SliceRing(HOUR, 0)
    ring.forget_steps(NOON)
    assert ring.closed_last(0, 5) == ([], 0)
