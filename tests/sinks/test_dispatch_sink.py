"""Incidents in Redis: hashes, open ones by priority, each transition once in the queue of its district."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.incident import Incident
from alerts.life_cycle import ACTIONS, Action
from sinks.dispatch_entries import entries, transition_id
from sinks.dispatch_sink import IncidentContent
from sinks.redis_keys import Keys
from sinks.redis_link import RedisLink
from sinks.redis_server import RedisServer
from tests.redis_servers import ask, entries_of, hash_of, pairs, redis_server
from tests.sinks.dispatch_stories import NOW, a_book, acted, fill, moved, send

STORY = [moved(1), moved(1, 2, 4, 2), moved(2, district="420102"), moved(1, 3, 1, 4), moved(1, 4, 0, 1)]


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def url(running: RedisServer) -> str:
    ask(running.url, ("FLUSHALL",))
    return running.url


def queue(url: str, district: str = "420106") -> list[dict[str, str]]:
    return entries_of(url, f"yw:dispatch:{district}")


def test_every_transition_is_an_entry_with_the_fields_of_the_contract(url: str) -> None:
    incidents = fill(url, STORY)
    found = queue(url)
    assert set(found[0]) == {
        *("incident_id", "transition_id", "revision", "level", "theme", "indicator", "cell", "area"),
        *("department", "due_ms", "payload"),
    }
    assert [one["level"] for one in found] == ["2", "4", "1", "0"]
    assert [one["revision"] for one in found] == ["1", "2", "3", "4"]
    assert [json.loads(one["payload"])["change"] for one in found] == [
        "raised", "escalated", "eased", "cleared",
    ]  # fmt: skip
    first = incidents[0]
    assert found[0]["transition_id"] == transition_id(first.incident_id, "raised", 0, 2, STORY[0].decided_ts)
    assert found[0]["due_ms"] == str(first.due_ms) == str(STORY[0].decided_ts + 2 * 3_600_000)
    assert len(queue(url, "420102")) == 1
    assert set(ask(url, ("SMEMBERS", "yw:queues"))[0]) == {"420102", "420106"}


def test_the_hash_tells_all_of_an_incident_and_the_open_ones_are_ordered(url: str) -> None:
    last = fill(url, STORY)[-1]
    about = hash_of(url, f"yw:incident:{last.incident_id}")
    assert (about["status"], about["alarm"], about["level"], about["revision"]) == (
        "raised",
        "cleared",
        "0",
        "4",
    )
    assert (about["district"], about["department"]) == ("420106", last.department)
    assert json.loads(about["evidence"])["threshold"] == 10.0
    assert [step["change"] for step in json.loads(about["history"])] == [
        "raised",
        "escalated",
        "eased",
        "cleared",
    ]
    order = ask(url, ("ZREVRANGE", "yw:incidents:open", 0, -1))[0]
    assert order[-1] == last.incident_id
    assert len(order) == 2


def test_closing_takes_an_incident_off_the_open_ones_and_reopening_puts_it_back(url: str) -> None:
    book, content = a_book(), IncidentContent(Keys())
    (one,) = book.take([moved(1)])
    key = f"yw:incident:{one.incident_id}"
    send(url, [one, *acted(book, one.incident_id, "acknowledge", "close")], content)
    assert ask(url, ("ZCARD", "yw:incidents:open"), ("TTL", key)) == [0, 604_800]
    send(url, acted(book, one.incident_id, "reopen", at=NOW + 600_000), content)
    assert ask(url, ("ZCARD", "yw:incidents:open"), ("TTL", key)) == [1, -1]
    assert [json.loads(entry["payload"])["change"] for entry in queue(url)] == ["raised", "reopen"]
    assert queue(url)[1]["transition_id"] == transition_id(
        one.incident_id, "reopen", "closed", "raised", NOW + 600_000
    )


def test_listeners_hear_of_each_entry_once(url: str) -> None:
    with RedisLink(url) as listener:
        listener.send([("SUBSCRIBE", "yw:live")])
        fill(url, STORY)
        fill(url, STORY)
        ask(url, ("PUBLISH", "yw:live", "end"))
        connection: Any = listener._connection
        heard: list[bytes] = []
        while not heard or heard[-1] != b"end":
            heard.append(connection.read_response()[2])
    messages = [json.loads(one) for one in heard[:-1]]
    assert [(one["k"], one["l"], one["p"]) for one in messages] == [
        ("incident", 2, 0), ("incident", 4, 2), ("incident", 2, 0), ("incident", 1, 4), ("incident", 0, 1),
    ]  # fmt: skip


CHANGES = st.lists(
    st.tuples(st.integers(0, 2), st.one_of(st.just("move"), st.sampled_from(ACTIONS))), max_size=14
)


def played(changes: list[tuple[int, str]]) -> list[Incident]:
    """The incidents as any moves of three alerts, and actions on them, leave them one after the other."""
    book, seqs, levels = a_book(), [0, 0, 0], [0, 0, 0]
    found: list[Incident] = []
    ids = [one.incident_id for one in a_book().take([moved(i) for i in range(3)])]
    for at, (i, what) in enumerate(changes):
        if what == "move":
            seqs[i] += 1
            before, levels[i] = levels[i], levels[i] % 4 + 1
            found += book.take([moved(i, seqs[i], levels[i], before)])
        else:
            action: Action = what  # type: ignore[assignment]
            found += acted(book, ids[i], action, at=NOW + 500_000 + at)
    return found


def content_of(url: str) -> dict[str, object]:
    """Everything about incidents in Redis, without the ids that the stream itself gives."""
    keys = ask(url, ("KEYS", "yw:incident:*"))[0]
    hashes = {key: {k: v for k, v in hash_of(url, key).items() if not k.startswith("entry:")} for key in keys}
    marks = {key: {k for k in hash_of(url, key) if k.startswith("entry:")} for key in keys}
    order = pairs(ask(url, ("ZRANGE", "yw:incidents:open", 0, -1, "WITHSCORES"))[0])
    return {"hashes": hashes, "marks": marks, "open": order, "queue": queue(url)}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES, st.data())
def test_a_crash_at_any_moment_adds_and_loses_nothing(
    url: str, changes: list[tuple[int, str]], data: st.DataObject
) -> None:
    found = played(changes)
    ask(url, ("FLUSHALL",))
    undisturbed = IncidentContent(Keys())
    for one in found:
        send(url, [one], undisturbed)
    expected = content_of(url)
    ask(url, ("FLUSHALL",))
    content, safe = IncidentContent(Keys()), 0
    at = 0
    for _ in range(data.draw(st.integers(0, 3))):
        until = data.draw(st.integers(at, len(found)))
        send(url, found[at:until], content)
        if data.draw(st.booleans()):
            state, safe = content.state(), until
            content = IncidentContent(Keys(), state)
            at = until
        else:
            content, at = IncidentContent(Keys(), state if safe else None), safe
    send(url, found[at:], content)
    assert content_of(url) == expected


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES)
def test_an_emptied_redis_is_given_open_incidents_and_the_entries_nobody_took_up(
    url: str, changes: list[tuple[int, str]]
) -> None:
    found = played(changes)
    ask(url, ("FLUSHALL",))
    content = IncidentContent(Keys())
    send(url, found, content)
    last = {one.incident_id: one for one in found}
    still = {name: one for name, one in last.items() if one.open}
    ask(url, ("FLUSHALL",))
    with RedisLink(url, content.scripts) as link:
        link.send(content.everything(link))
        link.send(content.everything(link))
    there = content_of(url)
    assert set(there["open"]) == set(still)  # type: ignore[call-overload]
    queued = {entry["transition_id"] for entry in queue(url)}
    for one in still.values():
        steps = list(one.history)
        done = max((i for i, s in enumerate(steps) if s.change in DONE), default=-1)
        wanted = {e.transition_id for e in entries(one) if steps.index(e.step) > done}
        own = {e["transition_id"] for e in queue(url) if e["incident_id"] == one.incident_id}
        assert own == wanted
        queued -= own
        assert hash_of(url, f"yw:incident:{one.incident_id}").get("revision", "0") == str(
            len(list(entries(one)))
        )
    assert queued == set()


DONE = {"acknowledge", "arrive", "resolve", "verify", "close"}


def test_what_is_over_for_a_week_is_forgotten(url: str) -> None:
    content = IncidentContent(Keys())
    old = fill(url, [moved(1), moved(1, 2, 0, 2), moved(2)], content)
    week = 7 * 86_400
    fill(url, [moved(week + 3_700)], content)
    order = ask(url, ("ZRANGE", "yw:incidents:open", 0, -1))[0]
    assert old[0].incident_id not in order
    assert old[2].incident_id in order  # its alert still stands
    assert ask(url, ("TTL", f"yw:incident:{old[0].incident_id}")) == [week]


def test_tidying_keeps_what_a_group_has_not_done_with(url: str) -> None:
    content = IncidentContent(Keys())
    stream = "yw:dispatch:420106"
    for i in range(4):
        ask(url, ("XADD", stream, f"{i + 1}-0", "a", i))
    with RedisLink(url, content.scripts) as link:
        tidy = link.run("tidy", [stream], 1_000)
        assert link.send([tidy]) == [0]  # nobody has read
        link.send(
            [
                ("XGROUP", "CREATE", stream, "work", 0),
                ("XREADGROUP", "GROUP", "work", "a", "COUNT", 3, "STREAMS", stream, ">"),
            ]
        )
        link.send([("XACK", stream, "work", "1-0")])
        assert link.send([tidy, ("XLEN", stream)]) == [1, 3]
        link.send([("XACK", stream, "work", "2-0", "3-0")])
        assert link.send([tidy, ("XLEN", stream)]) == [1, 2]
