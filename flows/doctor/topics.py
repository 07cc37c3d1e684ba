"""The topics of a cluster: there, wide enough, kept long enough, able to take what goes to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from flows.doctor.findings import Finding, Findings, ok, skipped, warning, wrong
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, Topic

HOUR = 3_600_000
SHORT, LONG = HOUR, 24 * HOUR
"""Retention below which a restart can lose records, and below which a night's outage can, ms."""


@dataclass(frozen=True, slots=True)
class Need:
    """A topic that must be there: read from, written to, or for dead letters of the topic ``of``."""

    topic: str
    use: Literal["in", "out", "letters"]
    of: str = ""


@dataclass(frozen=True, eq=False)
class Known:
    """What a cluster says of itself."""

    admin: KafkaAdmin
    topics: Mapping[str, Topic]
    brokers: Mapping[int, str]

    @lru_cache(64)  # noqa: B019 - lives as long as the examination
    def options(self, topic: str) -> dict[str, str] | None:
        """The settings of a topic, None where they cannot be asked for."""
        try:
            return self.admin.topic_options(topic)
        except (KafkaAwayError, KafkaRefusedError):
            return None


def topics(known: Known, needs: list[Need], workers: int) -> Findings:
    """All findings on the topics that are needed."""
    missing = [need for need in needs if need.topic not in known.topics]
    inputs = [need.topic for need in missing if need.use == "in"]
    if inputs:
        yield _missing(known, inputs)
    if outputs := [need.topic for need in missing if need.use != "in"]:
        names = ", ".join(outputs)
        yield warning(
            "kafka.outputs",
            (f"there is no topic {names}", f"缺少主题 {names}"),
            (
                "correct the names in [kafka]; else the engine makes them as the brokers make topics",
                "请核对 [kafka] 中的主题名；否则引擎会按 broker 的缺省设置创建",
            ),
        )
    there = [need for need in needs if need.topic in known.topics]
    if there and not inputs:
        names = ", ".join(need.topic for need in there)
        yield ok("kafka.topics", f"{names} are there", f"{names} 均存在")
    yield from _partitions(known, there, workers)
    yield from _copies(known, there)
    for need in there:
        options = known.options(need.topic)
        if options is None:
            yield skipped(
                "kafka.retention",
                f"{need.topic}: its settings may not be asked for (DescribeConfigs)",
                f"{need.topic}：无权查询其设置（DescribeConfigs）",
            )
        elif need.use == "in":
            yield _retention(need.topic, options)
        elif need.use == "letters":
            yield from _size(known, need, options)


def _missing(known: Known, missing: list[str]) -> Finding:
    names = ", ".join(missing)
    server = next(iter(known.brokers.values()), "HOST:PORT")
    command = f"kafka-topics.sh --bootstrap-server {server} --create --partitions 4 --topic NAME"
    return wrong(
        "kafka.topics",
        (f"there is no topic {names}", f"缺少主题 {names}"),
        (
            f"correct the names in [kafka], or make them: {command}",
            f"改正 [kafka] 中的主题名，或创建主题：{command}",
        ),
    )


def _partitions(known: Known, there: list[Need], workers: int) -> Findings:
    for need in there:
        topic = known.topics[need.topic]
        dead = [number for number, leader in topic.leaders.items() if leader < 0]
        if dead:
            yield wrong(
                "kafka.leaders",
                (f"{need.topic}: partitions {dead} have no leader", f"{need.topic}：分区 {dead} 没有 leader"),
                ("start the brokers that hold them", "启动持有这些分区的 broker"),
            )
        count = len(topic.leaders)
        if need.of == "control" and count != 1:
            yield wrong(
                "kafka.partitions",
                (f"{need.topic} has {count} partitions", f"{need.topic} 有 {count} 个分区"),
                (
                    "make a control topic of one partition: changes have an order",
                    "控制主题须恰有一个分区，变更有先后之分",
                ),
            )
        if need.use != "in" or need.of != "readings":
            continue
        if count < workers:
            yield warning(
                "kafka.partitions",
                (
                    f"{need.topic} has {count} partitions for {workers} processes: some have nothing to read",
                    f"{need.topic} 只有 {count} 个分区，而进程有 {workers} 个：部分进程无数据可读",
                ),
                (
                    f"give the topic at least {workers} partitions, or lower engine.workers",
                    f"将分区增加到至少 {workers} 个，或减小 engine.workers",
                ),
            )
        else:
            yield ok(
                "kafka.partitions",
                f"{need.topic}: {count} partitions for {workers} processes",
                f"{need.topic}：{count} 个分区，{workers} 个进程",
            )


def _copies(known: Known, there: list[Need]) -> Findings:
    single = [need.topic for need in there if known.topics[need.topic].copies < 2]
    if single and len(known.brokers) > 1:
        names = ", ".join(single)
        yield warning(
            "kafka.copies",
            (f"one broker alone holds {names}", f"{names} 只有一个副本"),
            ("give them a replication factor of 2 or 3", "将副本数设为 2 或 3"),
        )
    for need in there:
        least = int((known.options(need.topic) or {}).get("min.insync.replicas", "1"))
        copies = known.topics[need.topic].copies
        if need.use != "in" and least > copies:
            yield wrong(
                "kafka.copies",
                (
                    f"{need.topic}: min.insync.replicas {least}, but {copies} copies: it takes no message",
                    f"{need.topic}：min.insync.replicas 为 {least}，副本只有 {copies} 个：无法写入",
                ),
                ("lower min.insync.replicas, or add copies", "调低 min.insync.replicas 或增加副本"),
            )


def _retention(topic: str, options: Mapping[str, str]) -> Finding:
    kept, size = int(options.get("retention.ms", "-1")), int(options.get("retention.bytes", "-1"))
    if "compact" in options.get("cleanup.policy", ""):
        return wrong(
            "kafka.retention",
            (
                f"{topic} is compacted: readings with one key replace each other",
                f"{topic} 为压缩主题：同键读数会互相覆盖",
            ),
            ("set cleanup.policy=delete", "设置 cleanup.policy=delete"),
        )
    hours = f"{kept / HOUR:g} h"
    found = (f"{topic} keeps {hours}", f"{topic} 保留 {hours}")
    advice = (
        "set retention.ms to 72 h or more: an engine that was down for longer finds a gap",
        "将 retention.ms 设为 72 小时以上：停机更久时数据会出现缺口",
    )
    if 0 <= kept < SHORT:
        return wrong("kafka.retention", found, advice)
    if 0 <= kept < LONG:
        return warning("kafka.retention", found, advice)
    if size >= 0:
        return warning(
            "kafka.retention",
            (
                f"{topic} keeps {size / 2**20:,.0f} MB a partition",
                f"{topic} 每分区仅保留 {size / 2**20:,.0f} MB",
            ),
            (
                "see how many hours that is in a storm, or set retention.bytes=-1",
                "核算暴雨高峰时可保留几小时，或设 retention.bytes=-1",
            ),
        )
    forever = ("for ever", "永久") if kept < 0 else (hours, hours)
    return ok("kafka.retention", f"{topic} keeps {forever[0]}", f"{topic} 保留 {forever[1]}")


def _size(known: Known, need: Need, options: Mapping[str, str]) -> Findings:
    source = known.options(need.of) if need.of in known.topics else None
    if source is None:
        return
    largest, room = int(source["max.message.bytes"]), int(options["max.message.bytes"])
    # A record in base 64 is a third longer, and about as long as before when it is compressed.
    if room < largest:
        yield warning(
            "kafka.letters",
            (
                f"{need.topic} takes {room:,} bytes, its source {largest:,}: large rejects lose their bytes",
                f"{need.topic} 单条上限 {room:,} 字节，而来源主题为 {largest:,}：过大的拒收记录会缺原文",
            ),
            (
                f"set max.message.bytes={largest} for {need.topic}",
                f"为 {need.topic} 设置 max.message.bytes={largest}",
            ),
        )
