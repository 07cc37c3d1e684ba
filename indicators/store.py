"""The series of one metric in one shard: who they are, what they said last, and their slices.

A series is (sensor, metric, cell); all arrays are indexed by the series' number in this store. Times are
ms, values integer numbers of the metric's resolution (R2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indicators.slices import Ints, SliceRing

NEVER = np.iinfo(np.int64).min
FOREVER = np.iinfo(np.int64).max
REFERENCE_HOLD = 48 * 3_600_000
"""How long a reference (a limit, a capacity) holds: NOTES.md section 0."""
HOLD_PERIODS = 3
"""How many sampling periods a reading holds (R12)."""
SEEN_WITHIN = 7 * 24 * 3_600_000
"""A sensor silent for longer is no longer expected to report (R11)."""

_COLUMNS = ("sensor", "cell", "period", "retired", "registered", "first", "last_ts", "last_value")


@dataclass(frozen=True, slots=True)
class MetricKind:
    """What the store must know of its metric: ``scale`` is resolution units per unit (1e6 or 1)."""

    code: str
    scale: float
    reference: bool
    keep_ms: int
    """How far back a window end may ask, beyond three of the longest periods."""


class MetricStore:
    """The series of one metric; ``n`` of them."""

    def __init__(self, kind: MetricKind, ring: SliceRing) -> None:
        """An empty store whose slices are those of ``ring``."""
        self.kind = kind
        self.ring = ring
        self.n = 0
        self.position = NEVER
        self.sensor = np.empty(0, np.int64)
        self.cell = np.empty(0, np.int64)
        self.period = np.empty(0, np.int64)
        self.retired = np.empty(0, np.int64)
        self.registered = np.empty(0, np.int64)
        self.first = np.empty(0, np.int64)
        self.last_ts = np.empty(0, np.int64)
        self.last_value = np.empty(0, np.int64)
        self._number: dict[tuple[int, int], int] = {}

    @property
    def hold(self) -> Ints:
        """How long each series' reading holds, ms (R12)."""
        return np.full(self.n, REFERENCE_HOLD) if self.kind.reference else HOLD_PERIODS * self.period

    @property
    def longest_period(self) -> int:
        """The longest sampling period among the series, ms."""
        return int(self.period.max(initial=0))

    def add(self, sensor: Ints, cell: Ints, period: Ints, retired: Ints, registered: Ints) -> Ints:
        """Number new series, renew the attributes of known ones; returns the number of each row."""
        numbers = np.empty(len(sensor), np.int64)
        for i, key in enumerate(zip(sensor.tolist(), cell.tolist(), strict=True)):
            numbers[i] = self._number.setdefault(key, len(self._number))
        if (grown := len(self._number) - self.n) > 0:
            for name in _COLUMNS:
                self._grow(name, grown)
            self.n += grown
        self.sensor[numbers], self.cell[numbers], self.period[numbers] = sensor, cell, period
        self.retired[numbers] = retired
        self.registered[numbers] |= registered
        return numbers

    def restore(self, columns: dict[str, Any]) -> None:
        """Take up the series of a snapshot: ``position`` and a column per attribute."""
        self.position = columns["position"]
        for name in _COLUMNS:
            setattr(self, name, columns[name].copy())
        self.n = len(self.sensor)
        keys = zip(self.sensor.tolist(), self.cell.tolist(), strict=True)
        self._number = {key: i for i, key in enumerate(keys)}

    def _grow(self, name: str, by: int) -> None:
        fill = {"first": FOREVER, "last_ts": NEVER}.get(name, 0)
        setattr(self, name, np.concatenate((getattr(self, name), np.full(by, fill, np.int64))))

    def insert(self, series: Ints, ts: Ints, value: Ints) -> tuple[Ints, Ints]:
        """Take readings in arrival order; returns series and ts of those that replace no other (R7)."""
        np.minimum.at(self.first, series, ts)
        fresh = self.ring.insert(series, ts, value, self.n)
        past = ts <= self.position
        if past.any():
            self._remember(series[past], ts[past], value[past])
        return fresh

    def _remember(self, series: Ints, ts: Ints, value: Ints) -> None:
        order = np.argsort(ts, kind="stable")
        series, ts, value = series[order], ts[order], value[order]
        newer = ts >= self.last_ts[series]
        self.last_ts[series[newer]], self.last_value[series[newer]] = ts[newer], value[newer]

    def latest(self, ends: Ints) -> tuple[Ints, Ints]:
        """Time and value of each series' latest reading at each instant: two int64[len(ends), n].

        ``ends`` ascend and are slice ends. NEVER where there was none (instants before :attr:`position`:
        none within the time the slices are kept).
        """
        ts, value = self.last_ts.copy(), self.last_value.copy()
        begin = self.position
        if ends[0] < begin:
            ts.fill(NEVER)
            begin = int(ends[0]) - self.kind.keep_ms - HOLD_PERIODS * self.longest_period
        out_ts = np.empty((len(ends), self.n), np.int64)
        out_value = np.empty((len(ends), self.n), np.int64)
        numbers = self.ring.number(ends)
        done = int(self.ring.number(np.array([begin]))[0]) if begin > NEVER else self._oldest() - 1
        for i, number in enumerate(numbers.tolist()):
            for k in self._between(done, number):
                part = self.ring.slices[k]
                rows = part.last_rows()
                ts[part.who], value[part.who] = part.ts[rows], part.value[rows]
            done = max(done, number)
            out_ts[i], out_value[i] = ts, value
        return out_ts, out_value

    def _oldest(self) -> int:
        return min(self.ring.slices, default=0)

    def _between(self, low: int, high: int) -> list[int]:
        if high - low > len(self.ring.slices):
            return sorted(k for k in self.ring.slices if low < k <= high)
        return [k for k in range(low + 1, high + 1) if k in self.ring.slices]

    def advance(self, to: int) -> None:
        """Make ``to``, a slice end, the instant that :attr:`last_ts` describes, and forget older slices."""
        if to <= self.position or not self.n:
            return
        ts, value = self.latest(np.array([to]))
        self.last_ts, self.last_value = ts[0], value[0]
        self.position = to
        self.ring.forget(to - self.kind.keep_ms - HOLD_PERIODS * self.longest_period)

    def known(self, ends: Ints) -> NDArray[np.bool_]:
        """Whether each series has an accepted reading at or before each instant and is not retired."""
        at = ends[:, None]
        return (self.first <= at) & (self.retired > at)

    def expected(self, ends: Ints, latest: Ints) -> NDArray[np.bool_]:
        """Whether each series counts as known for coverage: registered or seen in 7 d, not retired (R11)."""
        at = ends[:, None]
        seen = (latest > NEVER) & (latest > at - SEEN_WITHIN)
        return (seen | (self.registered != 0)) & (self.retired > at)
