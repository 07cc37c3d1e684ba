"""SASL, TLS and the rights of docs/security.md on Apache Kafka: what the engine's user may, and may not."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import admin as kafka_admin
from confluent_kafka.admin import AdminClient

from sinks.kafka_link import KafkaAdmin
from sinks.kafka_reader import KafkaReader
from sinks.kafka_transactions import KafkaTransactions
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, KafkaSettings, Message, Option, Outgoing
from sinks.kafka_writer import KafkaWriter
from tests.kafka.broker import Cluster, chosen, real_cluster

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
RIGHTS = re.findall(r"^--add --allow-principal User:yiwang (.*)$", GUIDE, re.MULTILINE)
TOPICS = ("city.readings.v1", "city.alerts.v1", "city.readings.v1.dlq", "other")
BINDING: Any = vars(kafka_admin)["AclBinding"]
OPERATIONS: Any = vars(kafka_admin)["AclOperation"]
KINDS: Any = vars(kafka_admin)["ResourceType"]
PATTERNS: Any = vars(kafka_admin)["ResourcePatternType"]
ALLOW: Any = vars(kafka_admin)["AclPermissionType"].ALLOW
"""Of the library, whose types do not tell of them."""
WORDS = {
    "--topic": KINDS.TOPIC,
    "--group": KINDS.GROUP,
    "--transactional-id": KINDS.TRANSACTIONAL_ID,
}


def as_user(name: str, certificate: Path, password: str = "") -> dict[str, Option]:
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": name,
        "sasl.password": password or f"{name}-secret",
        "ssl.ca.location": str(certificate),
    }


def guarded(folder: Path) -> tuple[str, ...]:
    """Lines of a broker that speaks TLS, asks for a login and allows nothing unasked."""
    store, pem = folder / "broker.p12", folder / "broker.pem"
    alias = [
        "-alias",
        "broker",
        "-keystore",
        str(store),
        "-storepass",
        "store-secret",
        "-storetype",
        "PKCS12",
    ]
    name = ["-dname", "CN=broker", "-ext", "san=ip:127.0.0.1", "-validity", "2", "-keyalg", "RSA"]
    keytool = shutil.which("keytool") or "keytool"
    subprocess.run([keytool, "-genkeypair", *alias, *name], check=True, capture_output=True)
    subprocess.run(
        [keytool, "-exportcert", "-rfc", *alias, "-file", str(pem)], check=True, capture_output=True
    )
    users = " ".join(f'user_{name}="{name}-secret"' for name in ("admin", "yiwang", "gateway"))
    admin = 'username="admin" password="admin-secret"'
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return (
        "listeners=SASL_SSL://ADDRESS,CONTROLLER://CONTROL",
        "advertised.listeners=SASL_SSL://ADDRESS",
        "listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name=SASL_SSL",
        "sasl.enabled.mechanisms=PLAIN",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        f"listener.name.sasl_ssl.plain.sasl.jaas.config={module} required {admin} {users};",
        f"ssl.keystore.location={store}",
        "ssl.keystore.password=store-secret",
        "ssl.keystore.type=PKCS12",
        f"ssl.truststore.location={store}",
        "ssl.truststore.password=store-secret",
        "ssl.truststore.type=PKCS12",
        "ssl.endpoint.identification.algorithm=",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:admin;User:ANONYMOUS",
    )


def bindings(rights: str) -> Iterator[Any]:
    """The rights of one line, as the library has them."""
    word = next(word for word in WORDS if f"{word} " in rights)
    name = rights.split(f"{word} ")[1].split(maxsplit=1)[0]
    pattern = PATTERNS.PREFIXED if "prefixed" in rights else PATTERNS.LITERAL
    for operation in re.findall(r"--operation (\w+)", rights):
        spelled = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()
        yield BINDING(
            WORDS[word],
            name,
            pattern,
            "User:yiwang",
            "*",
            OPERATIONS[spelled],
            ALLOW,
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A guarded cluster with topics, and the rights of the guide."""
    if chosen() != "maven" or shutil.which("keytool") is None:
        pytest.skip("a broker with logins and rights needs Java and Maven")
    folder = tmp_path_factory.mktemp("tls")
    lines = guarded(folder)
    with real_cluster(options=lines, login=as_user("admin", folder / "broker.pem")) as running:
        for topic in TOPICS:
            running.topic(name=topic)
        admin = AdminClient({"bootstrap.servers": running.servers, **running.login})
        wanted = [one for rights in RIGHTS for one in bindings(rights)]
        for done in admin.create_acls(wanted).values():
            done.result(20)
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
