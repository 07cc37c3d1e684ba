"""Thresholds: (level before, value, end of window) → level after, for many areas at once.

A level is *reached* where the value is at or beyond its ``raise`` bound, *entered* once it has been reached
for the time its ``for`` asks, and *held* until the value is back past its ``clear`` bound. Missing values
change nothing.

>>> ladder = Ladder((5.0, 10.0, math.nan, 50.0), (4.5, 9.0, math.nan, 45.0), (0, 0, 0, 0), high_bad=True)
>>> ladder.reached(np.array([4.0, 5.0, 30.0, 50.0, np.nan])).tolist()
[0, 1, 2, 4, 0]
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from alerts.evidence import Evidence
from indicators.tolerance import TOLERANCE, Array, Flags

Levels = NDArray[np.uint8]
"""Levels 0 (none) to 4 (red), one per area."""

Times = NDArray[np.int64]
"""Event times in epoch milliseconds."""

Rows = NDArray[np.int64]
"""Numbers of areas, 0 to n - 1."""

LEVELS = (1, 2, 3, 4)
"""Blue, yellow, orange, red."""

NEVER = int(np.iinfo(np.int64).min)
"""Stands for "at no time" where a time is expected."""


class Graded(Protocol):
    """What a ladder needs to know of an indicator; four bounds are one per level from blue to red."""

    @property
    def id(self) -> str:
        """The indicator, e.g. ``gas.leak_lel_max``."""

    @property
    def raises(self) -> Sequence[float]:
        """Four bounds at which a level is reached, NaN where it is not used."""

    @property
    def clears(self) -> Sequence[float]:
        """Four bounds beyond which a level is left."""

    @property
    def for_ms(self) -> Sequence[int]:
        """How long each of the four levels must be reached before it is entered, in ms."""

    @property
    def high_bad(self) -> bool:
        """True where great values are bad, False where small ones are."""


@dataclass(frozen=True)
class Ladder:
    """The bounds of one indicator: four of each, from blue to red.

    A level whose ``raises`` is NaN is not used. A used level without a ``clears`` bound is left where it
    was reached.
    """

    raises: tuple[float, ...]
    clears: tuple[float, ...]
    for_ms: tuple[int, ...]
    high_bad: bool

    @classmethod
    def of(cls, indicator: Graded) -> Self:
        """The ladder of a catalogue entry.

        Raises:
            ValueError: not four bounds of a sort, or a negative ``for``.
        """
        sizes = [len(bounds) for bounds in (indicator.raises, indicator.clears, indicator.for_ms)]
        if sizes != [4, 4, 4] or min(indicator.for_ms) < 0:
            raise ValueError(
                f"{indicator.id}: levels are blue, yellow, orange, red with for >= 0; found {sizes} bounds "
                f"and for {tuple(indicator.for_ms)}; give four of each, NaN (for: 0) where unused",
            )
        clears = (
            up if math.isnan(down) else down
            for up, down in zip(indicator.raises, indicator.clears, strict=True)
        )
        return cls(tuple(indicator.raises), tuple(clears), tuple(indicator.for_ms), indicator.high_bad)

    @cached_property
    def used(self) -> tuple[int, ...]:
        """The levels that have a bound, lowest first."""
        return tuple(level for level in LEVELS if not np.isnan(self.raises[level - 1]).all())

    @cached_property
    def patient(self) -> tuple[int, ...]:
        """The used levels that must be reached for some time before they are entered."""
        return tuple(level for level in self.used if self.for_ms[level - 1])

    def reached(self, value: Array, level_ok: Flags | None = None) -> Levels:
        """The highest level whose bound each value is at or beyond, of those ``level_ok`` allows."""
        top = np.zeros(value.shape, np.uint8)
        for level in self.used:
            top[_usable(self._over(value, self.raises[level - 1]), level_ok, level)] = level
        return top

    def held(self, previous: Levels, value: Array, level_ok: Flags | None = None) -> Levels:
        """The highest level not above ``previous`` whose clear bound the value is not back past."""
        top = np.zeros(value.shape, np.uint8)
        if not previous.any():
            return top
        for level in self.used:
            over = self._over(value, self.clears[level - 1]) & (previous >= level)
            top[_usable(over, level_ok, level)] = level
        return top

    def entered(
        self,
        top: Levels,
        since: Times,
        now_ms: int | Times,
        level_ok: Flags | None = None,
    ) -> Levels:
        """The highest level at or below ``top`` that has been reached long enough at ``now_ms`` (one or n).

        ``since``: int64[n, len(patient)], when each patient level (or a higher one) began to be reached
        without a break.
        """
        if not self.patient or not top.any():
            return top
        high = np.zeros(top.shape, np.uint8)
        for level in self.used:
            ripe = top >= level
            if level in self.patient:
                begun = since[:, self.patient.index(level)]
                ripe &= (begun != NEVER) & (begun <= now_ms - self.for_ms[level - 1])
            high[_usable(ripe, level_ok, level)] = level
        return high

    def step(self, end_ms: int, previous: Levels, since: Times, seen: Evidence) -> tuple[Levels, Times]:
        """Level and ``since`` after the window that ends at ``end_ms``; missing values leave both alone."""
        top = self.reached(seen.value, seen.level_ok)
        top[~seen.allowed] = 0
        begun = self._begun(end_ms, since, top, seen.known)
        entered = self.entered(top, begun, end_ms, seen.level_ok)
        after = np.maximum(entered, self.held(previous, seen.value, seen.level_ok))
        return _settle(previous, after, seen), begun

    def _begun(self, end_ms: int, since: Times, top: Levels, known: Flags) -> Times:
        if not self.patient:
            return since
        going = top[:, None] >= np.array(self.patient, np.uint8)
        begun = np.where(going, np.where(since == NEVER, end_ms, since), NEVER)
        return np.where(known[:, None], begun, since)

    def _over(self, value: Array, bound: float | Array) -> Flags:
        # The margin depends on both sides, but at this edge they are equal: one edge serves all values.
        slack = TOLERANCE * np.maximum(1.0, np.abs(bound))
        found: Flags = value >= bound - slack if self.high_bad else value <= bound + slack
        return found


def _usable(flags: Flags, level_ok: Flags | None, level: int) -> Flags:
    return flags if level_ok is None else flags & level_ok[:, level - 1]


def _settle(previous: Levels, after: Levels, seen: Evidence) -> Levels:
    after[~seen.allowed] = 0
    return np.where(seen.known, after, previous)


def target(ladder: Ladder, previous: Levels, seen: Evidence) -> Levels:
    """Levels uint8[n] after one value each, leaving every ``for`` aside: reached or still held.

    >>> ladder = Ladder((5.0, 10.0, 25.0, 50.0), (4.5, 9.0, 22.0, 45.0), (0, 0, 0, 0), high_bad=True)
    >>> was, now = np.array([4, 4, 4, 0], np.uint8), np.array([46.0, 44.0, np.nan, 4.9])
    >>> target(ladder, was, Evidence(now, np.full(4, True))).tolist()
    [4, 3, 4, 0]
    """
    reached = ladder.reached(seen.value, seen.level_ok)
    return _settle(previous, np.maximum(reached, ladder.held(previous, seen.value, seen.level_ok)), seen)
