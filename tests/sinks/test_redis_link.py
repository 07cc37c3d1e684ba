"""The link to Redis against real servers: round trips, frozen, killed, emptied, refusing ones."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.replay.processes import free_ports
from sinks.redis_link import RedisAwayError, RedisError, RedisLink
from sinks.redis_server import NoRedisServerError, embedded_server, find_server
from tests.redis_servers import ask, oldest_program, redis_server, server_program

ROOT = Path(__file__).resolve().parents[2]
ECHO = {"echo": "return {KEYS[1], ARGV[1]}"}


@pytest.mark.parametrize("found", [server_program, oldest_program])
def test_replies_come_in_the_order_of_the_commands(found: Callable[[], Path]) -> None:
    program = found()
    with embedded_server(program=program) as server, RedisLink(server.url, ECHO) as link:
        packed = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n7\r\n"
        replies = link.send([packed, ("INCR", "a"), link.run("echo", ["k"], "hallo"), ("GET", "none")])
        assert replies == [b"OK", 8, [b"k", b"hallo"], None]
        assert link.send([]) == []


def test_scripts_that_the_server_forgot_are_loaded_again() -> None:
    with redis_server() as server, RedisLink(server.url, ECHO) as link:
        assert link.send([link.run("echo", ["k"], "1")]) == [[b"k", b"1"]]
        ask(server.url, ("SCRIPT", "FLUSH"))
        assert link.send([link.run("echo", ["k"], "2")]) == [[b"k", b"2"]]


def test_a_frozen_server_is_waited_for() -> None:
    with redis_server() as server, RedisLink(server.url) as link:
        link.send([("SET", "a", 1)])
        server.process.send_signal(signal.SIGSTOP)
        thaw = threading.Timer(1.0, server.process.send_signal, [signal.SIGCONT])
        thaw.start()
        begin = time.monotonic()
        assert link.send([("INCR", "a")]) == [2]
        assert time.monotonic() - begin > 0.8
        thaw.join()


def test_another_server_on_the_same_port_is_filled_first() -> None:
    port = free_ports(1)[0]
    asked: list[str] = []

    def refill() -> list[tuple[str, str, str]]:
        asked.append("refill")
        return [("SET", "all", "again")]

    with redis_server(port) as first:
        link = RedisLink(first.url, refill=refill)  # type: ignore[arg-type]
        link.send([("SET", "a", 1)])
    started = threading.Event()
    later = threading.Timer(0.5, started.set)
    later.start()
    result: list[object] = []
    sender = threading.Thread(target=lambda: result.extend(link.send([("GET", "all"), ("GET", "a")])))
    sender.start()
    started.wait()
    with redis_server(port):
        sender.join(20)
        assert result == [b"again", None]
        assert asked == ["refill"]
        link.close()


def test_a_server_that_is_not_there_is_waited_for_no_longer_than_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = f"redis://user:secret@127.0.0.1:{free_ports(1)[0]}/0"
    with pytest.raises(RedisAwayError, match="start it, or give the URL") as caught:
        RedisLink(url, patience=0.3).send([("PING",)])
    assert "secret" not in str(caught.value)
    assert "waiting for redis://127.0.0.1" in caplog.text
    assert "secret" not in caplog.text


def test_what_redis_refuses_for_good_is_an_error_and_the_link_goes_on() -> None:
    with redis_server() as server, RedisLink(server.url) as link:
        link.send([("SET", "a", "text")])
        with pytest.raises(RedisError, match="WRONGTYPE"):
            link.send([("HSET", "a", "b", 1), ("SET", "c", 1)])
        assert link.send([("GET", "c")]) == [b"1"]


def test_sending_leaves_nothing_to_be_collected() -> None:
    with redis_server() as server, RedisLink(server.url) as link:
        link.send([("PING",)])
        gc.collect()
        for _ in range(100):
            link.send([("PING",)])
        assert gc.collect() < 100, "an engine collects cycles so rarely that they are its memory"


def test_a_wrong_password_is_not_waited_for() -> None:
    port = free_ports(1)[0]
    with (
        embedded_server(port, options=("--requirepass", "right")),
        pytest.raises(RedisError, match="refuses the login"),
    ):
        RedisLink(f"redis://:wrong@127.0.0.1:{port}/0").send([("PING",)])


@pytest.mark.parametrize("url", ["redis://{}", "redis://default@{}", "redis://:right@{}", "unix://{}"])
def test_a_server_with_a_password_alone_is_reached_by_the_password_of_the_environment(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIWANG_REDIS_PASSWORD", "another" if ":right" in url else "right")
    port = free_ports(1)[0]
    with embedded_server(port, program=server_program(), options=("--requirepass", "right")) as server:
        place = server.socket if url.startswith("unix") else f"127.0.0.1:{port}/0"
        with RedisLink(url.format(place), patience=5) as link:
            assert link.send([("SET", "a", 1), ("GET", "a")]) == [b"OK", b"1"]


def test_a_server_with_a_password_alone_tells_of_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_ports(1)[0]
    with embedded_server(port, program=server_program(), options=("--requirepass", "right")):
        for word, message in (("mistaken", "refuses the login"), ("", "Authentication required")):
            monkeypatch.setenv("YIWANG_REDIS_PASSWORD", word)
            with pytest.raises(RedisError, match=message) as caught:
                RedisLink(f"redis://127.0.0.1:{port}/0", patience=5).send([("PING",)])
            assert "mistaken" not in str(caught.value)


def test_a_password_in_the_environment_does_not_keep_us_from_a_server_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("YIWANG_REDIS_PASSWORD", "of another server")
    with redis_server() as server, RedisLink(server.url, patience=5) as link:
        assert link.send([("PING",)]) == [b"PONG"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1", "is no Redis URL"),
        ("redis+sentinel://host:26379", "names no Sentinel service"),
        ("redis+sentinel://host/service", "names no Sentinel service"),
    ],
)
def test_urls_that_name_no_redis_are_refused(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RedisLink(url)


def test_sentinels_say_where_the_master_is(tmp_path: Path) -> None:
    sentinel, master = free_ports(2)
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {sentinel}\nsentinel monitor city 127.0.0.1 {master} 1\n")
    with redis_server(master) as server:
        program = [str(server_program()), str(config), "--sentinel"]
        guard = subprocess.Popen(program, stdout=subprocess.DEVNULL)
        try:
            with RedisLink(f"redis+sentinel://127.0.0.1:{sentinel}/city/0", patience=20) as link:
                assert link.send([("SET", "a", 1), ("GET", "a")]) == [b"OK", b"1"]
            assert ask(server.url, ("GET", "a")) == ["1"]
        finally:
            guard.kill()
            guard.wait()


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(NoRedisServerError, match=r"(?s)did not start:.*nonsense"),
        embedded_server(options=("--nonsense", "yes")),
    ):
        pass


def test_a_machine_without_a_server_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NoRedisServerError, match="apt install redis-server"):
        find_server()


ORPHANING = """
from sinks.redis_server import embedded_server
with embedded_server() as server:
    print(server.process.pid, flush=True)
    input()
"""


def test_a_server_ends_with_the_program_that_started_it_even_if_that_is_killed() -> None:
    command = [sys.executable, "-c", ORPHANING]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        server = Path("/proc") / program.stdout.readline().decode().strip()
        assert server.exists()
        program.kill()
    end = time.monotonic() + 20
    while _runs(server):
        assert time.monotonic() < end, "the server outlived its program"
        time.sleep(0.02)


def _runs(process: Path) -> bool:
    """Whether a process is there and no zombie that nobody has asked about."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
