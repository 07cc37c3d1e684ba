"""times in arrival order -> (released, honest?, running maximum before each): one partition's sense of time.

R4 and R6 judge a record against the running maximum of its own partition in arrival order. Both are pure
functions of the partition's sequence of records, so cutting it into batches differently changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.batches import Ints

Bools = NDArray[np.bool_]

NEVER = int(np.iinfo(np.int64).min // 4)
"""A time before every other, with room for subtraction: the maximum of a partition without records."""

WITNESSES = 5
"""Further records that decide whether a leap ahead was honest (R6)."""

SECOND = 1_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a partition's clock says of n records in arrival order.

    Rows 0 to ``released`` - 1 are judged, the others have to wait. ``honest`` is bool[released], False for
    a stamp from the future. ``before`` is int64[honest.sum()]: the running maximum before each honest
    record (``NEVER`` for the first of the partition).
    """

    released: int
    honest: Bools
    before: Ints


class PartitionClock:
    """The running maximum of one partition, fooled by no single future stamp.

    A record more than ``max_future`` ahead of the maximum (or the very first) is believed when more than half
    of the next five records are at or beyond it - ``max_future``. Where ``ceiling`` is set, as the live door
    does, it alone decides: what is beyond it is from the future. ``floor`` is how far the flow has gone on
    without the partition (R5): its records take effect after that, and are late by its own maximum alone.
    Times in ms.

    >>> clock = PartitionClock(max_disorder=10_000, max_future=300_000)
    >>> times = np.array([0, 1_000, 9_000_000, 2_000, 3_000, 4_000, 5_000, 6_000])
    >>> judged = clock.judge(times)
    >>> judged.released, judged.honest.tolist(), clock.maximum
    (8, [True, True, False, True, True, True, True, True], 6000)
    """

    __slots__ = ("ceiling", "floor", "max_disorder", "max_future", "maximum")

    def __init__(self, max_disorder: int = 10_000, max_future: int = 300_000, maximum: int = NEVER) -> None:
        self.max_disorder = max_disorder
        self.max_future = max_future
        self.maximum = maximum
        self.ceiling: int | None = None
        self.floor = NEVER

    def since(self, before: Ints) -> Ints:
        """What records with these maxima before them take effect after: the floor where that is higher."""
        return before if self.floor == NEVER else np.maximum(before, self.floor)

    def judge(self, ts: Ints, allowance: Ints | None = None) -> Judgement:
        """Judge n records that follow those judged before; rows not released must be given again, first.

        ``ts`` is int64[n] ms. ``allowance`` is int64[n] ms and given at the partition's end only: nothing
        has to wait then, and a last record without any to follow it may be that far ahead.
        """
        if not len(ts):
            return Judgement(0, np.ones(0, np.bool_), ts)
        if self.ceiling is not None:
            return self._below(self.ceiling, ts)
        running = np.maximum.accumulate(np.concatenate(([self.maximum], ts)))
        if not (ts > running[:-1] + self.max_future).any():
            self.maximum = int(running[-1])
            return Judgement(len(ts), np.ones(len(ts), np.bool_), running[:-1])
        honest, released = self._hear(ts, allowance)
        running = np.maximum.accumulate(np.concatenate(([self.maximum], ts[:released][honest])))
        self.maximum = int(running[-1])
        return Judgement(released, honest, running[:-1])

    def _below(self, ceiling: int, ts: Ints) -> Judgement:
        honest = ts <= ceiling
        running = np.maximum.accumulate(np.concatenate(([self.maximum], ts[honest])))
        self.maximum = int(running[-1])
        return Judgement(len(ts), honest, running[:-1])

    def _hear(self, ts: Ints, allowance: Ints | None) -> tuple[Bools, int]:
        """Which rows are honest, and how many rows could be decided."""
        further = np.minimum(WITNESSES, np.arange(len(ts))[::-1])
        votes = np.zeros(len(ts), np.int64)
        for k in range(1, min(WITNESSES, len(ts) - 1) + 1):
            votes[:-k] += ts[k:] >= ts[:-k] - self.max_future
        reach = np.full(len(ts), self.max_future)
        decided = further == WITNESSES
        if allowance is not None:
            decided[:] = True
            reach[-1] = max(self.max_future, allowance[-1])
        honest = decided & (2 * votes > further)
        # Rows believed by vote are a lower bound of the maximum: most doubtful rows are near enough to it.
        honest |= ts <= self._floor(ts, honest) + reach
        floor = self._floor(ts, honest)
        top = NEVER
        for i in np.flatnonzero(~honest).tolist():
            maximum = max(int(floor[i]), top)
            alone = allowance is not None and further[i] == 0 and maximum == NEVER
            if alone or ts[i] <= maximum + reach[i]:
                honest[i] = True
                top = max(top, int(ts[i]))
            elif not decided[i]:
                return honest[:i], i
        return honest, len(ts)

    def _floor(self, ts: Ints, honest: Bools) -> Ints:
        """int64[n]: the maximum before each row if only the rows already known to be honest counted."""
        seen = np.where(honest[:-1], ts[:-1], NEVER)
        return np.maximum.accumulate(np.concatenate(([self.maximum], seen))).astype(np.int64, copy=False)


def effective(ts: Ints, before: Ints, slice_ms: Ints | int, origin: int, max_disorder: int) -> Ints:
    """When a record takes effect: the end of its slice, or the first slice end after its watermark if later.

    ``ts`` and ``before`` (running maximum before the record) int64[n] ms, ``slice_ms`` the slice lengths;
    slice ends are ``origin`` + k x ``slice_ms``, a slice holds its end. Returns int64[n] ms.

    >>> effective(np.array([60_000, 60_001, 5_000]), np.array([NEVER, 0, 190_000]), 60_000, 0, 10_000)
    array([ 60000, 120000, 240000])
    """
    # The slice end of ts is the first after ts - 1, so both cases are "the first slice end after something".
    latest = np.maximum(ts - 1, before - max_disorder)
    length = np.asarray(slice_ms, np.int64)
    ends: Ints = ((latest - origin) // length + 1) * length + origin
    return ends


def grid(ts: Ints, before: Ints) -> Ints:
    """The end of the second of event time in which each record arrived, int64[n] ms.

    >>> grid(np.array([1_000, 1_001, 900]), np.array([NEVER, 1_000, 1_001])).tolist()
    [1000, 2000, 2000]
    """
    return -(-np.maximum(ts, before) // SECOND) * SECOND
