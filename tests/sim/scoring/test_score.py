"""The score: exact at the edges, equal to a comparison pair by pair, fast where there are many of both."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scoring.exposure import Exposure
from sim.scoring.files import TruthEvent
from sim.scoring.matches import NEVER, least
from sim.scoring.score import Score
from tests.sim.scoring.score_cases import (
    CELLS,
    MINUTE,
    Alert,
    alert,
    alerts_of_a_day,
    event,
    events_of_a_day,
    plain,
    scored,
)

END = 10 * MINUTE
LAST = END + 2 * MINUTE
"""End of the event and 2 hops of the gas indicator."""


def without_rate(score: Score) -> dict[str, object]:
    return {key: value for key, value in score.as_json().items() if key != "false_per_1000_cells_day"}


@pytest.mark.parametrize(
    ("raised", "found"),
    [
        pytest.param(-1, False, id="a millisecond before the start"),
        pytest.param(0, True, id="at the start"),
        pytest.param(END, True, id="at the end"),
        pytest.param(LAST, True, id="two hops after the end"),
        pytest.param(LAST + 1, False, id="a millisecond later"),
    ],
)
def test_an_event_is_found_from_its_start_to_two_hops_after_its_end(raised: int, *, found: bool) -> None:
    result = scored([event()], [alert(raised=raised)])
    assert result.total.recall == float(found)
    assert result.total.precision == float(found)
    assert (result.found_ms[0] < NEVER) == found


def test_each_indicator_has_its_own_two_hops() -> None:
    both = event(indicators=["gas.leak_lel_max", "air.aqi"])
    late = END + 120 * MINUTE
    assert scored([both], [alert(raised=late, indicator="air.aqi")]).total.found == 1
    assert scored([both], [alert(raised=late)]).total.found == 0
    assert scored([both], [alert(raised=late + 1, indicator="air.aqi")]).total.found == 0


@pytest.mark.parametrize("kind", ["cell", "street", "district", "city"])
def test_an_alert_of_a_cell_or_of_an_area_that_holds_it_finds_the_event(kind: str) -> None:
    assert scored([event()], [alert(kind=kind)]).total.recall == 1.0


@pytest.mark.parametrize(
    ("cell", "kind"),
    [(CELLS[1], "cell"), (CELLS[2], "street"), (CELLS[3], "district")],
)
def test_an_alert_of_the_neighbour_does_not(cell: str, kind: str) -> None:
    result = scored([event()], [alert(cell, kind=kind)])
    assert (result.total.recall, result.total.precision) == (0.0, 0.0)


def test_an_alert_of_another_indicator_is_related_and_neither_true_nor_false() -> None:
    result = scored([event()], [alert(indicator="air.aqi"), alert(name="b")])
    assert (result.count("true"), result.count("related"), result.count("false")) == (1, 1, 0)
    assert result.total.precision == 1.0


def test_an_alert_of_another_indicator_elsewhere_or_later_is_false() -> None:
    elsewhere = alert(CELLS[3], indicator="air.aqi", name="b")
    later = alert(raised=LAST + 1, indicator="air.aqi", name="c")
    assert scored([event()], [elsewhere, later]).count("false") == 2


def test_seconds_to_detect_count_to_the_moment_an_alert_could_be_known() -> None:
    late = Alert("a", "gas.leak_lel_max", "cell", CELLS[0], MINUTE, 9 * MINUTE)
    assert scored([event()], [late]).total.median_seconds == 540.0
    # One that was raised later but known sooner is what people saw first.
    assert scored([event()], [late, alert(raised=3 * MINUTE, name="b")]).total.median_seconds == 180.0


def test_the_median_is_over_found_events_alone() -> None:
    events = [event(name="e1"), event(name="e2", cells=[CELLS[3]]), event(name="e3", cells=[CELLS[2]])]
    alerts = [alert(raised=60_000), alert(CELLS[3], raised=120_000, name="b")]
    result = scored(events, alerts)
    assert (result.total.events, result.total.found, result.total.median_seconds) == (3, 2, 90.0)


def test_a_false_alert_counts_against_every_scenario_that_names_its_indicator() -> None:
    events = [event(name="e1"), event(name="e2", scenario="toxic_release", cells=[CELLS[3]])]
    result = scored(events, [alert(), alert(raised=LAST + 1, name="b")])
    assert result.by_scenario["gas_leak"].precision == 0.5
    assert result.by_scenario["toxic_release"].precision == 0.0
    assert result.total.precision == 0.5


def test_without_events_there_is_no_recall_and_every_alert_is_false() -> None:
    result = scored([], [alert()], Exposure(cells=500, days=2.0))
    expected: dict[str, object] = {
        "recall": None,
        "precision": 0.0,
        "median_seconds_to_detect": None,
        "false_per_1000_cells_day": 1.0,
        "by_scenario": {},
    }
    assert result.as_json() == expected


def test_without_alerts_there_is_no_precision_and_nothing_is_found() -> None:
    result = scored([event()], [], Exposure(cells=500, days=2.0))
    assert (result.total.recall, result.total.precision) == (0.0, None)
    assert result.false_rate == 0.0


@given(events_of_a_day(), alerts_of_a_day())
def test_the_score_is_that_of_a_comparison_pair_by_pair(
    events: list[TruthEvent], alerts: list[Alert]
) -> None:
    assert without_rate(scored(events, alerts)) == plain(events, alerts)


@given(events_of_a_day(), alerts_of_a_day(), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(
    events: list[TruthEvent], alerts: list[Alert], chance: random.Random
) -> None:
    before = scored(events, alerts).as_json()
    chance.shuffle(events)
    chance.shuffle(alerts)
    assert scored(events, alerts).as_json() == before


@given(events_of_a_day(), alerts_of_a_day())
def test_a_further_false_alert_never_raises_precision_and_leaves_recall(
    events: list[TruthEvent], alerts: list[Alert]
) -> None:
    before = scored(events, alerts).total
    after = scored(events, [*alerts, alert(raised=-1, name="too early")]).total
    assert after.precision is not None
    assert before.precision is None or after.precision <= before.precision
    assert (after.recall, after.true) == (before.recall, before.true)


@given(events_of_a_day(), alerts_of_a_day(least=1))
def test_a_further_alert_never_lowers_recall_and_never_delays_detection(
    events: list[TruthEvent], alerts: list[Alert]
) -> None:
    less, more = scored(events, alerts[:-1]), scored(events, alerts)
    assert less.total.found <= more.total.found
    assert (more.found_ms <= less.found_ms).all()


@given(events_of_a_day(), alerts_of_a_day())
def test_every_alert_is_one_of_the_three(events: list[TruthEvent], alerts: list[Alert]) -> None:
    result = scored(events, alerts)
    assert sum(result.count(verdict) for verdict in ("true", "related", "false")) == len(alerts)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=40), st.data())
def test_least_is_the_minimum_of_a_stretch(values: list[int], data: st.DataObject) -> None:
    ends = st.integers(0, len(values))
    stretches = data.draw(st.lists(st.tuples(ends, ends).map(sorted), max_size=8))
    low, high = (np.array([s[i] for s in stretches], dtype=np.int64) for i in (0, 1))
    expected = [min(values[a:b], default=NEVER) for a, b in stretches]
    assert least(np.array(values), low, high).tolist() == expected


def test_three_hundred_million_pairs_of_events_and_alerts_are_never_listed() -> None:
    # Every alert of the city lies in all events: a join of both would not end on any machine.
    alerts = [alert(raised=n, kind="city", name=f"a{n}") for n in range(100_000)]
    events = [event(start=n, end=200_000, name=f"e{n}") for n in range(3_000)]
    result = scored(events, [*alerts, alert(CELLS[3], raised=5, name="false")])
    assert (result.total.found, result.total.true, result.total.false) == (3_000, 100_000, 1)
    assert result.total.median_seconds == 0.0
