"""How a live engine is stopped: in order, within ten seconds, or at once.

first signal ─▶ sources end ─▶ recovery point, sinks flushed, exit 0
└─ not done in time (a server is waited for) ─▶ exit 1; recovery covers it
second signal ─▶ exit at once; recovery covers it
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from sinks.log import EventLog
from sinks.prometheus_waiting import KNOWN, Waits

LOG = EventLog("run")

DRAIN = 10.0
"""Seconds in which a stop must be done."""


@dataclass(slots=True)
class Stop:
    """Whether the engine has been asked to stop: by SIGTERM, by SIGINT, or by its own process."""

    asked: bool = False
    drain: float = DRAIN
    waits: Waits | None = None
    _timer: threading.Timer | None = None

    def __call__(self) -> bool:
        """As the source asks."""
        return self.asked

    def ask(self) -> None:
        """Stop in order; the process ends by force if that is not done in time."""
        if not self.asked:
            self.asked = True
            self._timer = threading.Timer(self.drain, _give_up, [self.drain, self.waits])
            self._timer.daemon = True
            self._timer.start()

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """The first SIGTERM or SIGINT asks for a stop, a second one does what it does elsewhere."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.getsignal(number) for number in numbers}

        def ask(number: int, frame: FrameType | None) -> None:
            del number, frame
            self.ask()
            for one in numbers:
                signal.signal(one, _end_at_once)

        for number in numbers:
            signal.signal(number, ask)
        try:
            yield
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for number in numbers:
                signal.signal(number, before[number])


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """Whatever the engine is doing: the recovery folder has all that is needed."""
    del frame
    os._exit(128 + number)


def _give_up(seconds: float, waits: Waits | None) -> None:
    whom = ", ".join(name for name in KNOWN if waits and waits.longest(name)) or "a slow step"
    LOG.error("run.not_stopped", seconds=seconds, whom=whom)
    os._exit(1)
