"""Where the windows of a city begin: where its first record in time takes effect (R1, R4).

The source finds it out, for all lanes alike: a lane whose own first record comes later still has sensors that
were expected to report from the city's beginning on, and the areas above it need them (R11).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flows.batches import FINAL, Ints
from flows.pieces import BEFORE, MAX_DISORDER, Clock, Clocks


@dataclass(frozen=True, slots=True)
class Ticks:
    """Where slices may end: every ``length`` ms from ``origin`` on.

    >>> Ticks(60_000).next(Clock(100_000)), Ticks(60_000).next(Clock(130_000))
    (120000, 180000)
    """

    length: int
    origin: int = 0

    def next(self, clock: Clock) -> int:
        """The earliest time at which a record that is still to come in time can take effect, ms."""
        past = clock.watermark
        if past in {FINAL, BEFORE}:
            return past
        return past + self.length - (past - self.origin) % self.length


class Beginning:
    """The earliest time at which a record in time takes effect.

    >>> import numpy as np
    >>> beginning = Beginning(Ticks(60_000))
    >>> beginning.note(np.array([70_000, 5_000]), np.array([120_000, 120_000]), 60_000)
    >>> beginning.known(Clock(60_000)) == FINAL, beginning.known(Clock(70_000))
    (True, 120000)
    """

    def __init__(self, ticks: Ticks, first: int = FINAL, since: int = FINAL) -> None:
        self._ticks = ticks
        self.first = first
        self.since = since
        """The flow's first watermark: the least one of its partitions after their first record."""
        self._settled = False

    def hear(self, first_ts: int) -> None:
        """Note the time of a partition's first record, ms."""
        self.since = min(self.since, first_ts - MAX_DISORDER)

    def note(self, ts: Ints, effective: Ints, slice_ms: Ints | int) -> None:
        """Records that were admitted: int64[n] ms, and the slice lengths of their metrics."""
        if not self._settled:
            # One that is late takes effect a whole slice or more after its time.
            in_time = effective[effective - ts < slice_ms]
            self.first = min(self.first, int(in_time.min(initial=FINAL)))

    def known(self, clock: Clock) -> int:
        """The beginning if no record to come can be before it, else FINAL."""
        self._settled = self._settled or self._ticks.next(clock) >= self.first
        return self.first if self._settled else FINAL


class Beginnings:
    """What all source parts have said of the beginning, as one lane heard it.

    It is known when no part can have a record before the earliest that was named.

    >>> heard = Beginnings(["records-00", "records-01"], Ticks(60_000))
    >>> heard.hear("records-00", Clock(130_000), begin=120_000, since=0)
    >>> heard.known() is None
    True
    >>> heard.hear("records-01", Clock(140_000), begin=FINAL, since=5_000)
    >>> heard.known()
    (120000, 0)
    """

    def __init__(self, senders: Iterable[str], ticks: Ticks) -> None:
        """``senders``: names of all source parts."""
        self._ticks = ticks
        self._clocks = Clocks(senders)
        self._begin = self._since = FINAL

    def hear(self, sender: str, clock: Clock, begin: int, since: int) -> None:
        """Take one part's word, ``begin`` and ``since`` FINAL where it has none yet."""
        self._clocks.hear(sender, clock)
        self._begin, self._since = min(self._begin, begin), min(self._since, since)

    def known(self) -> tuple[int, int] | None:
        """The beginning and the flow's first watermark, if they are known."""
        if self._begin == FINAL or self._ticks.next(self._clocks.least) < self._begin:
            return None
        return self._begin, self._since

    def state(self) -> dict[str, Any]:
        """Plain data."""
        clocks = {name: (c.maximum, c.limit) for name, c in self._clocks.by_sender.items()}
        return {"clocks": clocks, "begin": self._begin, "since": self._since}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        for name, clock in state["clocks"].items():
            self.hear(name, Clock(*clock), state["begin"], state["since"])
