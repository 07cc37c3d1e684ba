"""Integers kept in as few bytes as they need: int64 columns ↔ small columns with a common factor, ↔ bytes.

Sums of readings that are sent with one decimal share a large factor once they are whole numbers of their
metric's resolution; without it most fit in four bytes or fewer.

>>> small = Narrow.of(np.array([1_200_000, -300_000]))
>>> small.values, small.factor, small.wide().tolist()
(array([ 4, -1], dtype=int8), 300000, [1200000, -300000])
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_TYPES = tuple(np.dtype(name) for name in ("int8", "int16", "int32", "int64"))
_HEAD = struct.Struct("<IB")
_COLUMN = struct.Struct("<Bq")


@dataclass(frozen=True, slots=True)
class Narrow:
    """n integers: ``values`` of the smallest signed type, each to be multiplied by ``factor``."""

    values: NDArray[np.signedinteger[Any]]
    factor: int

    @classmethod
    def of(cls, values: Ints) -> Narrow:
        """Integers int64[n] without loss.

        >>> Narrow.of(np.array([2**62, 1])).values.dtype
        dtype('int64')
        """
        factor = int(np.gcd.reduce(values)) if len(values) else 1
        whole = values // factor if factor > 1 else values
        low, high = int(whole.min(initial=0)), int(whole.max(initial=0))
        fits = (t for t in _TYPES if np.iinfo(t).min <= low and high <= np.iinfo(t).max)
        return cls(whole.astype(next(fits)), max(factor, 1))

    def wide(self) -> Ints:
        """The integers, int64[n]."""
        wide = self.values.astype(np.int64)
        return wide * self.factor if self.factor > 1 else wide

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return self.values.nbytes


def pack(columns: Sequence[Narrow]) -> bytes:
    """Columns of equal length as bytes.

    >>> [c.wide().tolist() for c in unpack(pack([Narrow.of(np.array([7, 8]))]))]
    [[7, 8]]
    """
    parts = [_HEAD.pack(len(columns[0].values), len(columns))]
    for column in columns:
        parts.append(_COLUMN.pack(_TYPES.index(column.values.dtype), column.factor))
        parts.append(column.values.tobytes())
    return b"".join(parts)


def unpack(data: bytes) -> list[Narrow]:
    """The columns of ``pack``, in arrays of their own."""
    return unpack_from(data, 0)[0]


def unpack_from(data: bytes, at: int) -> tuple[list[Narrow], int]:
    """The columns that begin at a place in some bytes, and where they end."""
    n, count = _HEAD.unpack_from(data, at)
    found = []
    at += _HEAD.size
    for _ in range(count):
        kind, factor = _COLUMN.unpack_from(data, at)
        at += _COLUMN.size
        values = np.frombuffer(data, _TYPES[kind], n, at).copy()
        at += values.nbytes
        found.append(Narrow(values, factor))
    return found, at
