"""One case lane: transitions in, cases as now known out, to the shard lane of the cell each lies in.

A case lies where its earliest record with coordinates lies; a late earlier record moves it and all its
facts. Records are parked until the watermark passes the time at which they take effect, so the order in
which partitions are read cannot show. A case that has ended is forgotten once nothing was heard of it for as
long as indicators ask for ended cases; what comes later begins it anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from flows.batches import FINAL, CaseRecords, Ints
from flows.pieces import BEFORE, CaseNotices, CasePiece, Clock, Clocks, PlacedCase, PlacedCases
from indicators.calendar import DAY
from indicators.cases import ENDED, NO_PLACE, Place
from indicators.points import nanodegrees
from indicators.shard import CASES_KEPT

Record = tuple[int, int, int, int, int, int, int, int, int, int]
"""case, type, status, ts, effective, cell, severity, channel, longitude and latitude in 1e-9 degree"""
_WIDTH = 10
_COLUMNS = 8
"""Of a case in a snapshot, beside its transitions."""

_BITS, _SEVERITY_BITS = 8, 4
"""Of status and severity together, and of severity, in the number of a transition."""


@dataclass(slots=True)
class _Case:
    """What is known of one case; ``heard`` is the time of its latest transition.

    A transition is one number, see ``_code``: a set of numbers has a fourth of the objects that tuples have.
    """

    type: int
    cell: int = -1
    located: int = FINAL
    place: Place = NO_PLACE
    transitions: set[int] = field(default_factory=set)
    heard: int = BEFORE
    ended: bool = False
    kept: bytes = b""

    def packed(self, case: int) -> bytes:
        """Row and transitions as a snapshot has them, int64 one after the other; made when they changed."""
        if not self.kept:
            place = self.place.lon, self.place.lat, self.place.channel, self.place.heard
            row = case, self.type, self.cell, self.located, *place
            self.kept = np.array([*row, *self.transitions], np.int64).tobytes()
        return self.kept

    def add(self, ts: int, status: int, severity: int) -> None:
        self.transitions.add(_code(ts, status, severity))
        self.heard = max(self.heard, ts)
        self.ended |= status in ENDED

    def forgotten(self, at: int) -> bool:
        """Whether it counts for nothing any more at an instant."""
        return self.ended and self.heard < at - CASES_KEPT

    def placed(self, case: int, effective: int, *, late: bool, cell: int) -> PlacedCase:
        ts, status, severity = _decoded(np.array(sorted(self.transitions), np.int64))
        return PlacedCase(
            case=case,
            type=self.type,
            cell=cell,
            located=self.located,
            effective=effective,
            late=late,
            status=status.astype(np.int8),
            ts=ts,
            severity=severity.astype(np.int8),
            place=self.place,
        )


class CaseLane:
    """The logic of one case lane, free of the engine."""

    def __init__(  # noqa: PLR0913, PLR0917 - the settings of a lane, given once
        self,
        name: str,
        senders: Iterable[str],
        lanes: list[str],
        lane_of: Callable[[int], str],
        slice_ms: np.ndarray[Any, np.dtype[np.int64]],
        origin: int,
    ) -> None:
        """``lane_of`` a cell is the shard lane it belongs to; ``slice_ms`` that of each event type."""
        self.name = name
        self.clocks = Clocks(senders)
        self.lanes = lanes
        self.lane_of = lane_of
        self.slice_ms = slice_ms
        self.origin = origin
        self._cases: dict[int, _Case] = {}
        self._parked: dict[int, list[Record]] = defaultdict(list)
        self._told = BEFORE
        self._trimmed = BEFORE

    def take(self, pieces: Iterable[CasePiece]) -> list[tuple[str, PlacedCases]]:
        """Take pieces; act as far as the clocks allow."""
        for piece in pieces:
            if piece.records is not None:
                self._park(piece.records)
            self.clocks.hear(piece.sender, piece.clock)
        clock = self.clocks.least
        if clock.maximum <= self._told:
            return []
        self._told = clock.maximum
        return self._act(clock)

    def _park(self, records: CaseRecords) -> None:
        columns = (
            records.case,
            records.type,
            records.status,
            records.ts,
            records.effective,
            records.cell,
            records.severity,
            records.channel,
            nanodegrees(records.lon),
            nanodegrees(records.lat),
        )
        for row in zip(*(c.tolist() for c in columns), strict=True):
            self._parked[row[4]].append(row)

    def _act(self, clock: Clock) -> list[tuple[str, PlacedCases]]:
        placed: dict[str, list[PlacedCase]] = {lane: [] for lane in self.lanes}
        notices: list[tuple[int, int, int]] = []
        for effective in sorted(e for e in self._parked if e <= clock.watermark):
            self._apply(effective, self._parked.pop(effective), placed, notices)
        told = None
        if notices:
            table = np.array(notices, np.int64)
            told = CaseNotices(table[:, 0], table[:, 1], table[:, 2])
        self._forget(clock.watermark)
        return [(lane, PlacedCases(self.name, clock, placed[lane], told)) for lane in self.lanes]

    def _forget(self, until: int) -> None:
        """Once a day of event time let go of what no record can find any more: each takes effect later."""
        if until == FINAL or until - self._trimmed < DAY:
            return
        self._trimmed = until
        self._cases = {case: known for case, known in self._cases.items() if not known.forgotten(until)}

    def _apply(
        self,
        effective: int,
        records: list[Record],
        placed: dict[str, list[PlacedCase]],
        notices: list[tuple[int, int, int]],
    ) -> None:
        by_case: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_case[record[0]].append(record)
        for case, own in sorted(by_case.items()):
            known = self._cases.setdefault(case, _Case(own[0][1]))
            if known.forgotten(effective):
                known = self._cases[case] = _Case(own[0][1])
            before = known.cell
            late = self._add(known, own)
            if late is not None:
                moved = before != known.cell
                first = min(known.transitions) >> _BITS if moved else late
                notices.append((known.type, first, effective))
            if before >= 0 and before != known.cell and self.lane_of(before) != self.lane_of(known.cell):
                gone = known.placed(case, effective, late=late is not None, cell=-1)
                placed[self.lane_of(before)].append(gone)
            if known.cell >= 0:
                row = known.placed(case, effective, late=late is not None, cell=known.cell)
                placed[self.lane_of(known.cell)].append(row)

    def _add(self, known: _Case, records: list[Record]) -> int | None:
        """Add transitions; the earliest time of late ones, if any."""
        late: list[int] = []
        known.kept = b""
        for _, kind, status, ts, effective, cell, severity, channel, lon, lat in records:
            known.add(ts, status, severity)
            place = known.place
            if cell >= 0 and (ts, cell, lon, lat) < (
                known.located,
                known.cell if known.cell >= 0 else FINAL,
                place.lon,
                place.lat,
            ):
                known.cell, known.located = cell, ts
                known.place = place = replace(place, lon=lon, lat=lat)
            if channel and (ts, channel) < (place.heard, place.channel or FINAL):
                known.place = replace(place, channel=channel, heard=ts)
            length = int(self.slice_ms[kind])
            if effective > self.origin - (self.origin - ts) // length * length:
                late.append(ts)
        return min(late, default=None)

    @property
    def unplaced(self) -> int:
        """Cases that no record has given a place."""
        return sum(case.cell < 0 for case in self._cases.values())

    def state(self) -> dict[str, Any]:
        """Everything as plain tables."""
        kept = [known.packed(case) for case, known in self._cases.items()]
        numbers = np.frombuffer(b"".join(kept), np.int64)
        size = np.array([len(one) for one in kept], np.int64) // numbers.itemsize
        begin = np.cumsum(size) - size
        row = begin[:, None] + np.arange(_COLUMNS)
        codes = np.ones(len(numbers), np.bool_)
        codes[row] = False
        keys = numbers[begin].repeat(size - _COLUMNS)
        parked = [row for rows in self._parked.values() for row in rows]
        return {
            "version": 1,
            "cases": numbers[row],
            "transitions": np.column_stack((keys, *_decoded(numbers[codes]))),
            "parked": np.array(parked, np.int64).reshape(-1, _WIDTH),
            "clocks": {name: (c.maximum, c.limit) for name, c in self.clocks.by_sender.items()},
            "told": self._told,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        for key, kind, cell, located, *place in state["cases"].tolist():
            self._cases[key] = _Case(kind, cell, located, Place(*place))
        for key, ts, status, severity in state["transitions"].tolist():
            self._cases[key].add(ts, status, severity)
        for row in state["parked"].tolist():
            self._parked[row[4]].append(tuple(row))
        for name, (maximum, limit) in state["clocks"].items():
            if name in self.clocks.by_sender:
                self.clocks.hear(name, Clock(maximum, limit))
        self._told = state["told"]


def _code(ts: int, status: int, severity: int) -> int:
    """A transition as one number; numbers are ordered as (ts, status, severity) are."""
    return ts << _BITS | status << _SEVERITY_BITS | severity


def _decoded(codes: Ints) -> tuple[Ints, Ints, Ints]:
    """Times, statuses and severities."""
    status = codes >> _SEVERITY_BITS & (1 << _BITS - _SEVERITY_BITS) - 1
    return codes >> _BITS, status, codes & (1 << _SEVERITY_BITS) - 1
