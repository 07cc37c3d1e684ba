"""What is in a topic, for the tests."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.kafka_link import KafkaAdmin
from sinks.kafka_spans import messages_between, topic_ends
from sinks.kafka_types import Message
from tests.kafka.broker import Cluster


def content(cluster: Cluster, topic: str) -> list[Message]:
    """All messages of a topic, partition by partition, each in order."""
    if topic not in KafkaAdmin(cluster.settings).topics():
        return []
    spans = {place: (0, end) for place, end in topic_ends(cluster.settings, [topic]).items()}
    found = list(messages_between(cluster.settings, spans))
    return sorted(found, key=lambda one: (one.partition(), one.offset()))


def values(messages: Sequence[Message]) -> list[bytes]:
    """What messages carry."""
    return [one.value() or b"" for one in messages]
