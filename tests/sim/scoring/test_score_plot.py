"""The picture of a score: well-formed, complete, of bounded size; and the axis under it."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scoring.files import TruthEvent
from sim.scoring.plot import COLOURS, OTHERS_SHOWN, draw
from sim.scoring.time_axis import TimeAxis
from tests.sim.scoring.score_cases import CELLS, HOPS, MINUTE, Alert, alert, event, scored

SVG = "{http://www.w3.org/2000/svg}"
NAMES = {"gas_leak": "燃气泄漏", "gas.leak_lel_max": "燃气泄漏浓度", "air.aqi": "空气质量指数"}


def picture(events: list[TruthEvent], alerts: list[Alert]) -> ET.Element:
    return ET.fromstring(draw(events, scored(events, alerts), HOPS, NAMES))  # noqa: S314 - our own text


def texts(root: ET.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{SVG}text")]


def strokes(root: ET.Element, verdict: str) -> list[str]:
    """Strokes of a verdict, without the one of the legend."""
    found = [n.get("d", "") for n in root.iter(f"{SVG}path") if n.get("stroke") == COLOURS[verdict]]
    return [stroke for d in found[1:] for stroke in d.split("M") if stroke]


def test_every_scenario_and_indicator_has_a_labelled_row() -> None:
    root = picture([event(indicators=["gas.leak_lel_max", "weather.rain_1h_max"])], [alert()])
    shown = texts(root)
    assert "燃气泄漏 gas_leak：检出 found 1/1" in shown
    assert "燃气泄漏浓度 gas.leak_lel_max" in shown
    assert "weather.rain_1h_max" in shown


def test_a_bar_tells_its_event_and_whether_it_was_missed() -> None:
    root = picture([event(name="e<1>"), event(name="e2", cells=[CELLS[3]])], [alert()])
    assert [node.text for node in root.iter(f"{SVG}title")] == ["e<1>: 检出 found", "e2: 漏报 missed"]
    dashed = [node for node in root.iter(f"{SVG}rect") if node.get("stroke-dasharray")]
    assert len(dashed) == 1


def test_alerts_are_strokes_in_the_colour_of_what_they_turned_out_to_be() -> None:
    alerts = [
        alert(),
        alert(raised=5 * MINUTE, name="b"),
        alert(CELLS[3], name="c"),
        alert(indicator="air.aqi", name="d"),
    ]
    root = picture([event()], alerts)
    assert [len(strokes(root, verdict)) for verdict in COLOURS] == [2, 1, 1]


def test_indicators_of_no_scenario_are_drawn_too_the_rarest_in_one_row() -> None:
    alerts = [Alert(f"a{n}", f"x.{n:02}", "cell", CELLS[0], 0, 0) for n in range(OTHERS_SHOWN + 5)]
    shown = texts(picture([event()], alerts))
    assert "其余 5 项 others" in shown
    assert sum(text.startswith("x.") for text in shown) == OTHERS_SHOWN


def test_many_alerts_make_no_large_picture() -> None:
    events = [event(end=50_000)]
    svg = draw(events, scored(events, [alert(raised=n, name=f"a{n}") for n in range(50_000)]), HOPS, {})
    assert len(svg) < 60_000


def test_a_picture_of_nothing_is_a_picture() -> None:
    assert "召回率 recall –" in " ".join(texts(picture([], [])))


@given(st.integers(0, 4_000_000_000_000), st.integers(1, 100_000_000_000))
def test_an_axis_has_few_ticks_in_order_and_inside(begin: int, length: int) -> None:
    axis = TimeAxis(begin, begin + length, 0.0, 1000.0, "Asia/Shanghai")
    ticks = [ms for ms, _ in axis.ticks()]
    assert len(ticks) <= 10
    assert all(begin <= ms <= begin + length for ms in ticks)
    assert all(a < b for a, b in pairwise(ticks))


@pytest.mark.parametrize("tz", ["Asia/Shanghai", "Asia/Kolkata", "America/New_York"])
def test_ticks_of_days_are_local_midnights(tz: str) -> None:
    axis = TimeAxis(1_719_964_800_000, 1_719_964_800_000 + 7 * 86_400_000, 0.0, 1.0, tz)
    assert {label[-5:] for _, label in axis.ticks()} == {"00:00"}
