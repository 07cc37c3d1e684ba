"""When several processes of an engine come to a recovery point: together, on a beat of the wall clock.

The engine measures the time since its last recovery point in each process, and a process that comes to one
waits for the others. How late each notices that it is time differs by milliseconds, which add up: after a day
of recovery points every five seconds, processes are a second apart, and alerts late by that. So all act at
whole multiples of the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_LEAST_S = 0.02
"""Sources without records are looked at every few hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Recovery points every ``every`` seconds.

    >>> beat = Beat(5.0)
    >>> at = datetime(2026, 1, 1, 8, 0, 4, 940_000, UTC)
    >>> beat.awake(at, now=at).isoformat(), beat.awake(None, now=at.replace(microsecond=0))
    ('2026-01-01T08:00:04.940000+00:00', None)
    >>> beat.awake(None, now=at.replace(microsecond=960_000)).isoformat()
    '2026-01-01T08:00:05+00:00'
    """

    every: float

    @property
    def interval(self) -> float:
        """What the engine is told instead, seconds: so much less that who is late once catches up."""
        return self.every - self._slack / 2

    @property
    def _slack(self) -> float:
        """How long nothing is read before a beat, seconds: who read would come to the point too early."""
        return max(self.every / 100, _LEAST_S)

    def awake(self, wanted: datetime | None, now: datetime) -> datetime | None:
        """When to read next instead of ``wanted`` (None: at once): not shortly before a beat."""
        at = (wanted or now).timestamp()
        beat = -(-at // self.every) * self.every
        if beat - at > self._slack:
            return wanted
        return datetime.fromtimestamp(beat, UTC)
