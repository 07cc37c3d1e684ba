"""The part of Kafka: brokers that answer, topics that are there and keep long enough, clocks that agree."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from ipaddress import ip_address
from uuid import uuid4

from flows.config.configuration import Configuration
from flows.config.kafka import KafkaSection, kafka_settings
from flows.doctor.findings import Finding, Findings, ok, skipped, warning, wrong
from flows.doctor.topics import Known, Need, topics
from flows.doctor.transactions import transactions
from flows.live.run_options import is_kafka
from sinks.kafka_contents import DLQ
from sinks.kafka_link import KafkaAdmin, check
from sinks.kafka_reader import KafkaReader
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, KafkaSettings, Outgoing, Place, Topic
from sinks.kafka_writer import KafkaWriter

_CONNECT_S = 3.0
_SKEW_S = 2.0


def kafka(config: Configuration, *, probe: bool = True) -> Findings:
    """All findings on the cluster of a configuration; ``probe``: ask for its clock by a message."""
    section = config.kafka
    if section.bootstrap_servers is None:
        yield skipped("kafka", "no cluster is named", "未指定 Kafka 集群")
        return
    settings = kafka_settings(section)
    try:
        check(settings)
    except ValueError as error:
        yield wrong("kafka.settings", (str(error), str(error)), _SETTINGS)
        return
    closed = [one for one in section.bootstrap_servers.split(",") if not reachable(one)]
    admin = KafkaAdmin(settings)
    try:
        known = admin.topics()
        brokers = admin.brokers()
    except (KafkaAwayError, KafkaRefusedError) as error:
        yield _unreached(section, closed, error)
        return
    yield _reached(section, closed, brokers)
    yield _secured(section)
    yield _advertised(brokers)
    found = Known(admin, known, brokers)
    yield from topics(found, needs(config), config.engine.workers)
    if is_kafka(config):
        yield from _lost(settings, section, known)
    yield from transactions(found, settings, config, probe=probe)
    yield _clock(admin, settings) if probe else skipped("kafka.clock", "not asked for", "未查询")


_SETTINGS = (
    "correct that option; all are in the documentation of librdkafka (CONFIGURATION.md)",
    "改正该选项；可用选项见 librdkafka 文档 CONFIGURATION.md",
)


def needs(config: Configuration) -> list[Need]:
    """The topics that must be there, and for what."""
    section, found = config.kafka, []
    if is_kafka(config):
        found += [Need(topic, "in", kind) for kind, topic in section.inputs().items()]
        if section.dead_letters:
            found += [Need(topic + DLQ, "letters", topic) for topic in section.inputs().values()]
    if section.control:
        found.append(Need(section.control, "in", "control"))
    found += [Need(topic, "out") for topic in (section.alerts, section.indicators) if topic]
    return found


def reachable(address: str) -> bool:
    """Whether something listens at HOST:PORT."""
    host, _, port = address.strip().rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S):
            return True
    except (OSError, ValueError):
        return False


def _unreached(section: KafkaSection, closed: list[str], error: OSError) -> Finding:
    servers = (section.bootstrap_servers or "").split(",")
    if len(closed) == len(servers):
        return wrong(
            "kafka.reach",
            (f"nothing listens at {', '.join(closed)}", f"{'、'.join(closed)} 无人监听"),
            (
                "start the brokers, or correct kafka.bootstrap_servers (host names, ports, firewall)",
                "启动 broker，或改正 kafka.bootstrap_servers（主机名、端口、防火墙）",
            ),
        )
    return wrong(
        "kafka.reach",
        (
            f"it listens, but gives no answer to security = '{section.security}': {error}",
            f"端口可连，但按 security = '{section.security}' 得不到应答：{error}",
        ),
        (
            "set kafka.security, mechanism, user and ca as the listener wants, and YIWANG_KAFKA_PASSWORD",
            "按监听端口的要求设置 kafka.security、mechanism、user、ca 与环境变量 YIWANG_KAFKA_PASSWORD",
        ),
    )


def _reached(section: KafkaSection, closed: list[str], brokers: Mapping[int, str]) -> Finding:
    servers = section.bootstrap_servers or ""
    if closed:
        return warning(
            "kafka.reach",
            (f"nothing listens at {', '.join(closed)}", f"{'、'.join(closed)} 无人监听"),
            (
                "start those brokers, or remove them from kafka.bootstrap_servers",
                "启动这些 broker，或从 kafka.bootstrap_servers 删去",
            ),
        )
    count = len(brokers)
    return ok("kafka.reach", f"{servers}: {count} brokers answer", f"{servers}：{count} 个 broker 应答")


def _secured(section: KafkaSection) -> Finding:
    """What goes over the network unencrypted; on this host alone nobody reads it on the way."""
    servers = (section.bootstrap_servers or "").split(",")
    away = [one.strip() for one in servers if not _is_here(one.strip().rpartition(":")[0])]
    if not away or section.security in {"ssl", "sasl_ssl"}:
        return ok("kafka.security", f"security = '{section.security}'", f"security = '{section.security}'")
    shown = ", ".join(away)
    if section.security == "plaintext":
        return warning(
            "kafka.security",
            (
                f"records go to {shown} unencrypted, and nobody has to log in",
                f"与 {shown} 之间的记录未加密，且无需登录",
            ),
            _ENCRYPT,
        )
    readable = section.mechanism in {"PLAIN", "OAUTHBEARER"}
    what = (
        ("the password and all records go", "口令和全部记录") if readable else ("all records go", "全部记录")
    )
    return warning(
        "kafka.security",
        (f"{what[0]} to {shown} unencrypted", f"{what[1]}以明文发往 {shown}"),
        _ENCRYPT,
    )


_ENCRYPT = (
    "set kafka.security = 'sasl_ssl' with mechanism, user and ca, on a listener of the brokers with TLS",
    "改用 kafka.security = 'sasl_ssl'，并设置 mechanism、user、ca（broker 需开 TLS 监听端口）",
)


def _is_here(host: str) -> bool:
    """Whether a host is this one, by its loopback."""
    bare = host.strip("[]")
    if bare == "localhost":
        return True
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False


def _advertised(brokers: Mapping[int, str]) -> Finding:
    """A broker names an address of its own, which clients must be able to reach."""
    lost = [address for address in brokers.values() if not reachable(address)]
    if lost:
        shown = ", ".join(lost)
        return wrong(
            "kafka.advertised",
            (
                f"brokers call themselves {shown}, where nothing answers",
                f"broker 自报地址 {shown}，但无法连接",
            ),
            (
                "correct advertised.listeners of those brokers to what this host can reach",
                "将这些 broker 的 advertised.listeners 改为本机可达的地址",
            ),
        )
    shown = ", ".join(brokers.values())
    return ok("kafka.advertised", f"{shown} can be reached", f"{shown} 均可达")


def _lost(settings: KafkaSettings, section: KafkaSection, known: Mapping[str, Topic]) -> Findings:
    """Records that were deleted before an engine of this group had read them."""
    found = [topic for topic in section.inputs().values() if topic in known]
    gaps: dict[Place, int] = {}
    try:
        with KafkaReader(settings, section.group) as reader:
            places = [(topic, number) for topic in found for number in known[topic].partitions]
            for place, offset in reader.committed(places).items():
                first = reader.range(place)[0]
                if 0 <= offset < first:
                    gaps[place] = first - offset
    except (KafkaAwayError, KafkaRefusedError) as error:
        yield _untold(error)
        return
    if gaps:
        shown = ", ".join(f"{topic} [{number}]: {count:,}" for (topic, number), count in gaps.items())
        yield wrong(
            "kafka.lost",
            (
                f"messages were deleted before they were read: {shown}",
                f"有消息在读取之前已被删除：{shown}",
            ),
            (
                "raise retention.ms; kafka.on_gap says how the engine goes on (stop, earliest, latest)",
                "加大 retention.ms；引擎如何继续由 kafka.on_gap 决定（stop、earliest、latest）",
            ),
        )
    else:
        yield ok("kafka.lost", "nothing was deleted unread", "没有消息在读取之前被删除")


def _untold(error: KafkaAwayError | KafkaRefusedError) -> Finding:
    """The group's offsets were not told: for want of rights, or since the cluster does not know them yet."""
    if isinstance(error, KafkaRefusedError) and error.kind == "refused":
        return wrong(
            "kafka.lost",
            (str(error), str(error)),
            (
                "give the user the rights Read and Describe on topics and group",
                "为该用户授予主题与消费组的 Read、Describe 权限",
            ),
        )
    return skipped("kafka.lost", f"could not be asked for: {error}", f"无法查询：{error}")


def _clock(admin: KafkaAdmin, settings: KafkaSettings) -> Finding:
    """How far the clock of a broker is from ours: a message that it stamps itself says so."""
    topic = f"yiwang-doctor-{uuid4().hex[:8]}"
    try:
        admin.create(topic, 1, -1, {"message.timestamp.type": "LogAppendTime", "retention.ms": "3600000"})
        try:
            ahead, doubt = _asked_clock(settings, topic)
        finally:
            admin.delete(topic)
    except (KafkaAwayError, KafkaRefusedError) as error:
        return skipped("kafka.clock", f"could not be asked for: {error}", f"无法查询：{error}")
    if abs(ahead) < _SKEW_S + doubt:
        return ok("kafka.clock", f"{ahead:+.1f} s from ours", f"与本机相差 {ahead:+.1f} 秒")
    return wrong(
        "kafka.clock",
        (f"the broker's clock is {ahead:+.1f} s from ours", f"broker 时钟与本机相差 {ahead:+.1f} 秒"),
        (
            "synchronise both by NTP: readings ahead of this host's clock are refused as future_time",
            "两端均请用 NTP 校时：超前于本机时钟的读数会以 future_time 拒收",
        ),
    )


def _asked_clock(settings: KafkaSettings, topic: str) -> tuple[float, float]:
    """Seconds that the broker is ahead, and by how many that may be wrong: half the way there and back."""
    with KafkaWriter(settings, patience=settings.timeout) as writer:
        # The first message also waits for the topic to be known everywhere.
        writer.send([Outgoing(topic, b"")])
        before = time.time()
        writer.send([Outgoing(topic, b"what time is it?")])
        after = time.time()
    with KafkaReader(settings) as reader:
        reader.assign({(topic, 0): 1})
        until = time.monotonic() + settings.timeout
        while time.monotonic() < until:
            for message in reader.read(1, 0.2):
                half = (after - before) / 2
                return message.timestamp()[1] / 1000 - before - half, half
    raise KafkaAwayError(f"Kafka {settings.servers} did not give back a message")
