"""Transitions of numbered cases, by time: whole columns, into which those of a few cases are merged.

A transition takes 18 bytes here, and a change of a few cases costs some copies of the columns, where objects
would be looked at one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.int8]
Flags = NDArray[np.bool_]

OneCase = tuple[int, Bytes, Ints, Bytes]
"""The number of a case, and status, time and severity of its transitions."""


@dataclass(frozen=True, slots=True)
class CaseSteps:
    """n transitions ascending by time, those of one case at one time in their order.

    ``number`` int64[n] says of which case each is, ``status`` int8[n] which one was reached, ``ts`` int64[n]
    ms when, ``severity`` int8[n] how severe the case was called, 0 where nobody said.

    >>> new, eight = np.array([0], np.int8), np.array([8])
    >>> steps = CaseSteps.of([(7, np.array([0, 1], np.int8), np.array([5, 9]), np.array([0, 0], np.int8))])
    >>> steps = steps.merged([(3, new, eight, new)])
    >>> steps.number.tolist(), steps.ts.tolist()
    ([7, 3, 7], [5, 8, 9])
    >>> steps.merged([(7, new, eight, new)]).number.tolist()
    [3, 7]
    """

    number: Ints
    status: Bytes
    ts: Ints
    severity: Bytes

    def __len__(self) -> int:
        return len(self.ts)

    @classmethod
    def none(cls) -> CaseSteps:
        """No transitions."""
        empty, small = np.empty(0, np.int64), np.empty(0, np.int8)
        return cls(empty, small, empty, small)

    @classmethod
    def of(cls, cases: Sequence[OneCase]) -> CaseSteps:
        """The transitions of some cases."""
        none = cls.none()
        number = np.array([case[0] for case in cases], np.int64)
        status, ts, severity = (
            np.concatenate([empty, *(case[column] for case in cases)])
            for column, empty in ((1, none.status), (2, none.ts), (3, none.severity))
        )
        found = cls(np.repeat(number, [len(case[2]) for case in cases]), status, ts, severity)
        return found.some(np.argsort(ts, kind="stable"))

    def some(self, rows: Ints | Flags) -> CaseSteps:
        """Some of them, ascending by time."""
        return CaseSteps(self.number[rows], self.status[rows], self.ts[rows], self.severity[rows])

    def merged(self, cases: Sequence[OneCase]) -> CaseSteps:
        """The same with these transitions in place of all that there were of these cases."""
        fresh = CaseSteps.of(cases)
        if not len(self):
            return fresh
        changed = np.array([case[0] for case in cases], np.int64)
        stale = np.zeros(max(int(self.number.max()), int(changed.max(initial=0))) + 1, np.bool_)
        stale[changed] = True
        kept = self.some(~stale[self.number])
        at = np.searchsorted(kept.ts, fresh.ts, side="right")
        return CaseSteps(
            np.insert(kept.number, at, fresh.number),
            np.insert(kept.status, at, fresh.status),
            np.insert(kept.ts, at, fresh.ts),
            np.insert(kept.severity, at, fresh.severity),
        )

    def renumbered(self, keep: Flags) -> CaseSteps:
        """Those of the cases that are kept (bool by number), numbered anew in the same order."""
        number = np.cumsum(keep) - 1
        kept = self.some(keep[self.number])
        return CaseSteps(number[kept.number], kept.status, kept.ts, kept.severity)
