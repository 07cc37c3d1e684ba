"""Settings of all tests."""

from typing import Any

from hypothesis import settings

from tests.kafka.broker import chosen

# How fast an example runs says something about the machine, nothing about the code.
settings.register_profile("yiwang", deadline=None)
settings.load_profile("yiwang")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which Kafka the tests of Kafka ran on, if any of them did."""
    reports = (report for found in terminalreporter.stats.values() for report in found)
    if any("/kafka/" in str(getattr(report, "nodeid", "")) for report in reports):
        names = {"maven": "Apache Kafka (Java, Maven)", "mock": "the in-process broker of librdkafka alone"}
        terminalreporter.write_line(f"tests of Kafka ran on {names.get(chosen(), chosen())}")
