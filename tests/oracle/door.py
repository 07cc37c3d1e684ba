"""The engine's door, one record at a time: what becomes of each reading of a file (R4, R6, R7, R10)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from tests.oracle.records import HOUR, MINUTE, Reading
from tests.oracle.settled import metric_rows

MAX_DISORDER = 10_000
MAX_FUTURE = 5 * MINUTE
FURTHER = 5
KEPT = 8


def fates(readings: Sequence[Reading]) -> list[str]:
    """For each reading in order of arrival: "", ``duplicate`` or the reason of its rejection.

    >>> one = Reading("a", "rain_1m", 0.5, 0, "A")
    >>> fates([one, one])
    ['', 'duplicate']
    """
    door = _Door()
    return [door.judge(r, readings[i + 1 : i + 1 + FURTHER]) for i, r in enumerate(readings)]


class _Door:
    def __init__(self) -> None:
        self.maximum: int | None = None
        self.kept: dict[tuple[str, str], deque[tuple[int, float]]] = defaultdict(lambda: deque(maxlen=KEPT))

    def judge(self, r: Reading, further: Iterable[Reading]) -> str:
        row = metric_rows()[r.metric]
        if self._absurd(r, [f.ts >= r.ts - MAX_FUTURE for f in further]):
            return "future_time"
        before = r.ts if self.maximum is None else self.maximum
        self.maximum = max(before, r.ts)
        correct_within = (48 if row.period >= 4 * HOUR else 1) * HOUR
        if r.ts < before - MAX_DISORDER - correct_within:
            return "too_late"
        return self._kept(r) if row.low <= r.value <= row.high else "out_of_range"

    def _absurd(self, r: Reading, agree: list[bool]) -> bool:
        ahead = self.maximum is not None and r.ts > self.maximum + MAX_FUTURE
        return ahead and sum(agree) * 2 <= len(agree)

    def _kept(self, r: Reading) -> str:
        ring = self.kept[r.sensor, r.metric]
        same = [value for ts, value in ring if ts == r.ts]
        if r.value in same:
            return "duplicate"
        if same:
            ring[[ts for ts, _ in ring].index(r.ts)] = (r.ts, r.value)
        else:
            ring.append((r.ts, r.value))
        return ""
