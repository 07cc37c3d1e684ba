"""Rows of integers -> numbers in the order of their first appearance, whole columns at a time.

A hash table in numpy arrays: open addressing, all rows of a call probed side by side. It keeps the keys as
columns and a slot of four bytes, where a dictionary of tuples keeps objects, and it serves a million rows in
a few dozen array operations.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Ints = NDArray[np.int64]
Columns = tuple[NDArray[Any], ...]
"""One array per column of the key, all of length n."""

ABSENT = -1
_LEAST_BITS = 6
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


class KeyTable:
    """Numbers keys 0, 1, 2, ... as they first come; a key is one integer per column.

    Args:
        dtypes: the type of each column, an integer type that holds all its values.

    >>> table = KeyTable(np.int32, np.int64)
    >>> table.number(np.array([7, 7, 5]), np.array([1, 2, 1])).tolist()
    [0, 1, 2]
    >>> table.find(np.array([7, 9]), np.array([2, 2])).tolist(), len(table)
    ([1, -1], 3)
    """

    __slots__ = ("_columns", "_factors", "_length", "_shift", "_slots")

    def __init__(self, *dtypes: DTypeLike) -> None:
        self._columns: list[NDArray[Any]] = [np.zeros(0, dtype) for dtype in dtypes]
        # Random, so that nobody can choose keys that collide; no result depends on them.
        self._factors = [_factor() for _ in dtypes]
        self._length = 0
        self._resize(0)

    def __len__(self) -> int:
        return self._length

    @property
    def width(self) -> int:
        """How many columns a key has."""
        return len(self._columns)

    def column(self, index: int) -> NDArray[Any]:
        """The values of one column by number, as a view that is outdated once a key is added."""
        return self._columns[index][: self._length]

    def columns(self) -> Columns:
        """All columns."""
        return tuple(self.column(i) for i in range(len(self._columns)))

    def find(self, *keys: NDArray[Any]) -> Ints:
        """The numbers of n keys, int64[n]; ``ABSENT`` for those not in the table."""
        found = np.full(len(keys[0]), ABSENT)
        if not self._length:
            return found
        slot, rows = self._slot(keys), np.arange(len(found))
        while len(rows):
            number = self._slots[slot]
            taken = number != ABSENT
            equal = taken.copy()
            for own, key in zip(self._columns, keys, strict=True):
                # A free slot reads the last key; it counts for nothing.
                equal &= own[number] == key
            found[rows[equal]] = number[equal]
            going = np.flatnonzero(taken & ~equal)
            rows, keys = rows[going], tuple(key[going] for key in keys)
            slot = self._next(slot[going])
        return found

    def number(self, *keys: NDArray[Any]) -> Ints:
        """The numbers of n keys, int64[n]; new keys are numbered in their order."""
        found = self.find(*keys)
        missed = np.flatnonzero(found == ABSENT)
        if len(missed):
            found[missed] = self._add(tuple(key[missed] for key in keys))
        return found

    def widen(self, dtype: DTypeLike) -> None:
        """Add a column, 0 in all keys so far; their hashes stay the same."""
        self._columns.append(np.zeros(len(self._columns[0]), dtype))
        self._factors.append(_factor())

    def put(self, *keys: NDArray[Any]) -> None:
        """Take n keys that differ from each other and from all in the table, as from ``columns()``."""
        before, self._length = self._length, self._length + len(keys[0])
        if self._length > len(self._columns[0]):
            room = max(self._length, before + before // 2)
            self._columns = [_with_room(column, before, room) for column in self._columns]
        for own, key in zip(self._columns, keys, strict=True):
            own[before : self._length] = key
        if 2 * self._length > len(self._slots):
            self._resize(self._length)
            before = 0
        self._enter(np.arange(before, self._length))

    def _add(self, keys: Columns) -> Ints:
        """Number n keys of which none is in the table; some may be equal."""
        bits = _bits(len(keys[0]))
        first = _first_rows(keys, self._slot(keys, bits), bits)
        fresh = first == np.arange(len(first))
        number = np.cumsum(fresh) - 1 + self._length
        self.put(*(key[fresh] for key in keys))
        return number[first]

    def _slot(self, keys: Columns, bits: int = 0) -> Ints:
        """Where to look first: the high bits of a mixed multilinear hash."""
        mixed = keys[0].astype(np.uint64) * self._factors[0]
        for key, factor in zip(keys[1:], self._factors[1:], strict=True):
            mixed += key.astype(np.uint64) * factor
        mixed ^= mixed >> _HALF
        mixed *= _MIX
        slot: Ints = (mixed >> (np.uint64(64 - bits) if bits else self._shift)).astype(np.int64)
        return slot

    def _next(self, slot: Ints) -> Ints:
        return (slot + 1) & (len(self._slots) - 1)

    def _resize(self, count: int) -> None:
        """Empty slots for ``count`` keys, at most half of them taken after that."""
        bits = _bits(count)
        self._shift, self._slots = np.uint64(64 - bits), np.full(1 << bits, ABSENT, np.int32)

    def _enter(self, number: Ints) -> None:
        slot = self._slot(tuple(column[number] for column in self._columns))
        while len(number):
            free = self._slots[slot] == ABSENT
            self._slots[slot[free]] = number[free]
            # Of several keys at one free slot the last assigned has it; the others move on.
            going = self._slots[slot] != number
            number, slot = number[going], self._next(slot[going])


def _first_rows(keys: Columns, slot: Ints, bits: int) -> Ints:
    """For each of n keys the row where it comes first, int64[n].

    Equal keys look at the same slots in the same rounds, so whichever of them takes a slot, the first does.
    """
    first = np.empty(len(slot), np.int64)
    slots = np.full(1 << bits, ABSENT, np.int64)
    rows = np.arange(len(slot))
    while len(rows):
        free = np.flatnonzero(slots[slot] == ABSENT)[::-1]
        slots[slot[free]] = rows[free]  # of several the last assigned: the first row
        holder = slots[slot]
        equal = np.ones(len(rows), np.bool_)
        for key in keys:
            equal &= key[holder] == key[rows]
        first[rows[equal]] = holder[equal]
        going = ~equal
        rows, slot = rows[going], (slot[going] + 1) & (len(slots) - 1)
    return first


def _bits(count: int) -> int:
    return max(_LEAST_BITS, (2 * count).bit_length())


def _factor() -> np.uint64:
    return np.uint64(secrets.randbits(64) | 1)


def _with_room(column: NDArray[Any], used: int, room: int) -> NDArray[Any]:
    larger = np.zeros(room, column.dtype)
    larger[:used] = column[:used]
    return larger
