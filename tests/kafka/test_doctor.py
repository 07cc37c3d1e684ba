"""The doctor finds each of the usual mistakes on a real broker, a real Redis, this host, and nothing else."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.config.file import toml
from flows.doctor import kafka as doctor_kafka
from flows.doctor import transactions as doctor_transactions
from flows.doctor.host import FEW, LITTLE, folder_finding
from sinks.kafka_reader import KafkaReader
from sinks.kafka_types import KafkaAwayError, KafkaRefusedError, Outgoing
from sinks.kafka_writer import KafkaWriter
from sinks.redis_link import Command
from sinks.redis_server import RedisServer
from tests.kafka.broker import Cluster, real_cluster
from tests.redis_servers import ask, redis_server
from tests.replays import make_city

Options = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_city(tmp_path_factory.mktemp("city"), sensors=60, minutes=5, seed=3)
    assert (folder / "areas.geojson").exists()
    return folder


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def kept(redis: RedisServer) -> Iterator[str]:
    """A Redis as it should be, and again afterwards."""
    right: list[Command] = [
        ("CONFIG", "SET", "appendonly", "yes"),
        ("CONFIG", "SET", "maxmemory", 0),
        ("CONFIG", "SET", "maxmemory-policy", "noeviction"),
        ("REPLICAOF", "NO", "ONE"),
    ]
    ask(redis.url, *right)
    yield redis.url
    ask(redis.url, *right)


@pytest.fixture(scope="module")
def names(real_kafka: Cluster) -> dict[str, str]:
    """Topics as they should be; a test that spoils one makes its own."""
    kinds = ("readings", "events", "feedback")
    made: dict[str, str] = {kind: real_kafka.topic(2) for kind in (*kinds, "alerts")}
    for kind in kinds:
        real_kafka.topic(name=made[kind] + ".dlq")
    return made


@pytest.fixture
def healthy(real_kafka: Cluster, kept: str, city: Path, tmp_path: Path, names: dict[str, str]) -> Options:
    """A configuration without a fault."""
    return {
        "city": {"sensors": str(city / "sensors.csv"), "areas": str(city / "areas.geojson")},
        "engine": {"out": str(tmp_path / "out"), "recovery": str(tmp_path / "state"), "workers": 2},
        "kafka": {
            "bootstrap_servers": real_kafka.servers,
            "timeout": 5,
            "group": f"g-{names['readings']}",
            **names,
        },
        "redis": {"url": kept},
        "prometheus": {"port": _two_ports()},
    }


def _two_ports() -> int:
    """The first of two ports in a row that nobody listens on, outside of those that clients are given."""
    for port in random.sample(range(20_000, 30_000, 10), 1000):
        try:
            with (
                socket.create_server(("127.0.0.1", port)),
                socket.create_server(("127.0.0.1", port + 1)),
            ):
                return port
        except OSError:
            continue
    raise AssertionError("no two ports in a row are free")


def written(options: Options, folder: Path) -> Path:
    lines = [
        line
        for name, section in options.items()
        for line in (f"[{name}]", *(f"{key} = {toml(value)}" for key, value in section.items()))
    ]
    path = folder / "city.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def doctor(options: Options, folder: Path, *more: str) -> Result:
    words = ["doctor", "--config", str(written(options, folder)), *more]
    return CliRunner().invoke(app, words, env={"COLUMNS": "300"})


def found(options: Options, folder: Path, *more: str) -> dict[str, dict[str, Any]]:
    """What is not as it should be, by check; all that is said is in both languages."""
    done = doctor(options, folder, "--json", *more)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    told = json.loads(done.stdout)
    for one in told:
        assert one["found"]["en"], one
        assert one["found"]["zh"], one
        assert (
            bool(one["advice"]["en"]) == bool(one["advice"]["zh"]) == (one["state"] in {"warning", "wrong"})
        ), one
    assert done.exit_code == int(any(one["state"] == "wrong" for one in told))
    return {one["check"]: one for one in told if one["state"] in {"warning", "wrong"}}


def state(told: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {check: one["state"] for check, one in told.items()}


def test_nothing_is_said_of_a_set_up_that_is_right(healthy: Options, tmp_path: Path) -> None:
    assert found(healthy, tmp_path) == {}


def test_it_speaks_chinese_and_english(healthy: Options, tmp_path: Path) -> None:
    healthy["kafka"]["readings"] = "nowhere"
    chinese = doctor(healthy, tmp_path, "--lang", "zh", "--no-probe")
    assert "缺少主题 nowhere" in chinese.stdout
    assert "怎么办" in chinese.stdout
    english = doctor(healthy, tmp_path, "--lang", "en", "--no-probe")
    assert "there is no topic nowhere" in english.stdout
    assert english.exit_code == 1


Change = Callable[[Options, Path], None]


def _taken(options: Options, folder: Path) -> None:
    del folder
    server = socket.create_server(("127.0.0.1", options["prometheus"]["port"] + 1))
    options["keep"] = {"open": server}


def _spoiled(name: str, text: str) -> Change:
    def change(options: Options, folder: Path) -> None:
        (folder / name).write_text(text)
        options["city"][Path(name).stem] = str(folder / name)

    return change


def _swapped(options: Options, folder: Path) -> None:
    rows = Path(options["city"]["sensors"]).read_text().splitlines()
    cells = [row.split(",") for row in rows]
    lines = [",".join([one[0], one[2], one[1], *one[3:]]) if i else rows[0] for i, one in enumerate(cells)]
    (folder / "sensors.csv").write_text("\n".join(lines))
    options["city"]["sensors"] = str(folder / "sensors.csv")


def _set(section: str, **values: Any) -> Change:
    return lambda options, _: options[section].update(values)


def _under_a_file(options: Options, folder: Path) -> None:
    (folder / "file").write_text("")
    options["engine"]["recovery"] = str(folder / "file" / "state")


HOST: dict[str, tuple[Change, dict[str, str]]] = {
    "a configuration that is wrong": (_set("engine", worker=2), {"config": "wrong"}),
    "areas that are no GeoJSON": (_spoiled("areas.geojson", "{"), {"city.files": "wrong"}),
    "a registry without coordinates": (_spoiled("sensors.csv", "sensor_id\na\n"), {"city.sensors": "wrong"}),
    "a registry with rows that are wrong": (
        _spoiled("sensors.csv", "sensor_id,lon,lat\na,114.3,30.6\nb,east,30.6\n"),
        {"city.sensors": "warning"},
    ),
    "a registry with longitude and latitude swapped": (_swapped, {"city.sensors": "wrong"}),
    "a recovery folder that cannot be made": (_under_a_file, {"recovery.folder": "wrong"}),
    "a port that is taken": (_taken, {"ports": "wrong"}),
    "a topic that is missing": (
        _set("kafka", events="nowhere"),
        {"kafka.topics": "wrong", "kafka.outputs": "warning"},
    ),
    "a topic of results that is missing": (_set("kafka", alerts="nowhere"), {"kafka.outputs": "warning"}),
    "fewer partitions than processes": (_set("engine", workers=3), {"kafka.partitions": "warning"}),
    "an option nobody knows": (_set("kafka", settings={"linger": 5}), {"kafka.settings": "wrong"}),
    "brokers spoken to in another protocol": (
        _set("kafka", security="ssl", timeout=3),
        {"kafka.reach": "wrong"},
    ),
    "transactions that are switched off": (
        _set("kafka", transactions=False),
        {"kafka.transactions": "warning"},
    ),
    "brokers that are not there": (
        _set("kafka", bootstrap_servers="127.0.0.1:1,127.0.0.1:2", timeout=1),
        {"kafka.reach": "wrong"},
    ),
    "a Redis that is not there": (_set("redis", url="redis://127.0.0.1:1/0"), {"redis.reach": "wrong"}),
}


@pytest.mark.parametrize("case", HOST)
def test_a_mistake_is_found_and_nothing_else(case: str, healthy: Options, tmp_path: Path) -> None:
    change, expected = HOST[case]
    change(healthy, tmp_path)
    held = healthy.pop("keep", {})
    told = found(healthy, tmp_path, "--no-probe")
    for server in held.values():
        server.close()
    assert state(told) == expected


def test_a_control_topic_must_be_there_with_one_partition(
    healthy: Options, kafka: Cluster, tmp_path: Path
) -> None:
    for topic, expected in (
        (kafka.topic(1), {}),
        (kafka.topic(2), {"kafka.partitions": "wrong"}),
        ("nowhere", {"kafka.topics": "wrong"}),
    ):
        healthy["kafka"]["control"] = topic
        assert state(found(healthy, tmp_path, "--no-probe")) == expected


def test_a_broker_that_is_down_among_others_is_named(healthy: Options, tmp_path: Path) -> None:
    healthy["kafka"]["bootstrap_servers"] += ",127.0.0.1:1"
    told = found(healthy, tmp_path, "--no-probe")
    assert state(told) == {"kafka.reach": "warning"}
    assert "127.0.0.1:1" in told["kafka.reach"]["found"]["zh"]


def test_an_address_that_a_broker_gives_itself_must_be_reachable() -> None:
    finding = doctor_kafka._advertised({1: "127.0.0.1:1"})
    assert finding.state == "wrong"
    assert "advertised.listeners" in finding.advice.en


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"retention_ms": "60000"}, "wrong"),
        ({"retention_ms": "7200000"}, "warning"),
        ({"retention_bytes": "1000000"}, "warning"),
        ({"cleanup_policy": "compact"}, "wrong"),
        ({"retention_ms": "-1"}, None),
    ],
)
def test_topics_must_keep_records_long_enough(
    options: dict[str, str], expected: str | None, healthy: Options, real_kafka: Cluster, tmp_path: Path
) -> None:
    topic = healthy["kafka"]["events"] = real_kafka.topic(1, "", **options)
    real_kafka.topic(name=topic + ".dlq")
    told = found(healthy, tmp_path, "--no-probe")
    assert state(told) == ({"kafka.retention": expected} if expected else {})


def test_dead_letters_must_have_room_for_the_largest_records(
    healthy: Options, real_kafka: Cluster, tmp_path: Path
) -> None:
    topic = healthy["kafka"]["events"] = real_kafka.topic(max_message_bytes="5000000")
    real_kafka.topic(name=topic + ".dlq")
    assert state(found(healthy, tmp_path, "--no-probe")) == {"kafka.letters": "warning"}


def test_a_topic_that_cannot_be_written_for_want_of_copies_is_found(
    healthy: Options, real_kafka: Cluster, tmp_path: Path
) -> None:
    healthy["kafka"]["alerts"] = real_kafka.topic(min_insync_replicas="2")
    assert state(found(healthy, tmp_path, "--no-probe")) == {"kafka.copies": "wrong"}


def test_rights_to_transactions_that_are_missing_are_named(
    healthy: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(settings: object, name: str) -> None:
        del settings
        raise KafkaRefusedError(f"no right to write as {name}", "refused")

    monkeypatch.setattr(doctor_transactions, "KafkaTransactions", refused)
    told = found(healthy, tmp_path)
    assert state(told) == {"kafka.transactions": "wrong"}
    group = healthy["kafka"]["group"]
    assert told["kafka.transactions"]["found"]["en"] == f"no right to write as {group}-doctor"
    assert f"begin with '{group}-'" in told["kafka.transactions"]["advice"]["en"]


def test_brokers_that_want_more_copies_of_transactions_than_they_are_are_found(
    real_kafka: Cluster, healthy: Options, tmp_path: Path
) -> None:
    if real_kafka.kind != "maven":
        pytest.skip("no broker of one's own; Java and Maven give one")
    with real_cluster(options=["transaction.state.log.replication.factor=3"]) as cluster:
        for topic in (healthy["kafka"][kind] for kind in ("readings", "events", "feedback", "alerts")):
            cluster.topic(2, topic)
            cluster.topic(1, topic + ".dlq")
        healthy["kafka"]["bootstrap_servers"] = cluster.servers
        told = found(healthy, tmp_path)
    assert state(told) == {"kafka.transactions": "wrong"}
    assert "want 3 copies" in told["kafka.transactions"]["found"]["en"]


def test_messages_that_were_deleted_unread_are_counted(
    healthy: Options, real_kafka: Cluster, tmp_path: Path
) -> None:
    topic, group = real_kafka.topic(2), healthy["kafka"]["group"]
    real_kafka.topic(name=topic + ".dlq")
    healthy["kafka"]["readings"] = topic
    with KafkaWriter(real_kafka.settings) as writer:
        writer.send([Outgoing(topic, b"x", partition=0) for _ in range(20)])
    with KafkaReader(real_kafka.settings, group) as reader:
        reader.commit_now({(topic, 0): 5})
    assert found(healthy, tmp_path, "--no-probe") == {}
    admin = AdminClient({"bootstrap.servers": real_kafka.servers})
    for future in admin.delete_records([TopicPartition(topic, 0, 12)]).values():
        future.result(20)
    told = found(healthy, tmp_path, "--no-probe")
    assert state(told) == {"kafka.lost": "wrong"}
    assert f"{topic} [0]: 7" in told["kafka.lost"]["found"]["en"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KafkaAwayError("it is silent"), {}),
        (KafkaRefusedError("the coordinator has moved"), {}),
        (KafkaRefusedError("no right to ask", "refused"), {"kafka.lost": "wrong"}),
    ],
)
def test_offsets_that_are_not_told_are_a_fault_only_for_want_of_rights(
    error: OSError,
    expected: dict[str, str],
    healthy: Options,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(KafkaReader, "committed", refuse)
    assert state(found(healthy, tmp_path, "--no-probe")) == expected


def test_clocks_that_differ_are_found(
    healthy: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 90)
    told = found(healthy, tmp_path)
    assert state(told) == {"kafka.clock": "wrong", "redis.clock": "warning"}
    assert "+90" in told["kafka.clock"]["found"]["en"] or "+89" in told["kafka.clock"]["found"]["en"]


def test_the_topic_of_the_clock_is_removed_again(
    healthy: Options, real_kafka: Cluster, tmp_path: Path
) -> None:
    found(healthy, tmp_path)
    admin = AdminClient({"bootstrap.servers": real_kafka.servers})
    real_kafka.until(
        lambda: not [t for t in admin.list_topics(timeout=10).topics if t.startswith("yiwang-doctor")]
    )


REDIS: dict[str, tuple[list[Command], str, str]] = {
    "keeps nothing": (
        [("CONFIG", "SET", "appendonly", "no"), ("CONFIG", "SET", "save", "")],
        "redis.persistence",
        "wrong",
    ),
    "evicts": (
        [("CONFIG", "SET", "maxmemory", "100mb"), ("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")],
        "redis.eviction",
        "wrong",
    ),
    "would evict": ([("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")], "redis.eviction", "warning"),
    "is a replica": ([("REPLICAOF", "127.0.0.1", "1")], "redis.role", "wrong"),
}


@pytest.mark.parametrize("case", REDIS)
def test_a_redis_that_would_lose_something_is_found(case: str, healthy: Options, tmp_path: Path) -> None:
    commands, check, expected = REDIS[case]
    ask(healthy["redis"]["url"], *commands)
    del healthy["kafka"]
    healthy["files"] = {"readings": [str(tmp_path / "r.jsonl")]}
    healthy["engine"]["workers"] = 1
    (tmp_path / "r.jsonl").touch()
    assert state(found(healthy, tmp_path)) == {check: expected}


def test_a_redis_whose_user_may_not_ask_is_not_judged(healthy: Options, tmp_path: Path) -> None:
    url = healthy["redis"]["url"]
    ask(
        url,
        ("CONFIG", "SET", "appendonly", "no"),
        ("ACL", "SETUSER", "shy", "on", ">pw", "~*", "+@all", "-config"),
    )
    healthy["redis"]["url"] = url.replace("redis://", "redis://shy:pw@")
    done = doctor(healthy, tmp_path, "--json", "--no-probe")
    (one,) = [one for one in json.loads(done.stdout) if one["check"] == "redis.persistence"]
    assert one["state"] == "skipped"
    assert "pw" not in done.stdout


@pytest.mark.parametrize(("free", "expected"), [(FEW - 1, "wrong"), (LITTLE - 1, "warning"), (LITTLE, "ok")])
def test_a_folder_on_a_full_disk_is_found(free: int, expected: str, tmp_path: Path) -> None:
    assert folder_finding("recovery.folder", tmp_path / "deep" / "state", lambda _: free).state == expected
    assert list(tmp_path.iterdir()) == []


def test_it_wants_something_to_look_at() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 2
