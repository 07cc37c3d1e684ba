"""What the program knows of Kafka without its library: settings, messages, troubles, topics.

>>> settings = KafkaSettings("127.0.0.1:9092", {"sasl.password": "secret"})
>>> settings.options_of("producer")["sasl.password"], "secret" in repr(settings)
('secret', False)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Place = tuple[str, int]
"""A topic and the number of one of its partitions."""

Option = str | int | float | bool
Headers = Sequence[tuple[str, str | bytes | None]]

_NAME = "yiwang"
_USUAL: Mapping[str, Option] = {
    # librdkafka's own log on stderr: only what ends a client; the rest is told by ours.
    "log_level": 2,
    # A broker that is back is found within a second.
    "reconnect.backoff.max.ms": 1_000,
    "socket.keepalive.enable": True,
}

ErrorKind = Literal[
    "away", "out_of_range", "gone", "refused", "exists", "too_large", "end", "anew", "fenced", "other"
]
"""What an error means for us, whatever its number."""


class KafkaRefusedError(OSError):
    """The broker refused what it was asked, and asking again would not help; ``kind`` says why."""

    def __init__(self, message: str, kind: ErrorKind = "other") -> None:
        super().__init__(message)
        self.kind = kind


class KafkaAwayError(ConnectionError):
    """The broker could not be reached in the time given."""


class KafkaFencedError(KafkaRefusedError):
    """Another writer of the same transactional id was opened: this one writes nothing any more."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "fenced")


class KafkaLostError(KafkaAwayError):
    """A writer can go on no longer; what became of its last transaction is for the next one to find out."""


class Message(Protocol):
    """A message as it is read; ``None`` for a part that it does not have."""

    def topic(self) -> str | None:
        """The topic it came from."""

    def partition(self) -> int | None:
        """The partition it came from."""

    def offset(self) -> int | None:
        """Its place in the partition."""

    def key(self) -> bytes | None:
        """Its key."""

    def value(self) -> bytes | None:
        """What it carries."""

    def headers(self) -> Any:  # noqa: ANN401 - a list of pairs, by the library's many spellings
        """Name and value of its headers, or None."""

    def timestamp(self) -> tuple[int, int]:
        """Kind of its stamp (0: none, 1: the sender's, 2: the broker's), and the stamp in epoch ms."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be written; ``partition`` -1 lets the key decide, ``timestamp`` 0 means now, epoch ms."""

    topic: str
    value: bytes
    key: bytes | None = None
    headers: Headers = ()
    partition: int = -1
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a reader met instead of messages.

    ``away``: no broker answers, it tries again by itself. ``out_of_range``: the offset is no longer, or not
    yet, in the partition. ``gone``: there is no such topic or partition. ``refused``: no right to read it.
    """

    kind: ErrorKind
    place: Place | None
    text: str


@dataclass(frozen=True, slots=True)
class Topic:
    """What the brokers say of a topic: its partitions, of each the leader (-1: none) and how many copies."""

    name: str
    leaders: Mapping[int, int]
    copies: int

    @property
    def partitions(self) -> list[int]:
        """The numbers of its partitions, ascending."""
        return sorted(self.leaders)


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach a cluster.

    Args:
        servers: ``HOST:PORT``, several separated by commas.
        options: settings of librdkafka; never shown, for they may hold secrets.
        timeout: seconds within which a question must be answered.
        waiting: entered while a broker is waited for, with a text that says which.
    """

    servers: str
    options: Mapping[str, Option] = field(default_factory=dict, repr=False)
    timeout: float = 10.0
    waiting: Callable[[str], AbstractContextManager[Any]] = field(default=nullcontext, repr=False)

    def options_of(self, client: str, more: Mapping[str, Option] | None = None) -> dict[str, Any]:
        """All settings of one client; ``more`` are those of its kind, which nothing overrides.

        >>> KafkaSettings("a:1", {"client.id": "x"}).options_of("producer")["client.id"]
        'x'
        """
        own = {"client.id": f"{_NAME}-{client}", **_USUAL, **self.options}
        return {**own, **(more or {}), "bootstrap.servers": self.servers}
