"""Slices at rest: the readings of a closed slice in as few bytes as they need, or outside the memory.

A slice that the present windows no longer touch is read only by late records, long windows and recovery.
Times are kept from the beginning of the slice, values without their common factor, and who reported how
often once for all slices in which the same series did: 4 to 8 bytes a reading instead of 40.

>>> awake = Slice.of(np.array([1, 0, 1]), np.array([1050, 1010, 1020]), np.array([700, 500, 600]))
>>> rested = Rested.of(awake, 1000, SharedArrays())
>>> rested.value.values.dtype, rested.awake().ts.tolist()
(dtype('int8'), [1010, 1020, 1050])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indicators.attic import Attic, Stored
from indicators.narrow import Narrow, pack, unpack_from
from indicators.shared_arrays import SharedArrays
from indicators.slices import Ints, Slice


class Kept(Protocol):
    """A slice in any form."""

    def awake(self) -> Slice:
        """The slice as it was."""

    def last(self) -> tuple[Ints, Ints, Ints]:
        """Series, time and value of each series' latest reading."""


@dataclass(frozen=True, slots=True)
class Rested:
    """The ``who`` int32[m] of a slice, ascending, how many readings each has, and the readings in order.

    ``begin`` is where the slice begins, ms; ``offset`` and ``value`` have a reading each.
    """

    who: NDArray[np.int32]
    count: Narrow
    begin: int
    offset: Narrow
    value: Narrow

    @classmethod
    def of(cls, awake: Slice, begin: int, pool: SharedArrays) -> Rested:
        """A slice that begins at an instant; series and counts are shared through ``pool``."""
        count = Narrow.of(awake.channel("count"))
        return cls(
            pool.share(awake.who.astype(np.int32)),
            Narrow(pool.share(count.values), count.factor),
            begin,
            Narrow.of(awake.ts - begin),
            Narrow.of(awake.value),
        )

    def awake(self) -> Slice:
        """The slice as it was."""
        who, count = self.who.astype(np.int64), self.count.wide()
        start = np.cumsum(count) - count
        return Slice(np.repeat(who, count), self.begin + self.offset.wide(), self.value.wide(), start, who)

    def last(self) -> tuple[Ints, Ints, Ints]:
        """Series, time and value of each series' latest reading."""
        return self.awake().last()

    def stowed(self, attic: Attic) -> Stowed:
        """The same in an attic."""
        data = pack([Narrow(self.who, 1), self.count]) + pack([self.offset, self.value])
        return Stowed(self.begin, attic.put(data))


@dataclass(frozen=True, slots=True)
class Stowed:
    """A slice in an attic; ``begin`` is where it begins, ms."""

    begin: int
    stored: Stored

    def awake(self) -> Slice:
        """The slice as it was."""
        data = self.stored.get()
        (who, count), rest = unpack_from(data, 0)
        (offset, value), _ = unpack_from(data, rest)
        return Rested(who.values.astype(np.int32), count, self.begin, offset, value).awake()

    def last(self) -> tuple[Ints, Ints, Ints]:
        """Series, time and value of each series' latest reading."""
        return self.awake().last()
