"""The demo's parts on a real Redis: departments that work, a watcher that sees, a view that shows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from flows.demo.departments import CREWS, SUPERVISOR, Departments
from flows.demo.report import areas_of, last_lines
from flows.demo.state import DemoState, Watcher, samples
from flows.demo.view import DemoView
from indicators.catalogue import Catalogue
from tests.redis_servers import ask, entries_of, redis_server
from tests.sinks.dispatch_stories import fill, moved

NOON = 1_779_076_800_000
CATALOGUE = Catalogue.load()
NAMES = {"420100": "武汉市", "420106": "武昌区"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with redis_server() as running:
        yield running.url


@pytest.fixture
def url(server: str) -> str:
    ask(server, ("FLUSHALL",))
    return server


@pytest.fixture
def departments(url: str) -> Iterator[Departments]:
    found = Departments(url, lambda: NOON, seed=3)
    yield found
    found.close()


def reported(url: str) -> list[dict[str, object]]:
    return [json.loads(entry["payload"]) for entry in entries_of(url, "yw:feedback")]


def test_departments_work_on_every_ticket_to_its_end(url: str, departments: Departments) -> None:
    incidents = fill(url, [moved(i, level=1 + i % 4) for i in range(30)])
    for second in range(400):
        departments.work(float(second))
    closed = {one["incident_id"] for one in reported(url) if one["action"] == "close"}
    assert closed == {one.incident_id for one in incidents}
    assert departments.done["dispatch"] == departments.done["close"] == 30
    assert departments.done["reject"] > 0
    assert departments.done["resolve"] == 30 + departments.done["reject"]


def test_nobody_verifies_what_he_did(url: str, departments: Departments) -> None:
    fill(url, [moved(i) for i in range(12)])
    for second in range(200):
        departments.work(float(second))
    actors = {(one["action"], one["actor"]) for one in reported(url)}
    assert {actor for action, actor in actors if action in {"verify", "reject", "close"}} == {SUPERVISOR}
    assert {actor for action, actor in actors if action in {"acknowledge", "resolve"}} <= set(CREWS)


def test_the_watcher_sees_what_redis_says(url: str) -> None:
    fill(url, [moved(1, level=3), moved(2, level=4)])
    value = {"v": 0.41, "l": 4, "t": NOON, "n": 5, "c": 1.0, "r": 0, "s": "ok"}
    ask(
        url,
        ("HSET", "yw:meta", "watermark", NOON),
        ("HSET", "yw:area:420100", "drainage.ponding_depth_max", json.dumps(value)),
        ("HSET", "yw:area:420106", "drainage.ponding_depth_max", json.dumps(value)),
        ("HSET", "yw:cell:N50H051148C", "drainage.ponding_depth_max", json.dumps(value)),
        ("ZADD", "yw:rank:drainage.ponding_depth_max", 0.41, "N50H051148C"),
    )
    watcher = Watcher(url, "http://127.0.0.1:1/metrics", CATALOGUE.indicators, NAMES, "420100")
    state = watcher.look()
    watcher.close()
    assert (state.watermark, state.open, len(state.queue)) == (NOON, 2, 2)
    assert [(p.indicator, p.value.v, p.value.l) for p in state.city] == [
        ("drainage.ponding_depth_max", 0.41, 4)
    ]
    assert state.districts == {"420106": [0, 0, 0, 0, 1]}
    assert [(p.area, p.value.l) for p in state.cells] == [("N50H051148C", 4)]
    assert [one["level"] for one in state.incidents] == ["4", "3"]


def test_without_redis_the_watcher_has_the_counts_alone() -> None:
    watcher = Watcher(None, "http://127.0.0.1:1/metrics", CATALOGUE.indicators, NAMES, "420100")
    assert watcher.look() == DemoState()
    watcher.close()


def test_the_screen_names_places_levels_and_deeds(url: str, departments: Departments) -> None:
    (incident,) = fill(url, [moved(1, level=4)])
    departments.work(0.0)
    watcher = Watcher(url, "http://127.0.0.1:1/metrics", CATALOGUE.indicators, NAMES, "420100")
    view = DemoView({i.id: i for i in CATALOGUE.indicators}, NAMES, ZoneInfo("Asia/Shanghai"), 60.0)
    console = Console(width=180, height=50, record=True)
    console.print(view.screen(watcher.look(), departments.deeds, "left 3 s"))
    watcher.close()
    text = console.export_text()
    assert incident.name_zh in text
    assert "接单 takes" in text
    assert "left 3 s" in text
    assert "在办 taken 1" in text


def test_metrics_are_summed_over_their_labels_and_others_left_out() -> None:
    page = (
        '# TYPE x counter\nyiwang_readings_total{source="a"} 2.0\nyiwang_readings_total{source="b"} 3e3\nx 1'
    )
    assert samples(page) == {"yiwang_readings_total": 3002.0}


def test_the_last_state_of_an_incident_counts_and_a_torn_line_does_not(tmp_path: Path) -> None:
    lines = [
        {"incident_id": name, "seq": seq, "status": status, "peak_level": 2}
        for name, seq, status in (("a", 1, "raised"), ("b", 1, "raised"), ("a", 2, "closed"))
    ]
    path = tmp_path / "incidents.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"incident_id": "c"')
    assert Counter(one.status for one in last_lines(path)) == {"raised": 1, "closed": 1}


def test_a_demo_without_an_alert_has_no_incident(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "incidents.jsonl") == []


def test_names_and_the_city_come_from_the_city_s_files(tmp_path: Path) -> None:
    feature = {"type": "Feature", "properties": {"id": "420106", "name_zh": "武昌区"}, "geometry": None}
    (tmp_path / "areas.geojson").write_text(json.dumps({"features": [feature]}))
    (tmp_path / "city.toml").write_text('[city]\nid = "420100"  # 武汉市\n')
    assert areas_of(tmp_path / "areas.geojson") == ({"420106": "武昌区"}, "420100")


def test_an_alert_that_rises_again_is_worked_on_once(url: str, departments: Departments) -> None:
    fill(url, [moved(1), moved(1, seq=2, level=3, previous=2)])
    for second in range(100):
        departments.work(float(second))
    assert departments.done["dispatch"] == departments.done["close"] == 1
    assert [one["action"] for one in reported(url)].count("close") == 1
