"""How much of a backlog a live source takes at once: as much as keeps the engine busy for a second or two.

Closing windows costs per turn, so that large turns are cheap; but a stop waits for the end of a turn, and
what has been read of it is kept in memory. Nothing that is computed depends on where a turn ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

AIM = 1.5
"""Seconds that a full turn should take, with all that follows from it: a stop must be done in ten."""
SPAN = 1_800_000
"""Event time of one turn before any was timed, ms: sparse records have few rows and many windows."""
RECORDS = 500_000
"""Records of one turn before any was timed."""
LEAST, MOST = 1 / 16, 4.0
"""How far both are scaled."""
MOST_SPAN = int(MOST * SPAN)


@dataclass(slots=True)
class Turns:
    """How large a turn may be, by how long full ones took.

    >>> now = 0.0
    >>> turns = Turns(clock=lambda: now)
    >>> turns.begin(); turns.full = True; now = 0.5
    >>> turns.begin(); turns.span, turns.records
    (3600000, 1000000)
    >>> now = 9.0
    >>> turns.begin(); turns.span
    3600000
    """

    clock: Callable[[], float] = time.perf_counter
    full: bool = False
    """Whether the present turn ended because it was large enough, and not for want of records."""
    _scale: float = field(default=1.0, init=False)
    _begun: float = field(default=0.0, init=False)

    @property
    def span(self) -> int:
        """Event time that a turn may have, ms."""
        return int(SPAN * self._scale)

    @property
    def records(self) -> int:
        """Records that it may have."""
        return int(RECORDS * self._scale)

    def begin(self) -> None:
        """A turn begins, which ends the one before."""
        now = self.clock()
        if self.full:
            change = min(max(AIM / max(now - self._begun, 1e-9), 0.5), 2.0)
            self._scale = min(max(self._scale * change, LEAST), MOST)
        self._begun, self.full = now, False
