"""The oracle passes every golden case, and knows the corners the cases do not reach."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.formulas import quantile
from tests.oracle.golden import Golden, by_hand, golden_cases
from tests.oracle.recompute import RULES, recompute
from tests.oracle.records import DAY, HOUR, MINUTE, Listed, Reading, Records, Transition, grid_code
from tests.oracle.settled import settle

CASES = golden_cases()
NOON = 1_719_979_200_000
"""2024-07-03 12:00 local."""


def ids(case: Golden) -> str:
    return f"{case.indicator}: {case.name}"


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_the_oracle_passes_the_golden_case(case: Golden) -> None:
    city = settle(case.records)
    for area, expected in case.value.items():
        answer = recompute(case.indicator, case.at, city, case.areas[area])
        assert answer.value == (None if expected is None else pytest.approx(expected, abs=1e-6))
        if area in case.level:
            assert answer.level == case.level[area]


@pytest.mark.parametrize("case", [c for c in CASES if c.by_hand], ids=ids)
def test_the_arithmetic_beside_a_case_gives_its_value(case: Golden) -> None:
    expected = next(iter(case.value.values()))
    assert by_hand(case.by_hand or "") == pytest.approx(expected, abs=1e-6)


def test_arithmetic_with_anything_else_is_refused() -> None:
    with pytest.raises(ValueError, match="no arithmetic"):
        by_hand("__import__('os')")


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.integers(1, 99))
def test_the_quantile_splits_the_values(found: list[float], percent: int) -> None:
    q = percent / 100
    value = quantile(found, q)
    assert sum(v < value for v in found) <= q * len(found) + 1e-9
    assert sum(v > value for v in found) <= (1 - q) * len(found) + 1e-9


@given(st.permutations([(0, 5.0), (1, 7.0), (2, 9.0), (2, 11.0), (3, 1000.0)]))
def test_the_last_arrival_of_a_time_stamp_wins_and_the_range_holds(order: list[tuple[int, float]]) -> None:
    readings = tuple(Reading("d", "rain_1m", v, NOON - t * MINUTE, "A") for t, v in order)
    series = settle(Records(readings)).series["rain_1m"][0]
    last = next(v for t, v in reversed(order) if t == 2)
    assert series.values == [last, 7.0, 5.0]


def test_a_held_value_ends_right_after_three_periods() -> None:
    city = settle(Records((Reading("b", "bin_fill", 95.0, NOON - 45 * MINUTE, "A"),)))
    assert recompute("environment_sanitation.bin_overflow_share", NOON, city).value == 100
    late = recompute("environment_sanitation.bin_overflow_share", NOON + 1, city)
    assert (late.value, late.n, late.coverage) == (None, 1, 1.0)


def test_a_silent_listed_sensor_lowers_coverage_and_a_retired_one_does_not() -> None:
    listed = [Listed(s, "A", "rain_1m", None, retired=s == "gone") for s in ("heard", "silent", "gone")]
    readings = tuple(Reading("heard", "rain_1m", 1.0, NOON - i * MINUTE, "A") for i in range(60))
    answer = recompute("weather.rain_1h_max", NOON, settle(Records(readings, (), tuple(listed))))
    assert (answer.value, answer.n, answer.coverage) == (60.0, 60, 0.5)


def test_accuracy_counts_what_the_range_refused() -> None:
    readings = (Reading("g", "rain_1m", 99.0, NOON, "A"), Reading("g", "rain_1m", 1.0, NOON, "A"))
    answer = recompute("data_quality.accuracy_rate", NOON, settle(Records(readings)))
    assert (answer.value, answer.n) == (50.0, 2)


def test_a_rejected_case_is_never_due_and_the_latest_severity_sets_the_deadline() -> None:
    def closure(*steps: tuple[str, int, int | None]) -> float | None:
        rows = tuple(Transition("c", "ev_grid_case", s, NOON + t, "A", severity) for s, t, severity in steps)
        return recompute("grid_cases.ontime_closure_rate", NOON, settle(Records((), rows))).value

    assert closure(("accepted", -3 * HOUR, 4)) == 0
    assert closure(("accepted", -3 * HOUR, 4), ("rejected", 0, None)) is None
    assert closure(("accepted", -3 * HOUR, 4), ("rejected", 1, None)) == 0
    assert closure(("accepted", -3 * HOUR, 4), ("arrived", -2 * HOUR, 3)) is None
    assert closure(("accepted", -DAY, None), ("closed", 0, None)) == 100


def test_every_rule_lets_its_hop_divide_the_day() -> None:
    assert {DAY % rule.hop for rule in RULES.values()} == {0}
    assert len(RULES) == 84


def test_grid_codes_nest() -> None:
    code = grid_code(114.345, 30.585)
    assert len(code) == 11
    assert grid_code(114.345 + 4 / 3600, 30.585)[:9] == code[:9]
    assert math.isclose(4 / 3600 * 15, 1 / 60)


@pytest.mark.parametrize("name", RULES)
def test_every_indicator_has_two_golden_cases_and_one_at_a_threshold(name: str) -> None:
    own = [case for case in CASES if case.indicator == name]
    values = [v for case in own for v in case.value.values() if v is not None]
    assert len(own) >= 2
    raises = RULES[name].raises
    assert not raises or any(math.isclose(v, bound, abs_tol=1e-6) for v in values for bound in raises)
