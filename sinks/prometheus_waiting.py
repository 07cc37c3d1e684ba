"""Whom the engine waits for: a broker or a Redis that is away → metrics, so that a silent flow is explained.

>>> waits = Waits(clock=iter([10.0, 13.0, 13.0]).__next__)
>>> with waits("kafka"):
...     waits.longest("kafka")
3.0
>>> [(family.name, [s.value for s in family.samples]) for family in waits.families()]
[('yiwang_waiting', [0.0, 0.0]), ('yiwang_waited_seconds_total', [3.0, 0.0])]
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sinks.prometheus import Family, Sample

KNOWN = ("kafka", "redis")


@dataclass(slots=True)
class Waits:
    """Who is waited for now, and for how long so far; used from several threads."""

    clock: Callable[[], float] = time.monotonic
    _since: dict[int, tuple[str, float]] = field(default_factory=dict, init=False)
    _seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KNOWN, 0.0), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _next: int = field(default=0, init=False)

    @contextmanager
    def __call__(self, who: str) -> Iterator[None]:
        """Wait for one of `KNOWN` while the block runs."""
        with self._lock:
            self._next += 1
            number = self._next
            self._since[number] = who, self.clock()
        try:
            yield
        finally:
            with self._lock:
                _, begun = self._since.pop(number)
                self._seconds[who] += self.clock() - begun

    def longest(self, who: str) -> float:
        """Seconds for which somebody is being waited for; 0 if nobody waits."""
        with self._lock:
            begun = [since for name, since in self._since.values() if name == who]
        return self.clock() - min(begun) if begun else 0.0

    def families(self) -> Iterator[Family]:
        """What a scrape gets."""
        text = "Seconds for which this is being waited for, 0 when it is not."
        now = [Sample((who,), self.longest(who)) for who in KNOWN]
        yield Family("yiwang_waiting", "gauge", text, ("for",), now)
        text = "Seconds that were spent waiting for this."
        past = [Sample((who,), seconds) for who, seconds in self._seconds.items()]
        yield Family("yiwang_waited_seconds_total", "counter", text, ("for",), past)
