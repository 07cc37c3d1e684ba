"""Kafka beside the other outputs of a flow: alerts, values and rejects of a run, as its ``[kafka]`` wants."""

from __future__ import annotations

from dataclasses import replace

from flows.city import City
from flows.city_flow import Tap
from flows.config.kafka import KafkaSection
from flows.stages.area_step import AREAS
from flows.steps import CITY
from sinks.kafka_contents import AlertMessages, DeadLetters, ValueMessages
from sinks.kafka_sink import Content, KafkaSink, SinkSettings

LETTERS = "dlq"
"""The one part of all dead letters, whatever the processes of a run."""


def kafka_taps(
    section: KafkaSection, city: City, shards: list[str], settings: SinkSettings, *, letters: bool
) -> tuple[Tap, ...]:
    """The readers that write a run's results to the topics of its configuration.

    ``letters``: records come from topics, so rejects go to dead letters, if the configuration wants it.
    """
    name = city.areas.city["id"]
    if section.transactions:
        settings = replace(settings, transactions=f"{section.group}-{name}")
    taps = []
    if section.alerts:
        alerts: str = section.alerts

        def transitions(part: str) -> Content:
            del part
            return AlertMessages(alerts, name)

        taps.append(Tap("alerts_kafka", "alerts", KafkaSink(settings, [CITY], transitions)))
    if section.indicators:
        indicators: str = section.indicators

        def values(part: str) -> Content:
            return ValueMessages(indicators, part, section.indicator_kinds)

        taps.append(Tap("values_kafka", "values", KafkaSink(settings, [*shards, AREAS], values)))
    if letters and section.dead_letters:

        def rejects(part: str) -> Content:
            del part
            return DeadLetters(section.inputs().values())

        taps.append(Tap("rejects_kafka", "rejects", KafkaSink(settings, [LETTERS], rejects)))
    return tuple(taps)
