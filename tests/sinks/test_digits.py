import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.digits import significant

NUMBERS = st.one_of(
    st.floats(allow_nan=False),
    st.floats(-1e6, 1e6),
    st.floats(-1e13, 1e13),
    st.integers(-(10**15), 10**15).map(lambda i: i / 1000),
    st.builds(lambda m, e: (m + 0.5) * 10.0**e, st.integers(10**11, 10**12), st.integers(-24, 4)),
    st.builds(
        lambda e, to: math.nextafter(10.0**e, to), st.integers(-30, 30), st.sampled_from([0.0, math.inf])
    ),
)


@given(st.lists(NUMBERS, max_size=50))
def test_agrees_with_the_decimal_text_of_every_double(numbers: list[float]) -> None:
    expected = [float(f"{x:.11e}") for x in numbers]
    assert significant(np.array(numbers, float)).tolist() == expected


@given(st.lists(NUMBERS.filter(lambda x: abs(x) < 1e300), max_size=20), st.integers(1, 12))
def test_any_number_of_digits_agrees_with_the_text(numbers: list[float], digits: int) -> None:
    expected = [float(f"{x:.{digits - 1}e}") for x in numbers]
    assert significant(np.array(numbers, float), digits).tolist() == expected


@given(st.lists(NUMBERS, max_size=20))
def test_rounding_twice_changes_nothing(numbers: list[float]) -> None:
    once = significant(np.array(numbers, float))
    assert significant(once).tolist() == once.tolist()


def test_missing_and_infinite_values_stay_and_zero_has_no_sign() -> None:
    result = significant(np.array([np.nan, np.inf, -np.inf, -0.0]))
    assert np.isnan(result[0])
    assert result[1:3].tolist() == [np.inf, -np.inf]
    assert not np.signbit(result[3])


@pytest.mark.parametrize("digits", [0, 13])
def test_more_digits_than_a_double_holds_exactly_are_refused(digits: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 12, found {digits}"):
        significant(np.array([1.0]), digits)
