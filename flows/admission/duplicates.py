"""(series, ts, value) in arrival order -> duplicate?: the last eight readings of every series (R7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flows.admission.partition_clock import NEVER
from flows.batches import Ints
from flows.recovery.snapshots import narrow, wide
from indicators.order import stable_order

DEPTH = 8
"""Readings of a series that are remembered (R7); a power of two."""

_LAST = DEPTH - 1
_EMPTY = -1
"""The age of an entry that was never written."""

Bools = NDArray[np.bool_]


class Recent:
    """The last eight different times of each series and their values.

    A reading at a remembered time is a duplicate if its value is the same, else a correction, which replaces
    the value and leaves the order alone; any other reading pushes the oldest out.

    >>> recent = Recent()
    >>> series, ts, value = np.array([0, 0, 1, 0]), np.array([5, 5, 5, 5]), np.array([70, 70, 70, 71])
    >>> recent.duplicates(series, ts, value).tolist()
    [False, True, False, False]
    >>> recent.duplicates(series[:1], ts[:1], value[:1]).tolist()
    [False]
    """

    __slots__ = ("_latest", "_place", "_pushed", "_ts", "_value")

    def __init__(self) -> None:
        self._ts = np.full((0, DEPTH), NEVER)
        self._value = np.zeros((0, DEPTH), np.int64)
        # How many readings each series had, modulo 256: their places in the ring follow from it.
        self._pushed = np.zeros(0, np.uint8)
        self._latest = np.zeros(0, np.int64)
        self._place = np.zeros(0, np.int32)

    def duplicates(self, series: NDArray[np.integer[Any]], ts: Ints, value: Ints) -> Bools:
        """Remember n readings given in arrival order; bool[n], True for each duplicate.

        ``series`` are small non-negative integers, ``ts`` int64 ms, ``value`` int64.
        """
        found = np.zeros(len(ts), np.bool_)
        if not len(ts):
            return found
        self._grow(int(series.max()) + 1)
        if self._append(series, ts, value):
            return found
        order = _by_series(series)
        s, t, v = series[order], ts[order], value[order]
        first = np.concatenate(([True], s[1:] != s[:-1]))
        previous = np.where(first, self._latest[s], np.roll(t, 1))
        start = np.flatnonzero(first)
        length = np.diff(start, append=len(t))
        rising = np.logical_and.reduceat(t > previous, start)
        if rising.all():
            self._push(s, t, v, start, length)
            return found
        row_rises = np.repeat(rising, length)
        if rising.any():
            risen = length[rising]
            self._push(s[row_rises], t[row_rises], v[row_rises], np.cumsum(risen) - risen, risen)
        tangled = ~row_rises
        found[order[tangled]] = self._resolve(s[tangled], t[tangled], v[tangled])
        return found

    def _append(self, series: NDArray[np.integer[Any]], ts: Ints, value: Ints) -> bool:
        """The common case: every series once, later than all it had. False, and nothing done, otherwise."""
        if not (ts > self._latest[series]).all():
            return False
        here = np.arange(len(ts))
        self._place[series] = here
        if not (self._place[series] == here).all():
            return False
        pushed = self._pushed[series]
        entry = series * DEPTH + (pushed & _LAST)
        self._ts.ravel()[entry] = ts
        self._value.ravel()[entry] = value
        self._pushed[series] = pushed + 1
        self._latest[series] = ts
        return True

    def _grow(self, size: int) -> None:
        """Make room for series 0 to ``size`` - 1, and a quarter more: the cost per series is constant."""
        if size <= len(self._pushed):
            return
        more = max(size, 5 * len(self._pushed) // 4, 64) - len(self._pushed)
        self._ts = np.concatenate((self._ts, np.full((more, DEPTH), NEVER)))
        self._value = np.concatenate((self._value, np.zeros((more, DEPTH), np.int64)))
        self._pushed = np.concatenate((self._pushed, np.zeros(more, np.uint8)))
        self._latest = np.concatenate((self._latest, np.full(more, NEVER)))
        self._place = np.zeros(len(self._pushed), np.int32)

    def _push(self, s: NDArray[np.integer[Any]], t: Ints, v: Ints, start: Ints, length: Ints) -> None:
        """Append readings at times not remembered; rows are grouped by series, groups begin at ``start``."""
        which, many = s[start], length.max() > DEPTH
        rank = np.arange(len(t)) - np.repeat(start, length)
        entry = s * DEPTH + ((self._pushed[s] + rank) & _LAST)
        last = rank >= np.repeat(length, length) - DEPTH if many else slice(None)
        self._ts.ravel()[entry[last]] = t[last]
        self._value.ravel()[entry[last]] = v[last]
        self._pushed[which] += length.astype(np.uint8)
        self._latest[which] = np.maximum(self._latest[which], np.maximum.reduceat(t, start))

    def _resolve(self, s: NDArray[np.integer[Any]], t: Ints, v: Ints) -> Bools:
        """Readings grouped by series, some at or before earlier times: duplicates, bool[n].

        The remembered readings of the same series are put in front of them, so that one rule serves all.
        """
        which = np.unique(s)
        s0, t0, v0 = self._remembered(which)
        old = len(s0)
        s, t, v = np.concatenate((s0, s)), np.concatenate((t0, t)), np.concatenate((v0, v))
        arrival = _by_series(s)
        s, t, v = s[arrival], t[arrival], v[arrival]
        order = np.lexsort((t, s))
        again = np.concatenate(([False], (np.diff(s[order]) == 0) & (np.diff(t[order]) == 0)))
        pushed = _pushes(s, order, again)
        # Read only where a row wrote to an entry that was there: then the row before is of its time.
        previous = np.empty(len(s), np.int64)
        previous[order] = np.roll(order, 1)
        self._rewrite(which, s, t, v[_last_value(order, again, pushed)], pushed)
        duplicate = ~pushed & (v == v[previous])
        found = np.zeros(len(s), np.bool_)
        found[arrival] = duplicate
        return found[old:]

    def _remembered(self, which: NDArray[np.integer[Any]]) -> tuple[NDArray[Any], Ints, Ints]:
        """Series, time and value of all that is remembered of these series, oldest first in each."""
        slot = (self._pushed[which][:, None] + np.arange(DEPTH)) & _LAST
        times = np.take_along_axis(self._ts[which], slot, axis=1)
        values = np.take_along_axis(self._value[which], slot, axis=1)
        filled = times != NEVER
        return np.repeat(which, DEPTH).reshape(-1, DEPTH)[filled], times[filled], values[filled]

    def _rewrite(self, which: NDArray[Any], s: NDArray[Any], t: Ints, v: Ints, pushed: Bools) -> None:
        """Fill these series anew from all rows that made an entry, old and new."""
        s, t, v = s[pushed], t[pushed], v[pushed]
        start = np.flatnonzero(np.concatenate(([True], s[1:] != s[:-1])))
        self._ts[which] = NEVER
        self._pushed[which] = 0
        self._push(s, t, v, start, np.diff(start, append=len(s)))

    def state(self) -> dict[str, Any]:
        """Plain copy of the series that have readings, 73 bytes each, 137 where numbers are large."""
        newest = self._ts.max(axis=1, initial=NEVER)
        used = int(np.flatnonzero(newest != NEVER).max(initial=-1)) + 1
        ts, newest = self._ts[:used], newest[:used]
        last = self._value[np.arange(used), (self._pushed[:used] - 1) & _LAST]
        return {
            "newest": newest,
            "age": narrow(np.where(ts == NEVER, _EMPTY, newest[:, None] - ts)),
            # What a sensor sends is near what it sent last, however large it is.
            "last": last,
            "value": narrow(np.where(ts == NEVER, 0, self._value[:used] - last[:, None])),
            "place": self._pushed[:used] & _LAST,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """The memory of ``state()``."""
        recent = cls()
        age, newest = wide(state["age"]), state["newest"]
        recent._ts = np.where(age == _EMPTY, NEVER, newest[:, None] - age)
        recent._value = wide(state["value"]) + state["last"][:, None]
        recent._pushed = state["place"].copy()
        recent._latest = newest.copy()
        recent._place = np.zeros(len(recent._pushed), np.int32)
        return recent


def _by_series(series: NDArray[np.integer[Any]]) -> Ints:
    return stable_order(series, int(series.max(initial=0)) + 1)


def _pushes(s: NDArray[Any], order: Ints, again: Bools) -> Bools:
    """Which of n rows, grouped by series in arrival order, made a new entry.

    ``order`` sorts them by (series, time, arrival), and ``again`` marks there a row of the same time as the
    one before. The first row of a time always makes an entry; a later one does if eight others came since
    the last entry of that time. If all later rows are taken for repeats, the first one of a series that
    turns out not to be is certain, for all before it were right: each round settles one row per series.
    """
    pushed = np.empty(len(s), np.bool_)
    pushed[order] = ~again
    while True:
        entries, owner = np.cumsum(pushed), np.empty(len(s), np.int64)
        owner[order] = order[_begin(order, again, pushed)]
        gone = np.flatnonzero(~pushed & (entries - entries[owner] >= DEPTH))
        if not len(gone):
            return pushed
        pushed[gone[np.concatenate(([True], s[gone][1:] != s[gone][:-1]))]] = True


def _begin(order: Ints, again: Bools, pushed: Bools) -> Ints:
    """For each place of the order the place where the entry it wrote to was made."""
    return np.maximum.accumulate(np.where(~again | pushed[order], np.arange(len(order)), 0))


def _last_value(order: Ints, again: Bools, pushed: Bools) -> Ints:
    """For each of n rows that made an entry, the last row that wrote to it: itself or its last correction."""
    last = np.arange(len(order))
    # Of repeated targets numpy keeps the last assigned, and the order keeps arrivals of one time in order.
    last[order[_begin(order, again, pushed)]] = order
    return last
