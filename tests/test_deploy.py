"""What is deployed fits the engine: boards and rules ask for metrics and labels that a running engine has."""

from __future__ import annotations

import re
import time
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import yaml

from flows.config.configuration import Configuration
from flows.config.file import load
from flows.live.run import Engine
from indicators.catalogue import Catalogue
from sinks.prometheus import Family, Source
from sinks.redis_keys import Keys
from tests.dashboards import (
    BOARDS,
    DEPLOY,
    Query,
    board,
    board_queries,
    rule_queries,
    rules,
    without_suffix,
)
from tests.redis_servers import redis_server
from tests.replays import make_city

ROOT = DEPLOY.parent
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SCRAPED = {"job", "instance"}
"""Labels that a scrape adds."""
OF_PYTHON = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Metrics that the Prometheus client adds for every process."""


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Family]:
    """All families of an engine that has read a small city, by name."""
    work = tmp_path_factory.mktemp("engine")
    city = make_city(work / "city", sensors=60, minutes=40, seed=int(Random(1).random() * 100))  # noqa: S311
    act = '{"incident_id":"I0","action":"close","actor":"a","ts":%d}\n'
    (work / "feedback.jsonl").write_text(act % 1 + act % 20_000)
    raw = {
        "city": {"sensors": str(city / "sensors.csv")},
        "files": {
            "readings": [str(city / "readings.jsonl")],
            "events": [str(city / "events.jsonl")],
            "feedback": [str(work / "feedback.jsonl")],
        },
        "engine": {"out": str(work / "out"), "recovery": str(work / "state"), "clock": "source"},
        "prometheus": {"port": 9464},
        "anomaly": {"quarantine": True},
    }
    with redis_server() as redis:
        config = msgspec.convert({**raw, "redis": {"url": redis.url}}, Configuration)
        engine = Asked(config)
        engine.wall = engine.until_read
        engine.run()
        return {family.name: family for source in engine.sources for family in source()}


class Asked(Engine):
    """An engine whose sources are kept, and that stops when everything has been read."""

    sources: list[Source]
    idle = 0

    def until_read(self) -> float:
        if self.parts and self.parts[0].settled:
            self.idle += 1
            self.stop.asked = self.idle > 20
        return time.time()

    def _flow(self, *arguments: Any) -> Any:
        flow, sources, ready = super()._flow(*arguments)
        self.sources = [*sources, *(one.families for one in ready)]
        self.config.prometheus.port = None
        return flow, sources, ready


QUERIES = [*board_queries(), *rule_queries()]
RECORDED = {rule["record"]: rule for rule in rules() if "record" in rule}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_names_metrics_and_labels_that_exist(query: Query, families: dict[str, Family]) -> None:
    assert query.metrics or query.expr.startswith("up")
    for name, selected in query.metrics.items():
        if name in RECORDED or name in OF_PYTHON:
            continue
        assert name in families or without_suffix(name) in families, name
        family = families.get(name) or families[without_suffix(name)]
        assert selected <= set(family.labels) | SCRAPED, f"{name}: {selected} of {family.labels}"


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_groups_by_labels_that_exist(query: Query, families: dict[str, Family]) -> None:
    names = [without_suffix(n) if n not in families else n for n in query.metrics]
    labels = (
        {label for name in names if name in families for label in families[name].labels} | SCRAPED | {"le"}
    )
    grouped = re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", query.expr)
    used = {label.strip() for group in grouped for label in group.split(",") if label.strip()}
    assert used <= labels


def test_every_metric_of_the_contract_is_there(families: dict[str, Family]) -> None:
    contract = """
        yiwang_indicator_value yiwang_indicator_level yiwang_readings_total yiwang_rejected_total
        yiwang_duplicates_total yiwang_late_total yiwang_revisions_total yiwang_watermark_lag_seconds
        yiwang_watermark_held yiwang_alerts_total yiwang_alert_latency_seconds yiwang_alert_age_seconds
        yiwang_incidents_open yiwang_dispatch_pending yiwang_dispatch_oldest_seconds yiwang_batch_seconds
        yiwang_snapshot_seconds yiwang_snapshot_bytes
        yiwang_catalogue_info yiwang_build_info yiwang_up
    """
    missing = [name for name in contract.split() if name not in families]
    assert missing == []
    empty = [name for name, one in families.items() if not (one.samples or one.spreads)]
    assert empty == []


def test_the_guide_names_every_metric_with_its_type_and_labels(families: dict[str, Family]) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(yiwang_\w+)` \| (\w+) \| (.*?) ?\|", guide, re.MULTILINE)
    told = {name: (type_, tuple(filter(None, labels.split(", ")))) for name, type_, labels in rows}
    assert told == {name: (one.type, one.labels) for name, one in families.items()}


def test_no_cell_is_a_label_and_every_label_of_an_area_is_above_it(families: dict[str, Family]) -> None:
    for family in families.values():
        if "kind" in family.labels and "area" in family.labels:
            kinds = {sample.labels[family.labels.index("kind")] for sample in family.samples}
            assert kinds <= {"city", "district", "street"}


def test_metrics_are_named_as_the_field_names_them(families: dict[str, Family]) -> None:
    for name, family in families.items():
        assert re.fullmatch(r"yiwang_[a-z_]+", name)
        assert (family.type == "counter") == name.endswith("_total")
        assert family.help.endswith(".")
        assert re.search(r"\d", name) is None


def test_records_add_up_in_the_metrics(families: dict[str, Family]) -> None:
    def total(name: str) -> float:
        return sum(sample.value for sample in families[f"yiwang_{name}"].samples)

    accepted = total("readings_total") + total("events_total") + total("feedback_total")
    assert accepted + total("rejected_total") + total("duplicates_total") == total("records_total")
    refused = families["yiwang_rejected_total"].samples
    assert {s.labels: s.value for s in refused}["bad_transition",] == 1


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_a_board_is_laid_out_without_overlaps_and_named_in_both_languages(path: Path) -> None:
    found = board(path)
    taken: set[tuple[int, int]] = set()
    for panel in found["panels"]:
        grid = panel["gridPos"]
        places = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in _rows(grid)}
        assert not places & taken, panel["title"]
        assert max(x for x, _ in places) < 24
        taken |= places
    titles = [found["title"], *(panel["title"] for panel in found["panels"])]
    titles = [title.replace("$indicator：", "") for title in titles]
    assert [t for t in titles if not (re.search(r"[一-鿿]", t) and re.search(r"[A-Za-z]", t))] == []
    assert len({panel["id"] for panel in found["panels"]}) == len(found["panels"])


def _rows(grid: dict[str, int]) -> range:
    return range(grid["y"], grid["y"] + grid["h"])


def test_boards_ask_the_data_sources_that_are_provisioned() -> None:
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/yiwang.yaml").read_text())[
        "datasources"
    ]
    known = {source["uid"]: source["type"] for source in sources}
    for path in BOARDS:
        for panel in board(path)["panels"]:
            for one in (panel, *panel["targets"]):
                assert known[one["datasource"]["uid"]] == one["datasource"]["type"]


def test_the_redis_panels_read_keys_of_the_contract() -> None:
    keys = Keys()
    known = {keys.rank("$indicator"), keys.open}
    asked = {
        target["keyName"]
        for path in BOARDS
        for panel in board(path)["panels"]
        for target in panel["targets"]
        if target["datasource"]["uid"] == "redis"
    }
    assert asked == known


def test_every_alert_says_what_is_wrong_in_both_languages_and_where_to_read_on() -> None:
    headings = set(re.findall(r"^#+ (.*)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for rule in rules():
        if "alert" in rule:
            summary = rule["annotations"]["summary"]
            assert re.search(r"[一-鿿]", summary), summary
            assert re.search(r"[A-Za-z]{3}", summary), summary
            page, anchor = rule["annotations"]["runbook"].split("#")
            assert page == "docs/operations.md"
            assert anchor in anchors
            assert rule["labels"]["severity"] in {"warning", "critical"}


def test_every_alert_has_a_test() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yml").read_text(encoding="utf-8"))["tests"]
    tested = {
        one["alertname"] for test in tests for one in test.get("alert_rule_test", []) if one["exp_alerts"]
    }
    assert tested == {rule["alert"] for rule in rules() if "alert" in rule}


def test_the_configuration_of_the_engine_is_valid_and_fits_the_services() -> None:
    config = load(DEPLOY / "city.toml")
    services = COMPOSE["services"]
    assert f"{config.prometheus.port}" in services["engine"]["ports"][0]
    target = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert target["static_configs"] == [{"targets": [f"engine:{config.prometheus.port}"]}]
    assert str(config.redis.url).startswith("redis://redis:")
    assert {"engine", "redis", "kafka", "prometheus", "grafana"} <= set(services)


def test_every_file_that_is_mounted_or_copied_is_there() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), volume
    copied = re.findall(r"^COPY (.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert all((ROOT / name).exists() for name in names)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages <= set(names)


def test_nothing_listens_beyond_the_machine() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_board_of_the_city_offers_indicators_that_exist() -> None:
    assert any(one.id == "traffic.congestion_index" for one in Catalogue.load().indicators)
