"""Who stands beside whom: the sensors of one metric in one tile, and what moved there lately.

A group is a metric in a tile. Of each group and direction the two devices that moved last are remembered,
so that every sensor can ask for the last move of *another* device. Tiles never see each other, so results do
not depend on how tiles are dealt to lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indicators.cross_checks import CrossChecks

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = np.iinfo(np.int64).min // 2
"""The time of what has not happened."""

_NOT_YET = np.iinfo(np.int64).max
"""Later than anything."""

DOWN, UP = 0, 1
_SIGNS = {"same": 0, "opposite": 1, "any": 2}


@dataclass(frozen=True, slots=True)
class SensorSeries:
    """What is known of S series, int64 [S] each.

    ``device`` a number of the sensor, ``metric`` a position in the codes, ``tile`` the level-4 code of where
    it stands; ``low`` and ``high`` float64: no valid reading is beyond them.
    """

    device: Ints
    metric: Ints
    tile: Ints
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.device.size)

    @classmethod
    def none(cls) -> SensorSeries:
        """No series."""
        whole, number = np.empty(0, np.int64), np.empty(0)
        return cls(whole, whole, whole, number, number)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which group each series is compared with by which rule: int64 [P] each.

    ``row`` the series, ``group`` that of the other metric, ``own`` the series of the same device in it (-1),
    ``sign`` 0 same direction, 1 opposite, 2 any, ``lag`` ms, ``rule`` its number.
    """

    row: Ints
    group: Ints
    own: Ints
    sign: Ints
    lag: Ints
    rule: Ints

    def of(self, rows: Ints) -> Pairs:
        """The pairs of some series, given by a sorted list."""
        return self.at(np.flatnonzero(_among(self.row, rows)))

    def at(self, places: NDArray[np.integer]) -> Pairs:
        """The pairs at some places."""
        return Pairs(*(getattr(self, name)[places] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class First:
    """Who was first of each group, and when: int64 [groups], ``next`` when the next one was."""

    at: Ints
    who: Ints
    next: Ints

    def but(self, series: Ints, group: Ints) -> Ints:
        """When the first of each ``group`` was that is not the ``series`` beside it: int64 [n]."""
        found: Ints = np.where(self.who[group] == series, self.next[group], self.at[group])
        return found


def _among(values: Ints, some: Ints) -> Bools:
    if not some.size:
        return np.zeros(values.size, np.bool_)
    found: Bools = some[np.minimum(np.searchsorted(some, values), some.size - 1)] == values
    return found


class Neighbours:
    """The groups of a table of series, and the memory of their moves.

    >>> from indicators.metrics import Metrics
    >>> codes = tuple(Metrics.load().index)
    >>> one, two, bounds = np.array([1, 2]), np.array([7, 7]), np.array([0.0, 0.0])
    >>> beside = Neighbours(SensorSeries(one, two * 0, two, bounds, bounds + 9), CrossChecks.load(), codes)
    >>> beside.remember(np.array([0]), np.array([True]), at=60_000)
    >>> since, device = beside.moved(beside.group, one, UP)
    >>> (since > NEVER).tolist(), int(device[1])
    ([False, True], 1)
    """

    def __init__(self, series: SensorSeries, checks: CrossChecks, codes: tuple[str, ...]) -> None:
        """Arrange series; nothing has moved."""
        self.series = series
        self.keys = np.stack([series.tile, series.metric])
        self.group: Ints = np.empty(0, np.int64)
        if len(series):
            self.keys, group = np.unique(self.keys, axis=1, return_inverse=True)
            self.group = group.reshape(-1)
        self.size = np.bincount(self.group, minlength=self.groups)
        self.tiles, self.tile = np.unique(series.tile, return_inverse=True)
        self.fault, self.event = self._pairs(checks, codes, "fault"), self._pairs(checks, codes, "event")
        # [2, 2 * groups]: of the last mover and of the last other one, by group and direction.
        self.at = np.full((2, 2 * self.groups), NEVER, np.int64)
        self.by = np.full((2, 2 * self.groups), -1, np.int64)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.keys.shape[1])

    def remember(self, rows: Ints, up: Bools, at: int) -> None:
        """Series ``rows`` moved ``up`` or down at a time."""
        key, device = self.group[rows] * 2 + up, self.series.device[rows]
        order = np.lexsort((device, key))
        key, device = key[order], device[order]
        first = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if key.size else np.empty(0, np.int64)
        last = np.append(first[1:], key.size) - 1 if key.size else first
        key, one, other = key[first], device[first], device[last]
        # A second mover at the same time replaces the memory whole; a single one moves up unless first.
        several = one != other
        shifted = key[~several & (self.by[0, key] != one)]
        self.at[1, shifted], self.by[1, shifted] = self.at[0, shifted], self.by[0, shifted]
        self.at[0, key], self.by[0, key] = at, one
        self.at[1, key[several]], self.by[1, key[several]] = at, other[several]

    def moved(self, group: Ints, device: Ints, direction: NDArray[np.integer] | int) -> tuple[Ints, Ints]:
        """When another device of a group last moved in a direction, and which: int64 [n] each."""
        key = group * 2 + direction
        rank = (self.by[0, key] == device).astype(np.int64)
        return self.at[rank, key], self.by[rank, key]

    def others(self, flag: Bools) -> Ints:
        """Of how many series of its group, but for itself, a flag [S] holds: int64 [S]."""
        count: Ints = np.bincount(self.group, weights=flag, minlength=self.groups).astype(np.int64)
        return count[self.group] - flag

    def first(self, rows: Ints, at: Ints) -> First:
        """The first of every group among some ``rows``, by a time [S] each.

        >>> from indicators.metrics import Metrics
        >>> two, bounds = np.array([1, 2]), np.array([0.0, 0.0])
        >>> one = SensorSeries(two, two * 0, two * 0, bounds, bounds + 9)
        >>> beside = Neighbours(one, CrossChecks.load(), tuple(Metrics.load().index))
        >>> first = beside.first(np.array([0, 1]), np.array([70, 60]))
        >>> first.but(np.array([0, 1]), beside.group).tolist()
        [60, 70]
        """
        rows = rows[np.lexsort((rows, at[rows], self.group[rows]))]
        groups, begin, count = np.unique(self.group[rows], return_index=True, return_counts=True)
        found, who = np.full((2, self.groups), _NOT_YET), np.full(self.groups, -1, np.int64)
        found[0, groups], who[groups] = at[rows[begin]], rows[begin]
        several = count > 1
        found[1, groups[several]] = at[rows[begin[several] + 1]]
        return First(found[0], who, found[1])

    def devices_of_tile(self, rows: Ints) -> Ints:
        """How many different devices of each tile are among some series: int64 [tiles]."""
        pairs = np.unique(np.stack([self.tile[rows], self.series.device[rows]]), axis=1)
        return np.bincount(pairs[0], minlength=self.tiles.size)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What is remembered of the moves, copied."""
        return {"group_keys": self.keys.copy(), "moved_at": self.at.copy(), "moved_by": self.by.copy()}

    def recall(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take up what :meth:`arrays` gave, also of another table: groups have keys."""
        keys = arrays["group_keys"]
        both = np.concatenate([keys, self.keys], axis=1)
        _, place = np.unique(both, axis=1, return_inverse=True)
        place = place.reshape(-1)
        old, new = place[: keys.shape[1]], place[keys.shape[1] :]
        where = np.full(int(place.max(initial=-1)) + 1, -1, np.int64)
        where[old] = np.arange(old.size)
        found = np.flatnonzero(where[new] >= 0)
        for direction in (DOWN, UP):
            to, since = found * 2 + direction, where[new[found]] * 2 + direction
            self.at[:, to], self.by[:, to] = arrays["moved_at"][:, since], arrays["moved_by"][:, since]

    def _pairs(self, checks: CrossChecks, codes: tuple[str, ...], supports: str) -> Pairs:
        """Pairs of all rules that support something; event rules are read both ways."""
        number = {code: n for n, code in enumerate(codes)}
        parts = [np.empty((6, 0), np.int64)]
        for n, rule in enumerate(checks.rules):
            if rule.supports != supports:
                continue
            ways = {(b, a) for a in rule.when for b in rule.then if a != b}
            ways |= {(a, b) for b, a in ways} if supports == "event" else set()
            for suspect, witness in sorted(ways):
                if suspect in number and witness in number:
                    pairs = self._between(number[suspect], number[witness])
                    rest = [np.full(pairs.shape[1], x, np.int64) for x in (_SIGNS[rule.sign], rule.lag_ms, n)]
                    parts.append(np.concatenate([pairs, np.stack(rest)]))
        return Pairs(*np.concatenate(parts, axis=1))

    def _between(self, suspect: int, witness: int) -> Ints:
        """Series of one metric, the group of another in their tile, their device's own there: [3, p]."""
        rows = np.flatnonzero(self.series.metric == suspect)
        groups = np.flatnonzero(self.keys[1] == witness)
        if not rows.size or not groups.size:
            return np.empty((3, 0), np.int64)
        at = np.minimum(np.searchsorted(self.keys[0, groups], self.series.tile[rows]), groups.size - 1)
        there = self.keys[0, groups[at]] == self.series.tile[rows]
        rows, group = rows[there], groups[at[there]]
        device, others = self.series.device, np.flatnonzero(self.series.metric == witness)
        order = others[np.argsort(device[others], kind="stable")]
        own = order[np.minimum(np.searchsorted(device[order], device[rows]), order.size - 1)]
        same = (device[own] == device[rows]) & (self.group[own] == group)
        return np.stack([rows, group, np.where(same, own, -1)])
