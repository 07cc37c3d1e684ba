"""All 84 indicators in random cities, at every kind of area: each value is that of the raw records.

``make oracle`` does the same for as many cities as there is time for.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.oracle.cities import City, Faults
from tests.oracle.recompute import RULES
from tests.oracle.whole_cities import WholeRecipe, any_recipe, indicators_of
from tests.oracle.whole_comparison import Compared, differences, missing, run, strangers
from tests.oracle.wire_files import Rows

FULL = {
    "present": WholeRecipe(
        "present", 8, 11 * 60 + 10, 3, 12, Faults(0.15, 0.3, 0.02, 0.05, 0.05, 0.05, 2), 2
    ),
    "past": WholeRecipe("past", 8, 11 * 60 + 10, 3, 12, Faults(0.15, 0.3, 0.02, 0.05, 0.05, 0.05, 2), 2),
}
"""One city of each part with gaps, late, double, corrected and absurd records, and a value of everything."""

ONE = settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""The same city in every run, not shrunk: each costs seconds."""


def told(wrong: list[str]) -> str:
    return f"{len(wrong)} differences, the first ones:\n" + "\n".join(wrong[:12])


@cache
def table(part: str) -> tuple[City, Rows]:
    """A full city's table, computed once; small batches for the part with few records."""
    city = FULL[part].city()
    rows, summary = run(city, indicators_of(part), 200, 2)
    assert summary["rejected"] == city.rejected
    assert summary["duplicates"] == city.duplicates
    return city, rows


@pytest.mark.parametrize("part", FULL)
def test_every_indicator_has_the_right_values_at_every_kind_of_area(part: str) -> None:
    city, rows = table(part)
    compared: Compared = Counter()
    wrong = list(differences(city, rows, indicators_of(part), compared))
    assert not wrong, told(wrong)
    assert not list(strangers(city, rows))
    assert not missing(compared, indicators_of(part))


@pytest.mark.parametrize("part", FULL)
@ONE
@given(seed=st.integers(0, 2**32 - 1), batch_size=st.sampled_from([20, 10**6]), lanes=st.sampled_from([1, 2]))
def test_so_it_is_in_any_other_city(part: str, seed: int, batch_size: int, lanes: int) -> None:
    recipe = replace(any_recipe(Random(seed), part), each=1)  # noqa: S311 (not for secrets)
    city = recipe.city()
    rows, summary = run(city, indicators_of(part), batch_size, lanes)
    wrong = list(differences(city, rows, indicators_of(part), Counter()))
    assert not wrong, told(wrong)
    assert not list(strangers(city, rows))
    assert (summary["rejected"], summary["duplicates"]) == (city.rejected, city.duplicates)


@pytest.mark.parametrize("part", FULL)
def test_the_comparison_finds_one_wrong_value_and_one_wrong_status(part: str) -> None:
    city, rows = table(part)
    names = set(indicators_of(part))
    key = next(k for k, row in rows.items() if k[0] in names and k[2] >= city.first and row.value)
    for wrong in (
        replace(rows[key], value=(rows[key].value or 0) + 1e-6),
        replace(rows[key], status="no_data"),
    ):
        found = list(differences(city, {**rows, key: wrong}, [key[0]], Counter()))
        assert len(found) == 1
        assert found[0].startswith(" ".join(map(str, key)))


def test_the_two_parts_are_the_whole_catalogue() -> None:
    assert sorted(indicators_of("present") + indicators_of("past")) == sorted(RULES)
    assert len(RULES) == 84
