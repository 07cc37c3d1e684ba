"""Cases of one event type in one shard, and what they were at an instant.

A case is a row of transitions (status, time, severity); it lies in the cell of its earliest record with
coordinates. Evaluation at t sees transitions at or before t only, so the past can be asked again at any
time (FORMULAS.md section 4.3, R8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """All cases of one event type in one shard, ``n`` of them; ``places`` are all cells that ever had one."""

    def __init__(self, sla_ms: int) -> None:
        """No cases; ``sla_ms`` is the type's deadline for severity 1, -1 for none."""
        self.sla_ms = sla_ms
        self.n = 0
        self.places: set[int] = set()
        self.cell = np.empty(0, np.int64)
        self.located = np.empty(0, np.int64)
        self._number: dict[int, int] = {}
        self._rows: dict[int, CaseRow] = {}
        self._flat: tuple[Ints, NDArray[np.int8], Ints, NDArray[np.int8]] | None = None
        self._into: dict[tuple[str, ...], tuple[Ints, Ints]] = {}

    def put(self, row: CaseRow) -> int:
        """Take a case as it is now known; the cell it lay in before, -1 for none."""
        number = self._number.setdefault(row.case, self.n)
        if number == self.n:
            self.n += 1
            if self.n > len(self.cell):
                self._grow()
        if row.cell >= 0:
            self.places.add(row.cell)
        before = int(self.cell[number])
        self.cell[number], self.located[number] = row.cell, row.located
        self._rows[number] = row
        self._flat = None
        return before

    def _grow(self) -> None:
        more = max(64, len(self.cell))
        self.cell = np.concatenate((self.cell, np.full(more, -1, np.int64)))
        self.located = np.concatenate((self.located, np.full(more, FOREVER, np.int64)))

    def places_of(self, numbers: Ints) -> Ints:
        """Longitude, latitude, channel and when it was heard of each of some cases: int64[n, 4]."""
        found = [self._rows[number].place for number in numbers.tolist()]
        return np.array([(p.lon, p.lat, p.channel, p.heard) for p in found], np.int64).reshape(-1, 4)

    def rows(self) -> list[CaseRow]:
        """The cases as last put, for a snapshot."""
        return list(self._rows.values())

    def keys(self, numbers: Ints) -> Ints:
        """The ids of some cases by their numbers: int64[n] of the hashes they were put by."""
        return np.array([self._rows[number].case for number in numbers.tolist()], np.int64)

    @property
    def flat(self) -> tuple[Ints, NDArray[np.int8], Ints, NDArray[np.int8]]:
        """Case number, status, time and severity of every transition, by time."""
        if self._flat is None:
            self._into = {}
            rows = [(number, row) for number, row in self._rows.items() if row.cell >= 0 and len(row.ts)]
            numbers = np.repeat(
                np.array([number for number, _ in rows], np.int64),
                np.array([len(row.ts) for _, row in rows], np.int64),
            )
            ts = np.concatenate([np.empty(0, np.int64), *(row.ts for _, row in rows)])
            order = np.argsort(ts, kind="stable")
            none = np.empty(0, np.int8)
            status = np.concatenate([none, *(row.status for _, row in rows)])
            severity = np.concatenate([none, *(row.severity for _, row in rows)])
            self._flat = numbers[order], status[order], ts[order], severity[order]
        return self._flat

    def entered(self, statuses: tuple[str, ...], ends: Ints, window: int) -> tuple[Ints, Ints]:
        """Which cases entered any of the statuses inside (end - window, end] of which end, each pair once.

        Positions of ends and numbers of cases that have a place by then: two int64[n].
        """
        number, status, ts, _ = self.flat
        if statuses not in self._into:
            into = np.isin(status, [STATUS[s] for s in statuses])
            self._into[statuses] = number[into], ts[into]
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
        number, status, ts, _ = self.flat
        heard, ended = np.full(self.n, -FOREVER, np.int64), np.zeros(self.n, bool)
        np.maximum.at(heard, number, ts)
        ended[number[np.isin(status, ENDED)]] = True
        keep = (self.cell[: self.n] >= 0) & ~(ended & (heard < before))
        if keep.all():
            return
        kept = np.flatnonzero(keep)
        rows = [self._rows[number] for number in kept.tolist()]
        self.n, self.cell, self.located = len(kept), self.cell[kept], self.located[kept]
        self._rows = dict(enumerate(rows))
        self._number = {row.case: number for number, row in enumerate(rows)}
        self._flat = None


class CasesAt:
    """The cases of one type at instant ``t``: arrays of length n, times FOREVER where not reached."""

    def __init__(self, cases: TypeCases, t: int) -> None:
        """A view that sees transitions at or before ``t`` only."""
        self.cases = cases
        self.t = t
        number, status, ts, severity = cases.flat
        seen = int(np.searchsorted(ts, t, side="right"))
        self._number, self._status = number[:seen], status[:seen]
        self._ts, self._severity = ts[:seen], severity[:seen]

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
