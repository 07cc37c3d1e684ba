"""What is set up wrongly: a configuration and its surroundings, looked at before and while an engine runs.

    configuration ─▶ doctor_host (files, folders, ports) ──┐
                  ─▶ doctor_kafka (brokers, topics, clock) ├─▶ findings
                  ─▶ doctor_redis (server, memory, disk) ──┘

Nothing is changed. Only the brokers' clock is asked for by a message to a topic of the doctor's own, which is
removed again.
"""

from __future__ import annotations

from flows.config.configuration import Configuration
from flows.doctor.findings import Findings, ok
from flows.doctor.host import host
from flows.doctor.kafka import kafka
from flows.doctor.redis import redis


def examine(config: Configuration, *, probe: bool = True) -> Findings:
    """Everything that can be looked at, in the order in which it should be mended.

    ``probe``: ask for the brokers' clock by a message.
    """
    yield ok("config", "every option can be used", "各选项均可用")
    yield from host(config)
    yield from kafka(config, probe=probe)
    yield from redis(config)
