"""Waiting for a broker that is away: seen in the metrics, told once, given up after a while if wanted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from sinks.kafka_types import KafkaAwayError, KafkaSettings
from sinks.log import EventLog

LOG = EventLog("kafka")

TURN = 0.2
"""Seconds between two looks at what is waited for."""

_NOTICED = 1.0


@contextmanager
def awaited(
    settings: KafkaSettings, patience: float | None, why: Callable[[], str]
) -> Iterator[Callable[[], None]]:
    """Gives what is to be called every `TURN` while a broker lets us wait; ``why`` says what it said last.

    Raises:
        KafkaAwayError: from that call, after ``patience`` seconds; with None never.

    >>> with awaited(KafkaSettings("127.0.0.1:1"), 0.0, lambda: "refused") as look:
    ...     look()
    Traceback (most recent call last):
    sinks.kafka_types.KafkaAwayError: Kafka 127.0.0.1:1 took no message for 0 s (refused); start the...
    """
    begun, told = time.monotonic(), False
    with ExitStack() as stack:

        def look() -> None:
            nonlocal told
            passed = time.monotonic() - begun
            if passed > _NOTICED and not told:
                told = True
                LOG.warning("kafka.waiting", servers=settings.servers, error=why())
                stack.enter_context(settings.waiting("kafka"))
            if patience is not None and passed > patience:
                raise KafkaAwayError(
                    f"Kafka {settings.servers} took no message for {patience:g} s ({why()}); "
                    "start the broker, or correct bootstrap_servers in [kafka]"
                )

        yield look
        if told:
            LOG.warning("kafka.back", servers=settings.servers)
