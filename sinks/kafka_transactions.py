"""Messages → a cluster, some together or none at all, by one sender of a name at a time (KIP-98)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from sinks.kafka_link import Error, Hearing, Producer, ask, producer
from sinks.kafka_types import KafkaSettings, Option, Outgoing

_MINUTE_MS = 60_000


class KafkaTransactions:
    """A writer whose batches are seen whole or not at all.

    Whoever opens one of the same name later shuts this one out, and finds its last batch whole or gone.

    Args:
        settings: of the cluster.
        name: the transactional id.

    Raises:
        ValueError: the settings cannot be used.
        KafkaAwayError: no broker answered in time.
        KafkaRefusedError: no right to write transactions of this name.
    """

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._settings, self._hearing = settings, Hearing()
        more: dict[str, Option] = {
            "transactional.id": name,
            "transaction.timeout.ms": _MINUTE_MS,
            "enable.idempotence": True,
            "partitioner": settings.options.get("partitioner", "murmur2_random"),
        }
        self._producer: Producer = producer(settings, more, self._hearing)
        self._ask("to begin transactions", partial(self._producer.init_transactions, settings.timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.purge()
        self._producer.flush(0.2)

    def write(self, messages: Sequence[Outgoing]) -> None:
        """Write messages, all or none; after an error only a new writer can go on.

        Raises:
            KafkaAwayError: the broker went away; all are there or none: a new writer finds out.
            KafkaRefusedError: it refused one, or another writer of this name was opened; none is there.
        """
        self._ask("a transaction", partial(self._transact, messages))

    def _transact(self, messages: Sequence[Outgoing]) -> None:
        self._producer.begin_transaction()
        failed: list[Error] = []

        def report(error: Error | None, _: object) -> None:
            if error is not None:
                failed.append(error)

        try:
            for one in messages:
                self._producer.produce(
                    one.topic,
                    one.value,
                    one.key,
                    one.partition,
                    on_delivery=report,
                    headers=list(one.headers) or None,
                )
            self._producer.commit_transaction(self._settings.timeout)
        except Exception as error:
            if _may_abort(error):
                self._producer.abort_transaction(self._settings.timeout)
            raise

    def _ask(self, what: str, asked: Callable[[], Any]) -> None:
        ask(self._settings, what, self._hearing, asked)


def _may_abort(error: Exception) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(cause, Error) and cause.txn_requires_abort()
