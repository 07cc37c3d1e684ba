"""The cluster that the tests of Kafka share, one for each process of the test run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kafka.broker import Cluster, real_cluster, session_cluster


@pytest.fixture(scope="session")
def kafka() -> Iterator[Cluster]:
    """A cluster of one broker; tests make topics of their own."""
    with session_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def real_kafka(kafka: Cluster) -> Cluster:
    """The same, where it is Apache Kafka: for what the mock cannot do."""
    if not kafka.real:
        pytest.skip("librdkafka's in-process broker cannot do this; Java and Maven give a real one")
    return kafka


@pytest.fixture
def own_kafka(kafka: Cluster) -> Iterator[Cluster]:
    """A broker that a test may kill; only where brokers can be started."""
    if kafka.kind != "maven":
        pytest.skip("no broker of one's own to kill; Java and Maven give one")
    with real_cluster() as cluster:
        yield cluster
