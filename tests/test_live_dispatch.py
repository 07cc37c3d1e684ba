"""A live engine with Redis: from a record in a file to a ticket taken, worked and closed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flows.config.configuration import Configuration
from flows.live.run import Engine
from flows.live.run_totals import RunSummary
from sinks.dispatch_client import DispatchClient
from tests.redis_servers import ask, redis_server
from tests.replays import make_city


def configured(work: Path, url: str, city: Path) -> Configuration:
    raw = {
        "city": {"sensors": str(city / "sensors.csv")},
        "files": {"readings": [str(work / "readings.jsonl")]},
        "engine": {"out": str(work / "out"), "clock": "source", "recovery": str(work / "state")},
        "redis": {"url": url},
    }
    return msgspec.convert(raw, Configuration)


class Running:
    """An engine in a thread of its own."""

    def __init__(self, config: Configuration) -> None:
        self.engine = Engine(config)
        self.summary: list[RunSummary] = []
        self._thread = threading.Thread(target=lambda: self.summary.append(self.engine.run()))
        self._thread.start()

    def stop(self) -> RunSummary:
        self.engine.stop.asked = True
        self._thread.join(60)
        return self.summary[0]


def until(ready: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


@pytest.mark.slow
def test_a_ticket_is_taken_worked_and_closed_over_a_restart(tmp_path: Path) -> None:
    city = make_city(tmp_path / "city", sensors=200, minutes=30, seed=5)
    work = tmp_path / "work"
    work.mkdir()
    (work / "readings.jsonl").write_bytes((city / "readings.jsonl").read_bytes())
    with redis_server() as server, DispatchClient(server.url, "武昌消防") as client:
        config = configured(work, server.url, city)
        first = Running(config)
        entry = until(client.take)[0]

        def status() -> str:
            return client.incident(entry.incident_id)["status"]

        until(lambda: status() == "dispatched")
        assert client.ack(entry, "收到")
        until(lambda: status() == "acknowledged")
        counted = first.stop()
        second = Running(config)
        client.act("close", entry.incident_id)
        until(lambda: status() == "closed")
        client.act("arrive", entry.incident_id)
        client.act("note", "I-nobody")
        ask(server.url, ("XADD", "yw:feedback", "*", "payload", "no json"))
        ask(server.url, ("XADD", "yw:feedback", "*", "nothing", "at all"))
        until(lambda: len(refused(work)) >= 3)
        summary = second.stop()
    assert counted.feedback == 2
    # What names no incident waits for five minutes of event time, which never come here.
    assert sorted(refused(work)) == ["bad_json", "bad_json", "bad_transition"]
    assert summary.feedback == 4
    total = summary.accepted + summary.duplicates + sum(summary.rejected.values()) + summary.held
    assert summary.received == total
    last = [
        one for one in lines(work / "out" / "incidents.jsonl") if one["incident_id"] == entry.incident_id
    ][-1]
    assert [step["change"] for step in last["history"] if "actor" in step] == [
        "dispatch",
        "acknowledge",
        "close",
    ]


def lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def refused(work: Path) -> list[str]:
    return [one["reason"] for one in lines(work / "out" / "rejects.jsonl") if one["source"] == "yw:feedback"]
