"""The series of one metric in one shard: who they are, what they said last, and their slices.

A series is (sensor, metric, cell); all arrays are indexed by the series' number in this store. Times are
ms, values integer numbers of the metric's resolution (R2).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indicators.key_table import KeyTable
from indicators.latest import NEVER, Latest
from indicators.points import NOWHERE
from indicators.rested import Kept
from indicators.slice_ring import SliceRing
from indicators.slices import Channel, Ints
from indicators.tiers import LAST, Last

FOREVER = np.iinfo(np.int64).max
REFERENCE_HOLD = 48 * 3_600_000
"""How long a reference (a limit, a capacity) holds: NOTES.md section 0."""
HOLD_PERIODS = 3
"""How many sampling periods a reading holds (R12)."""
REACH_PERIODS = 2
"""How many sampling periods an aggregate reaches back where its window is empty (R12)."""
SEEN_WITHIN = 7 * 24 * 3_600_000
"""A sensor silent for longer is no longer expected to report (R11)."""

CHECKPOINT_MS = 3_600_000
"""How far apart the remembered latest readings lie that past windows are evaluated from."""
CHECKPOINTS = 3

REST_AFTER = 3_600_000
"""How long slices stay as they are evaluated fastest: longer than most windows."""
FRESH_STEPS = 26 * 3_600_000
"""How long closed steps stay in memory: a day of windows, and what is a little late."""

_COLUMNS = ("sensor", "cell", "period", "retired", "registered", "first", "lon", "lat")
_FILL = {"first": FOREVER, "lon": NOWHERE, "lat": NOWHERE}


@dataclass(frozen=True, slots=True)
class MetricKind:
    """What the store must know of its metric: ``scale`` is resolution units per unit (1e6 or 1)."""

    code: str
    scale: float
    reference: bool
    keep_ms: int
    """How far back a window end may ask, beyond some of the longest periods."""
    raw_ms: int = 0
    """How far back it may ask for single readings, where a tier keeps sums for longer; 0: for all."""
    fresh_ms: int = 0
    """How far back the slices of a window reach that no late record changes."""
    periods: int = HOLD_PERIODS
    """How many of the longest periods further back readings matter."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Series in the order of their cells: ``order``, the first place of each cell in it, and the cells."""

    order: NDArray[np.intp]
    start: NDArray[np.intp]
    cells: Ints

    @classmethod
    def of(cls, cell: Ints) -> Runs:
        """Runs of n series, ``cell`` int64[n].

        >>> Runs.of(np.array([7, 5, 7])).cells
        array([5, 7])
        """
        order = np.argsort(cell, kind="stable")
        sorted_cells = cell[order]
        first = np.ones(len(cell), bool)
        first[1:] = sorted_cells[1:] != sorted_cells[:-1]
        start = np.flatnonzero(first)
        return cls(order, start, sorted_cells[start])


class MetricStore:
    """The series of one metric; ``n`` of them."""

    def __init__(self, kind: MetricKind, ring: SliceRing) -> None:
        """An empty store whose slices are those of ``ring``."""
        self.kind = kind
        self.ring = ring
        self.n = 0
        self.sensor = np.empty(0, np.int64)
        self.cell = np.empty(0, np.int64)
        self.period = np.empty(0, np.int64)
        self.retired = np.empty(0, np.int64)
        self.registered = np.empty(0, np.int64)
        self.first = np.empty(0, np.int64)
        self.lon = np.empty(0, np.int64)
        self.lat = np.empty(0, np.int64)
        self._oldest = Latest.nothing()
        self._now = Latest.nothing()
        self._past: list[Latest] = []
        self._number = KeyTable(np.int64, np.int32)
        self._version = 0
        self._memo: tuple[tuple[int, bytes], tuple[Ints, Ints]] | None = None
        self._totals: dict[tuple[Channel, tuple[tuple[int, int], ...]], Ints] = {}
        self._totals_of = 0
        self._runs: Runs | None = None

    @property
    def runs(self) -> Runs:
        """The series cell by cell; made anew only when series were added."""
        if self._runs is None or len(self._runs.order) != self.n:
            self._runs = Runs.of(self.cell)
        return self._runs

    @property
    def position(self) -> int:
        """The slice end up to which readings in time have been taken in."""
        return self._now.position

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
        numbers = self._number.number(sensor, cell)
        if (grown := len(self._number) - self.n) > 0:
            for name in _COLUMNS:
                self._grow(name, grown)
            self.n += grown
            self._version += 1
            for latest in self._remembered():
                latest.grow(self.n)
        self.sensor[numbers], self.cell[numbers], self.period[numbers] = sensor, cell, period
        self.retired[numbers] = retired
        self.registered[numbers[np.flatnonzero(registered)]] = 1
        return numbers

    def stand(self, numbers: Ints, lon: Ints, lat: Ints) -> None:
        """Note where the sensors of some series stand, 1e-9 degree; NOWHERE changes nothing."""
        known = lon != NOWHERE
        self.lon[numbers[known]], self.lat[numbers[known]] = lon[known], lat[known]

    def _remembered(self) -> list[Latest]:
        return [self._oldest, *self._past, self._now]

    def state(self) -> dict[str, Any]:
        """The series and their latest readings as plain arrays; the slices are kept apart."""
        return {
            # Few arrays: each costs a snapshot more than its bytes do.
            "series": np.stack([getattr(self, name) for name in _COLUMNS]),
            "closed": None if self.ring.tier is None else self.ring.tier.until,
            **{
                name: (latest.position, np.stack((latest.ts, latest.value)))
                for name, latest in (("oldest", self._oldest), ("now", self._now))
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        for name, column in zip(_COLUMNS, state["series"], strict=True):
            setattr(self, name, column.copy())
        self.n = len(self.sensor)
        self._number = KeyTable(np.int64, np.int32)
        self._number.put(self.sensor, self.cell)
        if self.ring.tier is not None:
            self.ring.tier.until = state["closed"]
        self._oldest, self._now = (Latest(at, *said).copy() for at, said in (state["oldest"], state["now"]))

    def twin(self, kind: MetricKind, ring: SliceRing) -> MetricStore:
        """Another store of the same series under the same numbers, with the readings that are kept here.

        Its slices may be shorter; what only closed steps know of the past it does not know.
        """
        found = MetricStore(kind, ring)
        before = self._now
        if self.ring.slices:
            begin = self.ring.origin + (min(self.ring.slices) - 1) * self.ring.length
            ts, value = self.latest(np.array([begin]))
            before = Latest(begin, ts[0], value[0])
        oldest = before.position, np.stack((before.ts, before.value))
        found.restore(self.state() | {"closed": None, "oldest": oldest})
        for number in sorted(self.ring.slices):
            part = self.ring.slices[number].awake()
            ring.insert(part.series, part.ts, part.value, self.n)
        return found

    def _grow(self, name: str, by: int) -> None:
        fill = _FILL.get(name, 0)
        setattr(self, name, np.concatenate((getattr(self, name), np.full(by, fill, np.int64))))

    def insert(self, series: Ints, ts: Ints, value: Ints) -> tuple[Ints, Ints]:
        """Take readings in arrival order; returns series and ts of those that replace no other (R7)."""
        self._version += 1
        np.minimum.at(self.first, series, ts)
        fresh = self.ring.insert(series, ts, value, self.n)
        for latest in self._remembered():
            latest.remember(series, ts, value)
        return fresh

    def take_out(self, series: Ints, begin: Ints, end: Ints) -> tuple[Ints, Ints, Ints]:
        """Forget the readings of series i in (begin[i], end[i]]; returns their series, ts and values.

        They must be no older than what late records can change. When a series was first heard of stays.
        """
        found = self.ring.take_out(series, begin, end)
        self._version += 1
        before = np.full(self.n, NEVER), np.full(self.n, NEVER)
        before[0][series], before[1][series] = begin, end
        for latest in self._remembered():
            gone = np.flatnonzero((latest.ts > before[0]) & (latest.ts <= before[1]))
            if len(gone):
                self._look_back(latest, gone, before)
        return found

    def _look_back(self, latest: Latest, gone: Ints, without: tuple[Ints, Ints]) -> None:
        """Let some series have the last readings that are left; ``without`` those in a span."""
        at = self._oldest.copy()
        lost = (at.ts > without[0]) & (at.ts <= without[1])
        at.ts[lost], at.value[lost] = NEVER, 0
        at.roll(self._between(self.slice_at(at.position), self.slice_at(latest.position)))
        latest.ts[gone], latest.value[gone] = at.ts[gone], at.value[gone]

    def totals(self, channel: Channel, bounds: list[tuple[int, int]]) -> Ints:
        """Exact sums of a channel over slices low < k <= high: int64[len(bounds), n], not to be written to.

        Indicators that ask for the same windows share them.
        """
        if self._totals_of != self._version:
            self._totals.clear()
            self._totals_of = self._version
        key = channel, tuple(bounds)
        found = self._totals.get(key)
        if found is None:
            found = self._totals[key] = self.ring.totals(channel, bounds, self.n)
            found.setflags(write=False)
        return found

    def latest(self, ends: Ints) -> tuple[Ints, Ints]:
        """Time and value of each series' latest reading at each instant: two int64[len(ends), n].

        ``ends`` ascend and are slice ends; NEVER where there was none.
        """
        key = self._version, ends.tobytes()
        if self._memo is None or self._memo[0] != key:
            self._memo = key, self._latest(ends)
        return self._memo[1]

    def _latest(self, ends: Ints) -> tuple[Ints, Ints]:
        known = [latest for latest in self._remembered() if latest.position <= ends[0]]
        at = max(known, key=lambda latest: latest.position, default=self._oldest).copy()
        out_ts = np.empty((len(ends), self.n), np.int64)
        out_value = np.empty((len(ends), self.n), np.int64)
        done = self.slice_at(at.position)
        for i, number in enumerate(self.ring.number(ends).tolist()):
            at.roll(self._between(done, number))
            done = max(done, number)
            out_ts[i], out_value[i] = at.ts, at.value
        return out_ts, out_value

    def slice_at(self, position: int) -> int:
        """The number of the slice an instant lies in; before all slices where it is NEVER."""
        if position == NEVER:
            return min(self.ring.first_closed, min(self.ring.slices, default=1) - 1)
        return int(self.ring.number(np.array([position]))[0])

    def _between(self, low: int, high: int) -> list[Kept | Last]:
        steps, low = self.ring.closed_last(low, high)
        slices = self.ring.slices
        if high - low > len(slices):
            return [*steps, *(slices[k] for k in sorted(slices) if low < k <= high)]
        return [*steps, *(slices[k] for k in range(low + 1, high + 1) if k in slices)]

    def advance(self, to: int, close: Callable[[MetricStore, int], None] | None = None) -> None:
        """Move the latest readings to the last slice end by an instant, and forget what is out of use.

        ``close`` closes the steps of the store's tier that end by an instant.
        """
        to = self.ring.floor(to)
        if to <= self.position or not self.n:
            return
        if self.position // CHECKPOINT_MS != to // CHECKPOINT_MS:
            self._past = [*self._past[1 - CHECKPOINTS :], self._now.copy()]
        self._now.roll(self._between(self.slice_at(self.position), self.slice_at(to)))
        self._now.position = to
        self._version += 1
        if close is not None and self.ring.tier is not None:
            close(self, to - self.kind.raw_ms)
        self._forget_unused()
        self.ring.rest(to - REST_AFTER)
        self.ring.stow(to - REST_AFTER - self.kind.fresh_ms)
        if self.ring.tier is not None:
            self.ring.tier.stow(to - FRESH_STEPS)

    def _forget_unused(self) -> None:
        """Drop slices and closed steps that no window can ask for any more."""
        beyond = self.kind.periods * self.longest_period
        oldest = self.position - self.kind.keep_ms - beyond
        tier = self.ring.tier
        if tier is None:
            self._forget(oldest, self.ring.slices, self.ring.forget)
        elif tier.closed is not None:
            # The next step to close may hold values from before its beginning.
            readings = min(self.position - self.kind.raw_ms, tier.closed) - max(
                beyond, int(self.hold.max(initial=0))
            )
            if LAST in tier.place:
                self.ring.forget(self.ring.floor(readings))
                self._forget(oldest, tier.steps, self.ring.forget_steps)
            else:
                self._forget(readings, self.ring.slices, self.ring.forget)
                self.ring.forget_steps(oldest)

    def _forget(self, before: int, kept: Collection[int], forget: Callable[[int], None]) -> None:
        before = self.ring.floor(before)
        if kept and before > self._oldest.position:
            self._oldest.roll(self._between(self.slice_at(self._oldest.position), self.slice_at(before)))
            self._oldest.position = before
            forget(before)

    def excerpt(self, series: Ints, first: int, last: int) -> MetricStore:
        """Some of the series, with the readings in (first, last] only; asks this store what came before."""
        return _Excerpt(self, series, first, last)

    def known(self, ends: Ints) -> NDArray[np.bool_]:
        """Whether each series has an accepted reading at or before each instant and is not retired."""
        at = ends[:, None]
        return (self.first <= at) & (self.retired > at)

    def expected(self, ends: Ints, latest: Ints) -> NDArray[np.bool_]:
        """Whether each series counts as known for coverage: registered or seen in 7 d, not retired (R11)."""
        at = ends[:, None]
        seen = (latest > NEVER) & (latest > at - SEEN_WITHIN)
        expected: NDArray[np.bool_] = (seen | (self.registered != 0)) & (self.retired > at)
        return expected


class _Excerpt(MetricStore):
    """Some series of a store, for evaluating a few cells anew."""

    def __init__(self, whole: MetricStore, series: Ints, first: int, last: int) -> None:
        ring = SliceRing(whole.ring.length, whole.ring.origin)
        ring.tests = whole.ring.tests
        super().__init__(whole.kind, ring)
        self._whole = whole
        self._series = series
        for name in _COLUMNS:
            setattr(self, name, getattr(whole, name)[series])
        self.n = len(series)
        renumbered = np.full(whole.n, -1, np.int64)
        renumbered[series] = np.arange(self.n)
        slices = whole.slice_at(first), whole.slice_at(last)
        if whole.ring.tier is not None:
            ring.tier = whole.ring.tier.of(series, whole.n)
        rows, ts, value = whole.ring.of_members(*slices, renumbered >= 0)
        if len(rows):
            ring.insert(renumbered[rows], ts, value, self.n)

    def latest(self, ends: Ints) -> tuple[Ints, Ints]:
        ts, value = self._whole.latest(ends)
        return ts[:, self._series], value[:, self._series]
