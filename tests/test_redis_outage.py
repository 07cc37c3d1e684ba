"""Redis frozen and killed in the middle of a run: the same queue, incidents and state as undisturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from flows.replay.processes import free_ports
from flows.replay.replaying import replay
from sinks.redis_server import RedisServer
from tests.redis_servers import ask, entries_of, hash_of, keys_of, redis_server
from tests.replays import make_city, replay_options, running_until, start_replay, still_runs_after

FROZEN_SECONDS = float(os.environ.get("YIWANG_TEST_FROZEN_SECONDS", "5"))

Content = dict[str, Any]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_city(tmp_path_factory.mktemp("city"), sensors=300, minutes=40, seed=37)


@pytest.fixture(scope="module")
def undisturbed(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Content:
    with redis_server() as server:
        replay(replay_options(city, tmp_path_factory.mktemp("out"), redis=server.url))
        return content(server.url)


def content(url: str) -> Content:
    """What Redis holds, without what differs from start to start: entries' ids, when values were told."""
    queue = {}
    for district in ask(url, ("SMEMBERS", "yw:queues"))[0]:
        found = entries_of(url, f"yw:dispatch:{district}")
        queue[district] = sorted(found, key=lambda entry: (entry["incident_id"], int(entry["revision"])))
    incidents = {
        key: {name: value for name, value in hash_of(url, key).items() if not name.startswith("entry:")}
        for key in keys_of(url, "yw:incident:*")
    }
    state = {}
    for key in keys_of(url, "yw:cell:*") + keys_of(url, "yw:area:*"):
        for indicator, text in hash_of(url, key).items():
            value = json.loads(text)
            # A value that did not change need not be told, so its window may be older.
            state[key, indicator] = (f"{value['v']}"[:7], value["l"], value["s"])
    order = ask(url, ("ZRANGE", "yw:incidents:open", 0, -1, "WITHSCORES"))[0]
    return {"queue": queue, "incidents": incidents, "open": order, "state": state}


def started(city: Path, out: Path, server: RedisServer) -> subprocess.Popen[bytes]:
    """A replay in small steps that has begun to fill the queues."""
    run = start_replay(city, out, "--batch-size=50", f"--redis={server.url}")
    running_until(run, lambda: ask(server.url, ("SCARD", "yw:queues"))[0] > 0, 240)
    return run


def test_the_undisturbed_queue_has_every_transition_once(undisturbed: Content) -> None:
    ids = [entry["transition_id"] for entries in undisturbed["queue"].values() for entry in entries]
    assert len(ids) == len(set(ids)) > 30


@pytest.mark.slow
def test_a_frozen_redis_is_waited_for(city: Path, tmp_path: Path, undisturbed: Content) -> None:
    with redis_server() as server, started(city, tmp_path, server) as run:
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        assert run.poll() is None
        server.process.send_signal(signal.SIGCONT)
        assert run.wait(240) == 0
        assert content(server.url) == undisturbed


@pytest.mark.slow
def test_a_killed_redis_is_filled_again(city: Path, tmp_path: Path, undisturbed: Content) -> None:
    port = free_ports(1)[0]
    with redis_server(port) as server, started(city, tmp_path, server) as run:
        server.process.kill()
        server.process.wait()
        time.sleep(1)
        assert run.poll() is None
        with redis_server(port):
            assert run.wait(240) == 0
            assert content(server.url) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("emptied", [False, True])
def test_a_killed_engine_goes_on_whatever_became_of_redis(
    city: Path,
    tmp_path: Path,
    undisturbed: Content,
    emptied: bool,  # noqa: FBT001
) -> None:
    port, out, recovery = free_ports(1)[0], tmp_path / "out", tmp_path / "recovery"
    with redis_server(port) as server:
        more = ("--batch-size=50", "--snapshot-every=0.2", f"--recovery={recovery}", f"--redis={server.url}")
        with start_replay(city, out, *more) as run:
            running_until(run, lambda: ask(server.url, ("SCARD", "yw:queues"))[0] > 0, 240)
            running_until(run, lambda: len(list((recovery / "engine").glob("*.sqlite3"))) > 0, 240)
            still_runs_after(run, 1.0)
            run.kill()
            run.communicate()
        if emptied:
            server.process.kill()
            server.process.wait()
        with redis_server(port) if emptied else nullcontext():
            replay(replay_options(city, out, recovery=recovery, redis=server.url))
            assert content(server.url) == undisturbed
