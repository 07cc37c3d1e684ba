"""Random cities through the engine: every value equals the one recomputed from raw records (R2 to R13)."""

from __future__ import annotations

import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.oracle.cities import CELLS, City, cities
from tests.oracle.door import fates
from tests.oracle.recompute import RULES, Answer, Cells, recompute
from tests.oracle.records import LOCAL
from tests.oracle.settled import Settled, settle
from tests.oracle.wire_files import Row, Rows, replayed

EXAMPLES = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
KIND_BY_LENGTH = {7: "district", 9: "street", 11: "cell"}
AREAS: Mapping[str, Cells | None] = {"city": None} | {
    cell[:size]: frozenset(c for c in CELLS if c.startswith(cell[:size]))
    for cell in CELLS
    for size in KIND_BY_LENGTH
}
INPUTS = {
    "traffic.incident_rate": ("ev_traffic_accident", "ev_road_breakdown"),
}
"""Case types of the indicators that are zero, not null, without a case (a row is due after the first one)."""


def ends(indicator: str, first: int, last: int) -> range:
    """Window ends of an indicator: whole hops since local midnight (R1)."""
    hop = RULES[indicator].hop
    return range(-(-(first + LOCAL) // hop) * hop - LOCAL, last + 1, hop)


def areas_of(indicator: str) -> Iterator[tuple[str, Cells | None]]:
    """Areas in which the indicator has a value."""
    street = RULES[indicator].lowest == "street"
    return ((a, cells) for a, cells in AREAS.items() if not (street and len(a) == 11))


def row_is_due(city: Settled, indicator: str, cells: Cells | None, end: int) -> bool:
    """Has the area had an input of an indicator that is never null (R13)?"""
    kinds = INPUTS.get(indicator)
    if kinds is None:
        return True
    found = (c for kind in kinds for c in city.cases.get(kind, ()))
    return any(
        (cells is None or c.cell in cells) and c.transitions[0].ts <= end for c in found if c.cell is not None
    )


def difference(row: Row | None, answer: Answer, *, due: bool) -> str | None:
    """What is wrong with a row of the engine's, None when nothing is."""
    if row is None or row.value is None:
        return f"no value, expected {answer}" if due and answer.value is not None else None
    if answer.value is None or not math.isclose(row.value, answer.value, rel_tol=1e-9, abs_tol=1e-9):
        return f"{row} instead of {answer}"
    coverage = row.coverage is not None and math.isclose(row.coverage, answer.coverage, abs_tol=1e-6)
    return None if row.n == answer.n and coverage else f"{row} instead of {answer}"


def differences(city: City, rows: Rows) -> Iterator[str]:
    """Every disagreement between the engine's table and the oracle, both ways."""
    settled = settle(city.records)
    expected = {
        (indicator, area, end): row_is_due(settled, indicator, cells, end)
        for indicator in RULES
        for area, cells in areas_of(indicator)
        for end in ends(indicator, city.first, city.last)
    }
    for key in expected | dict.fromkeys(rows, False):
        indicator, area, end = key
        if area not in AREAS or end > city.last or end not in ends(indicator, end, end):
            yield f"{key}: no such area or window: {rows[key]}"
        else:
            answer = recompute(indicator, end, settled, AREAS[area])
            wrong = difference(rows.get(key), answer, due=expected.get(key, False))
            yield from [f"{key}: {wrong}"] if wrong else []


def table_of(city: City) -> dict[tuple[str, str, int], Row]:
    """The table a perfect engine would write."""
    settled = settle(city.records)
    found = {}
    for indicator in RULES:
        for area, cells in areas_of(indicator):
            for end in ends(indicator, city.first, city.last):
                a = recompute(indicator, end, settled, cells)
                if a.value is not None:
                    kind = KIND_BY_LENGTH.get(len(area), "city")
                    found[indicator, area, end] = Row(kind, a.value, a.level, a.n, a.coverage, "ok")
    return found


def run(city: City, batch_size: int, lanes: int) -> tuple[Rows, dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        return replayed(city.wire, Path(folder), batch_size, lanes)


@EXAMPLES
@given(city=cities(), which=st.integers(0, 10**6), n=st.sampled_from([0, 1]))
def test_the_comparison_finds_one_wrong_value_and_one_wrong_count(city: City, which: int, n: int) -> None:
    table = table_of(city)
    assert not list(differences(city, table))
    key = list(table)[which % len(table)]
    value = table[key].value or 0.0
    table[key] = replace(table[key], n=table[key].n + n, value=value if n else value + 1e-6)
    assert [d.startswith(str(key)) for d in differences(city, table)] == [True]


@EXAMPLES
@given(city=cities())
def test_a_city_is_refused_what_its_faults_say_and_nothing_else(city: City) -> None:
    met = Counter(fates(city.wire.readings))
    assert {k: n for k, n in met.items() if k not in {"", "duplicate"}} == city.rejected
    assert met["duplicate"] == city.duplicates


@EXAMPLES
@given(city=cities(), batch_size=st.sampled_from([1, 7, 1000]), lanes=st.sampled_from([1, 2]))
def test_every_value_equals_the_one_recomputed_from_raw_records(
    city: City, batch_size: int, lanes: int
) -> None:
    rows, summary = run(city, batch_size, lanes)
    wrong = list(differences(city, rows))
    assert not wrong, f"{len(wrong)} differences, the first ones:\n" + "\n".join(wrong[:12])
    assert summary["rejected"] == city.rejected
    assert summary["duplicates"] == city.duplicates
    refused = sum(city.rejected.values()) + city.duplicates
    assert summary["received"] == len(city.wire.readings) + len(city.wire.transitions)
    assert summary["accepted"] == summary["received"] - refused


@EXAMPLES
@given(city=cities(), batch_size=st.sampled_from([1, 7]))
def test_the_table_does_not_depend_on_batches_or_lanes(city: City, batch_size: int) -> None:
    whole, _ = run(city, 10**6, 1)
    small, _ = run(city, batch_size, 2)
    assert whole.keys() == small.keys()
    wrong = [f"{key}: {whole[key]} or {small[key]}" for key in whole if whole[key] != small[key]]
    assert not wrong, f"{len(wrong)} differences, the first ones:\n" + "\n".join(wrong[:12])


@EXAMPLES
@given(city=cities())
def test_children_add_up_to_their_parent(city: City) -> None:
    rows, _ = run(city, 1000, 2)
    sums: dict[tuple[str, int], float] = defaultdict(float)
    for (indicator, _, end), row in rows.items():
        if indicator == "traffic.incident_rate" and row.value is not None:
            sums[row.kind, end] += row.value
    city_values = {end: total for (kind, end), total in sums.items() if kind == "city"}
    assert city_values
    for kind in KIND_BY_LENGTH.values():
        assert {end: sums.get((kind, end), 0.0) for end in city_values} == city_values
