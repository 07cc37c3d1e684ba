"""The ten levels of BeiDou grid location codes: how each divides its parent, and how they make a number.

Source: GB/T 39409-2020. A code is a mixed-radix number, most significant level first, one digit per level.
Hence, at one level, codes sort like their texts, a parent is one integer division, and the finest level still
fits int64 (3.5e18 codes).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COARSEST, FINEST = 1, 10
COLUMNS, ROWS = 61, 22
COLUMN_DEGREES, ROW_DEGREES = 6, 4


class Level(NamedTuple):
    """How one level divides its parent, an index step's weight in its digit, and the characters of that."""

    lons: int
    lats: int
    lon_weight: int
    lat_weight: int
    width: int

    @property
    def radix(self) -> int:
        """Codes in one code of the level above."""
        return self.lons * self.lats


_OCTETS = Level(8, 8, 8, 1, 2)
LEVELS = (
    Level(0, 0, 0, 0, 0),
    Level(COLUMNS, 2 * ROWS, ROWS, 1, 4),
    Level(12, 8, 8, 1, 2),  # 30′ × 30′
    Level(2, 3, 1, 2, 1),  # 15′ × 10′
    Level(15, 10, 10, 1, 2),  # 1′ × 1′
    Level(15, 15, 15, 1, 2),  # 4″ × 4″
    Level(2, 2, 1, 2, 1),  # 2″ × 2″
    *(_OCTETS,) * 4,
)

# Cells in one 6° column and in one 4° row, and codes in one code of level 1; by level.
ACROSS = [0, *np.cumprod([1, *(x.lons for x in LEVELS[2:])]).tolist()]
UP = [0, *np.cumprod([1, *(x.lats for x in LEVELS[2:])]).tolist()]
COUNT = [1, *np.cumprod([x.radix for x in LEVELS[1:]]).tolist()]


def count(level: int) -> int:
    """Number of codes of a level: every code lies in [0, count).

    >>> count(5), count(10) < 2**63
    (52176960000, True)
    """
    check(level)
    return int(COUNT[level])


def length(level: int) -> int:
    """Characters in the text of a code.

    >>> [length(level) for level in range(1, 11)]
    [4, 6, 7, 9, 11, 12, 14, 16, 18, 20]
    """
    check(level)
    return sum(x.width for x in LEVELS[1 : level + 1])


def check(level: int, coarsest: int = COARSEST, finest: int = FINEST) -> None:
    """Raise ValueError for a level outside the range."""
    if not coarsest <= level <= finest:
        msg = f"level must be {coarsest} to {finest}, found {level}: 5 is the 4″ × 4″ cell"
        raise ValueError(msg)


def digits(codes: Int64s, level: int) -> list[Int64s]:
    """Digits of valid codes: one array per level, 1 to `level`."""
    found: list[Int64s] = []
    for step in reversed(LEVELS[1 : level + 1]):
        coarser = codes // step.radix
        found.append(codes - coarser * step.radix)
        codes = coarser
    return found[::-1]


def checked(codes: npt.ArrayLike, level: int) -> Int64s:
    """`codes` as int64 [n]; negative ones ("no code") pass. Raises ValueError beyond the level's range."""
    check(level)
    found = np.atleast_1d(np.asarray(codes, dtype=np.int64)).ravel()
    if found.size and found.max() >= COUNT[level]:
        msg = f"{found.max()} is no code of level {level}: was it encoded at a finer level?"
        raise ValueError(msg)
    return found


def indexes(codes: Int64s, level: int) -> tuple[Bools, Int64s, Bools, Int64s]:
    """(is east, index of |lon|, is north, index of |lat|) of valid codes, in cells of `level`."""
    first, *finer = digits(codes, level)
    column, row = first // ROWS % COLUMNS, first % ROWS
    east, north = column > 30, first < COLUMNS * ROWS
    x, y = np.where(east, column - 31, 30 - column), row
    for step, digit in zip(LEVELS[2 : level + 1], finer, strict=True):
        x = x * step.lons + digit // step.lon_weight % step.lons
        y = y * step.lats + digit // step.lat_weight % step.lats
    return east, x, north, y
