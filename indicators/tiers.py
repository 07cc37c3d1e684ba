"""Sums of long past steps, kept when the readings themselves are gone (FORMULAS.md section 4.5).

A step holds, for the series that had readings in it, exactly what the plan asks for: counts, sums, extremes,
counters, the last reading, the integral of the held value. Steps are closed once no record to come can change
them.

>>> tier = Tier(3_600_000, 0, ("sum",))
>>> tier.put(1, np.array([4, 7]), {"sum": np.array([10, 20])})
>>> tier.sums(1, "sum")[1].tolist(), tier.until
([10, 20], 1)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indicators.attic import Attic, Stored
from indicators.narrow import Narrow, pack, unpack
from indicators.shared_arrays import SharedArrays

Ints = NDArray[np.int64]
Channel = Hashable
"""A channel of slices, or one of ``LAST_TS``, ``LAST``, ``INTEGRAL``, ``COVERED``."""

LAST_TS, LAST = "last_ts", "last"
"""Time (ms before the step's end; -1: none) and value of a series' last reading in the step."""
INTEGRAL, COVERED = "integral", "covered"
"""Of the value held through the step: value times ms, and ms covered (R12)."""


@dataclass(frozen=True, slots=True)
class Last:
    """The last reading of each of some series: time in ms and value."""

    who: NDArray[np.int32]
    ts: Ints
    value: Ints

    def last(self) -> tuple[NDArray[np.int32], Ints, Ints]:
        """Series, time and value."""
        return self.who, self.ts, self.value


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the series ``who`` int32[n], ascending, and a column per channel."""

    who: NDArray[np.int32]
    columns: tuple[Narrow, ...]


class Tier:
    """The closed steps of one metric; step k is (origin + (k - 1) * length, origin + k * length]."""

    def __init__(self, length: int, origin: int, channels: tuple[Channel, ...]) -> None:
        """No step is closed."""
        self.length = length
        self.origin = origin
        self.channels = channels
        self.place = {channel: i for i, channel in enumerate(channels)}
        self.steps: dict[int, Step | Stored] = {}
        self.attic: Attic | None = None
        self._fresh: set[int] = set()
        self.changed: set[int] = set()
        self.until: int | None = None
        self._pool = SharedArrays()

    def end(self, k: int) -> int:
        """When a step ends, ms."""
        return self.origin + k * self.length

    def number(self, instant: int) -> int:
        """The step an instant lies in."""
        return -((self.origin - instant) // self.length)

    @property
    def closed(self) -> int | None:
        """The instant up to which steps are closed, None before the first."""
        return None if self.until is None else self.end(self.until)

    def put(self, k: int, who: Ints, columns: Mapping[Channel, Ints]) -> None:
        """Close a step; one without readings is closed too, but leaves nothing."""
        self.until = k
        if not len(who):
            return
        self._keep(k, who, [Narrow.of(columns[channel]) for channel in self.channels])
        self.changed.add(k)

    def _keep(self, k: int, who: NDArray[np.signedinteger[Any]], columns: Iterable[Narrow]) -> None:
        """Where a series had one reading, its sum and its extremes are one; most counts are those before."""
        share = self._pool.share
        kept = tuple(Narrow(share(column.values), column.factor) for column in columns)
        self.steps[k] = Step(share(who.astype(np.int32)), kept)
        self._fresh.add(k)

    def _step(self, k: int) -> Step | None:
        found = self.steps.get(k)
        return found if found is None or isinstance(found, Step) else _unpacked(found.get())

    def stow(self, before: int) -> None:
        """Put the steps that end at or before an instant into the attic, if there is one."""
        if self.attic is None:
            return
        keep = (before - self.origin) // self.length
        for k in [k for k in self._fresh if k <= keep]:
            self.steps[k] = self.attic.put(self.dump(k))
            self._fresh.discard(k)

    def sums(self, k: int, channel: Channel) -> tuple[NDArray[np.int32], Ints] | None:
        """The series of a step and their column, None where nobody had readings."""
        found = self._step(k)
        return None if found is None else (found.who, found.columns[self.place[channel]].wide())

    def latest(self, low: int, high: int) -> list[Last]:
        """The last readings of the steps low < k <= high, in order of time."""
        if high - low > len(self.steps):
            numbers = [k for k in sorted(self.steps) if low < k <= high]
        else:
            numbers = [k for k in range(low + 1, high + 1) if k in self.steps]
        return [self._last(k) for k in numbers]

    def _last(self, k: int) -> Last:
        ts, value = self.sums(k, LAST_TS), self.sums(k, LAST)
        if ts is None or value is None:
            return Last(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64))
        heard = ts[1] >= 0
        return Last(ts[0][heard], self.end(k) - ts[1][heard], value[1][heard])

    def forget(self, before: int) -> None:
        """Drop the steps that end at or before an instant."""
        keep = (before - self.origin) // self.length
        for k in [k for k in self.steps if k <= keep]:
            del self.steps[k]
            self._fresh.discard(k)

    def of(self, series: Ints, size: int) -> Tier:
        """The same for some of the ``size`` series, renumbered from 0; steps are selected when asked for."""
        return _Selected(self, series, size)

    @property
    def nbytes(self) -> int:
        """Bytes of all steps in memory, each array counted once."""
        steps = [step for step in self.steps.values() if isinstance(step, Step)]
        arrays = (a for step in steps for a in (step.who, *(c.values for c in step.columns)))
        return sum({id(array): array.nbytes for array in arrays}.values())

    # -- on disk ---------------------------------------------------------------------------------------

    @property
    def kept(self) -> Mapping[int, object]:
        """All steps by number."""
        return self.steps

    def dump(self, k: int) -> bytes:
        """A step as bytes."""
        step = self.steps[k]
        return step.get() if not isinstance(step, Step) else pack([Narrow(step.who, 1), *step.columns])

    def load(self, k: int, data: bytes) -> None:
        """Take up a step that was dumped."""
        step = _unpacked(data)
        self._keep(k, step.who, step.columns)


def _unpacked(data: bytes) -> Step:
    who, *columns = unpack(data)
    return Step(who.values.astype(np.int32), tuple(columns))


class _Selected(Tier):
    """Some series of a tier."""

    def __init__(self, whole: Tier, series: Ints, size: int) -> None:
        super().__init__(whole.length, whole.origin, whole.channels)
        self.until = whole.until
        self._whole = whole
        self._renumbered = np.full(size, -1, np.int64)
        self._renumbered[series] = np.arange(len(series))
        self.steps = whole.steps

    def sums(self, k: int, channel: Channel) -> tuple[NDArray[np.int32], Ints] | None:
        found = self._whole.sums(k, channel)
        if found is None:
            return None
        who = self._renumbered[found[0]]
        own = who >= 0
        return who[own].astype(np.int32), found[1][own]
