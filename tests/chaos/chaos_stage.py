"""What is disturbed: an engine, its Redis, its brokers, the disk of its recovery folder."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from flows.replay.processes import free_ports
from sinks.redis_server import find_server
from tests.kafka.broker import Cluster, Served
from tests.kafka.live_engine import LiveEngine

DISK_MB = 96


@dataclass(slots=True)
class Redis(Served):
    """A Redis server without persistence: started anew, it is empty."""

    port: int = field(default_factory=lambda: free_ports(1)[0])

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, empty."""
        command = [str(find_server()), "--port", str(self.port), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of `DISK_MB` at a folder; False where this machine does not allow that."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["/bin/umount", "-l", str(folder)], check=False)


@dataclass(slots=True)
class Stage:
    """All that runs, and what was done to it."""

    engine: LiveEngine
    redis: Redis
    cluster: Cluster
    disk: Path | None
    random: Random
    workers: int = 1
    done: list[str] = field(default_factory=list)

    def disturb(self, what: str) -> None:
        """Do one of the things by name."""
        self.done.append(what)
        getattr(self, f"_{what}")()

    def _again(self) -> None:
        self.workers = self.random.choice((1, 1, 2))
        self.engine.start(self.workers)

    def _kill(self) -> None:
        self.engine.kill()
        self._again()

    def _kill_worker(self) -> None:
        """One of two processes dies: the supervisor starts both again."""
        if self.workers > 1:
            self.engine.until(lambda: self.engine.points(2) > 0)
            with suppress(IndexError, ProcessLookupError):
                self.engine.kill_one()
        else:
            self._kill()

    def _outage(self) -> None:
        """The engine is away while half an hour and more of the day comes."""
        self.engine.kill()
        time.sleep(6)
        self._again()

    def _drain(self) -> None:
        self.engine.until(lambda: self.engine.points(self.workers) > 0)
        assert self.engine.stop() == 0, self.engine.said()
        self._again()

    def _redis_freeze(self) -> None:
        self.redis.signal(signal.SIGSTOP)
        time.sleep(3)
        self.redis.signal(signal.SIGCONT)

    def _redis_empty(self) -> None:
        self.redis.kill()
        time.sleep(1)
        self.redis.start()

    def _broker_restart(self) -> None:
        """A broker is killed under load and started again; of three, the others go on meanwhile."""
        broker = self.random.choice(self.cluster.brokers)
        broker.kill()
        time.sleep(3)
        broker.start()

    def _broker_freeze(self) -> None:
        broker = self.random.choice(self.cluster.brokers)
        broker.signal(signal.SIGSTOP)
        time.sleep(4)
        broker.signal(signal.SIGCONT)

    def _disk_full(self) -> None:
        """Recovery points cannot be written: the engine ends and says why, and goes on when there is room."""
        if self.disk is None:
            self.done[-1] = "disk_full (not possible here)"
            return
        filler = self.disk / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(1 << 16))
        time.sleep(6)
        self.engine.kill()
        filler.unlink()
        self._again()
