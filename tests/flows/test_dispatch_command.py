"""`yiwang dispatch` on a real Redis: every step of a ticket by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from sinks.dispatch_client import DispatchClient
from tests.redis_servers import ask, entries_of, redis_server
from tests.sinks.dispatch_stories import fill, moved


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with redis_server() as running:
        yield running.url


@pytest.fixture
def url(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    ask(server, ("FLUSHALL",))
    monkeypatch.setenv("YIWANG_REDIS", server)
    monkeypatch.setenv("COLUMNS", "250")
    return server


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["dispatch", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def listed(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*arguments, "--json")[0])
    return found


def test_a_ticket_from_the_list_to_its_end(url: str) -> None:
    (incident, _) = fill(url, [moved(1, level=4), moved(2, district="420102")])
    assert [(one["district"], one["state"], one["level"]) for one in listed("list")] == [
        ("420106", "waiting", 4), ("420102", "waiting", 2),
    ]  # fmt: skip
    (mine,) = listed("take", "--as", "武昌城管")
    assert mine["incident_id"] == incident.incident_id
    assert mine["payload"]["name_zh"] == incident.name_zh
    assert listed("list", "--district", "420106")[0]["taker"] == "武昌城管"
    done = json.loads(run("ack", mine["entry_id"], "--as", "武昌城管", "--note", "收到", "--json")[0])
    assert done == {"incident_id": incident.incident_id, "action": "acknowledge", "actor": "武昌城管"}
    assert "arrive by 武昌城管" in run("act", "arrive", incident.incident_id, "--as", "武昌城管")[0]
    records = [json.loads(entry["payload"]) for entry in entries_of(url, "yw:feedback")]
    assert [(one["action"], one.get("note")) for one in records] == [
        ("dispatch", None), ("acknowledge", "收到"), ("arrive", None),
    ]  # fmt: skip
    assert [one["district"] for one in listed("list")] == ["420102"]


def test_the_table_says_what_where_and_by_when(url: str) -> None:
    (incident,) = fill(url, [moved(1, level=4)])
    text = run("list")[0]
    for part in (
        incident.name_zh,
        "红 red ",
        "raised",
        "420106",
        "12.5",
        incident.department,
        incident.incident_id,
    ):
        assert part in text
    assert "yours" in run("take")[0]
    assert "nothing is waiting" in run("take")[1]


def test_a_narrow_terminal_cuts_neither_incident_nor_entry(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (incident,) = fill(url, [moved(1, level=4)])
    (entry,) = listed("list")
    text = run("list")[0]
    assert incident.incident_id in text
    assert f"420106/{entry['entry_id']}" in text
    assert "…" not in text


def test_what_was_laid_aside_can_be_listed(url: str) -> None:
    fill(url, [moved(1)])
    with DispatchClient(url, "a", lease_ms=0, most_deliveries=1) as client:
        client.take()
        client.take()
    assert listed("list") == []
    (dead,) = listed("list", "--dead")
    assert (dead["state"], dead["taker"], dead["deliveries"]) == ("dead", "a", 1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ack", "420106/1-1"], 1, "there is no one entry 420106/1-1; see yiwang dispatch list"),
        (["ack", "nonsense"], 2, "write DISTRICT/ID as yiwang dispatch list shows it"),
        (["act", "finish", "I1"], 2, "found 'finish'; give one of dispatch, acknowledge"),
        (["take", "--as", "backlog"], 2, "needs a name of its own"),
        (["take", "--lease", "soon"], 2, "not a duration: 'soon'"),
        (["script", "tidy"], 2, "give take or ack"),
        (["list", "--redis", "http://x"], 2, "is no Redis URL"),
        (["list", "--redis", "redis://127.0.0.1:1"], 1, "start it, or give the URL"),
    ],
)
def test_wrong_use_says_what_to_do(url: str, arguments: list[str], code: int, message: str) -> None:
    fill(url, [moved(1)])
    text = " ".join("".join(run(*arguments, code=code)).replace("│", " ").split())
    assert message in text


def test_an_entry_is_acknowledged_once(url: str) -> None:
    fill(url, [moved(1)])
    (mine,) = listed("take")
    name = f"420106/{mine['entry_id']}"
    run("ack", name)
    assert "was acknowledged before" in run("ack", name, code=1)[1]
