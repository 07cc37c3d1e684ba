"""The seam to Redis: batches of commands in, replies out; a Redis that went away is waited for.

One `send` is one round trip. It returns only when Redis has answered every command, however long that
takes, so whoever feeds it is slowed down and nothing piles up. A batch that was cut off is sent again as a
whole: its commands must be idempotent.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import redis
from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, stop_never
from tenacity.wait import wait_exponential_jitter

from sinks.log import EventLog

Argument = str | bytes | int | float
Command = tuple[Argument, ...] | bytes
"""One command: its name and arguments, or, made where many are alike, its wire format (RESP)."""

Connection = Any
"""A connection of redis-py, whose methods have no types."""

Reply = Any
"""What Redis answers: bytes, int, None or lists of them."""

LOG = EventLog("redis")

PASSWORD = "YIWANG_REDIS_PASSWORD"  # noqa: S105 - a name
"""Variable of the environment with the password of the user that a URL names, else of `DEFAULT_USER`."""

DEFAULT_USER = "default"
"""Whose password ``requirepass`` of the server sets; where none is set, it takes any."""

_CONNECT_SECONDS = 5.0
_LONGEST_PAUSE = 2.0
_RUN = "EVALSHA"
_AWAY = (redis.ConnectionError, redis.TimeoutError, OSError)
_PASSING = (
    *("LOADING", "READONLY", "MASTERDOWN", "BUSY", "TRYAGAIN", "OOM", "MISCONF", "NOREPLICAS", "NOSCRIPT"),
    *("Command not allowed when used memory", "No matching script"),
)
"""Errors that pass by themselves: a server that starts, fails over, saves, or has no room for the moment."""

_KEEPALIVE = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}
"""A host that died without a word is noticed within half a minute; a server that merely hangs is not."""


class RedisError(OSError):
    """Redis refused what it was asked, and asking again would not help."""


class RedisAwayError(ConnectionError):
    """Redis could not be reached in the time given."""


class _PassingError(Exception):
    """Redis cannot do it now."""


@dataclass(slots=True)
class RedisLink:
    """A connection to one Redis, made when first needed and made again when it breaks.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` as redis-py reads them, or
            ``redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB``.
        scripts: Lua sources by name, for `run`.
        refill: gives the commands that fill an empty Redis; sent first when the server is another process
            than before, which may have lost its data.
        patience: seconds to wait for a Redis that is away; None for ever.
        run_id: of the server that was filled last, "" before any.
        waiting: entered while Redis is waited for, with a word that says for whom.

    Raises:
        ValueError: the URL cannot be used.
    """

    url: str
    scripts: Mapping[str, str] = field(default_factory=dict)
    refill: Callable[[], list[Command]] | None = None
    patience: float | None = None
    run_id: str = ""
    waiting: Callable[[str], AbstractContextManager[Any]] = nullcontext
    _pool: redis.ConnectionPool = field(init=False, repr=False)
    _connection: Connection | None = field(default=None, init=False, repr=False)
    _sha: dict[Any, bytes] = field(default_factory=dict, init=False, repr=False)
    _again: Retrying = field(init=False, repr=False)
    _waits: ExitStack = field(default_factory=ExitStack, init=False, repr=False)

    def __post_init__(self) -> None:
        self._pool = _pool(self.url, self.patience)
        # One for all: it refers to itself, and such are looked for rarely.
        self._again = Retrying(
            wait=wait_exponential_jitter(multiplier=0.05, max=_LONGEST_PAUSE, jitter=0.05),
            retry=retry_if_exception(_passes_by),
            stop=stop_never if self.patience is None else stop_after_delay(self.patience),
            before_sleep=self._tell,
            reraise=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, script: str, keys: Sequence[Argument], *arguments: Argument) -> Command:
        """The command that runs one of the ``scripts``."""
        return (_RUN, script, len(keys), *keys, *arguments)

    def send(self, commands: Sequence[Command]) -> list[Reply]:
        """Send commands together and return their replies in order.

        Raises:
            RedisError: Redis refused one of them for good; the others may have been done.
            RedisAwayError: Redis stayed away longer than ``patience``.
        """
        if not commands:
            return []
        try:
            with self._waits:
                replies: list[Reply] = self._again(self._attempt, commands)
        except RedisError:
            raise
        except (*_AWAY, _PassingError) as error:
            self._drop()
            message = f"{self.shown}: {error}; start it, or give the URL of one that answers"
            raise RedisAwayError(message) from error
        return replies

    @property
    def shown(self) -> str:
        """The URL without secrets."""
        return bare(self.url)

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()

    def _attempt(self, commands: Sequence[Command]) -> list[Reply]:
        try:
            connection = self._connected()
            return self._exchange(connection, commands)
        except redis.AuthenticationError as error:
            self._drop()
            message = f"{self.shown} refuses the login: {error}; correct user and password, or {PASSWORD}"
            raise RedisError(message) from error
        except redis.exceptions.NoPermissionError as error:
            self._drop()
            message = f"{self.shown}: {error}; give the user what docs/security.md lists"
            raise RedisError(message) from error
        except RedisError:
            raise
        except (*_AWAY, _PassingError):
            self._drop()
            raise

    def _connected(self) -> Connection:
        if self._connection is not None:
            return self._connection
        connection = self._connection = self._pool.get_connection()
        info, *sha = _answers(
            connection, [("INFO", "server"), *(("SCRIPT", "LOAD", text) for text in self.scripts.values())]
        )
        self._sha = dict(zip(self.scripts, sha, strict=True))
        found = _run_id(info)
        if self.run_id and found != self.run_id:
            LOG.warning("redis.refilled", server=self.shown)
            if self.refill is not None:
                self._exchange(connection, self.refill())
        self.run_id = found
        return connection

    def _exchange(self, connection: Connection, commands: Sequence[Command]) -> list[Reply]:
        return _answers(
            connection, [(_RUN, self._sha[c[1]], *c[2:]) if c[0] == _RUN else c for c in commands]
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)

    def _tell(self, state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            self._waits.enter_context(self.waiting("redis"))
            LOG.warning("redis.waiting", server=self.shown, error=state.outcome.exception())


def bare(url: str) -> str:
    """A URL without user, password and options.

    >>> bare("rediss://yiwang:secret@redis:6380/0?ssl_ca_certs=ca.pem")
    'rediss://redis:6380/0'
    """
    scheme, _, rest = url.rpartition("://")
    host = rest.rpartition("@")[2].partition("?")[0]
    return f"{scheme}://{host}" if scheme else host


def _passes_by(error: BaseException) -> bool:
    """Whether trying again may help."""
    return isinstance(error, (*_AWAY, _PassingError)) and not isinstance(error, RedisError)


def _answers(connection: Connection, commands: Sequence[Command]) -> list[Reply]:
    """One round trip; every reply is read, so that the connection stays usable."""
    # NB: redis-py's own packing looks at every argument in Python first, and takes four times as long.
    wire = b"".join([c if isinstance(c, bytes) else pack_command(c) for c in commands])  # type: ignore[arg-type]
    connection.send_packed_command([wire], check_health=False)
    replies: list[Reply] = []
    failures: list[tuple[Command, redis.ResponseError]] = []
    for command in commands:
        try:
            replies.append(connection.read_response())
        except redis.ResponseError as error:
            failures.append((command, error))
    if failures:
        command, first = failures[0]
        if str(first).startswith(_PASSING):
            raise _PassingError(str(first)) from first
        shown = command[:60] if isinstance(command, bytes) else command[:2]
        raise RedisError(
            f"Redis refused {shown!r}: {first}; another program may use these keys: give another Redis"
        ) from first
    return replies


def _pool(url: str, patience: float | None) -> redis.ConnectionPool:
    options: dict[str, Any] = {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": patience,
        "client_name": "yiwang",
    }
    scheme = urlsplit(url).scheme
    parts = urlsplit(url)
    if not parts.password and (password := os.environ.get(PASSWORD)):
        # What the URL says goes before these.
        options |= {"username": DEFAULT_USER, "password": password}
    if scheme != "unix":
        options |= {
            "socket_connect_timeout": patience or _CONNECT_SECONDS,
            "socket_keepalive": True,
            "socket_keepalive_options": _KEEPALIVE,
        }
    if scheme == "redis+sentinel":
        return _sentinel_pool(url, options)
    try:
        return redis.ConnectionPool.from_url(url, **options)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{bare(url)!r} is no Redis URL: {error}; write redis://127.0.0.1:6379/0") from error


def _sentinel_pool(url: str, options: dict[str, Any]) -> redis.ConnectionPool:
    """``redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/SERVICE[/DB]``."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    path = [part for part in parts.path.split("/") if part]
    pairs = [host.rpartition(":") for host in hosts.split(",")]
    if not path or not all(port.isdecimal() and name for name, _, port in pairs):
        raise ValueError(
            f"{bare(url)!r} names no Sentinel service; write redis+sentinel://HOST:26379,HOST:26379/SERVICE/0"
        )
    user, _, password = login.partition(":")
    options["username"] = unquote(user) or options.get("username")
    options["password"] = unquote(password) or options.get("password")
    options["db"] = int(path[1]) if len(path) > 1 else 0
    guards = Sentinel(  # type: ignore[no-untyped-call]
        [(name, int(port)) for name, _, port in pairs], socket_connect_timeout=_CONNECT_SECONDS
    )
    service = guards.master_for(path[0], **options)  # type: ignore[no-untyped-call]
    pool: redis.ConnectionPool = service.connection_pool
    return pool


def _run_id(info: bytes) -> str:
    lines = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    return lines["run_id"]
