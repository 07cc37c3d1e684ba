"""Kafka for tests: Apache Kafka itself, in KRaft mode, where Java and Maven are; else librdkafka's mock.

``YIWANG_TEST_KAFKA`` chooses: ``maven`` insists on the real one, ``mock`` takes the mock, ``HOST:PORT`` is a
broker that runs already. Without it: the real one if `java` and `mvn` are on PATH.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flows.replay.processes import free_ports
from sinks import kafka_link as link
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_types import KafkaAwayError, KafkaSettings, Option

POM = Path(__file__).with_name("pom.xml")
JARS = Path(tempfile.gettempdir(), f"yiwang-kafka-jars-{os.getuid()}")
_START_S = 60.0
_JAVA = (
    *("-Xmx512m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),
    *("-Djava.awt.headless=true",),
)


def chosen() -> str:
    """``maven``, ``mock`` or an address: what the tests run against."""
    wanted = os.environ.get("YIWANG_TEST_KAFKA", "")
    if wanted:
        return wanted
    return "maven" if shutil.which("java") and shutil.which("mvn") else "mock"


def jars() -> Path:
    """The folder with the broker's jars; fetched once for a version of ``pom.xml``, by one process."""
    folder = JARS / f"{uuid.uuid5(uuid.NAMESPACE_OID, POM.read_text())}"
    if not folder.exists():
        JARS.mkdir(exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=JARS))
        shutil.copy(POM, work / "pom.xml")
        command = ["mvn", "-B", "-q", "-f", str(work / "pom.xml"), f"-Djars={work / 'jars'}", "package"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"Maven could not fetch the broker: {done.stdout[-2000:]}"
        # Two processes may both have fetched: the first to rename wins, the other's are the same.
        if not folder.exists():
            (work / "jars").rename(folder)
        shutil.rmtree(work)
    return folder


@dataclass(slots=True, kw_only=True)
class Served:
    """A server in a process of its own, which may be disturbed."""

    process: subprocess.Popen[bytes] | None = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal: SIGKILL, SIGTERM, SIGSTOP or SIGCONT."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass(slots=True)
class Broker(Served):
    """One broker of a cluster: a Java process with a folder."""

    number: int
    folder: Path
    ports: tuple[int, int]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    def start(self) -> None:
        """Start it, or start it again; returns at once."""
        command = [
            "java",
            *_JAVA,
            "-cp",
            f"{jars()}/*",
            "kafka.Kafka",
            str(self.folder / "server.properties"),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def stop(self) -> None:
        """Let it end in order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None

    def log(self) -> str:
        """The end of what it printed."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]


@dataclass(slots=True)
class Cluster:
    """A running cluster; ``kind`` is ``maven``, ``mock`` or ``given``."""

    kind: str
    servers: str
    brokers: list[Broker] = field(default_factory=list)
    login: dict[str, Option] = field(default_factory=dict)
    """Settings with which the cluster lets us in as its administrator."""

    @property
    def real(self) -> bool:
        return self.kind != "mock"

    @property
    def settings(self) -> KafkaSettings:
        return KafkaSettings(self.servers, self.login, timeout=20)

    def topic(self, partitions: int = 1, name: str = "", **options: str) -> str:
        """A new topic; the mock makes topics itself when they are first named, with four partitions."""
        name = name or f"t-{uuid.uuid4().hex[:12]}"
        if self.kind == "mock":
            link.producer(self.settings, {}, lambda _: None).list_topics(name, timeout=10)
        else:
            named = {key.replace("_", "."): value for key, value in options.items()}
            assert KafkaAdmin(self.settings).create(name, partitions, len(self.brokers) or 1, named)
            self.until(lambda: len(KafkaAdmin(self.settings).topics()[name].leaders) == partitions)
        return name

    def until(self, ready: object, seconds: float = _START_S) -> None:
        """Ask again until it is so."""
        assert callable(ready)
        end = time.monotonic() + seconds
        while True:
            try:
                if ready():
                    return
            except (KafkaAwayError, KeyError):
                pass
            if time.monotonic() > end:
                logs = "\n".join(broker.log() for broker in self.brokers)
                raise TimeoutError(f"not so after {seconds:g} s\n{logs}")
            time.sleep(0.05)

    def wait(self) -> None:
        """Until all brokers that should be up answer."""
        up = [broker for broker in self.brokers if broker.process is not None]
        self.until(
            lambda: len(KafkaAdmin(KafkaSettings(self.servers, self.login, timeout=2)).brokers()) >= len(up)
        )


@contextmanager
def real_cluster(
    count: int = 1,
    options: Sequence[str] = (),
    login: Mapping[str, Option] | None = None,
    scram: Sequence[str] = (),
) -> Iterator[Cluster]:
    """Apache Kafka in processes of its own.

    Args:
        count: brokers.
        options: further lines of ``server.properties``; ADDRESS and //CONTROL in them are its listeners.
        login: settings with which it lets us in.
        scram: users who may log in by SCRAM-SHA-512, the password being NAME-secret.
    """
    with tempfile.TemporaryDirectory(prefix="yiwang-kafka-") as text:
        ports = free_ports(2 * count)
        pairs = [(ports[2 * i], ports[2 * i + 1]) for i in range(count)]
        brokers = [Broker(i + 1, Path(text, str(i + 1)), pair) for i, pair in enumerate(pairs)]
        cluster = Cluster("maven", ",".join(broker.address for broker in brokers), brokers, dict(login or {}))
        try:
            _format(brokers, options, scram)
            for broker in brokers:
                broker.start()
            cluster.wait()
            yield cluster
        finally:
            for broker in brokers:
                broker.kill()


def _format(brokers: list[Broker], options: Sequence[str], scram: Sequence[str]) -> None:
    """Write the properties of all brokers and format their storage."""
    cluster = "yiwangTestClusterAAAAA"
    voters = ",".join(f"{broker.number}@127.0.0.1:{broker.ports[1]}" for broker in brokers)
    copies = min(3, len(brokers))
    users = [
        word
        for name in scram
        for word in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={name}-secret]")
    ]
    for broker in brokers:
        broker.folder.mkdir(parents=True)
        lines = [
            "process.roles=broker,controller",
            f"node.id={broker.number}",
            f"controller.quorum.voters={voters}",
            f"listeners=PLAINTEXT://{broker.address},CONTROLLER://127.0.0.1:{broker.ports[1]}",
            f"advertised.listeners=PLAINTEXT://{broker.address}",
            "controller.listener.names=CONTROLLER",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            f"log.dirs={broker.folder / 'data'}",
            f"offsets.topic.replication.factor={copies}",
            "offsets.topic.num.partitions=1",
            f"transaction.state.log.replication.factor={copies}",
            f"transaction.state.log.min.isr={max(1, copies - 1)}",
            "transaction.state.log.num.partitions=1",
            f"min.insync.replicas={max(1, copies - 1)}",
            "group.initial.rebalance.delay.ms=0",
            "auto.create.topics.enable=false",
            "log.retention.check.interval.ms=500",
            # Records of recorded days are old when they come; topics of tests that expire say so themselves.
            "log.retention.ms=-1",
            "num.network.threads=2",
            "num.io.threads=2",
            "background.threads=2",
            "controlled.shutdown.enable=true",
            *(_addressed(option, broker) for option in options),
        ]
        properties = broker.folder / "server.properties"
        properties.write_text("\n".join(lines) + "\n")
        command = ["java", *_JAVA, "-cp", f"{jars()}/*", "kafka.tools.StorageTool", "format"]
        done = subprocess.run(
            [*command, "-t", cluster, "-c", str(properties), *users],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"storage could not be formatted: {done.stdout}{done.stderr}"


def _addressed(option: str, broker: Broker) -> str:
    return option.replace("ADDRESS", broker.address).replace("//CONTROL", f"//127.0.0.1:{broker.ports[1]}")


@contextmanager
def mock_cluster() -> Iterator[Cluster]:
    """The in-process broker of librdkafka: lives as long as the client that holds it."""
    settings = KafkaSettings("", {"test.mock.num.brokers": 1})
    holder = link.producer(settings, {}, lambda _: None)
    brokers = holder.list_topics(timeout=10).brokers.values()
    yield Cluster("mock", ",".join(f"{one.host}:{one.port}" for one in brokers))
    holder.flush(0)


@contextmanager
def session_cluster() -> Iterator[Cluster]:
    """What `chosen` says."""
    wanted = chosen()
    if ":" in wanted:
        yield Cluster("given", wanted)
    else:
        assert wanted in {"maven", "mock"}, f"YIWANG_TEST_KAFKA={wanted!r}: maven, mock or HOST:PORT"
        with real_cluster() if wanted == "maven" else mock_cluster() as cluster:
            yield cluster
