"""Cases of one event type in one shard, and what they were at an instant.

A case is a row of transitions (status, time, severity); it lies in the cell of its earliest record with
coordinates. Evaluation at t sees transitions at or before t only, so the past can be asked again at any
time (FORMULAS.md section 4.3, R8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indicators.case_steps import CaseSteps
from indicators.functions import STATUSES
from indicators.points import NOWHERE

Ints = NDArray[np.int64]

STATUS = {name: i for i, name in enumerate(STATUSES)}
ENDED = (STATUS["closed"], STATUS["rejected"])
"""What ends a case."""
FOREVER = np.iinfo(np.int64).max
SEVERITY_FACTOR = np.array([1.0, 1.0, 0.5, 0.25, 0.125])
"""The share of the default deadline by severity; 0 (never given) counts as 1: NOTES.md section 0."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case is: longitude and latitude in 1e-9 degree, NOWHERE where only the cell is known.

    ``channel`` is a hash of the channel it came by, 0 for none, known from ``heard`` (ms) on.
    """

    lon: int = NOWHERE
    lat: int = NOWHERE
    channel: int = 0
    heard: int = FOREVER


NO_PLACE = Place()
"""Nothing but the cell is known."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as it is now known: replaces what was known before.

    ``cell`` is the shard's cell number, -1 when the case has no place here (any more); ``located`` the time
    of the record that gave its place; the three columns are its transitions, ``place`` says it more exactly.
    """

    case: int
    cell: int
    located: int
    status: NDArray[np.int8]
    ts: Ints
    severity: NDArray[np.int8]
    place: Place = NO_PLACE


class TypeCases:
    """All cases of one event type in one shard, ``n`` of them; ``places`` are all cells that ever had one.

    Case i lies in ``cell[i]`` (-1: not here any more), known from ``located[i]`` ms on; both may be longer.
    """

    def __init__(self, sla_ms: int) -> None:
        """No cases; ``sla_ms`` is the type's deadline for severity 1, -1 for none."""
        self.sla_ms = sla_ms
        self.n = 0
        self.places: set[int] = set()
        self.cell = np.empty(0, np.int64)
        self.located = np.empty(0, np.int64)
        self._key = np.empty(0, np.int64)
        self._place = np.empty((0, 4), np.int64)
        self._number: dict[int, int] = {}
        self._fresh: dict[int, CaseRow] = {}
        self._steps = CaseSteps.none()
        self._into: dict[tuple[str, ...], tuple[Ints, Ints]] = {}

    def put(self, row: CaseRow) -> int:
        """Take a case as it is now known; the cell it lay in before, -1 for none."""
        number = self._number.setdefault(row.case, self.n)
        if number == self.n:
            self.n += 1
            if self.n > len(self.cell):
                self._resize(2 * max(32, len(self.cell)))
            self._key[number] = row.case
        if row.cell >= 0:
            self.places.add(row.cell)
        before = int(self.cell[number])
        place = row.place
        self.cell[number], self.located[number] = row.cell, row.located
        self._place[number] = place.lon, place.lat, place.channel, place.heard
        self._fresh[number] = row
        return before

    def _resize(self, room: int) -> None:
        more = room - len(self.cell)
        self.cell = np.concatenate((self.cell, np.full(more, -1, np.int64)))
        self.located = np.concatenate((self.located, np.full(more, FOREVER, np.int64)))
        self._key = np.concatenate((self._key, np.zeros(more, np.int64)))
        self._place = np.concatenate((self._place, np.zeros((more, 4), np.int64)))

    def places_of(self, numbers: Ints) -> Ints:
        """Longitude, latitude, channel and when it was heard of each of some cases: int64[n, 4]."""
        return self._place[numbers]

    def keys(self, numbers: Ints) -> Ints:
        """The ids of some cases by their numbers: int64[n] of the hashes they were put by."""
        return self._key[numbers]

    @property
    def steps(self) -> CaseSteps:
        """The transitions of all cases that have a place here."""
        if self._fresh:
            fresh = sorted(self._fresh.items())
            none = CaseSteps.none()
            gone = none.status, none.ts, none.severity
            self._steps = self._steps.merged(
                [
                    (number, *((row.status, row.ts, row.severity) if row.cell >= 0 else gone))
                    for number, row in fresh
                ]
            )
            self._fresh, self._into = {}, {}
        return self._steps

    def entered(self, statuses: tuple[str, ...], ends: Ints, window: int) -> tuple[Ints, Ints]:
        """Which cases entered any of the statuses inside (end - window, end] of which end, each pair once.

        Positions of ends and numbers of cases that have a place by then: two int64[n].
        """
        steps = self.steps
        if statuses not in self._into:
            into = np.isin(steps.status, [STATUS[s] for s in statuses])
            self._into[statuses] = steps.number[into], steps.ts[into]
        number, ts = self._into[statuses]
        low, high = (np.searchsorted(ts, at, side="right") for at in (ends - window, ends))
        counts = high - low
        end = np.repeat(np.arange(len(ends)), counts)
        row = np.arange(len(end)) - np.repeat(np.cumsum(counts) - counts, counts) + low[end]
        pairs = np.unique(end * max(self.n, 1) + number[row])
        end, number = pairs // max(self.n, 1), pairs % max(self.n, 1)
        there = (self.cell[number] >= 0) & (self.located[number] <= ends[end])
        return end[there], number[there]

    def at(self, t: int) -> CasesAt:
        """The cases as they were at an instant."""
        return CasesAt(self, t)

    def forget(self, before: int) -> None:
        """Drop the cases that ended (closed or rejected) and were last heard of before an instant.

        Those that have no place here any more go too. The others are numbered anew, in the same order.
        """
        steps = self.steps
        heard, ended = np.full(self.n, -FOREVER, np.int64), np.zeros(self.n, bool)
        np.maximum.at(heard, steps.number, steps.ts)
        ended[steps.number[np.isin(steps.status, ENDED)]] = True
        keep = (self.cell[: self.n] >= 0) & ~(ended & (heard < before))
        if not keep.all():
            self._take(self._columns(np.flatnonzero(keep)), steps.renumbered(keep))

    def _columns(self, rows: Ints | slice) -> tuple[Ints, Ints, Ints, Ints]:
        return self._key[rows], self.cell[rows], self.located[rows], self._place[rows]

    def _take(self, columns: tuple[Ints, Ints, Ints, Ints], steps: CaseSteps) -> None:
        self._key, self.cell, self.located, self._place = (column.copy() for column in columns)
        self.n = len(self._key)
        self._number = dict(zip(self._key.tolist(), range(self.n), strict=True))
        self._steps, self._fresh, self._into = steps, {}, {}

    def state(self) -> dict[str, Any]:
        """All cases as plain copied columns."""
        columns = tuple(column.copy() for column in self._columns(slice(self.n)))
        places = np.fromiter(sorted(self.places), np.int64, len(self.places))
        return {"cases": columns, "steps": astuple(self.steps), "places": places}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a ``state()``."""
        self._take(state["cases"], CaseSteps(*state["steps"]))
        self.places = set(state["places"].tolist())


class CasesAt:
    """The cases of one type at instant ``t``: arrays of length n, times FOREVER where not reached."""

    def __init__(self, cases: TypeCases, t: int) -> None:
        """A view that sees transitions at or before ``t`` only."""
        self.cases = cases
        self.t = t
        steps = cases.steps
        seen = int(np.searchsorted(steps.ts, t, side="right"))
        self._number, self._status = steps.number[:seen], steps.status[:seen]
        self._ts, self._severity = steps.ts[:seen], steps.severity[:seen]

    def first(self, status: str, since: Ints | None = None) -> Ints:
        """Time of each case's first transition into a status (not before ``since``)."""
        return self._earliest(self._status == STATUS[status], since)

    def _earliest(self, rows: NDArray[np.bool_], since: Ints | None = None) -> Ints:
        out = np.full(self.cases.n, FOREVER, np.int64)
        if since is not None:
            rows = rows & (self._ts >= since[self._number])
        np.minimum.at(out, self._number[rows], self._ts[rows])
        return out

    def reported(self) -> Ints:
        """Time of the report, or of the earliest transition where the report is missing."""
        found = self.first("reported")
        return np.where(found == FOREVER, self._earliest(np.ones(len(self._ts), bool)), found)

    def last_heard(self) -> Ints:
        """Time of each case's latest transition, least int64 where none."""
        out = np.full(self.cases.n, -FOREVER, np.int64)
        np.maximum.at(out, self._number, self._ts)
        return out

    def entered(self, statuses: tuple[str, ...], window: int) -> NDArray[np.bool_]:
        """Whether each case had a transition into one of the statuses inside (t - window, t]."""
        wanted = np.isin(self._status, [STATUS[s] for s in statuses]) & (self._ts > self.t - window)
        out = np.zeros(self.cases.n, bool)
        out[self._number[wanted]] = True
        return out & self.visible()

    def first_entered(self, statuses: tuple[str, ...], window: int) -> Ints:
        """Time of each case's first transition into one of the statuses inside (t - window, t]."""
        wanted = np.isin(self._status, [STATUS[s] for s in statuses]) & (self._ts > self.t - window)
        return self._earliest(wanted)

    def visible(self) -> NDArray[np.bool_]:
        """Whether each case has a place here by t."""
        n = self.cases.n
        return (self.cases.cell[:n] >= 0) & (self.cases.located[:n] <= self.t)

    def severity(self) -> NDArray[np.int8]:
        """The latest severity known by t, 1 if never given."""
        out = np.ones(self.cases.n, np.int8)
        given = self._severity > 0
        out[self._number[given]] = self._severity[given]
        return out

    def deadline(self, since: str, within: int | None) -> Ints:
        """t(since) plus the SLA by severity (or ``within``), FOREVER where ``since`` was not reached."""
        begin = self.first(since)
        if within is None:
            span = np.rint(self.cases.sla_ms * SEVERITY_FACTOR[self.severity()]).astype(np.int64)
        else:
            span = np.full(self.cases.n, within, np.int64)
        return np.where(begin == FOREVER, FOREVER, np.minimum(begin, FOREVER - span) + span)
