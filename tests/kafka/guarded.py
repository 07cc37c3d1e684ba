"""Apache Kafka with TLS, logins and an authorizer; the rights of docs/security.md for the engine's user."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import admin as kafka_admin
from confluent_kafka.admin import AdminClient

from sinks.kafka_types import Option
from tests.kafka.broker import Cluster, real_cluster

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
RIGHTS = re.findall(r"^--add --allow-principal User:yiwang (.*)$", GUIDE, re.MULTILINE)
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


_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


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
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        f"listener.name.sasl_ssl.plain.sasl.jaas.config={module} required {admin} {users};",
        f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={_SCRAM} required;",
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


@contextmanager
def guarded_cluster(folder: Path, topics: Sequence[str]) -> Iterator[Cluster]:
    """A guarded cluster with topics, in which the engine's user has the rights of the guide."""
    with real_cluster(
        options=guarded(folder), login=as_user("admin", folder / "broker.pem"), scram=("yiwang",)
    ) as running:
        for topic in topics:
            running.topic(name=topic)
        admin = AdminClient({"bootstrap.servers": running.servers, **running.login})
        wanted = [one for rights in RIGHTS for one in bindings(rights)]
        for done in admin.create_acls(wanted).values():
            done.result(20)
        yield running
