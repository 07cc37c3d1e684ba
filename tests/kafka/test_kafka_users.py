"""SASL, TLS and the rights of docs/security.md on Apache Kafka: what the engine's user may, and may not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sinks.kafka_link import KafkaAdmin
from sinks.kafka_reader import KafkaReader
from sinks.kafka_transactions import KafkaTransactions
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, KafkaSettings, Message, Outgoing
from sinks.kafka_writer import KafkaWriter
from tests.kafka.broker import Cluster, chosen
from tests.kafka.guarded import as_user, guarded_cluster

TOPICS = ("city.readings.v1", "city.alerts.v1", "city.readings.v1.dlq", "other")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A guarded cluster with topics, and the rights of the guide."""
    if chosen() != "maven" or shutil.which("keytool") is None:
        pytest.skip("a broker with logins and rights needs Java and Maven")
    with guarded_cluster(tmp_path_factory.mktemp("tls"), TOPICS) as running:
        yield running


@pytest.fixture
def engine(cluster: Cluster) -> KafkaSettings:
    certificate = Path(str(cluster.login["ssl.ca.location"]))
    return replace(cluster.settings, options=as_user("yiwang", certificate))


def test_the_engine_reads_commits_writes_and_puts_back_with_its_rights(
    cluster: Cluster, engine: KafkaSettings
) -> None:
    with KafkaWriter(cluster.settings) as gateway:
        assert gateway.send([Outgoing("city.readings.v1", b"{}", partition=0)]) == []
    with KafkaReader(replace(engine, options={**engine.options, "group.id": "yiwang"})) as reader:
        reader.assign({("city.readings.v1", 0): 0})
        found: list[Message] = []

        def came() -> bool:
            found.extend(reader.read(10, 0.2))
            return bool(found)

        cluster.until(came)
        assert [one.value() for one in found] == [b"{}"]
        reader.commit({("city.readings.v1", 0): 1})
        assert reader.troubles == []
    with KafkaWriter(engine) as writer:
        assert writer.send([Outgoing(topic, b"x") for topic in TOPICS[1:3]]) == []
    with KafkaTransactions(engine, "yiwang-redrive") as together:
        together.write([Outgoing("city.readings.v1.dlq", b"y")])
    assert set(TOPICS) - {"other"} == set(KafkaAdmin(engine).topics())


def test_what_is_not_its_own_is_refused(engine: KafkaSettings) -> None:
    for topic in ("city.readings.v1", "other"):
        with KafkaWriter(engine) as writer, pytest.raises(KafkaRefusedError):
            writer.send([Outgoing(topic, b"x")])
    with pytest.raises(KafkaRefusedError):
        KafkaTransactions(engine, "other-program")


@pytest.mark.parametrize("wrong", ["password", "authority"])
def test_a_wrong_login_or_an_unknown_broker_is_an_error_that_shows_no_secret(
    engine: KafkaSettings, wrong: str
) -> None:
    options = dict(engine.options)
    if wrong == "password":
        options["sasl.password"] = "guessed-it"
    else:
        options.pop("ssl.ca.location")
    with pytest.raises((KafkaAwayError, KafkaRefusedError)) as caught:
        KafkaAdmin(replace(engine, options=options, timeout=3)).topics()
    assert "guessed-it" not in str(caught.value)
    assert "yiwang-secret" not in str(caught.value)
