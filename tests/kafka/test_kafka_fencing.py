"""Nothing that a dead, frozen or cut-off engine sent lands behind its successor; nothing is there twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks import kafka_transactions
from sinks.kafka_sink import KafkaPart, SinkSettings
from sinks.kafka_spans import ID, messages_between, topic_ends
from sinks.kafka_transactions import KafkaTransactions
from sinks.kafka_types import KafkaFencedError, KafkaLostError, KafkaRefusedError, KafkaSettings, Outgoing
from tests.kafka.broker import Cluster, real_cluster
from tests.kafka.topics import content, values

ROOT = Path(__file__).resolve().parents[2]
_SENDER = """
import sys
from sinks.kafka_sink import KafkaPart, SinkSettings
from sinks.kafka_types import KafkaSettings
from tests.kafka.test_kafka_fencing import Numbers
servers, topic, first = sys.argv[1:]
part = KafkaPart(SinkSettings(KafkaSettings(servers), durable=True, transactions="killed"), Numbers(topic))
part.write_batch([0])
print("ready", flush=True)
sys.stdin.readline()
part.write_batch(list(range(1, 200)))
"""


class Numbers:
    """Numbers as messages whose id they are, to one topic or several in turn."""

    once = True
    patience = 0.0

    def __init__(self, *topics: str) -> None:
        self.topics = topics

    def messages(self, items: list[int]) -> list[Outgoing]:
        return [
            Outgoing(self.topics[n % len(self.topics)], b"%d" % n, b"%d" % n, ((ID, b"number-%d" % n),))
            for n in items
        ]

    def smaller(self, message: Outgoing) -> Outgoing | None:
        raise AssertionError(message)


def opened(cluster: Cluster, state: bytes | None, *topics: str, prefix: str | None = "yiwang-x") -> KafkaPart:
    return KafkaPart(
        SinkSettings(cluster.settings, durable=True, transactions=prefix), Numbers(*topics), state
    )


def numbers(cluster: Cluster, *topics: str) -> list[int]:
    return sorted(int(value) for topic in topics for value in values(content(cluster, topic)))


def pending(cluster: Cluster, name: str, messages: list[Outgoing]) -> confluent_kafka.Producer:
    """A writer that died in its transaction: the broker has its messages, and no word that they count."""
    producer = confluent_kafka.Producer({"bootstrap.servers": cluster.servers, "transactional.id": name})
    producer.init_transactions(20)
    producer.begin_transaction()
    for one in messages:
        producer.produce(one.topic, one.value, one.key, headers=list(one.headers))
    assert producer.flush(20) == 0
    return producer


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["write", "write", "snapshot", "zombie", "pending"]), max_size=9))
def test_predecessors_that_still_run_or_died_in_a_transaction_change_nothing(
    real_kafka: Cluster, steps: list[str]
) -> None:
    topics = [real_kafka.topic(2), real_kafka.topic(1)]
    name = f"yiwang-x-{'+'.join(topics)}"
    one, sent, safe, most = opened(real_kafka, None, *topics), 0, 0, 0
    state = one.snapshot()
    for step in steps:
        if step == "write":
            one.write_batch(list(range(sent, sent + 7)))
            sent += 7
            most = max(most, sent)
        elif step == "snapshot":
            state, safe = one.snapshot(), sent
        else:
            before = one
            if step == "pending":
                told = Numbers(*topics).messages(list(range(sent, sent + 5)))
                dead = pending(real_kafka, name, told)
            one, sent = opened(real_kafka, state, *topics), safe
            with pytest.raises(KafkaFencedError, match="another engine began to write"):
                before.write_batch([1_000, 1_001])
            if step == "pending":
                with pytest.raises(confluent_kafka.KafkaException):
                    dead.commit_transaction(5)
    assert numbers(real_kafka, *topics) == list(range(most))


@pytest.mark.slow
def test_requests_of_a_killed_process_on_their_way_do_not_land_behind_its_successor(
    own_kafka: Cluster,
) -> None:
    (broker,) = own_kafka.brokers
    for _ in range(3):
        topic = own_kafka.topic()
        command = [sys.executable, "-c", _SENDER, own_kafka.servers, topic, "0"]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sender:
            assert sender.stdin is not None
            assert sender.stdout is not None
            assert sender.stdout.readline() == b"ready\n"
            state = opened(own_kafka, None, topic, prefix=None).snapshot()
            # The broker stands still while requests reach its socket; their sender dies, then it goes on.
            broker.signal(signal.SIGSTOP)
            sender.stdin.write(b"\n")
            sender.stdin.flush()
            time.sleep(1.0)
            sender.kill()
        thread = threading.Timer(0.3, broker.signal, [signal.SIGCONT])
        thread.start()
        again = opened(own_kafka, state, topic, prefix="killed")
        thread.join()
        again.write_batch(list(range(1, 300)))
        time.sleep(1.0)
        assert numbers(own_kafka, topic) == list(range(300))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch, real_kafka: Cluster) -> Iterator[Cluster]:
    """A broker that gives up transactions after seconds, to writers that know it."""
    if real_kafka.kind != "maven":
        pytest.skip("no broker of one's own to freeze; Java and Maven give one")
    monkeypatch.setattr(kafka_transactions, "OPEN_S", 2)
    monkeypatch.setattr(kafka_transactions, "_UNSURE_S", 2)
    options = ["transaction.abort.timed.out.transaction.cleanup.interval.ms=200"]
    with real_cluster(options=options) as cluster:
        yield cluster


@pytest.mark.slow
def test_a_transaction_that_the_broker_gave_up_is_written_again_by_itself(
    hasty: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    topic = hasty.topic()
    one = opened(hasty, None, topic)
    one.write_batch([0, 1])
    produce = KafkaTransactions._produce

    def slow(self: KafkaTransactions, message: Outgoing, report: Any) -> None:
        produce(self, message, report)
        if message.value == b"3" and "a new producer goes on" not in caplog.text:
            self._producer.flush(5)
            time.sleep(5)

    monkeypatch.setattr(KafkaTransactions, "_produce", slow)
    one.write_batch([2, 3, 4])
    one.write_batch([5])
    assert "a new producer goes on" in caplog.text
    assert values(content(hasty, topic)) == [b"%d" % n for n in range(6)]


@pytest.mark.parametrize("commits", [True, False])
def test_what_became_of_a_lost_transaction_is_found_out(
    real_kafka: Cluster, monkeypatch: pytest.MonkeyPatch, *, commits: bool
) -> None:
    topic = real_kafka.topic(2)
    one = opened(real_kafka, None, topic)
    one.write_batch([0])
    send, times = KafkaTransactions.send, [0]

    def lost(self: KafkaTransactions, messages: list[Outgoing]) -> list[Outgoing]:
        times[0] += 1
        if times[0] == 1:
            if commits:
                send(self, messages[:20])
            raise KafkaLostError("no answer to a commit")
        return send(self, messages)

    monkeypatch.setattr(KafkaTransactions, "send", lost)
    one.write_batch(list(range(1, 40)))
    one.write_batch([40])
    assert numbers(real_kafka, topic) == list(range(41))


def test_an_id_of_another_configuration_is_shut_out_too(real_kafka: Cluster) -> None:
    topic = real_kafka.topic()
    old = opened(real_kafka, None, topic, prefix="old")
    old.write_batch([0])
    for number, prefix in enumerate(("new", None), 1):
        state = old.snapshot()
        new = opened(real_kafka, state, topic, prefix=prefix)
        with pytest.raises(KafkaFencedError):
            old.write_batch([100])
        new.write_batch([number])
        old = new
    assert numbers(real_kafka, topic) == [0, 1, 2]


def test_all_that_is_written_is_read_back_though_others_leave_transactions_open(real_kafka: Cluster) -> None:
    topic = real_kafka.topic()
    one = opened(real_kafka, None, topic)
    state = one.snapshot()
    other = pending(real_kafka, "other", Numbers(topic).messages([50]))
    one.write_batch([0, 1])
    ends = topic_ends(real_kafka.settings, [topic])
    committed = topic_ends(real_kafka.settings, [topic], committed=True)
    assert committed[topic, 0] == 0 < ends[topic, 0]
    thread = threading.Timer(1.0, other.commit_transaction)
    thread.start()
    again = opened(real_kafka, state, topic)
    thread.join()
    again.write_batch([0, 1, 2])
    assert numbers(real_kafka, topic) == [0, 1, 2, 50]
    spans = {place: (0, end) for place, end in ends.items()}
    assert len(list(messages_between(real_kafka.settings, spans))) == 3


class _Refuses:
    """A client whose broker knows no transactions, or allows none."""

    def __init__(self, code: int) -> None:
        self._code = code

    def init_transactions(self, timeout: float) -> None:
        del timeout
        raise confluent_kafka.KafkaException(confluent_kafka.KafkaError(self._code))


REFUSALS = {
    "rights": confluent_kafka.KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    "brokers": confluent_kafka.KafkaError._UNSUPPORTED_FEATURE,
}


@pytest.mark.parametrize("case", REFUSALS)
def test_where_there_are_no_transactions_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(kafka_transactions, "producer", lambda *_: _Refuses(REFUSALS[case]))
    with pytest.raises(KafkaRefusedError) as told:
        KafkaTransactions(KafkaSettings("127.0.0.1:1"), "yiwang-wuhan-alerts")
    assert "Write and Describe on the transactional id 'yiwang-wuhan-alerts'" in str(told.value)
    assert "transactions = false in [kafka]" in str(told.value)
