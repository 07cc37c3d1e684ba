"""Early judgement sees each reading at the end of its second, however readings are split into calls (R9)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.early import EarlyReadings, Limits
from indicators.plan import IndicatorPlan
from tests.indicators.small_city import MINUTE, NOON, PLAN, plan_of

SECOND = 1_000
SCALE = 1000.0
FOREVER = np.iinfo(np.int64).max
START = NOON - MINUTE

Values = dict[tuple[int, int], float]
"""(series, second) -> value"""


@dataclass(frozen=True)
class Arrival:
    """A reading in arrival order; ``grid`` is the end of the second its partition had come to."""

    series: int
    ts: int
    value: int
    grid: int
    maximum: int


arrivals = st.lists(
    st.tuples(
        st.integers(0, 2),
        # Steps of the running maximum, and how far behind it the reading is: whole seconds are common.
        st.sampled_from([0, 0, 1, 400, 1_000, 1_000, 2_500, 60_000]),
        st.sampled_from([0, 0, 0, 1, 1_000, 5_000, 10_000]),
        st.integers(0, 900),
    ),
    max_size=30,
)


def arrived(drawn: list[tuple[int, int, int, int]]) -> list[Arrival]:
    maximum, rows = NOON, []
    for series, step, behind, value in drawn:
        ts = maximum + step - behind
        maximum = max(maximum, ts)
        rows.append(Arrival(series, ts, value, -(-maximum // SECOND) * SECOND, maximum))
    return rows


def add(readings: EarlyReadings, rows: list[Arrival]) -> None:
    readings.add(
        *(np.array([getattr(r, name) for r in rows], np.int64) for name in ("series", "ts", "value", "grid"))
    )


def judged(readings: EarlyReadings, done: int, until: int) -> Values:
    found = readings.judge(done, until)
    if found is None:
        return {}
    rows = zip(found.series.tolist(), found.grid.tolist(), found.value.tolist(), strict=True)
    return {(series, grid): value for series, grid, value in rows}


def pond() -> EarlyReadings:
    return EarlyReadings(
        plan_of("highest(median(ponding_depth))", window="5m").indicators[0], "ponding_depth", SCALE
    )


def plainly(rows: list[Arrival], window: int = 5 * MINUTE) -> Values:
    """The median of a series' window at every second in which one of its readings arrived."""
    out: Values = {}
    for series, grid in sorted({(r.series, r.grid) for r in rows}):
        held = {
            r.ts: r.value
            for r in rows
            if r.series == series and r.grid <= grid and grid - window < r.ts <= grid
        }
        ranked, half = sorted(held.values()), len(held) // 2
        middle = ranked[half] / SCALE if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2 / SCALE
        out[series, grid] = middle
    return out


@given(drawn=arrivals, cuts=st.sets(st.integers(1, 29)), restart=st.booleans())
def test_values_do_not_depend_on_how_readings_are_split_into_calls(
    drawn: list[tuple[int, int, int, int]], cuts: set[int], *, restart: bool
) -> None:
    rows = arrived(drawn)
    readings, done = pond(), START
    found: Values = {}
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(rows)], strict=True):
        part = rows[begin:end]
        if part:
            add(readings, part)
            found |= judged(readings, done, part[-1].maximum)
            done = part[-1].maximum
        if restart:
            state, readings = readings.state(), pond()
            readings.restore(state)
    found |= judged(readings, done, FOREVER)
    expected = plainly(rows)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[key], expected[key], rel_tol=1e-12) for key in expected)


def test_a_reading_that_comes_after_its_full_second_was_told_is_still_judged() -> None:
    first, second = Arrival(0, NOON, 1, NOON, NOON), Arrival(1, NOON - 500, 9, NOON, NOON)
    readings = pond()
    add(readings, [first])
    found = judged(readings, START, NOON)
    add(readings, [second])
    found |= judged(readings, NOON, NOON + SECOND)
    assert found == {(0, NOON): 0.001, (1, NOON): 0.009}


def test_nothing_new_is_nothing_to_judge() -> None:
    readings = pond()
    assert readings.judge(START, NOON) is None
    add(readings, [Arrival(0, NOON, 5, NOON, NOON)])
    assert judged(readings, START, NOON + SECOND) == {(0, NOON): 0.005}
    assert readings.judge(NOON + SECOND, NOON + MINUTE) is None


def early_values(plan: IndicatorPlan, values: list[int]) -> float:
    readings = EarlyReadings(plan, plan.metrics[0], SCALE)
    add(readings, [Arrival(0, NOON + i, v * 1000, NOON + SECOND, NOON + i) for i, v in enumerate(values)])
    return judged(readings, START, FOREVER)[0, NOON + SECOND]


@pytest.mark.parametrize(
    "plan", [p for p in PLAN.indicators if p.indicator.early], ids=lambda p: p.indicator.id
)
@given(values=st.lists(st.integers(0, 90), min_size=1, max_size=8))
def test_an_early_indicator_is_the_worst_of_single_sensors(plan: IndicatorPlan, values: list[int]) -> None:
    low, found, high = (early_values(plan, v) for v in ([min(values)], values, [max(values)]))
    assert low - 1e-9 <= found <= high + 1e-9
    assert low < high or min(values) == max(values)


def limit_of(readings: EarlyReadings, link: list[int]) -> Limits:
    return Limits({readings.code: readings}, lambda _, who: np.array(link)[who])


def test_a_limit_counts_from_its_arrival_until_it_has_expired() -> None:
    plan = plan_of("highest(max(tank_pressure) / last(tank_pressure_high))", window="5m").indicators[0]
    limit = EarlyReadings(plan, "tank_pressure_high", SCALE, hold=48 * 60 * MINUTE)
    tanks = EarlyReadings(plan, "tank_pressure", SCALE)
    tanks.limits = limit_of(limit, [-1, 0])
    old, late = NOON - 48 * 60 * MINUTE, NOON + MINUTE
    add(limit, [Arrival(0, old, 100_000, old, old), Arrival(0, NOON, 50_000, late, late)])
    seconds = [NOON, NOON + SECOND, late]
    add(tanks, [Arrival(series, t, 10_000, t, t) for t in seconds for series in (0, 1)])
    assert limit.judge(START, late) is None
    found = judged(tanks, START, FOREVER)
    assert [found[1, t] for t in seconds] == [0.1, pytest.approx(math.nan, nan_ok=True), 0.2]
    assert all(math.isnan(found[0, t]) for t in seconds)
