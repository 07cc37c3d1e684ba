"""Settings of all tests."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.kafka.broker import chosen

# How fast an example runs says something about the machine, nothing about the code.
settings.register_profile("yiwang", deadline=None)
settings.load_profile("yiwang")


@pytest.fixture
def unhandled() -> Iterator[None]:
    """SIGINT and SIGHUP as Python has them: who runs tests in the background may have them ignored."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hangup)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which Kafka the tests of Kafka ran on, if any of them did."""
    reports = (report for found in terminalreporter.stats.values() for report in found)
    if any("/kafka/" in str(getattr(report, "nodeid", "")) for report in reports):
        names = {"maven": "Apache Kafka (Java, Maven)", "mock": "the in-process broker of librdkafka alone"}
        terminalreporter.write_line(f"tests of Kafka ran on {names.get(chosen(), chosen())}")
