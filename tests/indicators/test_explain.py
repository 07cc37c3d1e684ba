"""Weights of contributions, and explanations of the golden cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.catalogue import Catalogue
from indicators.contributions import Rows, weights
from indicators.explain import Branch
from indicators.golden_case import GoldenCase, shipped_cases
from indicators.golden_town import GoldenTown
from indicators.metrics import Metrics
from tests.oracle.formulas import quantile

METRICS = Metrics.load()
SHIPPED = {i.id: i for i in Catalogue.load().indicators}
CASES = shipped_cases()

numbers = st.integers(-50, 50).map(float)
sizes = st.integers(1, 9).map(float)


@given(
    st.lists(st.tuples(numbers, sizes), min_size=1, max_size=30), st.sampled_from([0.05, 0.5, 0.9, 0.95, 1])
)
def test_values_times_weights_are_the_reduction(pairs: list[tuple[float, float]], q: float) -> None:
    value, size = (np.array(column) for column in zip(*pairs, strict=True))
    n = len(value)
    rows = Rows.of("series", np.arange(n), np.zeros(n, np.int64), value, size)
    expected = {
        "total": value.sum(),
        "number": value.sum(),
        "average": (value * size).sum() / size.sum(),
        "share": (value * size).sum() / size.sum(),
        "ratio": value.sum() / size.sum(),
        "highest": value.max(),
        "lowest": value.min(),
        "quantile": quantile(value.tolist(), q),
    }
    for fn, result in expected.items():
        found = weights(fn, rows, q)
        assert math.isclose(float((value * found).sum()), float(result), rel_tol=1e-9, abs_tol=1e-9), fn


def test_points_share_their_groups_equally() -> None:
    rows = Rows.of("points", np.arange(5), np.zeros(5, np.int64), np.ones(5))
    for fn in ("clusters", "apart", "largest"):
        assert float((rows.value * weights(fn, rows, value=2.0)).sum()) == pytest.approx(2.0)


def test_joined_rows_know_sensors_from_cases() -> None:
    none = np.zeros(1, np.int64)
    parts = [Rows.of(kind, none, none, np.ones(1)) for kind in ("cases", "series")]
    assert Rows.joined(parts).case.tolist() == [True, False]


def _adds_up(branch: Branch) -> bool:
    if branch.rows is None or branch.weights is None:
        return all(_adds_up(child) for child in branch.children)
    total = float((branch.rows.value * branch.weights).sum())
    return (math.isnan(branch.value) and total == 0) or math.isclose(total, branch.value, rel_tol=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.indicator}: {case.name}")
def test_the_tree_of_a_golden_case_adds_up_to_its_value(case: GoldenCase) -> None:
    town = GoldenTown(case, SHIPPED[case.indicator], METRICS)
    for area in set(town.areas) - set(case.streets_of):
        tree = town.explained(area).tree
        expected = case.value[area]
        assert (
            math.isnan(tree.value) if expected is None else math.isclose(tree.value, expected, rel_tol=1e-6)
        )
        assert all(_adds_up(branch) for branch in tree.walk())


def test_terms_show_the_named_parts_and_what_they_are_made_of() -> None:
    case = CASES[0]
    town = GoldenTown(case, SHIPPED[case.indicator], METRICS)
    (ratio,) = (b for b in town.explained("all").tree.walk() if b.rows is not None)
    assert ratio.text == "ratio(L * r, L)"
    assert ratio.rows is not None
    assert [town.sensors[key] for key in ratio.rows.who.tolist()] == ["r1", "r2"]
    assert ratio.rows.terms["L"].tolist() == [2.0, 1.0]
    assert ratio.rows.terms["r"].tolist() == [2.0, 1.0]
    assert ratio.rows.terms["harmonic_mean(road_speed)"].tolist() == [30.0, 50.0]


def test_an_area_without_records_is_told() -> None:
    case = next(c for c in CASES if len(c.cells) > 1 and c.readings)
    town = GoldenTown(case, SHIPPED[case.indicator], METRICS)
    object.__setattr__(case, "areas", {**case.areas, "nowhere": frozenset({"Z"})})
    with pytest.raises(ValueError, match="lies in 'nowhere'"):
        town.explained("nowhere")
