"""What a real Redis holds after any batches: the newest value of every cell and area, as C-2.3 has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geo.areas import AreaInfo
from sinks import redis_link
from sinks.redis_keys import Keys
from sinks.redis_link import RedisLink
from sinks.redis_parts import RedisSettings, RedisSink, ValueContent
from sinks.redis_server import RedisServer
from sinks.redis_state import StateCommands
from sinks.table_file import ValueFrame
from tests.redis_servers import ask, hash_of, keys_of, near, pairs, redis_server
from tests.sinks.test_value_memory import BATCHES, Row, frame

KINDS = [0, 0, 0, 2, 3, 4]
"""Kinds of the areas 0 to 5."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


def describe(kind: str, ids: list[str]) -> list[AreaInfo]:
    return [AreaInfo(id=one, name_zh=f"区{one}", name_en=one, kind=kind, parent="city") for one in ids]


def with_kinds(one: ValueFrame) -> ValueFrame:
    assert one.row is not None
    return replace(one, kind=np.array(KINDS, np.uint8)[one.row])


def newest(batches: list[tuple[str, list[Row]]]) -> dict[tuple[int, str], Row]:
    found: dict[tuple[int, str], Row] = {}
    for indicator, rows in batches:
        for row in rows:
            known = found.get((row[0], indicator))
            if known is None or (row[1], row[2]) > (known[1], known[2]):
                found[row[0], indicator] = row
    return found


def unique(batches: list[tuple[str, list[Row]]]) -> list[tuple[str, list[Row]]]:
    """Every (indicator, area, window, revision) once: two of them would be no history."""
    seen: set[tuple[Any, ...]] = set()
    out = []
    for indicator, rows in batches:
        fresh = []
        for row in rows:
            if (indicator, *row[:3]) not in seen:
                seen.add((indicator, *row[:3]))
                fresh.append(row)
        out.append((indicator, fresh))
    return out


def shown(value: float) -> float | None:
    return None if np.isnan(value) else value


def check(url: str, expected: dict[tuple[int, str], Row]) -> None:
    keys = {a: f"yw:cell:N{a}" if KINDS[a] == 0 else f"yw:area:N{a}" for a, _ in expected}
    assert keys_of(url, "yw:cell:*") + keys_of(url, "yw:area:*") == sorted(
        keys.values(), key=lambda k: (k.startswith("yw:area"), k)
    )
    found = {a: hash_of(url, key) for a, key in keys.items()}
    for (area, indicator), row in expected.items():
        value = json.loads(found[area].pop(indicator))
        assert list(value) == ["v", "l", "t", "n", "c", "r", "s"]
        # A later window that changed nothing is not told, so time and count may be older.
        assert (value["l"], value["r"]) == (row[4], row[2])
        assert value["s"] == ["ok", "no_data"][row[7]]
        for name, wanted in (("v", row[3]), ("c", row[6])):
            assert value[name] == near(shown(wanted), 1e-5)
    assert not any(found.values())
    for indicator in {name for _, name in expected}:
        rank = pairs(ask(url, ("ZRANGE", f"yw:rank:{indicator}", 0, -1, "WITHSCORES"))[0])
        wanted_rank = {
            f"N{a}": pytest.approx(row[3], rel=1e-5)
            for (a, name), row in expected.items()
            if name == indicator and KINDS[a] == 0 and not np.isnan(row[3])
        }
        assert {name: float(score) for name, score in rank.items()} == wanted_rank
    for text, about in hash_of(url, "yw:areas").items():
        assert json.loads(about)["name_zh"] == f"区{text}"
    assert set(hash_of(url, "yw:areas")) == {f"N{a}" for a, _ in expected if KINDS[a]}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BATCHES, st.booleans())
def test_redis_holds_the_newest_values(
    server: RedisServer,
    batches: list[tuple[str, list[Row]]],
    emptied: bool,  # noqa: FBT001
) -> None:
    batches = unique(batches)
    ask(server.url, ("FLUSHALL",))
    state = StateCommands(Keys(), describe)
    with RedisLink(server.url) as link:
        for indicator, rows in batches:
            link.send(state.take([with_kinds(frame(indicator, rows))]))
        if emptied:
            link.send([("FLUSHALL",), *StateCommands(Keys(), describe, state.state()).everything()])
    check(server.url, newest(batches))


def test_keys_expire_after_a_week_and_what_did_not_change_is_not_sent(server: RedisServer) -> None:
    ask(server.url, ("FLUSHALL",))
    state = StateCommands(Keys(), describe)
    rows: list[Row] = [(0, 1, 0, 5.0, 1, 9, 1.0, 0), (3, 1, 0, 5.0, 1, 9, 1.0, 0)]
    later: list[Row] = [(area, 2, *rest) for area, _, *rest in rows]  # type: ignore[misc]
    with RedisLink(server.url) as link:
        link.send(state.take([with_kinds(frame("a.one", rows))]))
        assert state.take([with_kinds(frame("a.one", later))]) == []
        ttl = link.send([("TTL", "yw:cell:N0"), ("TTL", "yw:area:N3")])
    assert all(7 * 86_400 - 60 < seconds <= 7 * 86_400 for seconds in ttl)


def test_a_batch_is_one_round_trip(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(server.url, ("FLUSHALL",))
    trips: list[int] = []
    answers = redis_link._answers

    def counted(connection: Any, commands: list[Any]) -> list[Any]:
        trips.append(len(commands))
        return answers(connection, commands)

    monkeypatch.setattr(redis_link, "_answers", counted)
    sink = RedisSink(
        RedisSettings(server.url), ["p"], lambda _, state: ValueContent(Keys(), describe, state=state)
    )
    part = sink.build_part("values_redis", "p", None)
    for end in (1, 2, 3):
        rows: list[Row] = [(area, end, 0, float(end), 1, 9, 1.0, 0) for area in range(6)]
        part.write_batch([with_kinds(frame(name, rows)) for name in ("a.one", "b.two")])
    part.write_batch([])
    part.close()
    assert len(trips) == 1 + 3  # the first greets the server
    assert len(keys_of(server.url, "yw:cell:*")) == 3
