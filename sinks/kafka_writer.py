"""Messages → a cluster: written in order, waited for, none lost to a broker that went away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self

from sinks.kafka_link import Error, Failure, Hearing, Producer, hint, kind_of, producer
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, KafkaSettings, Option, Outgoing, Place
from sinks.kafka_wait import TURN, awaited
from sinks.log import EventLog

LOG = EventLog("kafka")

_AT_ONCE, _AT_ONCE_BYTES = 5_000, 8 << 20

# As Java's clients do it: all producers of a key agree on its partition.
_USUAL: dict[str, Option] = {"compression.type": "zstd", "linger.ms": 2, "partitioner": "murmur2_random"}
_FIXED: dict[str, Option] = {
    # The broker says what is too large, not the client.
    "message.max.bytes": 64 << 20,
    "queue.buffering.max.kbytes": 1 << 18,
    "queue.buffering.max.messages": 100_000,
    "enable.idempotence": True,
}


def sender_options(settings: KafkaSettings) -> dict[str, Option]:
    """Options of every producer; some of them the settings may change."""
    return {**{name: settings.options.get(name, usual) for name, usual in _USUAL.items()}, **_FIXED}


class KafkaWriter:
    """Writes messages and waits until the broker has them; a lost broker is waited for.

    Args:
        settings: of the cluster.
        patience: seconds to wait for a broker that is away; None for ever.
        make: makes the client, and makes it again when it cannot go on.

    Attributes:
        ends: of each partition written to, the offset after the last message written.

    Raises:
        ValueError: the settings cannot be used.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        patience: float | None = None,
        make: Callable[[KafkaSettings, Mapping[str, Option], Callable[[Error], None]], Producer] = producer,
    ) -> None:
        self._settings, self._patience, self._make = settings, patience, make
        # A broker that is away is waited for: no message gives up by itself.
        self._more: dict[str, Option] = {**sender_options(settings), "message.timeout.ms": 0}
        self.ends: dict[Place, int] = {}
        self._hearing = Hearing()
        self._producer = make(settings, self._more, self._hearing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, messages: Sequence[Outgoing]) -> list[Outgoing]:
        """Write messages in order; returns those that are too large for their topic.

        Raises:
            KafkaRefusedError: the broker refused one for good.
            KafkaAwayError: it stayed away longer than ``patience``.
        """
        too_large: list[Outgoing] = []
        for some in portions(messages):
            left = some
            while left:
                left = self._attempt(left, too_large)
        return too_large

    def _attempt(self, messages: list[Outgoing], too_large: list[Outgoing]) -> list[Outgoing]:
        """Write some and wait for the reports; returns what must be written again."""
        errors: list[Error | None] = [None] * len(messages)
        left = len(messages)

        def report(place: int, error: Error | None, written: Any) -> None:  # noqa: ANN401 - a message
            nonlocal left
            left -= 1
            errors[place] = error
            if error is None:
                self.ends[written.topic(), written.partition()] = written.offset() + 1

        for place, one in enumerate(messages):
            self._produce(one, partial(report, place))
        self._wait(lambda: left > 0)
        again: list[Outgoing] = []
        for one, error in zip(messages, errors, strict=True):
            if error is None:
                continue
            kind = kind_of(error)
            if kind == "too_large":
                too_large.append(one)
            elif kind == "anew":
                again.append(one)
            else:
                raise self._refused(one, error)
        if again:
            LOG.warning("kafka.new_producer", servers=self._settings.servers, error=self._hearing.said)
            self._producer = self._make(self._settings, self._more, self._hearing)
        return again

    def _produce(self, one: Outgoing, report: Callable[[Error | None, Any], None]) -> None:
        headers = list(one.headers) or None
        produce = self._producer.produce
        try:
            produce(
                one.topic,
                one.value,
                one.key,
                one.partition,
                on_delivery=report,
                timestamp=one.timestamp,
                headers=headers,
            )
        except Failure as error:
            report(error.args[0], None)

    def _wait(self, busy: Callable[[], bool]) -> None:
        with awaited(self._settings, self._patience, self._why) as look:
            try:
                while busy():
                    self._producer.poll(TURN)
                    if busy():
                        look()
            except KafkaAwayError:
                self._producer.purge()
                self._producer.poll(0)
                raise
        self._hearing.said = ""

    def _why(self) -> str:
        return self._hearing.said or "no answer"

    def _refused(self, one: Outgoing, error: Error) -> KafkaRefusedError:
        message = f"a message to {one.topic!r}: {error.str()}; {hint(error)}"
        return KafkaRefusedError(f"Kafka {self._settings.servers} refused {message}", kind_of(error))

    def close(self) -> None:
        """Let go of the connection; what `send` was given has been written."""
        self._producer.purge()
        self._producer.flush(TURN)


def portions(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """So many at a time that what waits for a broker is bounded."""
    some: list[Outgoing] = []
    size = 0
    for one in messages:
        some.append(one)
        size += len(one.value)
        if len(some) >= _AT_ONCE or size >= _AT_ONCE_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
