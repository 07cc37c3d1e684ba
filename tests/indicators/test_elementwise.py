"""Null rules, three-valued logic and tolerance of the elementwise functions."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.elementwise import ELEMENTWISE, apply, ceil_tolerant, le, lt
from indicators.functions import FUNCTIONS
from indicators.tolerance import Array

NAN = math.nan
FLAGS = (0.0, 1.0, NAN)
NUMBERS = st.floats(-1e6, 1e6) | st.just(NAN)
WILD = st.floats(allow_nan=True, allow_infinity=False)
ARITY = {"neg": 1, "not": 1, "abs": 1, "log10": 1, "present": 1, "if": 3, "clip": 3}
ARITY |= {"aqi": 6, "heat_index": 2, "water_class": 4, "fire_weather": 5, "piecewise": 5}
NULL_IN_NULL_OUT = ("add", "sub", "mul", "div", "pow", "lt", "le", "gt", "ge", "eq", "ne")


def one(fn: str, *args: float, params: tuple[float, ...] = ()) -> float:
    return float(apply(fn, args, params))


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def test_every_elementwise_function_of_the_language_has_a_body() -> None:
    context = {"clock", "setting"}
    named = {n for n, f in FUNCTIONS.items() if f.section == "elementwise"} - context
    operators = {"neg", "add", "sub", "mul", "div", "pow", "not", "and", "or", "if"}
    assert set(ELEMENTWISE) == named | operators | {"lt", "le", "gt", "ge", "eq", "ne"}


@pytest.mark.parametrize("fn", NULL_IN_NULL_OUT)
@given(a=NUMBERS)
def test_unknown_in_unknown_out(fn: str, a: float) -> None:
    assert math.isnan(one(fn, a, NAN))
    assert math.isnan(one(fn, NAN, a))


@pytest.mark.parametrize("fn", sorted(ELEMENTWISE))
@settings(max_examples=40)
@given(data=st.data())
def test_no_result_is_infinite_and_nothing_warns(fn: str, data: st.DataObject) -> None:
    arity = ARITY.get(fn, 2)
    flags = fn in {"not", "and", "or"}
    columns = [
        np.array(data.draw(st.lists(st.sampled_from(FLAGS) if flags else WILD, min_size=3, max_size=3)))
        for _ in range(arity)
    ]
    if fn in {"if", "only"}:
        columns[0 if fn == "if" else 1] = np.array(FLAGS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = apply(fn, columns)
    assert result.shape == (3,)
    assert result.dtype == np.float64
    assert not np.isinf(result).any()


@pytest.mark.parametrize("fn", sorted(ELEMENTWISE))
@settings(max_examples=40)
@given(data=st.data())
def test_rows_do_not_see_each_other(fn: str, data: st.DataObject) -> None:
    row = st.tuples(*[st.sampled_from(FLAGS)] * ARITY.get(fn, 2))
    rows = np.array(data.draw(st.lists(row, min_size=1, max_size=5)))
    together = apply(fn, list(rows.T))
    alone = [float(apply(fn, [np.array([v]) for v in r])[0]) for r in rows]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(("a", "b"), list(itertools.product(FLAGS, FLAGS)))
def test_logic_is_that_of_kleene(a: float, b: float) -> None:
    order = {0.0: 0, 1.0: 2}
    back = (0.0, NAN, 1.0)
    x, y = order.get(a, 1), order.get(b, 1)
    assert same(one("and", a, b), back[min(x, y)])
    assert same(one("or", a, b), back[max(x, y)])
    assert same(one("not", a), back[2 - x])


def test_an_unknown_condition_takes_the_other_branch() -> None:
    assert apply("if", (np.array([1.0, 0.0, NAN]), 5.0, 7.0)).tolist() == [5.0, 7.0, 7.0]


def test_only_keeps_what_is_known_to_be_true() -> None:
    np.testing.assert_array_equal(apply("only", (np.full(3, 5.0), np.array(FLAGS))), [NAN, 5.0, NAN])


def test_present_is_never_unknown() -> None:
    assert apply("present", (np.array([0.0, NAN]),)).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (0.0, 0.0), (-1.0, 0.0), (1e300, 1e-300)])
def test_division_without_a_finite_result_is_unknown(a: float, b: float) -> None:
    assert math.isnan(one("div", a, b))


@pytest.mark.parametrize(
    ("fn", "args"),
    [
        ("log10", (0.0,)),
        ("log10", (-1.0,)),
        ("pow", (-8.0, 1 / 3)),
        ("pow", (0.0, -1.0)),
        ("pow", (10.0, 400.0)),
    ],
)
def test_what_is_not_a_finite_real_number_is_unknown(fn: str, args: tuple[float, ...]) -> None:
    assert math.isnan(one(fn, *args))


def test_tenths_that_make_fifty_reach_fifty() -> None:
    rain = 166 * 0.3 + 0.2
    assert one("ge", rain, 50.0) == 1.0
    assert one("ge", 49.99999999999999, 50.0) == 1.0
    assert one("gt", 50.00000000000001, 50.0) == 0.0
    assert one("eq", 0.1 + 0.2, 0.3) == 1.0
    assert one("ne", 0.1 + 0.2, 0.3) == 0.0
    assert one("lt", 49.9, 50.0) == 1.0


@given(NUMBERS, NUMBERS)
def test_exactly_one_of_less_equal_greater_holds(a: float, b: float) -> None:
    found = [one(fn, a, b) for fn in ("lt", "eq", "gt")]
    if math.isnan(a) or math.isnan(b):
        assert all(map(math.isnan, found))
    else:
        assert sum(found) == 1.0
        assert one("le", a, b) == max(found[0], found[1])
        assert one("ge", a, b) == max(found[2], found[1])
        assert one("ne", a, b) == 1.0 - found[1]


@given(NUMBERS, NUMBERS)
def test_the_two_valued_comparison_is_false_where_unknown(a: float, b: float) -> None:
    assert bool(le(a, b)) is (one("le", a, b) == 1.0)
    assert bool(lt(a, b)) is (one("lt", a, b) == 1.0)


@given(st.floats(-1e6, 1e6))
def test_the_ceiling_is_the_least_whole_number_not_below(x: float) -> None:
    up = float(ceil_tolerant(x))
    assert up == int(up)
    assert bool(le(x, up))
    assert bool(lt(up - 1, x))


@given(NUMBERS, NUMBERS, NUMBERS)
def test_clip_holds_between_the_bounds_that_there_are(x: float, lo: float, hi: float) -> None:
    held = one("clip", x, lo, hi)
    if math.isnan(x):
        assert math.isnan(held)
        return
    expected = x if math.isnan(lo) else max(x, lo)
    assert held == (expected if math.isnan(hi) else min(expected, hi))


POINTS = (1.0, 0.0, 1.2, 2.0, 1.5, 4.0, 2.5, 10.0)


@pytest.mark.parametrize(
    ("x", "expected"),
    [(0.0, 0.0), (1.0, 0.0), (1.1, 1.0), (1.2, 2.0), (2.0, 7.0), (2.5, 10.0), (9.0, 10.0), (NAN, NAN)],
)
def test_piecewise_is_linear_and_clamped(x: float, expected: float) -> None:
    np.testing.assert_allclose(one("piecewise", x, *POINTS), expected, rtol=1e-12)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_points_per_row_give_what_points_for_all_give(xs: list[float]) -> None:
    per_row = [np.full(len(xs), p) for p in POINTS]
    np.testing.assert_allclose(
        apply("piecewise", (np.array(xs), *per_row)), apply("piecewise", (np.array(xs), *POINTS)), rtol=1e-12
    )


@pytest.mark.parametrize("points", [(2.0, 1.0, 2.0, 5.0), (3.0, 1.0, 2.0, 5.0), (NAN, 1.0, 2.0, 5.0)])
def test_points_that_do_not_rise_give_nothing(points: tuple[float, ...]) -> None:
    assert math.isnan(one("piecewise", 2.0, *points))
    rows: list[Array] = [np.full(2, p) for p in points]
    assert np.isnan(apply("piecewise", (np.full(2, 2.0), *rows))).all()


@given(st.lists(NUMBERS, min_size=1, max_size=5))
def test_extremes_and_sums_skip_the_unknown(values: list[float]) -> None:
    known = [v for v in values if not math.isnan(v)]
    assert same(one("max_of", *values), max(known, default=NAN))
    assert same(one("min_of", *values), min(known, default=NAN))
    expected = sum(known) if known else NAN
    np.testing.assert_allclose(one("sum_of", *values), expected, rtol=1e-9, atol=1e-9)


@given(st.lists(st.tuples(NUMBERS, st.floats(0.01, 1)), min_size=1, max_size=5))
def test_missing_weights_are_spread_in_proportion(pairs: list[tuple[float, float]]) -> None:
    known = [(v, w) for v, w in pairs if not math.isnan(v)]
    weight = sum(w for _, w in known)
    expected = sum(v * w / weight for v, w in known) if known else NAN
    values, weights = zip(*pairs, strict=True)
    np.testing.assert_allclose(one("mean_of", *values, params=weights), expected, rtol=1e-9, atol=1e-6)


def test_flags_count_one_in_a_sum() -> None:
    assert one("sum_of", 1.0, 0.0, NAN, 1.0) == 2.0


def test_numbers_for_all_broadcast_against_rows() -> None:
    column = np.full((2, 3), 4.0)
    assert apply("clip", (column, np.full((1, 1), 5.0), np.full((1, 1), NAN))).shape == (2, 3)
    assert apply("piecewise", (column, *(np.full((1, 1), p) for p in POINTS))).shape == (2, 3)
