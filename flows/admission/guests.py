"""How many series a source part may bring of sensors that nobody registered, and which find room.

A gateway gone bad could otherwise fill the memory with sensors that it makes up, or with one that it moves
about. Who comes first is let in, so that the partition's order alone decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNLIMITED = int(np.iinfo(np.int64).max)

TOO_MANY = -2
"""In place of a pair or a series: there are as many of guests as there may be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one partition or file may bring: series of sensors that nobody registered, and cases."""

    series: int = UNLIMITED
    cases: int = UNLIMITED


NO_LIMITS = Limits()


@dataclass(slots=True)
class Guests:
    """Pairs of sensor and metric, and series, of sensors that nobody registered; of each at most ``most``."""

    most: int = UNLIMITED
    pairs: int = 0
    series: int = 0

    @property
    def room(self) -> int:
        """How many more pairs there may be; none or less where the registry has lost some."""
        return self.most - self.pairs

    @property
    def room_for_series(self) -> int:
        """How many more series there may be."""
        return self.most - self.series


def fitting(guest: NDArray[np.bool_], room: int) -> NDArray[np.bool_]:
    """Which of n new ones are no guests, or among the first ``room`` of them: bool[n].

    >>> fitting(np.array([True, False, True, True]), 2).tolist()
    [True, True, True, False]
    """
    fits: NDArray[np.bool_] = ~guest | (np.cumsum(guest) <= room)
    return fits
