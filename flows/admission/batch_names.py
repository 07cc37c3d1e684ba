"""The names in a batch of records -> numbers, each looked up once where they come by codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flows.batches import Ints
from flows.decoding.columns import Names


def numbered(names: Names, numbers: Callable[[list[str]], Ints]) -> Ints:
    """Numbers of n texts; where they are given by codes, only the codes that occur are looked up.

    >>> names = Names(np.array([2, 0, 2], np.int32), ["a", "b", "cc"])
    >>> numbered(names, lambda texts: np.array([len(text) for text in texts])).tolist()
    [2, 1, 2]
    """
    if names.codes is None:
        return numbers(names.values)
    occurs = np.zeros(len(names.values), np.bool_)
    occurs[names.codes] = True
    used = np.flatnonzero(occurs)
    table = np.zeros(len(names.values), np.int64)
    table[used] = numbers([names.values[code] for code in used.tolist()])
    return table[names.codes]


def some(names: Names, rows: Ints) -> Names:
    """The texts of some of n records."""
    if names.codes is None:
        return Names(None, [names.values[row] for row in rows.tolist()])
    return Names(names.codes[rows], names.values)
