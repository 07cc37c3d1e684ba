"""Laws of what depends on where things are: groups of points, cases apart from sensors, the largest group.

Towns of three cells side by side, in which points of neighbouring cells may be close to each other; every
union of cells is an area. What is expected is found pair by pair, on the ellipsoid (``tests.oracle.places``).
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.catalogue import Catalogue
from indicators.golden_case import GoldenCase, golden_case
from indicators.golden_town import GoldenTown
from indicators.metrics import Metrics
from tests.oracle.golden import of_oracle
from tests.oracle.recompute import recompute
from tests.oracle.settled import settle

METRICS = Metrics.load()
SHIPPED = {i.id: i for i in Catalogue.load().indicators}
CELLS = "ABC"
AREAS = {
    "".join(cells): list(cells) for cells in chain.from_iterable(combinations(CELLS, k) for k in (1, 2, 3))
}
"""Every union of cells by its letters."""

WIDTH = 100
"""Metres from west to east of a cell."""

SPOTS = st.tuples(st.sampled_from([0, 5, 12, 45, 60, 88, 95, 99]), st.sampled_from([0, 3, 480, 505]))
MINUTES = st.sampled_from([0, 1, 5, 29, 30, 31, 45, 59])

BY_PLACE = {
    "road_facility.manhole_alarm_count": (["ev_manhole"], "manhole_open", (0, 1)),
    "fire_forest.hotspot_count": (
        ["ev_forest_smoke", "ev_satellite_hotspot"],
        "thermal_spot_temperature",
        (20, 150),
    ),
}
"""Indicators by distance: their cases, and their sensors with a calm and an alarming value."""

BY_CELL = {"public_safety.dispute_rate": ["ev_dispute"], "public_health.cluster_index_7d": ["ev_ili_case"]}
"""Indicators whose groups lie in one cell each."""


def spot(cell: str, place: tuple[int, int]) -> str:
    """A place of a cell in the notation of golden cases."""
    return f"@{cell}({CELLS.index(cell) * WIDTH + place[0]},{place[1]})"


@st.composite
def towns(draw: st.DrawFn, indicator: str) -> GoldenCase:
    """Cases, and sensors where distances count, of one indicator."""
    cells = st.sampled_from(CELLS)
    kinds, metric, values = BY_PLACE.get(indicator, (BY_CELL.get(indicator, []), "", ()))
    lines = []
    for i, (kind, cell, place, minutes) in enumerate(
        draw(st.lists(st.tuples(st.sampled_from(kinds), cells, SPOTS, MINUTES), min_size=1, max_size=9))
    ):
        channel = draw(st.sampled_from(["", "#x", "#y"])) if indicator.startswith("public_health") else ""
        lines.append(f"c{i}{spot(cell, place)}{channel} {kind}: reported -{minutes}m")
    series = []
    if metric:
        rows = st.tuples(cells, SPOTS, st.sampled_from(values))
        for i, (cell, place, value) in enumerate(draw(st.lists(rows, max_size=6))):
            series.append(f"s{i}{spot(cell, place)} {metric}: {value}")
    here = {line.split("@")[1][0] for line in (*lines, *series)}
    areas = {name: own for name, own in AREAS.items() if set(own) <= here}
    fields: dict[str, Any] = {"indicator": indicator, "name": "town", "at": "2024-07-03T12:00:00+08:00"}
    fields |= {"cases": lines, "series": series, "areas": areas, "value": 0}
    return golden_case(fields, METRICS)


def found(case: GoldenCase) -> dict[str, float]:
    """The engine's value of every area: partials of its cells, merged."""
    town = GoldenTown(case, SHIPPED[case.indicator], METRICS)
    return dict(zip(town.areas, town.judged().value[0].tolist(), strict=True))


@pytest.mark.parametrize("indicator", [*BY_PLACE, *BY_CELL])
@settings(max_examples=25)
@given(data=st.data())
def test_merged_points_give_what_all_points_at_once_give(indicator: str, data: st.DataObject) -> None:
    case = data.draw(towns(indicator))
    city = of_oracle(case)
    values = found(case)
    expected = {
        name: recompute(indicator, city.at, settle(city.records), cells).value
        for name, cells in city.areas.items()
    }
    assert values == pytest.approx(expected)


@pytest.mark.parametrize("indicator", BY_PLACE)
@settings(max_examples=25)
@given(data=st.data())
def test_a_parent_has_no_more_than_its_children_and_no_fewer_than_any(
    indicator: str, data: st.DataObject
) -> None:
    values = found(data.draw(towns(indicator)))
    whole = max(values, key=len)
    assert values[whole] <= sum(values[cell] for cell in whole)
    # Groups of one cell may be joined by points of another, reports covered by sensors there; never all gone.
    assert values[whole] >= (1 if any(values[cell] for cell in whole) else 0)


@settings(max_examples=25)
@given(data=st.data())
def test_chains_of_cells_add_up(data: st.DataObject) -> None:
    values = found(data.draw(towns("public_safety.dispute_rate")))
    assert all(values[name] == sum(values[cell] for cell in name) for name in values)


@settings(max_examples=25)
@given(data=st.data())
def test_the_largest_group_of_a_parent_is_that_of_one_of_its_cells(data: st.DataObject) -> None:
    values = found(data.draw(towns("public_health.cluster_index_7d")))
    assert all(values[name] == max(values[cell] for cell in name) for name in values)


@pytest.mark.parametrize("indicator", [*BY_PLACE, *BY_CELL])
@settings(max_examples=10)
@given(data=st.data())
def test_the_order_of_records_does_not_matter(indicator: str, data: st.DataObject) -> None:
    case = data.draw(towns(indicator))
    turned = GoldenTown(case, SHIPPED[indicator], METRICS)
    fields: dict[str, Any] = {"indicator": indicator, "name": "town", "at": "2024-07-03T12:00:00+08:00"}
    fields |= {"cases": list(case.case_lines)[::-1], "series": list(case.series_lines)[::-1], "value": 0}
    fields |= {"areas": {name: sorted(cells) for name, cells in case.areas.items()}}
    again = found(golden_case(fields, METRICS))
    assert dict(zip(turned.areas, turned.judged().value[0].tolist(), strict=True)) == again
