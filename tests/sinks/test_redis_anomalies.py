"""Scores, bands and anomalies in a real Redis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from alerts.anomalies import Anomaly, anomaly_id
from sinks.prometheus_anomalies import AnomalyCounter, AnomalyFigures
from sinks.redis_anomalies import AnomalyContent, live_anomaly
from sinks.redis_keys import Keys
from sinks.redis_link import RedisLink
from sinks.redis_server import RedisServer
from sinks.redis_state import StateCommands
from sinks.table_file import ValueFrame
from sinks.value_memory import RECORD, ValueMemory
from tests.redis_servers import ask, hash_of, redis_server
from tests.sinks.test_value_memory import frame


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


def scored(value: float, end: int, score: float, low: float, *, revision: int = 0) -> ValueFrame:
    """One value of one cell; a band one wide."""
    plain = frame("a.one", [(0, end, revision, value, 1, 9, 1.0, 0)])
    if revision:
        return replace(plain, score=np.full(1, np.nan), low=np.full(1, np.nan), high=np.full(1, np.nan))
    return replace(plain, score=np.array([score]), low=np.array([low]), high=np.array([low + 1.0]))


def told(server: RedisServer, state: StateCommands, *frames: ValueFrame) -> dict[str, Any]:
    with RedisLink(server.url) as link:
        link.send(state.take(frames))
    found: dict[str, Any] = json.loads(hash_of(server.url, "yw:cell:N0")["a.one"])
    return found


def test_a_value_tells_score_and_band_which_no_revision_changes(server: RedisServer) -> None:
    ask(server.url, ("FLUSHALL",))
    state = StateCommands(Keys(), lambda _kind, _ids: [])
    first = told(server, state, scored(5.0, 1, 0.0, np.nan))
    assert (first["a"], first["s"]) == (0.0, "ok")
    assert "b" not in first
    second = told(server, state, scored(5.0, 2, 0.512345, 4.1234567))
    assert (second["a"], second["b"]) == (0.5123, [4.12346, 5.12346])
    assert second["t"] == 120_000
    third = told(server, state, scored(7.0, 2, 0.0, 0.0, revision=1))
    assert (third["v"], third["r"], third["a"], third["b"]) == (7.0, 1, second["a"], second["b"])


def test_a_value_that_was_not_scored_tells_neither(server: RedisServer) -> None:
    ask(server.url, ("FLUSHALL",))
    found = told(
        server, StateCommands(Keys(), lambda _kind, _ids: []), frame("a.one", [(0, 1, 0, 5.0, 1, 9, 1.0, 0)])
    )
    assert list(found) == ["v", "l", "t", "n", "c", "r", "s"]


def test_what_was_remembered_before_there_were_scores_goes_on() -> None:
    memory = ValueMemory()
    memory.take([scored(5.0, 1, 0.0, 4.0)])
    names = [name for name in RECORD.names or () if name not in {"score", "low", "high"}]
    old = {name: np.array(records[names].tolist(), RECORD[names]) for name, records in memory.state().items()}
    again = ValueMemory(old)
    (records,) = again.take([scored(5.0, 2, 0.4, 4.0)]).values()
    assert records["score"].tolist() == [np.float32(0.4)]


def anomaly(area: str, seq: int = 0, transition: Any = "raised", at: int = 60_000) -> Anomaly:
    name = anomaly_id("air.aqi", area, 60_000)
    band = {"baseline": 50.0, "low": 40.0, "high": 60.0, "started": 60_000, "window_end": at}
    what = {"anomaly": "spike", "score": 0.8, "p": 1e-4, "value": 99.0, "catalogue_hash": "5f"}
    return Anomaly(name, seq, transition, "air.aqi", area, "street", **band, **what)  # type: ignore[arg-type]


def test_every_line_comes_into_the_stream_once_and_is_called_out(server: RedisServer) -> None:
    ask(server.url, ("FLUSHALL",))
    content = AnomalyContent(Keys())
    lines = [anomaly("a"), anomaly("b"), anomaly("a", 1, "cleared", 86_400_000 * 3)]
    with RedisLink(server.url, content.scripts) as link:
        for items in ([lines[:2]], [lines[1:]], [lines]):
            link.send(content.commands(link, items))
    entries = ask(server.url, ("XRANGE", "yw:anomalies", "-", "+"))[0]
    found = [msgspec.json.decode(fields[1], type=Anomaly) for _, fields in entries]
    assert found == lines
    assert json.loads(live_anomaly(lines[0])) == {
        "k": "anomaly",
        "i": "air.aqi",
        "a": "a",
        "x": "raised",
        "n": "spike",
        "s": 0.8,
        "v": 99.0,
        "t": 60_000,
    }


def test_the_counter_counts_what_is_raised_and_goes_on_after_a_restart() -> None:
    figures = AnomalyFigures({"air.aqi": "environment"})
    part = AnomalyCounter(figures).build_part("anomalies_prometheus", "city", None)
    part.write_batch([[anomaly("a"), anomaly("a", 1, "cleared")], [anomaly("b")]])
    again = AnomalyFigures({"air.aqi": "environment"})
    AnomalyCounter(again).build_part("anomalies_prometheus", "city", part.snapshot())
    (family,) = again.families()
    found = {s.labels: s.value for s in family.samples}
    assert found.pop(("spike", "environment")) == 2
    assert found[("drift", "environment")] == 0
    assert set(found.values()) == {0}
