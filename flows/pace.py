"""How fast a replay may go: (event time read so far) -> seconds to wait before reading on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.batches import FINAL
from flows.pieces import BEFORE

LONGEST_WAIT = 0.1
"""Seconds; the engine closes no recovery point while its source sleeps."""


@dataclass(slots=True)
class Pace:
    """``speed`` seconds of event time a second, None for as fast as possible, as all is up to ``after``.

    >>> now = 0.0
    >>> pace = Pace(60.0, clock=lambda: now)
    >>> pace.ahead(1_000_000), pace.ahead(1_060_000), pace.ahead(1_000_600)
    (0.0, 0.1, 0.01)
    """

    speed: float | None
    clock: Callable[[], float] = time.monotonic
    after: int = BEFORE
    _begin: tuple[float, int] | None = field(default=None, init=False)

    def ahead(self, event_ms: int) -> float:
        """How long to wait, at most ``LONGEST_WAIT``, since records up to ``event_ms`` have been read."""
        if self.speed is None or event_ms in {BEFORE, FINAL} or event_ms <= self.after:
            return 0.0
        if self._begin is None:
            self._begin = self.clock(), event_ms
        began, first = self._begin
        due = began + (event_ms - first) / 1000 / self.speed
        return min(max(due - self.clock(), 0.0), LONGEST_WAIT)
