"""Random cities through the engine: every value equals the one recomputed from raw records (R2 to R13)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.oracle.cities import Recipe, recipes
from tests.oracle.comparison import KIND_BY_LENGTH, differences, run, table_of
from tests.oracle.door import fates

FIXED = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""The same few cities in every run, not shrunk: each costs seconds."""

MANY = settings(FIXED, max_examples=6)
SOME = settings(FIXED, max_examples=3)


@MANY
@given(recipe=recipes(), which=st.integers(0, 10**6), n=st.sampled_from([0, 1]))
def test_the_comparison_finds_one_wrong_value_and_one_wrong_count(recipe: Recipe, which: int, n: int) -> None:
    city = recipe.city()
    table = table_of(city)
    assert not list(differences(city, table))
    key = list(table)[which % len(table)]
    value = table[key].value or 0.0
    table[key] = replace(table[key], n=table[key].n + n, value=value if n else value + 1e-6)
    assert [d.startswith(str(key)) for d in differences(city, table)] == [True]


@MANY
@given(recipe=recipes())
def test_a_city_is_refused_what_its_faults_say_and_nothing_else(recipe: Recipe) -> None:
    city = recipe.city()
    met = Counter(fates(city.wire.readings))
    assert {k: n for k, n in met.items() if k not in {"", "duplicate"}} == city.rejected
    assert met["duplicate"] == city.duplicates


@MANY
@given(recipe=recipes(), batch_size=st.sampled_from([1, 7, 1000]), lanes=st.sampled_from([1, 2]))
def test_every_value_equals_the_one_recomputed_from_raw_records(
    recipe: Recipe, batch_size: int, lanes: int
) -> None:
    city = recipe.city()
    rows, summary = run(city, batch_size, lanes)
    wrong = list(differences(city, rows))
    assert not wrong, f"{len(wrong)} differences, the first ones:\n" + "\n".join(wrong[:12])
    assert summary["rejected"] == city.rejected
    assert summary["duplicates"] == city.duplicates
    refused = sum(city.rejected.values()) + city.duplicates
    assert summary["received"] == len(city.wire.readings) + len(city.wire.transitions)
    assert summary["accepted"] == summary["received"] - refused


@SOME
@given(recipe=recipes(), batch_size=st.sampled_from([1, 7]))
def test_the_table_does_not_depend_on_batches_or_lanes(recipe: Recipe, batch_size: int) -> None:
    city = recipe.city()
    whole, _ = run(city, 10**6, 1)
    small, _ = run(city, batch_size, 2)
    assert whole.keys() == small.keys()
    wrong = [f"{key}: {whole[key]} or {small[key]}" for key in whole if whole[key] != small[key]]
    assert not wrong, f"{len(wrong)} differences, the first ones:\n" + "\n".join(wrong[:12])


@SOME
@given(recipe=recipes())
def test_children_add_up_to_their_parent(recipe: Recipe) -> None:
    city = recipe.city()
    rows, _ = run(city, 1000, 2)
    sums: dict[tuple[str, int], float] = defaultdict(float)
    for (indicator, _, end), row in rows.items():
        if indicator == "traffic.incident_rate" and row.value is not None:
            sums[row.kind, end] += row.value
    city_values = {end: total for (kind, end), total in sums.items() if kind == "city"}
    assert city_values
    for kind in KIND_BY_LENGTH.values():
        assert {end: sums.get((kind, end), 0.0) for end in city_values} == city_values
