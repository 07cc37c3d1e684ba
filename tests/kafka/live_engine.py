"""``yiwang run`` as a process, or several, of its own: started, asked how far it is, stopped, killed."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from flows.config.configuration import Configuration
from flows.config.file import toml
from flows.live.run import Engine
from flows.live.run_totals import RunSummary
from tests.kafka.city_topics import Topics

_STILL = 4
ROOT = Path(__file__).resolve().parents[2]


def toml_of(config: Configuration) -> str:
    """The configuration as a file; options that are null are left out."""
    lines = []
    for section, options in msgspec.to_builtins(config).items():
        lines += [f"[{section}]", *(f"{k} = {toml(v)}" for k, v in options.items() if v is not None)]
    return "\n".join(lines) + "\n"


def run_until_read(engine: Engine, topics: Topics) -> RunSummary:
    """Run an engine in this process until the brokers say that all has been read."""
    wanted = topics.partitions * sum(map(bool, topics.names.values()))

    def wall() -> float:
        partitions = [file for part in engine.parts for file in part.files]
        if len(partitions) == wanted and all(part.settled for part in engine.parts):
            engine.stop.ask()
        return time.time()

    engine.wall = wall
    return engine.run()


def _room_for_ports() -> int:
    """A port that is free with the three behind it, and that no outgoing connection is given."""
    while True:
        first = random.randrange(15_000, 30_000, 4)  # noqa: S311 - any will do
        with suppress(OSError), ExitStack() as stack:
            for number in range(4):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", first + number))
            return first


@dataclass(slots=True)
class LiveEngine:
    """An engine in a folder; what it prints goes to ``log`` there."""

    config: Configuration
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = field(default_factory=_room_for_ports)

    def start(self, workers: int = 1) -> None:
        """Start it in so many processes."""
        raw = msgspec.to_builtins(self.config)
        raw["engine"]["workers"] = workers
        raw["prometheus"] = {"port": self.port}
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "city.toml"
        path.write_text(toml_of(msgspec.convert(raw, Configuration)))
        command = [sys.executable, "-c", "from flows.cli import main; main()", "run", f"--config={path}"]
        with (self.folder / "log").open("ab") as log, (self.folder / "summary.json").open("wb") as summary:
            self.process = subprocess.Popen(
                [*command, "--json"],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=summary,
                stderr=log,
                start_new_session=True,
            )

    def metrics(self, workers: int = 1) -> dict[str, float]:
        """The samples of all processes that answer; of several, the sum."""
        found: dict[str, float] = {}
        for number in range(workers):
            url = f"http://127.0.0.1:{self.port + number}/metrics"
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    text = answer.read().decode()
            except (OSError, http.client.HTTPException):
                continue
            for line in text.splitlines():
                if line[:1] != "#":
                    name, value = line.rsplit(" ", 1)
                    found[name] = found.get(name, 0.0) + float(value)
        return found

    def has_read(self, partitions: int, workers: int = 1) -> bool:
        """Whether nothing is left to read in any of the partitions."""
        lags = [value for name, value in self.metrics(workers).items() if name.startswith("yiwang_kafka_lag")]
        return len(lags) == partitions and not any(lags)

    def points(self, workers: int = 1) -> float:
        """Recovery points that all processes together have taken since they were started."""
        return self.metrics(workers).get("yiwang_snapshot_seconds_count", 0.0)

    def has_points(self, workers: int, least: float) -> bool:
        """Whether all processes together have taken so many recovery points since they were started."""
        return self.points(workers) >= least

    def read_so_far(self, workers: int = 1) -> float:
        """Records received."""
        found = self.metrics(workers)
        return sum(value for name, value in found.items() if name.startswith("yiwang_records_total"))

    def until(self, ready: Callable[[], bool], seconds: float = 240.0) -> None:
        """Wait for something; it must run all the while."""
        end = time.monotonic() + seconds
        while not ready():
            assert self.process is not None
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() < end, f"waited in vain: {self.said()}"
            time.sleep(0.05)

    def rest(self, workers: int = 1) -> None:
        """Wait until the watermark stays where it is: all that was read has its effect."""
        marks: list[float] = []
        while len(marks) < _STILL or len(set(marks[-_STILL:])) > 1:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said()}"
            marks.append(self.metrics(workers).get("yiwang_watermark_timestamp_seconds", -1.0 - len(marks)))
            time.sleep(1.5)

    def kill(self) -> None:
        """End all its processes without a word."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def kill_one(self) -> None:
        """End one of its child processes without a word."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)

    def stop(self, seconds: float = 30.0) -> int:
        """Stop it in order; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process = None
        return code

    def said(self) -> str:
        """The end of what it printed."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def summary(self) -> dict[str, object]:
        """What it said in the end."""
        found: dict[str, object] = msgspec.json.decode((self.folder / "summary.json").read_bytes())
        return found
