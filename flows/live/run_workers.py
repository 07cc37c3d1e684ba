"""A live engine in several processes: started together, watched, all started again when one of them fails.

    supervisor ── configuration on stdin ─▶ process i: its share of the flow, metrics on base port + i
               ◀─ signs of life, last words on stdout

The processes of one flow cannot do without each other: whichever dies takes the others along, and all go on
from the last recovery point. A process that stands still, by the age of that point, counts as dead, unless it
waits for a server that is away.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from flows.config.configuration import Configuration
from flows.kafka.alignment import Alignment
from flows.live.run_options import options_of, parts_of, prepared
from flows.live.run_stop import DRAIN
from flows.live.run_totals import RunSummary, together
from flows.replay.processes import free_ports
from sinks.log import EventLog

LOG = EventLog("run")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before all are started again; doubled each time."""
HEALTHY = 60.0
"""Seconds of work after which the next pause is the first again."""
SILENT = 30.0
"""Seconds without a sign of life after which a process counts as dead."""
_ROOT = Path(__file__).resolve().parents[2]
_LOOK = 0.5


@dataclass(slots=True)
class Worker:
    """One running process and what it said last."""

    number: int
    popen: subprocess.Popen[bytes]
    heard: float
    age: float = 0.0
    waits: list[str] = field(default_factory=list)
    failed: dict[str, str] | None = None
    done: RunSummary | None = None
    spoke: bool = False
    _rest: bytes = b""

    def hear(self) -> bool:
        """Take in what it says; False when it will say no more."""
        if self.popen.stdout is None:
            return False
        data = os.read(self.popen.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return bool(data)

    def _take(self, said: dict[str, Any]) -> None:
        self.heard, self.spoke = time.monotonic(), True
        if "alive" in said:
            self.age, self.waits = said["alive"]["age"], said["alive"]["waits"]
        if "done" in said:
            self.done = msgspec.convert(said["done"], RunSummary)
        self.failed = said.get("failed", self.failed)

    def stands_still(self, patience: float) -> str:
        """Why it counts as dead though it runs, "" if it does not."""
        silent = time.monotonic() - self.heard
        if silent > SILENT:
            return f"gave no sign of life for {silent:.0f} s"
        if self.age > patience and not self.waits:
            return f"made no recovery point for {self.age:.0f} s and waits for nobody"
        return ""


class FinalError(ValueError):
    """Starting again would not help."""


@dataclass(slots=True)
class Supervisor:
    """Runs the processes of one engine until it is stopped.

    Args:
        config: with ``engine.workers`` above 1.
    """

    config: Configuration
    restarts: int = 0
    _asked: bool = False
    _workers: list[Worker] = field(default_factory=list)

    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._asked

    def run(self) -> RunSummary:
        """Run until stopped.

        Raises:
            ValueError: the configuration cannot be used, or records are gone and it says to stop then.
            ChildProcessError: the processes did not end in order.
        """
        with ExitStack() as stack:
            config, held = prepared(self.config, stack)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yiwang-")))
            stack.enter_context(self._by_signals())
            LOG.info("run.started_several", processes=config.engine.workers)
            pause = FIRST_PAUSE
            while True:
                begun = time.monotonic()
                with ExitStack() as processes:
                    self._start(config, folder / "clocks", held, processes)
                    why = self._follow(config)
                if not why:
                    return reduce(together, [one.done for one in self._workers if one.done], RunSummary())
                if self.stopping():
                    raise ChildProcessError(why)
                pause = FIRST_PAUSE if time.monotonic() - begun > HEALTHY else pause
                self._wait(why, pause)
                if self.stopping():
                    return RunSummary()
                pause = min(2 * pause, LONGEST_PAUSE)

    def _wait(self, why: str, pause: float) -> None:
        self.restarts += 1
        LOG.error("run.restarting", why=why, seconds=pause)
        end = time.monotonic() + pause
        while time.monotonic() < end and not self.stopping():
            time.sleep(0.05)

    def _start(self, config: Configuration, shared: Path, held: list[int], stack: ExitStack) -> None:
        count = config.engine.workers
        Alignment.create(shared, len(parts_of(config, options_of(config))))
        order = {"config": msgspec.to_builtins(config), "ports": free_ports(count), "shared": str(shared)}
        line = json.dumps(order).encode() + b"\n"
        self._workers = [_started(number, line, held, stack) for number in range(count)]

    def _follow(self, config: Configuration) -> str:
        """Listen until all have ended; why they are to be started again, "" if they ended in order."""
        patience = max(60.0, 12 * config.engine.snapshot_every)
        asked = 0.0
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker.popen.stdout or 0, selectors.EVENT_READ, worker)
            while selector.get_map():
                for key, _ in selector.select(_LOOK):
                    if not key.data.hear():
                        selector.unregister(key.fileobj)
                        if key.data.done is None:
                            return self._why(key.data)
                if self.stopping() and not asked:
                    asked = time.monotonic()
                    _tell(self._workers, signal.SIGTERM)
                if asked and time.monotonic() - asked > DRAIN + 2:
                    return "the processes did not stop in time; recovery goes on from the last point"
                still = [(one, why) for one in self._workers if (why := one.stands_still(patience))]
                if still and not self.stopping():
                    return f"process {still[0][0].number} {still[0][1]}"
        return ""

    def _why(self, worker: Worker) -> str:
        """What became of the first that ended badly; the others may know why."""
        self._hear_rest()
        for one in self._workers:
            if one.failed is not None and one.failed["kind"] == "final":
                raise FinalError(one.failed["message"])
        for one in [worker, *self._workers]:
            if one.failed is not None:
                return f"process {one.number} failed: {one.failed['message']}"
        code = worker.popen.wait(5)
        return f"process {worker.number} " + (
            f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        )

    def _hear_rest(self) -> None:
        end = time.monotonic() + 1.0
        for one in self._workers:
            with selectors.DefaultSelector() as selector:
                selector.register(one.popen.stdout or 0, selectors.EVENT_READ)
                while selector.select(max(end - time.monotonic(), 0.0)) and one.hear():
                    pass

    @contextmanager
    def _by_signals(self) -> Iterator[None]:
        """The first SIGTERM or SIGINT stops all in order, a second one at once; SIGHUP reaches all."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ask(number: int, frame: FrameType | None) -> None:
            del frame
            if self.stopping():
                _tell(self._workers, signal.SIGKILL)
                os._exit(128 + number)
            self._asked = True

        def look(number: int, frame: FrameType | None) -> None:
            del frame
            # One that has not come so far as to listen would be ended by the signal, and looks by itself.
            _tell([one for one in self._workers if one.spoke], number)

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, look)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _tell(workers: list[Worker], number: int) -> None:
    for one in workers:
        if one.popen.poll() is None:
            one.popen.send_signal(number)


def _started(number: int, order: bytes, held: list[int], stack: ExitStack) -> Worker:
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    popen = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "flows.live.run_worker", str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        pass_fds=held,
    )
    stack.callback(_ended, popen)
    if popen.stdin is not None:
        popen.stdin.write(order)
        popen.stdin.flush()
    return Worker(number, popen, time.monotonic())


def _ended(popen: subprocess.Popen[bytes]) -> None:
    popen.kill()
    popen.communicate()
