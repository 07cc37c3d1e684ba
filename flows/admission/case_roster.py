"""Which cases a source part has opened: at most so many, the first come.

A gateway gone bad could otherwise fill the memory with cases that it makes up. A case that has ended leaves
its room once nothing was heard of it for as long as indicators ask for ended cases. Rooms are cleared when
the partition's running maximum comes to another day of UTC, so that its order alone decides who finds one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flows.admission.guests import UNLIMITED
from flows.admission.partition_clock import NEVER
from flows.admission.table import Table
from flows.batches import Ints
from indicators.calendar import DAY
from indicators.key_table import ABSENT, KeyTable
from indicators.shard import CASES_KEPT

Flags = NDArray[np.bool_]

_CASE = {"heard": np.int64, "ended": np.bool_}


class CaseRoster:
    """The cases that a partition knows, each with its last word and whether it has ended; at most ``most``.

    Without a limit nothing is kept.

    >>> roster = CaseRoster(most=2)
    >>> case, day = np.array([7, 8, 9, 7]), 86_400_000
    >>> ended, ts = np.array([False, True, False, False]), np.array([1, 2, 3, 4])
    >>> roster.admit(case, ended, ts, before=ts - 1).tolist()
    [True, True, False, True]
    >>> later = np.array([61 * day])
    >>> roster.admit(case[2:3], ended[:1], later, before=later).tolist(), len(roster)
    ([True], 2)
    """

    __slots__ = ("_day", "_keys", "_table", "most")

    def __init__(self, most: int = UNLIMITED) -> None:
        self.most = most
        self._keys, self._table = KeyTable(np.int64), Table(_CASE)
        self._day = NEVER // DAY

    def __len__(self) -> int:
        return len(self._keys)

    def admit(self, case: Ints, ended: Flags, ts: Ints, before: Ints) -> Flags:
        """Which of n records in arrival order are of a known case, or find room for another: bool[n].

        Args:
            case: int64[n], hashes of the cases' ids.
            ended: bool[n], whether a record ends its case.
            ts: int64[n], ms.
            before: int64[n], the partition's running maximum before each record, ms.
        """
        fits = np.ones(len(case), np.bool_)
        if self.most == UNLIMITED:
            return fits
        for rows in self._by_day(before // DAY):
            fits[rows] = self._take(case[rows], ended[rows], ts[rows])
        return fits

    def _by_day(self, day: Ints) -> Iterator[slice]:
        """The rows of each day; before them the rooms are cleared that it leaves."""
        cuts = np.flatnonzero(np.diff(day)) + 1
        for begin, end in pairwise([0, *cuts.tolist(), len(day)]):
            if begin < end and day[begin] > self._day:
                self._day = int(day[begin])
                self._forget(self._day * DAY - CASES_KEPT)
            yield slice(begin, end)

    def _take(self, case: Ints, ended: Flags, ts: Ints) -> Flags:
        fits = np.ones(len(case), np.bool_)
        new = np.flatnonzero(self._keys.find(case) == ABSENT)
        if len(new):
            fits[new] = KeyTable(np.int64).number(case[new]) < self.most - len(self)
        known = len(self)
        number = self._keys.number(case[fits])
        self._table.extend(len(self) - known, heard=NEVER, ended=False)
        np.maximum.at(self._table["heard"], number, ts[fits])
        self._table["ended"][number[ended[fits]]] = True
        return fits

    def _forget(self, before: int) -> None:
        """Forget the cases that have ended and were last heard of before an instant."""
        keep = ~(self._table["ended"] & (self._table["heard"] < before))
        if keep.all():
            return
        state = self.state()
        self._fill(state["case"][keep], state["heard"][keep], state["ended"][keep])

    def _fill(self, case: Ints, heard: Ints, ended: Flags) -> None:
        self._keys, self._table = KeyTable(np.int64), Table(_CASE)
        self._keys.put(case)
        self._table.extend(len(case), heard=heard, ended=ended)

    def state(self) -> dict[str, Any]:
        """Plain copy, 17 bytes a case."""
        return {"case": self._keys.column(0).copy(), "day": self._day, **self._table.state()}

    @classmethod
    def restore(cls, most: int, state: Mapping[str, Any]) -> Self:
        """The roster of ``state()``; a limit that is lower now lets nobody in before there is room."""
        roster = cls(most)
        if most != UNLIMITED:
            roster._day = int(state["day"])
            roster._fill(state["case"], state["heard"], state["ended"])
        return roster
