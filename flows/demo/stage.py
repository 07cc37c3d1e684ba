"""The demo's processes: a Redis server, a simulated city that lives at a pace, an engine that follows it.

simulated city ─ growing files ─▶ engine ─▶ Redis ◀─ departments, the view
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sinks.redis_server import NoRedisServerError, embedded_server

YIWANG = (sys.executable, "-c", "from flows.cli import main; main()")
"""The command line, whether installed or run from its folder."""

START = "2026-05-18T07:00"
"""A Monday morning in May, when the first rainstorms come."""

SCENARIOS = ("rainstorm:start=15m,duration=120m,intensity=1.2", "gas_leak:start=30m", "crowd_surge:start=45m")

_LONGEST_H = 20 * 24.0
"""A demo without end lasts this long in the city: eight hours at sixty times its pace."""

_SHORTEST_H = 5.0
"""Room for all scenarios; the demo may end before the city does."""

_PATIENCE_S = 30.0
_STEP_S = 0.05


class DemoError(RuntimeError):
    """A part of the demo did not start or ended early; the message ends with what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What a demo is: how long it may take (seconds, None without end), which city, how fast, where."""

    folder: Path
    seconds: float | None
    sensors: int
    seed: int
    speed: float


@dataclass(slots=True)
class Part:
    """A process of the demo, its name, and the file that holds what it says."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self.process.poll() is None

    def check(self) -> None:
        """Raise DemoError if it ended with a failure."""
        if self.process.poll() not in {None, 0}:
            said = self.log.read_text(encoding="utf-8", errors="replace").strip()[-2000:]
            raise DemoError(f"the {self.name} ended with {self.process.returncode}:\n{said}")

    def stop(self) -> None:
        """Ask it to stop, and see that it does."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class Stage:
    """A running demo: ``redis`` is the server's URL, None where no server could be had (``why``)."""

    options: DemoOptions
    city: Part
    engine: Part
    redis: str | None
    why: str
    port: int

    @property
    def metrics(self) -> str:
        """Where the engine tells how it is."""
        return f"http://127.0.0.1:{self.port}/metrics"

    def check(self) -> None:
        """Raise DemoError if a part failed."""
        self.city.check()
        self.engine.check()

    def summary(self) -> dict[str, Any]:
        """The engine's totals, once it has been stopped; empty if it could not tell them."""
        text = (self.options.folder / "engine.json").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text) if text.strip() else {}
        return found


@contextmanager
def staged(options: DemoOptions) -> Iterator[Stage]:
    """Start everything, and stop it at the end.

    Raises:
        DemoError: a part did not start.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        redis, why = None, ""
        try:
            port = _free_port()
            redis = stack.enter_context(embedded_server(port)).url
        except NoRedisServerError as error:
            why = str(error)
        city = _city(options)
        stack.callback(city.stop)
        _await_city(options, city)
        port = _free_port()
        engine = _engine(options, redis, port)
        stack.callback(engine.stop)
        yield Stage(options, city, engine, redis, why, port)


def _city(options: DemoOptions) -> Part:
    spanned = _LONGEST_H if options.seconds is None else options.seconds * options.speed / 3600
    command: list[object] = ["simulate", "--seed", options.seed, "--sensors", options.sensors]
    command += ["--hours", f"{max(spanned + 1.0, _SHORTEST_H):.2f}", "--start", START, "--faults", "normal"]
    command += [word for scenario in SCENARIOS for word in ("--scenario", scenario)]
    command += ["--speed", options.speed, "--to", options.folder / "city"]
    return _started("simulated city", command, options.folder / "city.log")


def _engine(options: DemoOptions, redis: str | None, port: int) -> Part:
    folder = options.folder
    command: list[object] = ["run", "--config", folder / "city" / "city.toml", "--clock", "source", "--json"]
    command += ["--out", folder / "out", "--history", folder / "history", "--prometheus", port]
    if redis is not None:
        command += ["--redis", redis]
    return _started("engine", command, folder / "engine.log", folder / "engine.json")


def _started(name: str, command: list[Any], log: Path, out: Path | None = None) -> Part:
    with log.open("wb") as errors, (out or log).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            [*YIWANG, *map(str, command)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            stdout=errors if out is None else output,
            stderr=errors,
        )
    return Part(name, process, log)


def _await_city(options: DemoOptions, city: Part) -> None:
    """Wait until the city has written what stands in it; its records may come later."""
    wanted = options.folder / "city" / "readings.jsonl"
    end = monotonic() + _PATIENCE_S
    while not wanted.exists():
        city.check()
        if monotonic() > end:
            raise DemoError(f"the {city.name} wrote no {wanted.name} in {_PATIENCE_S:g} s; see {city.log}")
        sleep(_STEP_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
