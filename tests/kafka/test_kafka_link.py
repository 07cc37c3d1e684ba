"""The seam to Kafka on a broker: order, what is lost, what is said when none answers."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from flows.replay.processes import free_ports
from sinks.kafka_link import Error, KafkaAdmin, kind_of
from sinks.kafka_reader import KafkaReader
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, KafkaSettings, Message, Outgoing, Place
from sinks.kafka_writer import KafkaWriter
from tests.kafka.broker import Cluster, real_cluster


def all_of(cluster: Cluster, topic: str, number: int, partitions: Sequence[int] = (0,)) -> list[Message]:
    """The first messages of a topic, of each partition in order."""
    with KafkaReader(cluster.settings) as reader:
        reader.assign({(topic, one): 0 for one in partitions})
        found: list[Message] = []
        end = time.monotonic() + 60
        while len(found) < number and time.monotonic() < end:
            found += reader.read(1000, 0.1)
        found += reader.read(1000, 0.3)
        # A broker that was killed refuses connections; nothing else may go wrong.
        assert [trouble for trouble in reader.troubles if trouble.kind != "away"] == []
    return sorted(found, key=lambda one: (one.partition(), one.offset()))


def read_until(reader: KafkaReader, reached: Callable[[], bool]) -> list[Message]:
    """What is read until something is so."""
    found: list[Message] = []
    end = time.monotonic() + 60
    while not reached() and time.monotonic() < end:
        found += reader.read(1000, 0.1)
    assert reached()
    return found


@pytest.mark.parametrize("name", ["NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS", "_WAIT_COORD"])
def test_a_coordinator_that_is_still_being_chosen_is_away_and_refuses_nothing(name: str) -> None:
    assert kind_of(Error(getattr(Error, name))) == "away"


def test_messages_arrive_in_order_with_key_headers_and_stamp(kafka: Cluster) -> None:
    topic = kafka.topic()
    sent = [
        Outgoing(topic, b"%d" % i, b"k", (("h", b"%d" % i),), partition=0, timestamp=1_700_000_000_000 + i)
        for i in range(12_000)
    ]
    with KafkaWriter(kafka.settings) as writer:
        assert writer.send(sent) == []
    found = all_of(kafka, topic, len(sent))
    assert [one.value() for one in found] == [one.value for one in sent]
    assert [one.offset() for one in found] == list(range(len(sent)))
    assert {one.key() for one in found} == {b"k"}
    assert [one.headers() for one in found[:2]] == [[("h", b"0")], [("h", b"1")]]
    assert found[-1].timestamp() == (1, sent[-1].timestamp)


def test_a_key_chooses_the_partition_that_java_clients_choose(real_kafka: Cluster) -> None:
    topic = real_kafka.topic(3)
    with KafkaWriter(real_kafka.settings) as writer:
        writer.send([Outgoing(topic, b"x", key) for key in (b"a", b"b", b"c", b"district-420106")])
    found = {one.key(): one.partition() for one in all_of(real_kafka, topic, 4, range(3))}
    # murmur2 of the key, made positive, modulo 3, computed with Java's own Utils.murmur2.
    assert found == {key: murmur2(key) % 3 for key in (b"a", b"b", b"c", b"district-420106")}


def murmur2(data: bytes) -> int:
    """The published algorithm (Appleby's MurmurHash2, 32 bit, seed 0x9747b28c), as Java's clients use it."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def test_a_reader_goes_on_from_where_it_is_told_and_sees_the_end(kafka: Cluster) -> None:
    topic = kafka.topic()
    place: Place = (topic, 0)
    with KafkaWriter(kafka.settings) as writer, KafkaReader(kafka.settings) as reader:
        writer.send([Outgoing(topic, b"%d" % i, partition=0) for i in range(100)])
        assert reader.range(place) == (0, 100)
        reader.assign({place: 90})
        found = read_until(reader, lambda: place in reader.ended)
        assert [one.value() for one in found] == [b"%d" % i for i in range(90, 100)]
        assert reader.ended == {place: 100}
        reader.commit_now({place: 100})
        assert reader.committed([place]) == {place: 100}


def test_an_offset_that_is_not_there_is_said_and_nothing_is_read(kafka: Cluster) -> None:
    topic = kafka.topic()
    with KafkaWriter(kafka.settings) as writer, KafkaReader(kafka.settings) as reader:
        writer.send([Outgoing(topic, b"x", partition=0)])
        reader.assign({(topic, 0): 500})
        found = read_until(reader, lambda: bool(reader.troubles))
        assert (found, {one.kind for one in reader.troubles}) == ([], {"out_of_range"})
        assert reader.troubles[0].place == (topic, 0)


def test_a_topic_that_is_not_there_is_said(real_kafka: Cluster) -> None:
    settings = KafkaSettings(real_kafka.servers, {"topic.metadata.propagation.max.ms": 500})
    with KafkaReader(settings) as reader:
        reader.assign({("nothing-here", 0): 0})
        assert read_until(reader, lambda: bool(reader.troubles)) == []
        assert [one.kind for one in reader.troubles] == ["gone"]
        with pytest.raises(KafkaRefusedError, match=r"nothing-here.*create the topic") as caught:
            reader.range(("nothing-here", 0))
        assert caught.value.kind == "gone"


def test_what_is_too_large_is_handed_back_and_the_rest_is_written(real_kafka: Cluster) -> None:
    topic = real_kafka.topic(max_message_bytes="20000")
    noise = bytes(range(256)) * 200
    large = Outgoing(topic, noise, partition=0)
    small = [Outgoing(topic, b"%d" % i, partition=0) for i in range(3)]
    settings = KafkaSettings(real_kafka.servers, {"compression.type": "none"})
    with KafkaWriter(settings) as writer:
        assert writer.send([large]) == [large]
        assert writer.send(small) == []
    assert [one.value() for one in all_of(real_kafka, topic, 3)] == [b"0", b"1", b"2"]


def test_a_topic_is_made_once_described_and_removed(real_kafka: Cluster) -> None:
    admin = KafkaAdmin(real_kafka.settings)
    topic = real_kafka.topic(2, retention_ms="7000")
    assert admin.create(topic, 2) is False
    found = admin.topics()[topic]
    assert (found.partitions, found.copies) == ([0, 1], 1)
    assert admin.topic_options(topic)["retention.ms"] == "7000"
    number, address = next(iter(admin.brokers().items()))
    assert address in real_kafka.servers
    assert "log.retention.hours" in admin.broker_options(number)
    admin.delete(topic)
    real_kafka.until(lambda: topic not in admin.topics())


def test_a_cluster_that_does_not_answer_is_named_within_the_time_given() -> None:
    (port,) = free_ports(1)
    settings = KafkaSettings(f"127.0.0.1:{port}", timeout=1.0)
    begun = time.monotonic()
    with pytest.raises(KafkaAwayError, match=f"127.0.0.1:{port} was asked for its topics.*start the broker"):
        KafkaAdmin(settings).topics()
    with KafkaReader(settings) as reader, pytest.raises(KafkaAwayError, match="the offsets of t"):
        reader.range(("t", 0))
    with (
        KafkaWriter(settings, patience=2.0) as writer,
        pytest.raises(KafkaAwayError, match="took no message"),
    ):
        writer.send([Outgoing("t", b"x")])
    assert time.monotonic() - begun < 30


@contextmanager
def writing(
    cluster: Cluster, messages: list[Outgoing], settings: KafkaSettings
) -> Iterator[threading.Thread]:
    """Messages written one by one in the background."""
    del cluster

    def work() -> None:
        with KafkaWriter(settings) as writer:
            for one in messages:
                writer.send([one])

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread
    thread.join(90)
    assert not thread.is_alive()


@pytest.mark.slow
def test_a_broker_that_is_killed_and_comes_back_is_waited_for_and_order_is_kept(own_kafka: Cluster) -> None:
    topic = own_kafka.topic()
    messages = [Outgoing(topic, b"%d" % i, partition=0) for i in range(400)]
    waited: list[str] = []

    @contextmanager
    def waiting(who: str) -> Iterator[None]:
        waited.append(who)
        yield

    (broker,) = own_kafka.brokers
    with writing(own_kafka, messages, KafkaSettings(own_kafka.servers, waiting=waiting)) as thread:
        time.sleep(0.3)
        broker.kill()
        time.sleep(2.5)
        assert thread.is_alive()
        broker.start()
    assert waited == ["kafka"]
    assert [one.value() for one in all_of(own_kafka, topic, 400)] == [one.value for one in messages]


@pytest.mark.slow
def test_a_broker_that_is_frozen_is_waited_for(own_kafka: Cluster) -> None:
    topic = own_kafka.topic()
    messages = [Outgoing(topic, b"%d" % i, partition=0) for i in range(400)]
    (broker,) = own_kafka.brokers
    with writing(own_kafka, messages, own_kafka.settings):
        time.sleep(0.3)
        broker.signal(signal.SIGSTOP)
        time.sleep(3)
        broker.signal(signal.SIGCONT)
    assert [one.value() for one in all_of(own_kafka, topic, 400)] == [one.value for one in messages]


@pytest.mark.slow
def test_one_of_three_brokers_may_die(kafka: Cluster) -> None:
    if kafka.kind != "maven":
        pytest.skip("no brokers of one's own to kill; Java and Maven give some")
    with real_cluster(3) as cluster:
        topic = cluster.topic()
        messages = [Outgoing(topic, b"%d" % i, partition=0) for i in range(400)]
        with writing(cluster, messages, cluster.settings):
            time.sleep(0.2)
            leader = KafkaAdmin(cluster.settings).topics()[topic].leaders[0]
            cluster.brokers[leader - 1].kill()
        assert [one.value() for one in all_of(cluster, topic, 400)] == [one.value for one in messages]
