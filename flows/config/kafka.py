"""The section ``[kafka]`` of the configuration, and what it says in terms of the seam to Kafka.

Secrets come from the environment alone (`SECRETS`); a secret in the file is an error that says so.

>>> section = KafkaSection(bootstrap_servers="b:9092", security="sasl_ssl", mechanism="PLAIN", user="yiwang")
>>> settings = kafka_settings(section, {"YIWANG_KAFKA_PASSWORD": "pw"})
>>> sorted(name for name in settings.options if name.startswith("sasl"))
['sasl.mechanism', 'sasl.password', 'sasl.username']
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Literal

import msgspec

from flows.config.option_types import Kind, Name, Seconds, said
from sinks.kafka_types import KafkaSettings, Option

Security = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"]


class KafkaSection(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Kafka: topics that records come from, and topics that results go to.

    Kafka：记录从哪些主题来，结果写到哪些主题去。
    """

    bootstrap_servers: Annotated[
        str | None,
        said(
            "HOST:PORT of some brokers, separated by commas; without: no Kafka.",
            "若干 broker 的地址，逗号分隔；缺省不用 Kafka。",
            "kafka-1:9092,kafka-2:9092",
        ),
    ] = None
    group: Annotated[
        Name,
        said(
            "Name of this engine in the cluster, no other's: offsets are committed under it for dashboards "
            "of lag and never read back, and transactional ids begin with it.",
            "本引擎在集群中的名称，不得与他者相同：以此提交位点（供积压看板，从不读回），"
            "事务 ID 也以此开头。",
            "yiwang",
        ),
    ] = "yiwang"
    readings: Annotated[str | None, said("Topic of the readings.", "读数主题。", "city.readings.v1")] = (
        "city.readings.v1"
    )
    events: Annotated[str | None, said("Topic of the events.", "事件主题。", "city.events.v1")] = (
        "city.events.v1"
    )
    feedback: Annotated[str | None, said("Topic of the feedback.", "处置反馈主题。", "city.feedback.v1")] = (
        "city.feedback.v1"
    )
    control: Annotated[
        str | None,
        said(
            "Topic of one partition whose messages change catalogue and thresholds while the engine runs, in "
            "place of watching their files; without: none.",
            "控制主题（单分区）：运行中以消息修改指标目录与阈值，取代对文件的监视；缺省不用。",
            "city.control.v1",
        ),
    ] = None
    start: Annotated[
        Literal["earliest", "latest"],
        said(
            "Where to begin in topics where there is nothing to go on from.",
            "没有恢复点时，从主题的最早还是最新处开始。",
            "earliest",
        ),
    ] = "earliest"
    on_gap: Annotated[
        Literal["stop", "earliest", "latest"],
        said(
            "What to do where records or a partition are not there any more: stop, or go on without them.",
            "记录或分区已不存在时：停止（stop），或从现存最早／最新处继续。",
            "stop",
        ),
    ] = "stop"
    alerts: Annotated[
        str | None,
        said("Topic that alert transitions go to.", "告警变化写入的主题。", "city.alerts.v1"),
    ] = "city.alerts.v1"
    indicators: Annotated[
        str | None,
        said(
            "Topic that values go to, as Arrow; without: none.",
            "指标值写入的主题（Arrow）；缺省不写。",
            "city.indicators.v1",
        ),
    ] = None
    indicator_kinds: Annotated[
        Annotated[list[Kind], msgspec.Meta(min_length=1)],
        said("Kinds of areas whose values go there.", "写出哪些层级的指标值。", ["district", "city"]),
    ] = msgspec.field(default_factory=lambda: ["community", "street", "district", "city"])
    dead_letters: Annotated[
        bool,
        said(
            "Whether rejects of a topic go to TOPIC.dlq, besides rejects.jsonl.",
            "拒收记录除写 rejects.jsonl 外，是否写入“主题.dlq”。",
            True,  # noqa: FBT003 - the example
        ),
    ] = True
    transactions: Annotated[
        bool,
        said(
            "Whether alerts and dead letters are written in transactions, so that a crash repeats none of "
            "them; false where brokers or rights do not allow it.",
            "告警与死信是否以事务写出，使崩溃后不重复；broker 或权限不允许时设为 false。",
            True,  # noqa: FBT003 - the example
        ),
    ] = True
    security: Annotated[
        Security, said("How brokers are spoken to.", "与 broker 的通信方式。", "sasl_ssl")
    ] = "plaintext"
    mechanism: Annotated[
        Mechanism | None,
        said("How SASL proves who we are.", "SASL 认证机制。", "SCRAM-SHA-512"),
    ] = None
    user: Annotated[
        str | None,
        said(
            "User of SASL; the password is YIWANG_KAFKA_PASSWORD of the environment.",
            "SASL 用户名；口令取自环境变量 YIWANG_KAFKA_PASSWORD。",
            "yiwang",
        ),
    ] = None
    ca: Annotated[
        str | None,
        said("Certificates that brokers are held against, PEM.", "校验 broker 的 CA 证书（PEM）。", "ca.pem"),
    ] = None
    certificate: Annotated[
        str | None, said("Our own certificate, PEM.", "本端证书（PEM）。", "client.pem")
    ] = None
    key: Annotated[
        str | None,
        said(
            "The key of our certificate; its password is YIWANG_KAFKA_KEY_PASSWORD of the environment.",
            "本端证书私钥；其口令取自环境变量 YIWANG_KAFKA_KEY_PASSWORD。",
            "client.key",
        ),
    ] = None
    timeout: Annotated[
        Seconds,
        said(
            "Seconds within which a broker must answer a question.", "broker 应答一次询问的时限（秒）。", 10.0
        ),
    ] = 10.0
    settings: Annotated[
        dict[str, str | int | float | bool],
        said(
            "Any further setting of librdkafka by its name, but no secrets.",
            "librdkafka 的其他设置，按原名书写；不得含口令。",
            {"socket.keepalive.enable": True},
        ),
    ] = msgspec.field(default_factory=dict)

    def inputs(self) -> dict[str, str]:
        """The topics that records come from, by kind of record.

        >>> KafkaSection(events=None).inputs()
        {'readings': 'city.readings.v1', 'feedback': 'city.feedback.v1'}
        """
        named = {"readings": self.readings, "events": self.events, "feedback": self.feedback}
        return {kind: topic for kind, topic in named.items() if topic}


SECRETS: Mapping[str, str] = {
    "sasl.password": "YIWANG_KAFKA_PASSWORD",
    "ssl.key.password": "YIWANG_KAFKA_KEY_PASSWORD",
    "ssl.keystore.password": "YIWANG_KAFKA_KEYSTORE_PASSWORD",
    "ssl.key.pem": "YIWANG_KAFKA_KEY_PEM",
    "sasl.oauthbearer.client.secret": "YIWANG_KAFKA_OAUTH_SECRET",
    "sasl.oauthbearer.config": "YIWANG_KAFKA_OAUTH_CONFIG",
}
"""Settings of librdkafka that are secret, and the variables of the environment that hold them."""

_OPTIONS = {
    "bootstrap.servers": "bootstrap_servers",
    "metadata.broker.list": "bootstrap_servers",
    "group.id": "group",
    "security.protocol": "security",
    "sasl.mechanism": "mechanism",
    "sasl.mechanisms": "mechanism",
    "sasl.username": "user",
    "ssl.ca.location": "ca",
    "ssl.certificate.location": "certificate",
    "ssl.key.location": "key",
}
"""Settings of librdkafka that have an option of their own."""

_OURS = (
    *("enable.auto.commit", "enable.auto.offset.store", "enable.partition.eof", "auto.offset.reset"),
    *("enable.idempotence", "acks", "request.required.acks", "message.timeout.ms", "delivery.timeout.ms"),
    *("transactional.id", "group.instance.id", "message.max.bytes", "queue.buffering.max.kbytes"),
    *("queue.buffering.max.messages", "plugin.library.paths"),
)
"""Settings on which it depends that nothing is lost; a plugin would run foreign code."""


def faults(section: KafkaSection) -> list[str]:
    """What is wrong with a section beyond the types of its options.

    >>> faults(KafkaSection(settings={"sasl.password": "pw"}))
    ['kafka.settings: sasl.password is a secret; found it in the file; give it as YIWANG_KAFKA_PASSWORD...']
    """
    found = [fault for name in section.settings if (fault := _forbidden(name))]
    if section.bootstrap_servers is not None:
        found += [_address(one) for one in section.bootstrap_servers.split(",") if not _is_address(one)]
    sasl = section.security.startswith("sasl")
    if sasl != (section.mechanism is not None):
        given = f"security = '{section.security}', mechanism = {section.mechanism!r}"
        found.append(
            f"kafka.mechanism: goes with security = 'sasl_ssl' or 'sasl_plaintext'; found {given}; "
            "give both or neither"
        )
    if (section.certificate is None) != (section.key is None):
        given = "kafka.key" if section.key else "kafka.certificate"
        found.append(f"{given}: certificate and key go together; found one; give both or none")
    return found


def _forbidden(name: str) -> str:
    if name in SECRETS or "password" in name or "secret" in name:
        variable = SECRETS.get(name, "an option of the environment")
        end = f"give it as {variable} in the environment, and change it: it has been in a file"
        return f"kafka.settings: {name} is a secret; found it in the file; {end}"
    if name in _OPTIONS:
        return f"kafka.settings: {name} has an option of its own; found it here; write {_OPTIONS[name]} = ..."
    if name in _OURS:
        return (
            f"kafka.settings: {name} is set by the engine, so that nothing is lost; found it here; remove it"
        )
    return ""


def _is_address(text: str) -> bool:
    host, _, port = text.strip().rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65_536


def _address(text: str) -> str:
    return f"kafka.bootstrap_servers: expected HOST:PORT; found {text!r}; write e.g. 'kafka-1:9092'"


def kafka_settings(
    section: KafkaSection,
    environment: Mapping[str, str] = os.environ,
    waiting: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> KafkaSettings:
    """How to reach the cluster of a section, with the secrets of the environment.

    Raises:
        ValueError: the section names no cluster.
    """
    if section.bootstrap_servers is None:
        raise ValueError(
            "kafka.bootstrap_servers: no cluster is named; write e.g. bootstrap_servers = 'kafka-1:9092'"
        )
    named: dict[str, Option | None] = {
        "security.protocol": section.security,
        "sasl.mechanism": section.mechanism,
        "sasl.username": section.user,
        "ssl.ca.location": section.ca,
        "ssl.certificate.location": section.certificate,
        "ssl.key.location": section.key,
    }
    secrets = {name: environment[variable] for name, variable in SECRETS.items() if environment.get(variable)}
    options = {
        **section.settings,
        **{name: value for name, value in named.items() if value is not None},
        **secrets,
    }
    return KafkaSettings(section.bootstrap_servers, options, section.timeout, waiting)
