"""A city sent to Kafka is the city written to files, in every form, each tile in one partition."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.config.file import load
from flows.kafka.topic_messages import SIZES, Form
from flows.replay.processes import free_ports
from geo.cells import BeidouGrid
from indicators.layout import tile_number
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_types import Message
from tests.kafka.broker import Cluster
from tests.kafka.topics import content

OPTIONS = ("--seed", "4", "--hours", "0.3", "--sensors", "120", "--faults", "heavy")


def simulate(*more: object) -> Any:
    return CliRunner().invoke(app, ["simulate", *OPTIONS, *map(str, more)], env={"COLUMNS": "300"})


def decoded(message: Message, form: Form) -> list[dict[str, Any]]:
    value = message.value() or b""
    if form == "arrow":
        return pl.read_ipc_stream(io.BytesIO(value)).to_dicts()
    found = json.loads(value)
    return found if form == "json-array" else [found]


def by_sensor(records: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        found[record["sensor_id"]].append(record)
    return found


def configured(tmp_path: Path, cluster: Cluster) -> tuple[Path, str, str]:
    readings, events = cluster.topic(3), cluster.topic(2)
    path = tmp_path / "topics.toml"
    path.write_text(
        f"[kafka]\nbootstrap_servers = '{cluster.servers}'\nreadings = '{readings}'\nevents = '{events}'\n"
    )
    return path, readings, events


@pytest.mark.parametrize("form", SIZES)
def test_topics_hold_what_files_hold(real_kafka: Cluster, tmp_path: Path, form: Form) -> None:
    config, readings, events = configured(tmp_path, real_kafka)
    to = tmp_path / "city"
    done = simulate("--config", config, "--format", form, "--to", to, "--json")
    assert done.exit_code == 0, done.output
    assert simulate("--to", tmp_path / "files").exit_code == 0
    lines = (tmp_path / "files" / "readings.jsonl").read_text().splitlines()
    expected = by_sensor([json.loads(line) for line in lines])
    messages = content(real_kafka, readings)
    assert max(len(decoded(one, form)) for one in messages) <= SIZES[form]
    assert by_sensor([record for one in messages for record in decoded(one, form)]) == expected
    cases = [json.loads(one.value() or b"") for one in content(real_kafka, events)]
    lines = (tmp_path / "files" / "events.jsonl").read_text().splitlines()
    assert sorted(cases, key=str) == sorted(map(json.loads, lines), key=str)
    report = json.loads(done.stdout)
    assert (report["readings"], report["events"]) == (sum(map(len, expected.values())), len(lines))
    assert report["messages"] == len(messages) + len(cases)
    beside = {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()}
    found = {path.name: path.read_bytes() for path in to.iterdir()}
    assert set(beside) - set(found) == {"readings.jsonl", "events.jsonl"}
    assert all(beside[name] == data for name, data in found.items() if name != "city.toml")
    section = load(to / "city.toml").kafka
    assert (section.bootstrap_servers, section.readings) == (real_kafka.servers, readings)


def test_readings_carry_their_place_where_there_is_no_registry(real_kafka: Cluster, tmp_path: Path) -> None:
    config, readings, _ = configured(tmp_path, real_kafka)
    assert simulate("--config", config).exit_code == 0
    grid = BeidouGrid()
    seen: dict[str, int] = {}
    for message in content(real_kafka, readings):
        (record,) = decoded(message, "json")
        tile = grid.tile(grid.cells([record["lon"]], [record["lat"]]))
        assert message.partition() == tile_number(tile)[0] % 3
        assert seen.setdefault(record["sensor_id"], message.partition() or 0) == (message.partition() or 0)
        assert dict(message.headers()) == {"content-type": b"application/json"}
    assert len(seen) > 100


def test_topics_that_are_not_there_are_made_and_named(real_kafka: Cluster, tmp_path: Path) -> None:
    path = tmp_path / "topics.toml"
    path.write_text("[kafka]\nreadings = 'new-readings'\nevents = 'new-events'\n")
    done = simulate("--config", path, "--kafka", real_kafka.servers, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["topics_made"] == ["new-readings", "new-events"]
    assert "topics made: new-readings, new-events" in done.stderr
    assert len(KafkaAdmin(real_kafka.settings).topics()["new-readings"].leaders) == 4


def test_a_cluster_that_is_away_is_failed_work(tmp_path: Path) -> None:
    path = tmp_path / "topics.toml"
    path.write_text("[kafka]\ntimeout = 1\n")
    (port,) = free_ports(1)
    done = simulate("--config", path, "--kafka", f"127.0.0.1:{port}")
    assert done.exit_code == 1
    assert f"127.0.0.1:{port} was asked for its topics" in done.stderr
