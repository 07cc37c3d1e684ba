"""Two oracles by different means agree on 41 more indicators, in cities with all metrics and cases."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from tests.oracle.area import Area
from tests.oracle.cities import City, Faults
from tests.oracle.frames import INDICATORS
from tests.oracle.frames_counts import COUNTS
from tests.oracle.frames_sums import SUMS
from tests.oracle.frames_windows import View, frames
from tests.oracle.golden import Golden, golden_cases
from tests.oracle.recompute import RULES
from tests.oracle.settled import Settled, settle
from tests.oracle.whole_cities import WholeRecipe
from tests.oracle.whole_places import AREAS, CELLS

MORE = {**SUMS, **COUNTS}
FAULTS = Faults(0.15, 0.3, 0.02, 0.05, 0.05, 0.05, 2)
CITIES = {
    "present": WholeRecipe("present", 41, 11 * 60 + 10, 2, 9, FAULTS, 2),
    "past": WholeRecipe("past", 44, 11 * 60 + 10, 2, 9, FAULTS, 2),
}

Table = dict[tuple[str, int], float]
"""Values by the code of an area and window end."""


def joined(city: City, name: str, first: int, last: int) -> Table:
    """Every value by joins."""
    window, hop, value = MORE[name]
    view = View(frames(city.records, CELLS, first, last), window, hop)
    found = value(view).filter(pl.col("value").is_finite()).collect()
    return {(area, end): v for area, end, v in found.select("area", "end", "value").iter_rows()}


def plain(settled: Settled, name: str, ends: range) -> Table:
    """Every value by the plain oracle; areas by their codes in the grid."""
    rule, found = RULES[name], {}
    for kind, cells in AREAS.values():
        if kind == "community" or (rule.lowest == "street" and kind == "cell"):
            continue
        some = min(cells or {""})
        code = {"city": "city", "district": some[:7], "street": some[:9]}.get(kind, some)
        for end in ends:
            value = rule.value(Area(settled, cells, end, rule.window))
            if value is not None:
                found[code, end] = float(value)
    return found


@pytest.mark.parametrize("part", CITIES)
def test_every_value_is_the_same_by_both_means(part: str) -> None:
    city = CITIES[part].city()
    settled = settle(city.records)
    compared: Counter[str] = Counter()
    for name, (window, hop, _) in MORE.items():
        assert (window, hop) == (RULES[name].window, RULES[name].hop)
        local = 8 * 3_600_000
        ends = range(-(-(city.first + local) // hop) * hop - local, city.last + 1, hop)
        one, other = plain(settled, name, ends), joined(city, name, city.first, city.last)
        assert one == pytest.approx(other, rel=1e-9, abs=1e-9), name
        compared[name] = len(one)
    inputs = {s.metric for s in city.wire.readings} | {t.kind for t in city.wire.transitions}
    own = [n for n in MORE if set(RULES[n].metrics) <= inputs and compared[n]]
    assert len(own) > 15


def test_between_them_the_two_cities_have_a_value_of_everything() -> None:
    found: set[str] = set()
    for recipe in CITIES.values():
        city = recipe.city()
        found |= {name for name in MORE if joined(city, name, city.first, city.last)}
    assert found == set(MORE)
    assert not set(MORE) & set(INDICATORS)


GOLDEN = [case for case in golden_cases() if case.indicator in MORE]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case.indicator}: {case.name}")
def test_the_joins_pass_the_golden_case(case: Golden) -> None:
    window, hop, value = MORE[case.indicator]
    for area, cells in case.areas.items():
        readings = tuple(r for r in case.records.readings if r.cell in cells)
        transitions = tuple(t for t in case.records.transitions if t.cell in cells)
        there = type(case.records)(readings, transitions, case.records.listed)
        found = value(View(frames(there, sorted(cells), case.at, case.at), window, hop)).collect()
        city = found.filter((pl.col("area") == "city") & pl.col("value").is_finite())["value"].to_list()
        expected = case.value[area]
        assert city == ([] if expected is None else [pytest.approx(expected, abs=1e-6)])
