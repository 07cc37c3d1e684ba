"""Every event of the log: its name, which never changes, and what is said of it in English and in Chinese.

Fields of an event stand in braces; all of them are in its JSON form too.

>>> message("kafka.back", "en", {"servers": "a:9092"})
'Kafka a:9092 is back'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Language = Literal["zh", "en"]

EVENTS: dict[str, dict[Language, str]] = {
    "run.started": {
        "en": "running; SIGTERM or Ctrl-C stops it",
        "zh": "已开始运行；SIGTERM 或 Ctrl-C 停止",
    },
    "run.started_several": {
        "en": "running in {processes} processes; SIGTERM or Ctrl-C stops them",
        "zh": "已启动 {processes} 个进程；SIGTERM 或 Ctrl-C 停止",
    },
    "run.metrics": {"en": "metrics: {url}", "zh": "监控指标：{url}"},
    "run.redis": {"en": "redis: {url}", "zh": "Redis：{url}"},
    "run.stopped": {
        "en": "stopped; {received} records received: {accepted} accepted, {duplicates} duplicates, "
        "{rejected} rejected",
        "zh": "已停止；收到 {received} 条，接受 {accepted} 条，重复 {duplicates} 条，拒绝 {rejected} 条",
    },
    "run.failed": {"en": "failed: {error}", "zh": "运行失败：{error}"},
    "run.restarting": {
        "en": "{why}; all processes are started again in {seconds:g} s",
        "zh": "{why}；全部进程将在 {seconds:g} 秒后重启",
    },
    "run.process_failed": {"en": "a process failed: {kind}", "zh": "进程失败：{kind}"},
    "run.not_stopped": {
        "en": "not stopped in order within {seconds:g} s: waiting for {whom}; ending, "
        "recovery goes on from the last point",
        "zh": "未能在 {seconds:g} 秒内有序停止（等待 {whom}），直接退出，下次从恢复点继续",
    },
    "registry.problem": {"en": "{file}: {problem}; left out", "zh": "{file}：{problem}；该行未采用"},
    "registry.kept": {
        "en": "{file}: {error}; the registry read before stays in force",
        "zh": "{file}：{error}；继续使用之前读入的台账",
    },
    "control.changed": {
        "en": "control: change {number} counts for windows that end after {at}",
        "zh": "规则变更：第 {number} 次变更对 {at} 之后结束的窗口生效",
    },
    "control.unchanged": {"en": "control: the files are as they were", "zh": "规则变更：文件没有变化"},
    "control.fault": {"en": "{fault}", "zh": "{fault}"},
    "control.refused": {
        "en": "control: these files are refused whole; what was in force stays so",
        "zh": "规则变更：整组文件不予采用，继续使用原有规则",
    },
    "control.not_open": {
        "en": "the control topic cannot be opened yet: {error}",
        "zh": "控制主题暂时无法打开：{error}",
    },
    "control.trouble": {"en": "{topic}: {error}", "zh": "{topic}：{error}"},
    "control.gap": {
        "en": "{error}; going on with what is there, as [kafka] on_gap says",
        "zh": "{error}；按 [kafka] on_gap 从现存消息继续",
    },
    "kafka.trouble": {"en": "Kafka: {error}", "zh": "Kafka：{error}"},
    "kafka.refused": {"en": "Kafka refused: {error}", "zh": "Kafka 拒绝了请求：{error}"},
    "kafka.waiting": {
        "en": "waiting for Kafka {servers}: {error}",
        "zh": "等待 Kafka {servers} 恢复：{error}",
    },
    "kafka.sink_waiting": {"en": "waiting for Kafka: {error}", "zh": "等待 Kafka 恢复：{error}"},
    "kafka.back": {"en": "Kafka {servers} is back", "zh": "Kafka {servers} 已恢复"},
    "kafka.new_producer": {
        "en": "Kafka {servers}: a new producer goes on: {error}",
        "zh": "Kafka {servers}：更换生产者后继续：{error}",
    },
    "kafka.not_shut_out": {
        "en": "what was on its way as {sender} may come twice: {error}",
        "zh": "以 {sender} 名义仍在途中的消息可能出现两次：{error}",
    },
    "kafka.not_committed": {
        "en": "offsets could not be committed for lag dashboards: {error}",
        "zh": "位点未能提交（只影响积压看板）：{error}",
    },
    "kafka.not_open": {"en": "the topics cannot be opened yet: {error}", "zh": "主题暂时无法打开：{error}"},
    "kafka.partition": {
        "en": "{partition} is read from offset {offset} on",
        "zh": "{partition} 从位点 {offset} 开始读取",
    },
    "kafka.partition_trouble": {"en": "{partition}: {error}", "zh": "{partition}：{error}"},
    "kafka.gap": {
        "en": "{error}; going on from {offset} as [kafka] on_gap says",
        "zh": "{error}；按 [kafka] on_gap 从位点 {offset} 继续",
    },
    "kafka.partition_gone": {
        "en": "{partition} is gone; the others go on, as [kafka] on_gap says",
        "zh": "{partition} 已消失；按 [kafka] on_gap 继续读取其余分区",
    },
    "kafka.topic_made": {
        "en": "made the topic {topic}, which was not there",
        "zh": "已创建缺少的主题 {topic}",
    },
    "kafka.too_large": {
        "en": "{topic} does not take {size} bytes: the record itself is in rejects.jsonl alone; "
        "raise max.message.bytes of the topic to 4/3 of its source's",
        "zh": "{topic} 容不下 {size} 字节：该记录只在 rejects.jsonl 中；"
        "请把该主题的 max.message.bytes 提高到源主题的 4/3",
    },
    "kafka.there_already": {
        "en": "{topics}: {count} messages are there already",
        "zh": "{topics}：已有 {count} 条消息",
    },
    "redis.waiting": {"en": "waiting for {server}: {error}", "zh": "等待 {server} 恢复：{error}"},
    "redis.refilled": {
        "en": "{server} is another server than before: filling it again",
        "zh": "{server} 已不是原来的服务器：重新写入全部内容",
    },
}
"""Event → language → message. Names are ``area.what``; dashboards and alerts on logs find events by them."""


def message(event: str, language: Language, fields: Mapping[str, Any]) -> str:
    """What is said of an event.

    Raises:
        KeyError: there is no such event, or it lacks a field.
    """
    return EVENTS[event][language].format_map(fields)
