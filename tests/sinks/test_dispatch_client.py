"""Takers at the queue: urgency, leases, take-over, dead letters, acknowledgement once, feedback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import pytest

from sinks.dispatch_client import DispatchClient
from sinks.redis_link import RedisAwayError
from sinks.redis_server import RedisServer, embedded_server
from tests.redis_servers import ask, entries_of, oldest_program, redis_server
from tests.sinks.dispatch_stories import fill, moved


@pytest.fixture(scope="module", params=["usual", "embedded"])
def running(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """The usual server and the oldest one that the contract allows: commands of Redis 6.2."""
    usual = request.param == "usual"
    with redis_server() if usual else embedded_server(program=oldest_program()) as server:
        yield server


@pytest.fixture
def url(running: RedisServer) -> str:
    ask(running.url, ("FLUSHALL",))
    return running.url


def feedback(url: str) -> list[dict[str, object]]:
    return [json.loads(entry["payload"]) for entry in entries_of(url, "yw:feedback")]


def test_the_most_urgent_is_taken_first_and_reported(url: str) -> None:
    levels = [1, 3, 2, 4, 3]
    incidents = fill(url, [moved(i, level=level) for i, level in enumerate(levels)])
    with DispatchClient(url, "一队", clock=lambda: 123) as client:
        first = client.take(count=2)
        late = fill(url, [moved(9, level=4)])
        rest = client.take(count=9)
        assert [one.level for one in first + rest] == [4, 3, 4, 3, 2, 1]
        assert first[1].incident_id == incidents[1].incident_id  # of equal levels what is due first
        assert rest[0].incident_id == late[0].incident_id
        assert client.take() == []
    assert feedback(url)[0] == {
        "incident_id": incidents[3].incident_id, "action": "dispatch", "actor": "一队", "ts": 123,
    }  # fmt: skip
    assert len(feedback(url)) == 6


def test_an_entry_has_all_that_a_taker_needs(url: str) -> None:
    (incident,) = fill(url, [moved(1)])
    with DispatchClient(url, "a") as client:
        (entry,) = client.take(["420106"])
        assert (entry.district, entry.department, entry.deliveries) == ("420106", incident.department, 1)
        assert json.loads(bytes(entry.payload))["name_zh"] == incident.name_zh
        assert client.entry("420106", entry.entry_id) == client.listed()[0].entry.__class__(
            **{**{n: getattr(entry, n) for n in entry.__struct_fields__}, "deliveries": 0}
        )
        about = client.incident(incident.incident_id)
        assert about["status"] == "raised"
        assert client.open_incidents() == [incident.incident_id]
        assert client.entry("420106", "1-1") is None


def test_only_work_that_nobody_has_begun_is_reported_as_dispatched(url: str) -> None:
    incidents = fill(url, [moved(1), moved(2), moved(1, 2, 0, 2)])
    ask(url, ("HSET", f"yw:incident:{incidents[1].incident_id}", "status", "arrived"))
    with DispatchClient(url, "a") as client:
        assert len(client.take(count=9)) == 3
    assert [(one["incident_id"], one["action"]) for one in feedback(url)] == [
        (incidents[0].incident_id, "dispatch")
    ]
    with DispatchClient(url, "b", group="watchers") as client:
        assert len(client.take(count=9, report=False)) == 3
    assert len(feedback(url)) == 1


def test_an_entry_is_acknowledged_once_and_never_given_again(url: str) -> None:
    fill(url, [moved(1)])
    with DispatchClient(url, "a", lease_ms=1) as one, DispatchClient(url, "b", lease_ms=1) as other:
        (entry,) = one.take()
        assert one.ack(entry, "收到")
        assert not one.ack(entry)
        assert not other.ack(entry)
        time.sleep(0.01)
        assert other.take() == []
        assert one.listed() == []
    assert [(r["action"], r.get("note")) for r in feedback(url)] == [
        ("dispatch", None),
        ("acknowledge", "收到"),
    ]


def test_what_a_dead_taker_had_goes_to_another_after_the_lease_and_not_before(url: str) -> None:
    fill(url, [moved(1), moved(2)])
    with DispatchClient(url, "dead") as dead:
        taken = dead.take(count=2)
        assert dead.ack(taken[0])
    with DispatchClient(url, "heir", lease_ms=200) as heir:
        assert heir.take() == []
        time.sleep(0.25)
        (again,) = heir.take(count=5)
        assert (again.entry_id, again.deliveries) == (taken[1].entry_id, 2)
        assert [(one.taker, one.state) for one in heir.listed()] == [("heir", "taken")]


def test_a_taker_that_extends_its_lease_keeps_the_entry(url: str) -> None:
    fill(url, [moved(1)])
    with DispatchClient(url, "slow", lease_ms=300) as slow, DispatchClient(url, "heir", lease_ms=300) as heir:
        taken = slow.take()
        for _ in range(4):
            time.sleep(0.1)
            slow.extend(taken)
        assert heir.take() == []
        assert heir.listed()[0].entry.deliveries == 1


def test_what_fails_too_often_is_laid_aside_and_can_be_seen(url: str) -> None:
    fill(url, [moved(1)])
    with DispatchClient(url, "a", lease_ms=1, most_deliveries=3) as client:
        for deliveries in (1, 2, 3):
            (entry,) = client.take()
            assert entry.deliveries == deliveries
            time.sleep(0.01)
        assert client.take() == []
        (dead,) = client.dead()
        assert (dead.state, dead.taker, dead.entry.deliveries) == ("dead", "a", 3)
        assert (dead.entry.entry_id, dead.entry.transition_id) == (entry.entry_id, entry.transition_id)
        assert client.listed() == []


def test_the_list_shows_who_has_what_the_most_urgent_first(url: str) -> None:
    fill(url, [moved(i, level=level, district=f"42010{i % 2}") for i, level in enumerate([2, 4, 3, 1])])
    with DispatchClient(url, "a") as client:
        assert [(one.entry.level, one.state) for one in client.listed()] == [
            (4, "waiting"), (3, "waiting"), (2, "waiting"), (1, "waiting"),
        ]  # fmt: skip
        assert client.districts() == ["420100", "420101"]
        client.take(["420101"])
        assert [(one.entry.level, one.state, one.taker) for one in client.listed()] == [
            (4, "taken", "a"), (3, "waiting", ""), (2, "waiting", ""), (1, "waiting", ""),
        ]  # fmt: skip
        assert [one.entry.level for one in client.listed(["420100"])] == [3, 2]
        assert client.listed(["000000"]) == []
        assert client.take(["000000"]) == []
    assert ask(url, ("EXISTS", "yw:dispatch:000000")) == [0]


def test_no_district_starves_behind_a_busy_one(url: str) -> None:
    fill(url, [moved(i, level=4, district="420101") for i in range(20)])
    fill(url, [moved(i, level=1, district="420102") for i in range(2)])
    with DispatchClient(url, "a") as client:
        assert {client.take()[0].district for _ in range(2)} == {"420101", "420102"}


def test_takers_by_plain_commands_and_by_scripts_share_a_group(url: str) -> None:
    fill(url, [moved(i) for i in range(10)])
    stream = "yw:dispatch:420106"
    with DispatchClient(url, "scripts") as client:
        mine = {client.take()[0].entry_id}
        fill(url, [moved(i) for i in range(10, 14)])
        (fresh,) = ask(url, ("XREADGROUP", "GROUP", "work", "plain", "COUNT", 9, "STREAMS", stream, ">"))
        theirs = {entry[0] for entry in fresh[0][1]}
        assert len(theirs) == 4
        time.sleep(0.15)
        client.extend([entry.entry for entry in client.listed() if entry.taker == "scripts"])
        (claimed,) = ask(url, ("XAUTOCLAIM", stream, "work", "plain", 100, "0-0", "COUNT", 3))
        theirs |= {entry[0] for entry in claimed[1]}
        mine |= {one.entry_id for one in client.take(count=99)}
        assert not mine & theirs
        assert len(mine | theirs) == 14


def test_many_takers_at_once_work_everything_once(url: str) -> None:
    fill(url, [moved(i) for i in range(300)])
    worked: list[str] = []

    def work(name: str) -> None:
        with DispatchClient(url, name) as client:
            while found := client.take(count=7):
                worked.extend(one.transition_id for one in found if client.ack(one))

    threads = [threading.Thread(target=work, args=(f"taker-{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(worked) == len(set(worked)) == 300


def test_actions_are_records_of_the_wire(url: str) -> None:
    with DispatchClient(url, "武昌消防", clock=lambda: 7) as client:
        client.act("arrive", "I1")
        client.act("resolve", "I1", "已处置")
    assert feedback(url) == [
        {"incident_id": "I1", "action": "arrive", "actor": "武昌消防", "ts": 7},
        {"incident_id": "I1", "action": "resolve", "actor": "武昌消防", "ts": 7, "note": "已处置"},
    ]


@pytest.mark.parametrize("name", ["", "backlog"])
def test_a_taker_needs_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="needs a name of its own"):
        DispatchClient("redis://127.0.0.1", name)


def test_a_redis_that_is_not_there_is_an_error_for_a_taker() -> None:
    with pytest.raises(RedisAwayError, match="start it"):
        DispatchClient("redis://127.0.0.1:1", "a", patience=0.2).take()
