"""Messages → a cluster, some together or none at all, by one sender of a name at a time (KIP-98).

Whoever begins under a name shuts out all who wrote under it before: the broker takes nothing of theirs any
more, not even what is on its way already, and their last transaction is there whole or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from sinks.kafka_link import Error, Failure, Hearing, Producer, ask, hint, kind_of, producer
from sinks.kafka_types import (
    KafkaFencedError,
    KafkaLostError,
    KafkaRefusedError,
    KafkaSettings,
    Option,
    Outgoing,
    Place,
)
from sinks.kafka_wait import TURN, awaited
from sinks.kafka_writer import portions, sender_options

OPEN_S = 60
"""Seconds after which the broker gives up the transaction of a dead writer: readers wait for it so long."""

_UNSURE_S = OPEN_S - 5


class KafkaTransactions:
    """A writer whose batches are seen whole or not at all.

    Args:
        settings: of the cluster.
        name: the transactional id.
        patience: seconds to wait for a broker that is away during a transaction; None for ever.

    Attributes:
        ends: of each partition written to, the offset after the last message that is committed.

    Raises:
        ValueError: the settings cannot be used.
        KafkaAwayError: no broker answered in time.
        KafkaRefusedError: no right to write transactions of this name, or no broker that knows any.
    """

    def __init__(self, settings: KafkaSettings, name: str, patience: float | None = None) -> None:
        self._settings, self.name, self._patience, self._hearing = settings, name, patience, Hearing()
        self.ends: dict[Place, int] = {}
        more: dict[str, Option] = {
            **sender_options(settings),
            "transactional.id": name,
            "transaction.timeout.ms": OPEN_S * 1000,
        }
        self._producer: Producer = producer(settings, more, self._hearing)
        asked = partial(self._producer.init_transactions, settings.timeout)
        try:
            ask(settings, f"transactions as {name!r}", self._hearing, asked)
        except KafkaRefusedError as error:
            raise KafkaRefusedError(
                f"{error}; the user needs Write and Describe on the transactional id {name!r}. Where there "
                "are no transactions, write transactions = false in [kafka]",
                error.kind,
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; a transaction that is open is left to whoever writes next."""
        self._producer.purge()
        self._producer.flush(TURN)

    def send(self, messages: Sequence[Outgoing]) -> list[Outgoing]:
        """Write messages in order, in transactions; returns those that are too large for their topic.

        Raises:
            KafkaLostError: only a new writer can go on, and can tell which of them are there.
            KafkaFencedError: another writer of this name was opened.
            KafkaRefusedError: the broker refused one for good.
            KafkaAwayError: it stayed away longer than ``patience``.
        """
        too_large: list[Outgoing] = []
        for some in portions(messages):
            left: list[Outgoing] = some
            while left and (large := self._attempt(left)):
                too_large += large
                left = [one for one in left if all(one is not other for other in large)]
        return too_large

    def write(self, messages: Sequence[Outgoing]) -> None:
        """Write messages, all or none; after an error only a new writer can go on.

        Raises:
            KafkaAwayError: the broker went away; all are there or none: a new writer finds out.
            KafkaRefusedError: it refused one, or another writer of this name was opened; none is there.
        """
        for one in self._attempt(messages)[:1]:
            raise KafkaRefusedError(
                f"Kafka {self._settings.servers}: a message of {len(one.value)} bytes is too large for "
                f"{one.topic!r}; raise max.message.bytes of the topic",
                "too_large",
            )

    def _attempt(self, messages: Sequence[Outgoing]) -> list[Outgoing]:
        """One transaction; which messages were too large, so that none is there."""
        with awaited(self._settings, self._patience, self._why) as look:
            while True:
                errors = self._transact(messages, look)
                if not errors:
                    self._hearing.said = ""
                    return []
                large = [one for one, error in errors if kind_of(error) == "too_large"]
                if large:
                    return large
                self._producer.poll(TURN)
                look()

    def _transact(
        self, messages: Sequence[Outgoing], look: Callable[[], None]
    ) -> list[tuple[Outgoing, Error]]:
        """Try once: empty if all is committed, else why it was given up and may be tried again."""
        begun = time.monotonic()
        failed: list[tuple[Outgoing, Error]] = []
        ends: dict[Place, int] = {}

        def report(one: Outgoing, error: Error | None, written: Any) -> None:  # noqa: ANN401 - a message
            if error is not None:
                failed.append((one, error))
            else:
                ends[written.topic(), written.partition()] = written.offset() + 1

        try:
            self._producer.begin_transaction()
            for one in messages:
                self._produce(one, partial(report, one))
            cause = None if failed else self._ended(self._producer.commit_transaction, look)
            if cause is not None:
                failed.append((messages[0], cause))
            if failed:
                self._ended(self._producer.abort_transaction, look)
        except Failure as failure:
            raise self._lost(failure.args[0], time.monotonic() - begun) from failure
        if not failed:
            self.ends |= ends
        return self._again(failed)

    def _produce(self, one: Outgoing, report: Callable[[Error | None, Any], None]) -> None:
        headers = list(one.headers) or None
        produce = partial(self._producer.produce, on_delivery=report, headers=headers)
        try:
            produce(one.topic, one.value, one.key, one.partition, timestamp=one.timestamp)
        except Failure as error:
            if error.args[0].fatal():
                raise
            report(error.args[0], None)

    def _ended(self, end: Callable[[float], None], look: Callable[[], None]) -> Error | None:
        """Commit or give up the transaction, however long the broker takes; why it has to be given up."""
        while True:
            try:
                end(TURN)
            except Failure as failure:
                cause: Error = failure.args[0]
                if cause.txn_requires_abort():
                    return cause
                if not cause.retriable():
                    raise
                look()
            else:
                return None

    def _again(self, failed: list[tuple[Outgoing, Error]]) -> list[tuple[Outgoing, Error]]:
        """What failed, if another attempt makes sense.

        Raises:
            KafkaRefusedError: it does not.
        """
        for one, error in failed:
            if kind_of(error) not in {"too_large", "away", "anew"}:
                raise KafkaRefusedError(
                    f"Kafka {self._settings.servers} refused a message to {one.topic!r}: "
                    f"{error.str()}; {hint(error)}",
                    kind_of(error),
                )
        return failed

    def _lost(self, cause: Error, seconds: float) -> Exception:
        """What it means that this writer cannot go on, after so many seconds of a transaction."""
        where = f"Kafka {self._settings.servers}, transactional id {self.name!r}"
        if kind_of(cause) == "fenced" and seconds < _UNSURE_S:
            return KafkaFencedError(
                f"{where}: fenced, for another engine began to write under this id ({cause.str()}); "
                "run one engine only, or give the other one a kafka.group of its own"
            )
        return KafkaLostError(f"{where}: only a new writer can go on ({cause.str()})")

    def _why(self) -> str:
        return self._hearing.said or "no answer"
