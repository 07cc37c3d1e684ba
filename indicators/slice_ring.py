"""The slices of one metric in order of time, and sums over many of them.

Sums over long windows are read from a coarser ring of whole hours, and from closed steps where the readings
are gone. Slices that the present windows no longer touch are at rest, those that only late records touch in
the attic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indicators.attic import Attic
from indicators.narrow import Narrow
from indicators.order import stable_order
from indicators.rested import Kept, Rested
from indicators.shared_arrays import SharedArrays
from indicators.slices import Channel, Ints, ReadingTest, Slice
from indicators.tiers import LAST, Last, Tier

_BEFORE_ALL = int(np.iinfo(np.int64).min)
_NEUTRAL = {"min": np.iinfo(np.int64).max, "max": np.iinfo(np.int64).min}


@dataclass(slots=True)
class _Sums:
    """Sums of one coarse step for the series that had readings in it."""

    who: NDArray[np.signedinteger[Any]]
    values: Ints


@dataclass(frozen=True, slots=True)
class _Packed:
    """The same in few bytes, kept for as long as an hour's readings are."""

    who: NDArray[np.int32]
    values: Narrow

    def wide(self) -> _Sums:
        return _Sums(self.who, self.values.wide())


_NOT_ASKED = _Packed(np.empty(0, np.int32), Narrow(np.empty(0, np.int8), 1))


class SliceRing:
    """The slices of one metric by number; slice k is (origin + (k - 1) * length, origin + k * length]."""

    def __init__(self, length: int, origin: int) -> None:
        """Slices of ``length`` ms whose borders lie at ``origin`` plus whole lengths."""
        self.length = length
        self.origin = origin
        self.slices: dict[int, Kept] = {}
        self.attic: Attic | None = None
        self._awake: set[int] = set()
        self._resting: set[int] = set()
        self._pool = SharedArrays()
        self.tests: dict[Channel, ReadingTest] = {}
        self.changed: set[int] = set()
        self.tier: Tier | None = None
        self._coarse: dict[tuple[int, Channel], _Packed | None] = {}
        self._step = max(1, 3_600_000 // length)

    def number(self, ts: Ints) -> Ints:
        """The slice each instant lies in."""
        return -((self.origin - ts) // self.length)

    def floor(self, instant: int) -> int:
        """The last slice end at or before an instant."""
        return self.origin + (instant - self.origin) // self.length * self.length

    def insert(self, series: Ints, ts: Ints, value: Ints, known: int) -> tuple[Ints, Ints]:
        """Add readings in arrival order; replaces a reading of the same series and time (R7).

        ``known`` is a number above every series. Returns series and ts of the readings that replace no other.
        """
        number = self.number(ts)
        low = int(number.min())
        within = ts - (self.origin + (number - 1) * self.length)
        key = ((number - low) * known + series) * (self.length + 1) + within
        order = stable_order(key, (int(number.max()) - low + 1) * known * (self.length + 1))
        key = key[order]
        last = np.ones(len(key), bool)
        np.not_equal(key[1:], key[:-1], out=last[:-1])
        order = order[last]
        series, ts, value, number = series[order], ts[order], value[order], number[order]
        cuts = np.flatnonzero(np.diff(number)) + 1
        fresh = np.ones(len(series), bool)
        for begin, end in zip(np.append(0, cuts), np.append(cuts, len(series)), strict=True):
            own = slice(begin, end)
            fresh[own] = self._put(int(number[begin]), series[own], ts[own], value[own])
        return (series, ts) if fresh.all() else (series[fresh], ts[fresh])

    def _put(self, k: int, series: Ints, ts: Ints, value: Ints) -> NDArray[np.bool_] | bool:
        self._touch(k)
        kept = self.slices.get(k)
        if kept is None:
            self.slices[k] = Slice.sorted(series, ts, value)
            return True
        old = kept.awake()
        span, base = self.length + 1, self.origin + (k - 1) * self.length
        old_key = old.series * span + (old.ts - base)
        key = series * span + (ts - base)
        at = np.searchsorted(old_key, key)
        fresh = np.ones(len(key), bool)
        inside = at < len(old_key)
        fresh[inside] = old_key[at[inside]] != key[inside]
        values = old.value.copy()
        values[at[~fresh]] = value[~fresh]
        at = at[fresh]
        self.slices[k] = Slice.sorted(
            np.insert(old.series, at, series[fresh]),
            np.insert(old.ts, at, ts[fresh]),
            np.insert(values, at, value[fresh]),
        )
        return fresh

    def take_out(self, series: Ints, begin: Ints, end: Ints) -> tuple[Ints, Ints, Ints]:
        """Remove the readings of series i in (begin[i], end[i]]; returns their series, ts and values.

        ``series`` are different. What closed steps hold of them stays.
        """
        place = np.full(int(series.max(initial=-1)) + 2, -1, np.int64)
        place[series] = np.arange(len(series))
        first, last = self.number(np.array([begin.min(initial=0) + 1, end.max(initial=0)])).tolist()
        parts = [np.empty((3, 0), np.int64)]
        for k in sorted(k for k in self.slices if first <= k <= last):
            old = self.slices[k].awake()
            row = place[np.minimum(old.series, len(place) - 1)]
            out = (row >= 0) & (old.ts > begin[row]) & (old.ts <= end[row])
            if not out.any():
                continue
            parts.append(np.stack((old.series[out], old.ts[out], old.value[out])))
            self._touch(k)
            self._resting.discard(k)
            if out.all():
                del self.slices[k]
                self._awake.discard(k)
            else:
                self.slices[k] = Slice.sorted(old.series[~out], old.ts[~out], old.value[~out])
        found = np.concatenate(parts, axis=1)
        return found[0], found[1], found[2]

    def _touch(self, k: int) -> None:
        """A slice is not what it was."""
        for coarse in [coarse for coarse in self._coarse if coarse[0] == -(-k // self._step)]:
            del self._coarse[coarse]
        self.changed.add(k)
        self._awake.add(k)

    def total(self, channel: Channel, low: int, high: int, size: int) -> Ints:
        """Per series the sum (or least, greatest) over slices low < k <= high: int64[size].

        Series without readings have 0, for ``min`` the largest and for ``max`` the least int64.
        """
        into = np.full(size, _NEUTRAL.get(str(channel), 0), np.int64)
        k, long = low + 1, high - low >= self._step
        while k <= high:
            end = min(high, -(-k // self._step) * self._step) if long else high
            whole = long and end - k + 1 == self._step
            for part in [self._coarse_sums(k, channel)] if whole else self._parts(k, end, channel):
                if part is not None:
                    _add(into, part, channel)
            k = end + 1
        return into

    def totals(self, channel: Channel, bounds: Sequence[tuple[int, int]], size: int) -> Ints:
        """`total` over many windows low < k <= high: int64[len(bounds), size].

        A window that overlaps the one before is that one with what enters it and without what leaves it.
        """
        out = np.empty((len(bounds), size), np.int64)
        before = None
        for row, (low, high) in zip(out, bounds, strict=True):
            if before is not None and self._slides(channel, before[1:], low, high):
                row[:] = before[0]
                self._slide(row, channel, before[1:], low, high)
            else:
                row[:] = self.total(channel, low, high, size)
            before = row, low, high
        return out

    def _slides(self, channel: Channel, before: tuple[int, int], low: int, high: int) -> bool:
        """Whether a window is cheaper had from the one before, all of whose slices that leave are there."""
        first, last = before
        if channel in {"min", "max"} or not first <= low <= last <= high:
            return False
        tier = self.tier
        if tier is not None and tier.until is not None and first < tier.until * (tier.length // self.length):
            return False
        return low - first + high - last < min(high - low, (high - low) // self._step + self._step)

    def _slide(self, row: Ints, channel: Channel, before: tuple[int, int], low: int, high: int) -> None:
        for numbers, add in (
            (range(before[1] + 1, high + 1), np.add),
            (range(before[0] + 1, low + 1), np.subtract),
        ):
            for k in numbers:
                part = self._fine_sums(k, channel)
                if part is not None:
                    row[part.who] = add(row[part.who], part.values)

    def _covered(self, channel: Channel) -> int:
        """The last slice that closed steps cover, below all slices where there is none."""
        tier = self.tier
        if tier is None or tier.until is None or channel not in tier.place:
            return _BEFORE_ALL
        return tier.until * (tier.length // self.length)

    def _parts(self, k: int, end: int, channel: Channel) -> list[_Sums | None]:
        """The sums of what there is of the slices k to ``end``: of closed steps where these cover them."""
        found, tier = list[_Sums | None](), self.tier
        if tier is not None:
            covered, size = min(self._covered(channel), end), tier.length // self.length
            while k <= covered:
                if (k - 1) % size == 0 and k + size - 1 <= covered:
                    closed = tier.sums((k - 1) // size + 1, channel)
                    found.append(None if closed is None else _Sums(*closed))
                    k += size
                else:
                    found.append(self._fine_sums(k, channel))
                    k += 1
        return found + [self._fine_sums(n, channel) for n in range(k, end + 1) if n in self.slices]

    def _fine_sums(self, k: int, channel: Channel) -> _Sums | None:
        kept = self.slices.get(k)
        if kept is None:
            return None
        found = kept.awake()
        return _Sums(found.who, found.channel(channel, self.tests.get(channel)))

    def _coarse_sums(self, first: int, channel: Channel) -> _Sums | None:
        """The sums over the hour that begins with a slice."""
        key = ((first - 1) // self._step + 1, channel)
        found = self._coarse.get(key, _NOT_ASKED)
        if found is _NOT_ASKED:
            parts = self._parts(first, first + self._step - 1, channel)
            present = [p for p in parts if p is not None and len(p.who)]
            if not present:
                self._coarse[key] = None
                return None
            who = np.unique(np.concatenate([p.who for p in present]))
            dense = np.full(int(who[-1]) + 1, _NEUTRAL.get(str(channel), 0), np.int64)
            for part in present:
                _add(dense, part, channel)
            share, values = self._pool.share, Narrow.of(dense[who])
            packed = Narrow(share(values.values), values.factor)
            found = self._coarse[key] = _Packed(share(who.astype(np.int32)), packed)
        return None if found is None else found.wide()

    @property
    def first_closed(self) -> int:
        """A slice before all closed steps, the largest number where there is none."""
        if self.tier is None or not self.tier.steps:
            return int(_NEUTRAL["min"])
        return (min(self.tier.steps) - 1) * (self.tier.length // self.length)

    def closed_last(self, low: int, high: int) -> tuple[list[Last], int]:
        """Last readings of the closed steps in low < k <= high, and the slice they end with."""
        if self.tier is None or self.tier.until is None or LAST not in self.tier.place:
            return [], low
        size = self.tier.length // self.length
        first, last = low // size, min(high // size, self.tier.until)
        return self.tier.latest(first, last), max(low, last * size)

    def of_members(self, low: int, high: int, member: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
        """Series, ts and value of the readings of some series in slices low < k <= high, in order of time."""
        parts = [self.slices[k].awake() for k in sorted(self.slices) if low < k <= high]
        inside = [member[p.series] for p in parts]
        empty = [np.empty(0, np.int64)]
        series, ts, value = (
            np.concatenate(empty + [c[keep] for c, keep in zip(columns, inside, strict=True)])
            for columns in ([p.series for p in parts], [p.ts for p in parts], [p.value for p in parts])
        )
        return series, ts, value

    def packed(self, low: int, high: int) -> tuple[Ints, Ints, Ints]:
        """Series, ts and value of the readings in slices low < k <= high, sorted by (series, ts)."""
        parts = [self.slices[k].awake() for k in range(low + 1, high + 1) if k in self.slices]
        if not parts:
            empty = np.empty(0, np.int64)
            return empty, empty, empty
        if len(parts) == 1:
            return parts[0].series, parts[0].ts, parts[0].value
        series = np.concatenate([p.series for p in parts])
        # A merge of slices that are sorted already, which is what a stable argsort is quickest at.
        order = np.argsort(series, kind="stable")
        ts = np.concatenate([p.ts for p in parts])[order]
        return series[order], ts, np.concatenate([p.value for p in parts])[order]

    @property
    def kept(self) -> Mapping[int, Kept]:
        """All slices by number."""
        return self.slices

    def dump(self, k: int) -> bytes:
        """A slice as bytes: int32 series, int64 times, int64 values."""
        return _bytes(self.slices[k].awake())

    def draft(self, k: int) -> Callable[[], bytes]:
        """What dumps a slice as it is now, whenever it is called and in whatever thread."""
        kept = self.slices[k]
        return partial(_bytes, kept) if isinstance(kept, Slice) else partial(bytes, self.dump(k))

    def load(self, k: int, data: bytes) -> None:
        """Take up a slice that was dumped."""
        n = len(data) // 20
        series: NDArray[np.int64] = np.frombuffer(data, np.int32, n).astype(np.int64)
        ts = np.frombuffer(data, np.int64, n, 4 * n).copy()
        value = np.frombuffer(data, np.int64, n, 12 * n).copy()
        self.slices[k] = Slice.sorted(series, ts, value)
        self._awake.add(k)

    def rest(self, before: int) -> None:
        """Pack the slices that end at or before an instant: their sums go, their readings need little."""
        keep = int(self.number(np.array([before]))[0])
        for k in [k for k in self._awake if k <= keep]:
            begin = self.origin + (k - 1) * self.length
            self.slices[k] = Rested.of(self.slices[k].awake(), begin, self._pool)
            self._awake.discard(k)
            self._resting.add(k)

    def stow(self, before: int) -> None:
        """Put the slices at rest that end at or before an instant into the attic, if there is one."""
        if self.attic is None:
            return
        keep = int(self.number(np.array([before]))[0])
        for k in [k for k in self._resting if k <= keep]:
            kept = self.slices[k]
            # A late record may have woken it since.
            if isinstance(kept, Rested):
                self.slices[k] = kept.stowed(self.attic)
            self._resting.discard(k)

    def forget(self, before: int) -> None:
        """Drop the slices that end at or before an instant."""
        keep = int(self.number(np.array([before]))[0])
        for k in [k for k in self.slices if k <= keep]:
            del self.slices[k]
            self._awake.discard(k)
            self._resting.discard(k)
        if self.tier is None:
            self._forget_coarse(keep)

    def forget_steps(self, before: int) -> None:
        """Drop the closed steps that end at or before an instant."""
        if self.tier is not None:
            self.tier.forget(before)
            self._forget_coarse(int(self.number(np.array([before]))[0]))

    def _forget_coarse(self, keep: int) -> None:
        for key in [key for key in self._coarse if key[0] * self._step <= keep]:
            del self._coarse[key]


def _add(into: Ints, part: _Sums, channel: Channel) -> None:
    who = part.who
    if channel == "min":
        into[who] = np.minimum(into[who], part.values)
    elif channel == "max":
        into[who] = np.maximum(into[who], part.values)
    else:
        into[who] += part.values


def _bytes(part: Slice) -> bytes:
    return b"".join((part.series.astype(np.int32).data, part.ts.data, part.value.data))
