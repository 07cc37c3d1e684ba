"""The seam to Kafka: settings → clients of librdkafka, their errors in our words.

The one module that imports the library. `KafkaWriter` and `KafkaReader` build on the clients made here, and
what they take and give is in ``sinks.kafka_types``. Every question ends in the time that is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import confluent_kafka as kafka
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    ConfigResource,
    NewTopic,
)

from sinks.kafka_types import (
    ErrorKind,
    KafkaAwayError,
    KafkaRefusedError,
    KafkaSettings,
    Option,
    Place,
    Topic,
)

Failure = kafka.KafkaException
"""What clients raise; its first argument is an `Error`."""

Error = kafka.KafkaError
Producer = kafka.Producer
Consumer = kafka.Consumer
Partition = kafka.TopicPartition

_CODES: Mapping[ErrorKind, tuple[str, ...]] = {
    "end": ("_PARTITION_EOF",),
    "away": (
        *("_ALL_BROKERS_DOWN", "_TRANSPORT", "_RESOLVE", "_TIMED_OUT", "_TIMED_OUT_QUEUE"),
        "_MSG_TIMED_OUT",
        *("REQUEST_TIMED_OUT", "LEADER_NOT_AVAILABLE", "NETWORK_EXCEPTION", "COORDINATOR_LOAD_IN_PROGRESS"),
        *("COORDINATOR_NOT_AVAILABLE", "NOT_LEADER_FOR_PARTITION", "BROKER_NOT_AVAILABLE"),
        *("NOT_COORDINATOR", "_WAIT_COORD", "PREFERRED_LEADER_NOT_AVAILABLE", "KAFKA_STORAGE_ERROR"),
        *("FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH", "UNSTABLE_OFFSET_COMMIT"),
    ),
    "out_of_range": ("OFFSET_OUT_OF_RANGE", "_AUTO_OFFSET_RESET"),
    "gone": ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"),
    "refused": (
        *("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"),
        *("SASL_AUTHENTICATION_FAILED", "_AUTHENTICATION", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"),
    ),
    "exists": ("TOPIC_ALREADY_EXISTS",),
    "too_large": ("MSG_SIZE_TOO_LARGE",),
    "anew": (
        *("_FATAL", "OUT_OF_ORDER_SEQUENCE_NUMBER", "UNKNOWN_PRODUCER_ID", "INVALID_PRODUCER_EPOCH"),
        *("_PURGE_QUEUE", "_PURGE_INFLIGHT"),
        *("INVALID_PRODUCER_ID_MAPPING", "INVALID_TXN_STATE", "TRANSACTION_ABORTABLE"),
    ),
    "fenced": ("_FENCED", "PRODUCER_FENCED"),
}
_KINDS: dict[int, ErrorKind] = {
    getattr(kafka.KafkaError, name): kind for kind, names in _CODES.items() for name in names
}
_HINTS: Mapping[ErrorKind, str] = {
    "gone": "create the topic, or correct its name in [kafka]",
    "refused": "correct the user and password, or give the user the right to do this",
}


@dataclass(slots=True)
class Hearing:
    """The last thing a client said of itself, for messages that should name a cause."""

    said: str = ""

    def __call__(self, error: Error) -> None:
        """As librdkafka calls it."""
        self.said = error.str()


def kind_of(error: Error) -> ErrorKind:
    """What an error means for us."""
    kind = _KINDS.get(error.code(), "other")
    return "anew" if error.fatal() and kind != "fenced" else kind


def hint(error: Error) -> str:
    """What to do about an error."""
    return _HINTS.get(kind_of(error), "see the broker's log")


def check(settings: KafkaSettings) -> None:
    """Hold the options against what librdkafka knows; nothing is connected.

    Raises:
        ValueError: there is no such option, or it does not take that value.

    >>> check(KafkaSettings("127.0.0.1:9092", {"linger.msec": 5}))
    Traceback (most recent call last):
    ValueError: Kafka: No such configuration property: "linger.msec"; correct it in [kafka] or...
    """
    options = settings.options_of("check")
    del options["bootstrap.servers"]
    _made(kafka.Producer, options)


def producer(settings: KafkaSettings, more: Mapping[str, Option], heard: Callable[[Error], None]) -> Producer:
    """A producer; ``heard`` is told what befalls it.

    Raises:
        ValueError: the settings cannot be used.
    """
    made: Producer = _made(kafka.Producer, {**settings.options_of("producer", more), "error_cb": heard})
    return made


def consumer(settings: KafkaSettings, more: Mapping[str, Option], heard: Callable[[Error], None]) -> Consumer:
    """A consumer; ``heard`` is told what befalls it.

    Raises:
        ValueError: the settings cannot be used.
    """
    made: Consumer = _made(kafka.Consumer, {**settings.options_of("consumer", more), "error_cb": heard})
    return made


def partitions(offsets: Mapping[Place, int]) -> list[Partition]:
    """Places with offsets (or times) as the library has them."""
    return [Partition(topic, number, offset) for (topic, number), offset in offsets.items()]


def ask(settings: KafkaSettings, what: str, hearing: Hearing, asked: Callable[[], Any]) -> Any:  # noqa: ANN401
    """What a broker answers to a question; its errors in our words.

    Raises:
        KafkaAwayError: it did not answer in time.
        KafkaRefusedError: it refused.
    """
    try:
        return asked()
    except TimeoutError as error:
        raise _away(settings, what, hearing.said or "silence") from error
    except kafka.KafkaException as error:
        cause: Error = error.args[0]
        if kind_of(cause) == "away":
            raise _away(settings, what, hearing.said or cause.str()) from error
        message = f"Kafka {settings.servers} was asked for {what} and refused: {cause.str()}; {hint(cause)}"
        raise KafkaRefusedError(message, kind_of(cause)) from error


def _away(settings: KafkaSettings, what: str, why: str) -> KafkaAwayError:
    return KafkaAwayError(
        f"Kafka {settings.servers} was asked for {what} and did not answer within {settings.timeout:g} s "
        f"({why}); start the broker, or correct bootstrap_servers and the security options in [kafka]"
    )


def _made(kind: Callable[[dict[str, Any]], Any], options: dict[str, Any]) -> Any:  # noqa: ANN401 - a client
    try:
        return kind(options)
    except (kafka.KafkaException, TypeError, ValueError) as error:
        cause = error.args[0] if error.args else error
        why = cause.str() if isinstance(cause, kafka.KafkaError) else cause
        raise ValueError(f"Kafka: {why}; correct it in [kafka] or [kafka.settings]") from error


class KafkaAdmin:
    """Asks a cluster about itself, and makes topics.

    Raises:
        ValueError: the settings cannot be used.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._hearing = Hearing()
        options = {**settings.options_of("admin"), "error_cb": self._hearing}
        self._admin: AdminClient = _made(AdminClient, options)

    def brokers(self) -> dict[int, str]:
        """Number and address of the brokers that are up."""
        found = self._ask("its brokers", partial(self._admin.list_topics, timeout=self._settings.timeout))
        return {number: f"{one.host}:{one.port}" for number, one in found.brokers.items()}

    def topics(self) -> dict[str, Topic]:
        """All topics by name.

        Raises:
            KafkaAwayError: no broker answered in time.
            KafkaRefusedError: no right to ask.
        """
        found = self._ask("its topics", partial(self._admin.list_topics, timeout=self._settings.timeout))
        return {
            name: Topic(
                name,
                {number: part.leader for number, part in one.partitions.items()},
                min((len(part.replicas) for part in one.partitions.values()), default=0),
            )
            for name, one in found.topics.items()
        }

    def create(
        self, name: str, partitions: int, copies: int = 1, options: Mapping[str, str] | None = None
    ) -> bool:
        """Make a topic; False if there is one of that name already."""
        wanted = NewTopic(name, partitions, copies, config=dict(options or {}))
        try:
            self._done(f"to make {name!r}", self._admin.create_topics([wanted])[name])
        except KafkaRefusedError as error:
            if error.kind == "exists":
                return False
            raise
        return True

    def delete(self, name: str) -> None:
        """Remove a topic with all that is in it."""
        self._done(f"to remove {name!r}", self._admin.delete_topics([name])[name])

    def topic_options(self, name: str) -> dict[str, str]:
        """The settings of a topic, defaults included."""
        return self._options(ConfigResource(ConfigResource.Type.TOPIC, name))

    def broker_options(self, number: int) -> dict[str, str]:
        """The settings of a broker, defaults included."""
        return self._options(ConfigResource(ConfigResource.Type.BROKER, str(number)))

    def _options(self, resource: ConfigResource) -> dict[str, str]:
        found = self._done(f"settings of {resource.name}", self._admin.describe_configs([resource])[resource])
        return {name: one.value for name, one in found.items() if one.value is not None}

    def _done(self, what: str, future: Future[Any]) -> Any:  # noqa: ANN401 - as the library answers
        return self._ask(what, partial(future.result, self._settings.timeout))

    def _ask(self, what: str, asked: Callable[[], Any]) -> Any:  # noqa: ANN401
        return ask(self._settings, what, self._hearing, asked)
