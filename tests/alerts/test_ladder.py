"""Thresholds at their edges, and any run of values against a ladder written for one area and one value."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evidence import Evidence
from alerts.ladder import LEVELS, NEVER, Ladder, target

NAN = math.nan
GAS = Ladder((5.0, 10.0, 25.0, 50.0), (4.75, 9.75, 24.25, 48.75), (0, 0, 0, 0), high_bad=True)
SHARE = Ladder((0.9, 0.8, NAN, 0.5), (0.905, 0.805, NAN, 0.515), (0, 0, 0, 0), high_bad=False)


@dataclass
class Rules:
    """The part of a catalogue entry that levels need."""

    id: str = "gas.leak_lel_max"
    raises: tuple[float, ...] = (5.0, 10.0, 25.0, 50.0)
    clears: tuple[float, ...] = (NAN, NAN, NAN, NAN)
    for_ms: tuple[int, ...] = (0, 0, 0, 0)
    high_bad: bool = True


def one(
    ladder: Ladder, previous: int, value: float, *, allowed: bool = True, ok: list[bool] | None = None
) -> int:
    level_ok = None if ok is None else np.array([ok])
    seen = Evidence(np.array([value]), np.array([allowed]), level_ok)
    return int(target(ladder, np.array([previous], np.uint8), seen)[0])


@pytest.mark.parametrize(
    ("ladder", "previous", "value", "level"),
    [
        pytest.param(GAS, 0, 5.0, 1, id="a bound itself is reached"),
        pytest.param(GAS, 0, 5.0 - 4e-9, 1, id="within the tolerance is reached"),
        pytest.param(GAS, 0, 5.0 - 6e-9, 0, id="beyond the tolerance is not"),
        pytest.param(GAS, 0, 60.0, 4, id="the highest reached wins"),
        pytest.param(GAS, 4, 48.75, 4, id="a level stays at its clear bound"),
        pytest.param(GAS, 4, 48.75 - 4e-8, 4, id="and within the tolerance of it"),
        pytest.param(GAS, 4, 48.75 - 6e-8, 3, id="and is left beyond it"),
        pytest.param(GAS, 4, 9.8, 2, id="lower levels hold by their own clear bounds"),
        pytest.param(GAS, 1, 9.9, 1, id="a clear bound does not raise"),
        pytest.param(GAS, 4, 0.0, 0, id="all the way down at once"),
        pytest.param(GAS, 3, NAN, 3, id="no data changes nothing"),
        pytest.param(GAS, 0, math.inf, 4, id="infinity is beyond all"),
        pytest.param(SHARE, 0, 0.9, 1, id="small values are bad"),
        pytest.param(SHARE, 0, 0.6, 2, id="an unused level is skipped"),
        pytest.param(SHARE, 4, 0.515, 4, id="held below the clear bound"),
        pytest.param(SHARE, 4, 0.52, 2, id="left above it"),
    ],
)
def test_a_value_gives_a_level(ladder: Ladder, previous: int, value: float, level: int) -> None:
    assert one(ladder, previous, value) == level


def test_a_value_that_is_not_allowed_forces_no_level() -> None:
    assert one(GAS, 3, 60.0, allowed=False) == 0


def test_no_data_keeps_the_level_even_where_nothing_is_allowed() -> None:
    assert one(GAS, 3, NAN, allowed=False) == 3


def test_a_level_that_is_ruled_out_is_skipped_and_lower_ones_apply() -> None:
    assert one(GAS, 0, 60.0, ok=[True, True, True, False]) == 3
    assert one(GAS, 4, 60.0, ok=[True, False, False, False]) == 1


def test_a_used_level_without_clear_bound_is_left_where_it_was_reached() -> None:
    ladder = Ladder.of(Rules())
    assert one(ladder, 1, 5.0) == 1
    assert one(ladder, 1, 4.9) == 0


@pytest.mark.parametrize("wrong", [{"raises": (1.0,)}, {"for_ms": (0, 0, 0)}, {"for_ms": (0, -1, 0, 0)}])
def test_bounds_that_are_not_four_are_refused_with_the_indicator_named(
    wrong: dict[str, tuple[float]],
) -> None:
    with pytest.raises(ValueError, match=r"gas\.leak_lel_max: .* give four of each"):
        Ladder.of(Rules(**wrong))  # type: ignore[arg-type]


def reached(ladder: Ladder, value: float, bound: float) -> bool:
    slack = 1e-9 * max(1.0, abs(value), abs(bound))
    return value >= bound - slack if ladder.high_bad else value <= bound + slack


def climb(ladder: Ladder, seen: list[tuple[int, float, bool, list[bool]]]) -> list[int]:
    """The rules of `for`, bands and missing data, for one area, window by window."""
    level, begun, levels = 0, dict.fromkeys(LEVELS, NEVER), []
    for end, value, allowed, ok in seen:
        if not math.isnan(value):
            up = [k for k in LEVELS if ok[k - 1] and reached(ladder, value, ladder.raises[k - 1]) and allowed]
            for k in LEVELS:
                going = any(j >= k for j in up)
                begun[k] = (end if begun[k] == NEVER else begun[k]) if going else NEVER
            ripe = [
                k
                for k in LEVELS
                if ok[k - 1]
                and begun[k] != NEVER
                and end - begun[k] >= ladder.for_ms[k - 1]
                and not math.isnan(ladder.raises[k - 1])
            ]
            held = [
                k
                for k in range(1, level + 1)
                if allowed and ok[k - 1] and reached(ladder, value, ladder.clears[k - 1])
            ]
            level = max(ripe + held, default=0)
        levels.append(level)
    return levels


bounds = st.lists(st.integers(1, 12), min_size=4, max_size=4, unique=True).map(sorted)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    sign = draw(st.sampled_from([1, -1]))
    used = draw(st.lists(st.booleans(), min_size=4, max_size=4))
    raises = [sign * b if use else NAN for b, use in zip(draw(bounds), used, strict=True)]
    clears = [b - sign * draw(st.sampled_from([0.0, 0.5, 2.0])) for b in raises]
    waits = draw(st.lists(st.sampled_from([0, 0, 1, 2, 5]), min_size=4, max_size=4))
    return Ladder(tuple(raises), tuple(clears), tuple(waits), high_bad=sign == 1)


windows = st.tuples(
    st.sampled_from([NAN, *(step / 2 for step in range(26))]),
    st.sampled_from([True, True, True, False]),
    st.sampled_from([[True] * 4, [True, False, True, True], [True, True, True, False]]),
)


@given(ladders(), st.lists(windows, min_size=1, max_size=25))
def test_any_run_of_values_climbs_like_the_ladder_of_one_area(
    ladder: Ladder,
    run: list[tuple[float, bool, list[bool]]],
) -> None:
    sign = 1 if ladder.high_bad else -1
    seen = [(end, sign * value, allowed, ok) for end, (value, allowed, ok) in enumerate(run)]
    level, since = np.zeros(1, np.uint8), np.full((1, len(ladder.patient)), NEVER, np.int64)
    levels = []
    for end, value, allowed, ok in seen:
        evidence = Evidence(np.array([value]), np.array([allowed]), np.array([ok]))
        level, since = ladder.step(end, level, since, evidence)
        levels.append(int(level[0]))
    assert levels == climb(ladder, seen)


@given(ladders(), st.lists(st.tuples(st.integers(0, 4), windows), min_size=1, max_size=8))
def test_areas_do_not_know_of_each_other(
    ladder: Ladder, areas: list[tuple[int, tuple[float, bool, list[bool]]]]
) -> None:
    previous = np.array([level for level, _ in areas], np.uint8)
    value, allowed, ok = (np.array(column) for column in zip(*(window for _, window in areas), strict=True))
    together = target(ladder, previous, Evidence(value, allowed, ok))
    alone = [
        target(ladder, previous[i : i + 1], Evidence(value[i : i + 1], allowed[i : i + 1], ok[i : i + 1]))[0]
        for i in range(len(areas))
    ]
    assert together.tolist() == alone
