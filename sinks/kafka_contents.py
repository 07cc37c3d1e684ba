"""What goes to the topics: transitions, values, rejects → messages; the record contract's fields in each.

``city.alerts.v1``: a transition in JSON, key its alert, id ``alert:seq``. ``city.indicators.v1``: rows of
values as an Arrow stream, key the part of the city. ``TOPIC.dlq``: a reject in JSON, key and id where it
came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from alerts.transitions import Transition
from sinks.arrow_values import Labels, streams_of
from sinks.history_hours import chosen
from sinks.kafka_spans import ID
from sinks.kafka_types import Outgoing
from sinks.line_files import Refused, reject_line
from sinks.log import EventLog
from sinks.table_file import KINDS, STATUSES, ValueFrame

LOG = EventLog("kafka")

JSON = b"application/json"
ARROW = b"application/vnd.apache.arrow.stream"
DLQ = ".dlq"
"""What the name of a topic's dead letters ends in."""

ROWS = 8_192
"""Rows of values in a message, some 300 kB before compression."""

_LABELS = Labels(KINDS, STATUSES)


class AlertMessages:
    """Transitions of alerts; all of one alert go to one partition, in order."""

    once = True
    patience = 0.0

    def __init__(self, topic: str, city: str) -> None:
        self.topics = (topic,)
        self._source = f"/yiwang/{city}".encode()

    def messages(self, items: list[list[Transition]]) -> list[Outgoing]:
        """One message a transition."""
        return [self._message(one) for one in chain.from_iterable(items)]

    def _message(self, one: Transition) -> Outgoing:
        headers = (
            (ID, f"{one.alert_id}:{one.seq}".encode()),
            ("ce_specversion", b"1.0"),
            ("ce_source", self._source),
            ("ce_type", f"city.alert.{one.transition}.v1".encode()),
            ("content-type", JSON),
        )
        (topic,) = self.topics
        return Outgoing(topic, msgspec.json.encode(one), one.alert_id.encode(), headers)

    def smaller(self, message: Outgoing) -> Outgoing | None:
        """A transition has a few hundred bytes: a topic that refuses it takes nothing."""
        raise ValueError(
            f"{message.topic}: a transition of {len(message.value)} bytes is too large for it; "
            "raise max.message.bytes of the topic"
        )


class ValueMessages:
    """Values of indicators, as rows of ``indicators.parquet``; a row may come again after a crash."""

    once = False
    patience = 0.0

    def __init__(self, topic: str, part: str, kinds: Sequence[str]) -> None:
        self.topics = (topic,)
        self._key = part.encode()
        self._kinds = [KINDS.index(kind) for kind in kinds]

    def messages(self, items: list[ValueFrame]) -> list[Outgoing]:
        """Messages of at most `ROWS` rows."""
        kept = [one for frame in items if len(frame) and (one := chosen(frame, self._kinds)) is not None]
        (topic,) = self.topics
        return [
            Outgoing(topic, stream, self._key, (("content-type", ARROW),))
            for stream in (streams_of(kept, _LABELS, ROWS) if kept else ())
        ]

    def smaller(self, message: Outgoing) -> Outgoing | None:
        """Rows are never left out in silence."""
        raise ValueError(
            f"{message.topic}: {len(message.value)} bytes of values are too large for it; "
            "raise max.message.bytes of the topic to 16 MB"
        )


class DeadLetters:
    """Rejects of topics, to the dead letters of each; those of files stay in ``rejects.jsonl`` alone."""

    once = True
    patience = 1.0
    """Nobody acts on a dead letter at once, and a live city has some in every turn."""

    def __init__(self, sources: Iterable[str]) -> None:
        """``sources`` are the topics that records come from."""
        self._sources = frozenset(sources)
        self.topics = sorted(source + DLQ for source in self._sources)

    def messages(self, items: list[Sequence[Refused]]) -> list[Outgoing]:
        """One message a reject."""
        return [
            dead_letter(one, reject_line(one))
            for one in chain.from_iterable(items)
            if one.source in self._sources
        ]

    def smaller(self, message: Outgoing) -> Outgoing | None:
        """The same without the record's bytes, which ``rejects.jsonl`` has."""
        fields = msgspec.json.decode(message.value)
        if not fields["raw_base64"]:
            raise ValueError(f"{message.topic} takes no message of {len(message.value)} bytes")
        LOG.warning("kafka.too_large", topic=message.topic, size=len(message.value))
        value = msgspec.json.encode({**fields, "raw_base64": ""})
        headers = (*message.headers, ("yiwang-raw-left-out", b"%d" % len(message.value)))
        return Outgoing(message.topic, value, message.key, headers)


def letter_key(source: str, partition: int, offset: int, index: int) -> bytes:
    """The key of a reject, and its id.

    >>> letter_key("city.readings.v1", 3, 17, 0)
    b'city.readings.v1/3/17/0'
    """
    return f"{source}/{partition}/{offset}/{index}".encode()


def dead_letter(one: Refused, line: bytes) -> Outgoing:
    """The message for a reject."""
    key = letter_key(one.source, one.partition, one.offset, one.index)
    # The message's own ids would be taken for the letter's.
    origin = tuple((f"origin_{name}", value.encode()) for name, value in one.headers)
    headers = ((ID, key), ("content-type", JSON), ("reason", str(one.reason).encode()), *origin)
    return Outgoing(one.source + DLQ, line, key, headers)
