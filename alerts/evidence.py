"""What windows say of areas, as it enters the levels: one value per area, and whether it may count."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indicators.tolerance import Array, Flags


@dataclass(frozen=True, slots=True)
class Evidence:
    """Values of m areas at one window end, or at k of them (then every array has a leading axis of k).

    ``value`` float64[m]: NaN is no data. ``allowed`` bool[m]: False (coverage, ``alarm_needs``) forces
    level 0. ``level_ok`` bool[m, 4]: False rules a level out (``level_needs``); None: all count.
    ``decided_ms``: event time at which this is known, in epoch ms. ``revision`` int32[m], or one for all.

    >>> value = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> past = Evidence(value, np.full((2, 2), True), decided_ms=90_000, revision=1)
    >>> past.at(1).value.tolist(), past.revision_at((1, 0))
    ([3.0, 4.0], 1)
    """

    value: Array
    allowed: Flags
    level_ok: Flags | None = None
    decided_ms: int = 0
    revision: NDArray[np.int32] | int = 0

    @property
    def known(self) -> Flags:
        """Where there is data."""
        return ~np.isnan(self.value)

    def at(self, index: int) -> Self:
        """The evidence of window end number ``index`` of several."""
        level_ok = None if self.level_ok is None else self.level_ok[index]
        revision = self.revision if isinstance(self.revision, int) else self.revision[index]
        return type(self)(self.value[index], self.allowed[index], level_ok, self.decided_ms, revision)

    def revision_at(self, place: tuple[int, ...]) -> int:
        """The revision of one value."""
        return self.revision if isinstance(self.revision, int) else int(self.revision[place])
