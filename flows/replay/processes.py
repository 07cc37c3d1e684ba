"""A replay in several processes: start them, follow them, stop them all when one dies.

    parent ── options on stdin, then nothing ─▶ process i: its share of the flow
           ◀─ one JSON object a line on stdout: {"read": bytes}, {"failed": why}, {"done": figures}

A process ends when its stdin closes, so none outlives the parent, however that died.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

_ROOT = Path(__file__).resolve().parents[2]
_GRACE = 1.0
"""Seconds in which the process that failed first can still say why."""
_TAIL = 2_000


@dataclass(slots=True)
class _Process:
    """One running process."""

    number: int
    popen: subprocess.Popen[bytes]
    errors: IO[bytes]
    failed: dict[str, str] | None = None
    done: dict[str, Any] | None = None
    _rest: bytes = field(default=b"", init=False)

    def hear(self, progress: Callable[[int], None]) -> bool:
        """Take in what it says; False when it will say no more."""
        if self.popen.stdout is None:
            return False
        data = os.read(self.popen.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            progress(said.get("read", 0))
            self.failed = said.get("failed", self.failed)
            self.done = said.get("done", self.done)
        return bool(data)

    def why(self) -> str:
        """What became of it, with the end of what it printed."""
        code = self.popen.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(self.errors.tell() - _TAIL, 0))
        printed = self.errors.read().decode(errors="replace").strip()
        return f"process {self.number} {how}" + (f":\n{printed}" if printed else "")


def run_processes(
    options: dict[str, Any], count: int, progress: Callable[[int], None], inherited: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """Run ``count`` processes to their end and return what each reports.

    ``inherited`` are file descriptors they keep open. SIGTERM to this process stops them all.

    Raises:
        ValueError: the options cannot be used; the message of the process that found out.
        ChildProcessError: a process failed; its message. The others have been stopped.
    """
    order = json.dumps({**options, "ports": free_ports(count)}, default=str).encode() + b"\n"
    with _stoppable(), ExitStack() as stack:
        running = [_started(number, order, inherited, stack) for number in range(count)]
        _follow(running, progress)
        if any(process.done is None for process in running):
            _blame(running)
        sys.stderr.write(_printed(running[0]))
        return [process.done or {} for process in running]


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on.

    >>> len(set(free_ports(3)))
    3
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _started(number: int, order: bytes, inherited: Sequence[int], stack: ExitStack) -> _Process:
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    errors = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed by the stack
    popen = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "flows.replay.worker", str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=os.environ | {"PYTHONPATH": path},
        pass_fds=inherited,
    )
    stack.callback(_stopped, popen)
    if popen.stdin is not None:
        popen.stdin.write(order)
        popen.stdin.flush()
    return _Process(number, popen, errors)


def _stopped(popen: subprocess.Popen[bytes]) -> None:
    popen.kill()
    popen.communicate()


def _follow(running: list[_Process], progress: Callable[[int], None]) -> None:
    """Listen until all have ended well or one has not, and then a little longer for the reason."""
    with selectors.DefaultSelector() as selector:
        for process in running:
            selector.register(process.popen.stdout or 0, selectors.EVENT_READ, process)
        patience = None
        while selector.get_map():
            events = selector.select(patience)
            if not events:
                return
            for key, _ in events:
                if key.data.hear(progress):
                    continue
                selector.unregister(key.fileobj)
                if key.data.done is None:
                    patience = _GRACE


def _blame(running: list[_Process]) -> NoReturn:
    """Raise for the process that failed first: one that says so, else one that was killed, else any dead."""
    for process in running:
        if process.failed is not None:
            if process.failed["kind"] == "options":
                raise ValueError(process.failed["message"])
            raise ChildProcessError(f"process {process.number} failed: {process.failed['message']}")
    dead = [process for process in running if process.popen.poll() is not None and process.done is None]
    killed = [process for process in dead if process.popen.returncode < 0] or dead
    raise ChildProcessError("; ".join(process.why() for process in killed) or "a process fell silent")


def _printed(process: _Process) -> str:
    process.errors.seek(0)
    return process.errors.read().decode(errors="replace")


@contextmanager
def _stoppable() -> Iterator[None]:
    """Make SIGTERM an orderly exit, so that the processes are stopped too."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
