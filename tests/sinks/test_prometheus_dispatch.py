"""The gauges of the queues say what nobody has acknowledged, whoever takes it and however."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from contextlib import closing

import pytest

from sinks.dispatch_client import DispatchClient
from sinks.prometheus_dispatch import DispatchQueues
from sinks.redis_server import RedisServer, embedded_server
from tests.redis_servers import ask, oldest_program, redis_server
from tests.sinks.dispatch_stories import fill, moved


@pytest.fixture(scope="module", params=["usual", "embedded"])
def running(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """The usual server and the oldest one that the contract allows, which knows no lag of groups."""
    old = request.param == "embedded"
    with embedded_server(program=oldest_program()) if old else redis_server() as server:
        yield server


@pytest.fixture
def url(running: RedisServer) -> str:
    ask(running.url, ("FLUSHALL",))
    return running.url


def gauges(url: str, now: float | None = None) -> tuple[dict[str, float], dict[str, float]]:
    with closing(DispatchQueues(url) if now is None else DispatchQueues(url, wall=lambda: now)) as queues:
        pending, oldest = ({s.labels[0]: s.value for s in family.samples} for family in queues.families())
    return pending, oldest


def test_entries_are_pending_until_they_are_acknowledged_taken_or_not(url: str) -> None:
    district = fill(url, [moved(i) for i in range(5)])[0].district
    assert gauges(url)[0] == {district: 5}
    with DispatchClient(url, taker="crew") as client:
        first, second = client.take(count=2)
        assert gauges(url)[0] == {district: 5}
        client.ack(first)
        assert gauges(url)[0] == {district: 4}
        client.ack(second)
        while taken := client.take(count=5):
            for entry in taken:
                client.ack(entry)
    assert gauges(url) == ({district: 0}, {district: 0.0})


def test_the_age_is_that_of_the_oldest_entry_nobody_acknowledged(url: str) -> None:
    district = fill(url, [moved(0), moved(1)])[0].district
    stream = f"yw:dispatch:{district}"
    added = [int(entry[0].split("-")[0]) / 1000 for entry in ask(url, ("XRANGE", stream, "-", "+"))[0]]
    assert gauges(url, added[0] + 90)[1] == {district: pytest.approx(90)}
    ask(url, ("XGROUP", "CREATE", stream, "work", "0"))
    (read,) = ask(url, ("XREADGROUP", "GROUP", "work", "hand", "COUNT", "1", "STREAMS", stream, ">"))
    assert gauges(url, added[0] + 90)[1] == {district: pytest.approx(90)}
    ask(url, ("XACK", stream, "work", read[0][1][0][0]))
    pending, oldest = gauges(url, added[1] + 30)
    assert pending == {district: 1}
    assert oldest == {district: pytest.approx(30)}


def test_the_gauges_change_nothing(url: str) -> None:
    fill(url, [moved(i) for i in range(3)])
    before = ask(url, ("KEYS", "*"), ("INFO", "keyspace"))
    gauges(url)
    assert sorted(ask(url, ("KEYS", "*"))[0]) == sorted(before[0])


def test_a_scrape_leaves_nothing_to_be_collected(url: str) -> None:
    fill(url, [moved(0)])
    with closing(DispatchQueues(url)) as queues:
        list(queues.families())
        with warnings.catch_warnings():
            # What earlier tests of this process have left is theirs.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        for _ in range(50):
            list(queues.families())
        assert gc.collect() < 100, "an engine collects cycles so rarely that they are its memory"


def test_queues_that_were_closed_can_be_asked_again(url: str) -> None:
    queues = DispatchQueues(url)
    for _ in range(2):
        assert len(list(queues.families())) == 2
        queues.close()


def test_while_redis_is_away_there_are_no_gauges() -> None:
    assert list(DispatchQueues("redis://127.0.0.1:1/0").families()) == []
