"""A part that crashes and begins again from its snapshot has written every message once, in order."""

from __future__ import annotations

import io
import json
import threading
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.transitions import RawTransition, Transition, publish
from flows.batches import Rejected
from sinks.arrow_values import TABLE
from sinks.kafka_contents import ROWS, AlertMessages, DeadLetters, ValueMessages
from sinks.kafka_sink import KafkaPart, KafkaSink, SinkSettings
from sinks.kafka_spans import ID, message_id
from sinks.kafka_types import KafkaSettings, Outgoing
from sinks.prometheus_waiting import Waits
from tests.kafka.broker import Cluster
from tests.kafka.topics import content, values
from tests.sinks.value_rows import Row, frame, frames, rows

STEPS = st.lists(st.sampled_from(["write", "write", "snapshot", "crash"]), max_size=14)


class Numbers:
    """Numbers as messages whose id they are."""

    once = True

    def __init__(self, topic: str, patience: float = 0.0) -> None:
        self.topics = (topic,)
        self.patience = patience

    def messages(self, items: list[int]) -> list[Outgoing]:
        return [
            Outgoing(self.topics[0], b"%d" % n, b"%d" % (n % 5), ((ID, b"number-%d" % n),)) for n in items
        ]

    def smaller(self, message: Outgoing) -> Outgoing | None:
        raise AssertionError(message)


def part(
    cluster: Cluster, content: Any, resume: bytes | None = None, transactions: str | None = "yiwang-x"
) -> KafkaPart:
    settings = SinkSettings(cluster.settings, durable=True, transactions=transactions)
    return KafkaSink(settings, ["all"], lambda _: content).build_part("x", "all", resume)


def transition(number: int, seq: int = 0) -> Transition:
    raw = RawTransition("air.aqi", 0, 60_000 * number, seq, "raised", 2, 0, 1.5, 1.0, 60_000 * number, 7)
    return publish(raw, "city", "city", None, "5f3c")


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=STEPS,
    size=st.integers(1, 40),
    transactions=st.sampled_from(["yiwang-x", None]),
    patience=st.sampled_from([0.0, 600.0]),
)
def test_each_message_is_there_once_and_in_order_over_crashes(
    kafka: Cluster, steps: list[str], size: int, transactions: str | None, patience: float
) -> None:
    topic = kafka.topic(3)
    numbers = Numbers(topic, patience)
    one, state, sent, safe, most = part(kafka, numbers, None, transactions), None, 0, 0, 0
    state = one.snapshot()
    for step in steps:
        if step == "write":
            one.write_batch(list(range(sent, sent + size)))
            sent += size
            most = most if patience else max(most, sent)
        elif step == "snapshot":
            state, safe = one.snapshot(), sent
            most = max(most, sent)
        else:
            # The next batches need not be cut like the first ones.
            one, sent, size = part(kafka, numbers, state, transactions), safe, size % 7 + 1
    found = content(kafka, topic)
    assert sorted(int(value) for value in values(found)) == list(range(most))
    for number in {message.partition() for message in found}:
        own = [int(message.value() or 0) for message in found if message.partition() == number]
        assert own == sorted(own)


def test_a_message_that_nothing_follows_is_there_after_the_next_snapshot(kafka: Cluster) -> None:
    topic = kafka.topic(3)
    one = part(kafka, Numbers(topic, 600.0))
    one.write_batch([7])
    one.snapshot()
    assert values(content(kafka, topic)) == [b"7"]


def test_what_was_written_before_the_first_snapshot_is_known_too(kafka: Cluster, tmp_path: Path) -> None:
    topic = kafka.topic(3)
    part(kafka, Numbers(topic)).write_batch([100, 101])
    shared = SinkSettings(kafka.settings, durable=True, transactions="yiwang-x", folder=tmp_path)
    for count in (5, 9):
        # Neither engine lives to its first snapshot.
        one = KafkaSink(shared, ["all"], lambda _: Numbers(topic)).build_part("x", "all", None)
        one.write_batch(list(range(count)))
    found = sorted(int(value) for value in values(content(kafka, topic)))
    assert found == [*range(9), 100, 101]


def test_a_topic_made_anew_is_read_from_its_beginning(real_kafka: Cluster) -> None:
    topic = real_kafka.topic()
    one = part(real_kafka, Numbers(topic))
    one.write_batch([0, 1, 2])
    state = one.snapshot()
    again = part(real_kafka, Numbers(topic), state.replace(b":3}", b":300}") if state else None)
    again.write_batch([0, 1, 2, 3])
    assert values(content(real_kafka, topic)) == [b"0", b"1", b"2", b"3"]


def test_a_topic_that_is_not_there_is_made(real_kafka: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    part(real_kafka, Numbers("not-made")).write_batch([1])
    assert values(content(real_kafka, "not-made")) == [b"1"]
    assert "made the topic not-made" in caplog.text


def test_transitions_are_json_keyed_by_alert_with_a_cloud_event(kafka: Cluster) -> None:
    topic = kafka.topic(3)
    told = [transition(number, seq) for number in range(5) for seq in range(3)]
    part(kafka, AlertMessages(topic, "wuhan")).write_batch([told[:4], told[4:]])
    found = content(kafka, topic)
    by_alert: dict[str, list[int]] = {}
    for message in found:
        record = json.loads(message.value() or b"")
        assert (message.key() or b"").decode() == record["alert_id"]
        headers = dict(message.headers())
        assert headers["ce_id"] == f"{record['alert_id']}:{record['seq']}".encode()
        assert (headers["ce_source"], headers["ce_type"]) == (b"/yiwang/wuhan", b"city.alert.raised.v1")
        assert headers["content-type"] == b"application/json"
        by_alert.setdefault(record["alert_id"], []).append(record["seq"])
    assert set(by_alert) == {one.alert_id for one in told}
    assert all(seqs == [0, 1, 2] for seqs in by_alert.values())
    # Only faults of sensors have owners.
    assert set(json.loads(found[0].value() or b"")) == set(Transition.__struct_fields__) - {"owner"}


def streams(messages: list[Any]) -> list[dict[str, object]]:
    tables = [pa.ipc.open_stream(io.BytesIO(message.value())).read_all() for message in messages]
    assert all(table.schema == TABLE for table in tables)
    return [row for table in tables for row in table.to_pylist()]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=rows(), kinds=st.sets(st.sampled_from(["cell", "street", "district", "city"]), min_size=1))
def test_values_travel_as_the_rows_of_the_table(kafka: Cluster, table: list[Row], kinds: set[str]) -> None:
    del kafka
    messages = ValueMessages("v", "areas", sorted(kinds)).messages(frames(table))
    expected = [row.expected() for row in table]
    found = streams([_Read(one.value) for one in messages])
    assert found == [row for row in expected if row["kind"] in kinds]


class _Read:
    def __init__(self, value: bytes) -> None:
        self._value = value

    def value(self) -> bytes:
        return self._value


def test_many_values_travel_in_several_messages_to_one_partition(kafka: Cluster) -> None:
    topic = kafka.topic(3)
    table = [Row("air.aqi", 60_000 * i, 4, "city", 0, float(i), 0, i, 1.0, 0) for i in range(2 * ROWS + 5)]
    part(kafka, ValueMessages(topic, "areas", ["city"])).write_batch([frame(table)])
    found = content(kafka, topic)
    assert len(found) == 3
    assert len({one.partition() for one in found}) == 1
    assert streams(found) == [row.expected() for row in table]


def reject(offset: int, index: int = 0, raw: bytes = b"{", source: str = "") -> Rejected:
    return Rejected(source, 2, offset, index, "bad_json", raw, 1_700_000_000_000)


def test_a_reject_goes_to_the_dead_letters_of_its_topic_with_its_bytes(kafka: Cluster) -> None:
    source = kafka.topic()
    kafka.topic(name=source + ".dlq")
    letters = DeadLetters([source])
    one = part(kafka, letters)
    state = one.snapshot()
    told = [reject(7, 0, b"\xff\x00", source), reject(7, 1, b"{", source), reject(1, source="readings.jsonl")]
    one.write_batch([told])
    # Letters may wait for others, but not beyond a snapshot.
    one.snapshot()
    again = part(kafka, letters, state)
    again.write_batch([told])
    again.snapshot()
    found = content(kafka, source + ".dlq")
    assert sorted(message.key() or b"" for message in found) == [
        f"{source}/2/7/{index}".encode() for index in (0, 1)
    ]
    assert all(message_id(message) == message.key() for message in found)
    fields = next(json.loads(m.value() or b"") for m in found if (m.key() or b"").endswith(b"/0"))
    assert b64decode(fields.pop("raw_base64")) == b"\xff\x00"
    assert fields == {
        "source": source,
        "partition": 2,
        "offset": 7,
        "index": 0,
        "reason": "bad_json",
        "ts_received": 1_700_000_000_000,
    }


def test_a_reject_that_is_too_large_leaves_its_bytes_out_and_says_so(real_kafka: Cluster) -> None:
    source = real_kafka.topic()
    real_kafka.topic(name=source + ".dlq", max_message_bytes="3000")
    noise = bytes((i * i * 31 + i) % 251 for i in range(200_000))
    plain = KafkaSettings(real_kafka.servers, {"compression.type": "none"})
    one = KafkaPart(SinkSettings(plain), DeadLetters([source]))
    one.write_batch([[reject(1, raw=noise, source=source), reject(2, source=source)]])
    found = {json.loads(m.value() or b"")["offset"]: m for m in content(real_kafka, source + ".dlq")}
    assert sorted(found) == [1, 2]
    assert json.loads(found[1].value() or b"")["raw_base64"] == ""
    assert int(dict(found[1].headers())["yiwang-raw-left-out"]) > 200_000


@pytest.mark.slow
def test_who_is_waited_for_can_be_seen_while_a_broker_is_away(own_kafka: Cluster) -> None:
    topic, waits = own_kafka.topic(), Waits()
    waiting = KafkaSettings(own_kafka.servers, timeout=2, waiting=waits)
    one = KafkaPart(SinkSettings(waiting, durable=True), Numbers(topic))
    one.write_batch([0])
    state = one.snapshot()
    (broker,) = own_kafka.brokers
    broker.kill()
    begun = time.monotonic()
    made: list[KafkaPart] = []

    def go_on() -> None:
        one.write_batch([1, 2])
        made.append(KafkaPart(SinkSettings(waiting, durable=True), Numbers(topic), state))

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    own_kafka.until(lambda: waits.longest("kafka") > 0)
    broker.start()
    own_kafka.until(lambda: not thread.is_alive())
    made[0].write_batch([1, 2, 3])
    assert values(content(own_kafka, topic)) == [b"0", b"1", b"2", b"3"]
    assert waits.longest("kafka") == 0
    told = {family.name: family.samples[0].value for family in waits.families()}
    assert 0 < told["yiwang_waited_seconds_total"] <= time.monotonic() - begun
