"""The areas above the cells: partials of all shard lanes in, values of communities to city out.

One key owns all areas: a window's partials are a few thousand rows for a whole city, and a district never
needs a second merge to become part of the city's value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.batches import FINAL, Floats, Ints
from flows.city import City
from flows.pieces import BEFORE, MAX_DISORDER, AreaFrame, AreaPiece, Clock, Clocks, EarlyValues
from flows.publisher import Early, Past, Published, Publisher, Windows
from geo.areas import AreaKind
from indicators import expression
from indicators.evaluate import Evaluation, Frame
from indicators.judge import Judged, judge
from indicators.key_table import KeyTable
from indicators.layout import Cells
from indicators.plan import IndicatorPlan
from indicators.shard import Shard

CITY_UID = 0
_CHUNK = 4_096
"""Window ends judged at once."""


class _Areas:
    """Areas in order of appearance: row -> (kind, uid), the district each lies in, its text id.

    ``birth`` is the instant from which an area has rows whatever the data, FINAL for none.
    """

    def __init__(self, city: City) -> None:
        self._city = city
        self._number = KeyTable(np.int8, np.int64)
        self.kind = np.empty(0, np.int64)
        self.uid = np.empty(0, np.int64)
        self.district = np.empty(0, np.int64)
        self.birth = np.empty(0, np.int64)
        self._text = np.empty(0, "S1")
        self.rows(np.array([AreaKind.CITY]), np.array([CITY_UID]), np.array([-1]))
        self.birth[0] = BEFORE
        self.born(dict.fromkeys(city.areas.known_districts().tolist(), BEFORE))

    def rows(self, kind: Ints, uid: Ints, district: Ints) -> Ints:
        """The row of each area; new ones are added."""
        rows, known = self._number.number(kind, uid), len(self.kind)
        fresh = len(self._number) - known
        if fresh:
            new = np.flatnonzero(rows >= known)[::-1]
            first = np.empty(fresh, np.int64)
            first[rows[new] - known] = new  # of several rows the last assigned: the first
            self.kind = np.concatenate((self.kind, kind[first]))
            self.uid = np.concatenate((self.uid, uid[first]))
            self.district = np.concatenate((self.district, district[first]))
            self.birth = np.concatenate((self.birth, np.full(fresh, FINAL)))
            self._name(fresh)
        return rows

    def born(self, births: dict[int, int]) -> None:
        """Districts that have rows from an instant on (R13)."""
        if births:
            uid = np.array(list(births), np.int64)
            rows = self.rows(np.full(len(uid), int(AreaKind.DISTRICT)), uid, uid)
            np.minimum.at(self.birth, rows, np.array(list(births.values()), np.int64))

    def _name(self, count: int) -> None:
        kind, uid = self.kind[-count:], self.uid[-count:]
        texts = np.empty(count, object)
        for k in np.unique(kind).tolist():
            own = kind == k
            texts[own] = self._city.areas.ids(AreaKind(k), uid[own])
        self._text = np.concatenate((self._text, np.array([text.encode() for text in texts])))

    def describe(self, rows: Ints) -> tuple[NDArray[np.uint8], NDArray[np.bytes_]]:
        """Kind and text id of each row."""
        return self.kind[rows].astype(np.uint8), self._text[rows]


@dataclass(slots=True)
class _Queued:
    """A frame of one lane whose windows are not merged yet."""

    lane: str
    frame: AreaFrame


class AreaStep:
    """The logic of the area step, free of the engine."""

    def __init__(self, city: City, lanes: Iterable[str]) -> None:
        """No area has a value; waits for all ``lanes``."""
        self.city = city
        self.plan = city.plan
        self.clocks = Clocks(lanes)
        self.areas = _Areas(city)
        self.publisher = Publisher(city.plan, self.areas.describe)
        self.begin = FINAL
        self.closed = BEFORE
        self._queued: list[_Queued] = []
        self._early: list[EarlyValues] = []
        self._blanks: dict[int, Frame] = {}
        self._empty = Shard(city.plan, city.calendar, Cells(city.areas.locate, city.grid.tile), since=FINAL)
        self._trimmed = BEFORE
        self._valued: dict[int, bool] = {}

    def take(self, pieces: Iterable[AreaPiece]) -> Published:
        """Take pieces; publish as far as all lanes have come."""
        for piece in pieces:
            self.clocks.hear(piece.sender, piece.clock)
            self._queued += [_Queued(piece.sender, frame) for frame in piece.frames]
            self._early += piece.early
            self.begin = min(self.begin, piece.begin)
            self._empty.since = min(self._empty.since, piece.since)
            self.areas.born(piece.births)
        out = Published()
        clock = self.clocks.least
        if clock.maximum != BEFORE and self.begin != FINAL:
            self._act(clock, out)
        return out

    def _act(self, clock: Clock, out: Published) -> None:
        until = min(clock.watermark, clock.limit)
        if self.closed == BEFORE:
            self.closed = self.begin - 1
        early = self._take_early(clock)
        corrections = sorted(
            {q.frame.correction for q in self._queued if 0 <= q.frame.correction <= clock.watermark}
        )
        for at in corrections:
            self._close(min(at - 1, until), early, at + MAX_DISORDER, out)
            self._correct(at, out)
        self._close(until, early, FINAL if clock.maximum == FINAL else clock.maximum + 1, out)
        if until - self._trimmed >= 3_600_000:
            self._trimmed = until
            self.publisher.forget(until)

    # -- early values --------------------------------------------------------------------------------

    def _take_early(self, clock: Clock) -> dict[int, Early]:
        if not self._early:
            return {}
        index, grid, kind, uid, district, value = (
            np.concatenate([getattr(e, name) for e in self._early])
            for name in ("index", "grid", "kind", "uid", "district", "value")
        )
        due = grid <= clock.maximum
        rest = ~due
        self._early = (
            [EarlyValues(*(c[rest] for c in (index, grid, kind, uid, district, value)))] if rest.any() else []
        )
        rows = self.areas.rows(kind, uid, district)
        found = {}
        for i in np.unique(index[due]).tolist():
            own = np.flatnonzero(due & (index == i))
            own = own[np.argsort(grid[own], kind="stable")]
            found[i] = Early(grid[own], rows[own], value[own])
        return found

    # -- closing -------------------------------------------------------------------------------------

    def _close(self, until: int, early: dict[int, Early], early_before: int, out: Published) -> None:
        due: dict[int, list[_Queued]] = {}
        kept: list[_Queued] = []
        for queued in self._queued:
            frame = queued.frame
            ends = frame.frame.ends
            if frame.correction >= 0 or ends[0] > until:
                kept.append(queued)
                continue
            if ends[-1] > until:
                cut = int(np.searchsorted(ends, until, side="right"))
                kept.append(_Queued(queued.lane, _part(frame, cut, len(ends))))
                queued = _Queued(queued.lane, _part(frame, 0, cut))  # noqa: PLW2901
            due.setdefault(frame.frame.index, []).append(queued)
        self._queued = kept
        for plan in self.plan.indicators:
            now, early[plan.index] = early.get(plan.index, Early.none()).split(early_before)
            frames = [q.frame for q in due.get(plan.index, [])]
            self._close_indicator(plan, until, frames, now, out)
        self.closed = max(self.closed, until)

    def _close_indicator(
        self, plan: IndicatorPlan, until: int, frames: list[AreaFrame], early: Early, out: Published
    ) -> None:
        ends = self.city.calendar.ends(self.closed, until, plan.indicator.hop_ms)
        if len(ends) and not frames:
            ends = self._eventful(plan, ends) if self._awaited(plan, int(ends[-1])) else ends[:0]
        for part in _alike(ends, frames):
            passed, early = early.split(int(part[-1]) + MAX_DISORDER)
            own = [_between(f, int(part[0]), int(part[-1])) for f in frames]
            windows = self._windows(plan, part, [f for f in own if f is not None])
            self.publisher.close(plan.index, windows, passed, out)
        if early.grid.size:
            self.publisher.close(plan.index, Windows.none(), early, out)

    def _awaited(self, plan: IndicatorPlan, until: int) -> bool:
        """Whether windows without any data can bring a row by an instant."""
        always = np.flatnonzero(self.areas.birth <= until)
        return self._has_value(plan) or self.publisher.awaits(plan.index, always)

    def _has_value(self, plan: IndicatorPlan) -> bool:
        """Whether no data may be a value, such as 0; by the clock or a past without cases it may be later."""
        if plan.index not in self._valued:
            frame = Evaluation(plan, self._empty, np.zeros(1, np.int64)).frame().at(np.empty(0, np.int64), 1)
            value = judge(plan, frame, self.city.calendar, self.plan.catalogue.settings).value
            timeless = not any(isinstance(node, expression.Clock) for node in plan.nodes)
            timeless &= not (plan.pasts and plan.events)
            self._valued[plan.index] = not (timeless and bool(np.isnan(value).all()))
        return self._valued[plan.index]

    def _eventful(self, plan: IndicatorPlan, ends: Ints) -> Ints:
        """Of windows without any data, those that can bring a row: all if no data is a value, such as 0."""
        frame = self._blank(plan, ends[:1]).at(np.empty(0, np.int64), 1)
        judged = judge(plan, frame, self.city.calendar, self.plan.catalogue.settings)
        warming = judged.warming is not None and judged.warming.any()
        if warming or not np.isnan(judged.value).all() or plan.pasts:
            return ends
        born = self.areas.birth[(self.areas.birth > ends[0]) & (self.areas.birth <= ends[-1])]
        return np.unique(np.concatenate((ends[:1], ends[np.searchsorted(ends, born)])))

    def _windows(self, plan: IndicatorPlan, ends: Ints, frames: list[AreaFrame]) -> Windows:
        """Merged values of these windows, one column per area."""
        kind, uid, district, frame = self._merged(plan, ends, frames)
        rows = self.areas.rows(kind, uid, district)
        extra = np.setdiff1d(np.flatnonzero(self.areas.birth <= ends[-1]), rows)
        frame = frame.at(np.arange(len(rows)), len(rows) + len(extra))
        rows = np.concatenate((rows, extra))
        judged = judge(plan, frame, self.city.calendar, self.plan.catalogue.settings)
        judged, rows = self._rolled_up(plan, judged, rows)
        return Windows(judged, rows, ends[:, None] >= np.maximum(self.areas.birth[rows], self.begin)[None])

    def _blank(self, plan: IndicatorPlan, ends: Ints) -> Frame:
        """The frame of windows without any data, of no areas."""
        if plan.index not in self._blanks:
            self._blanks[plan.index] = Evaluation(plan, self._empty, ends[:1]).frame()
        return replace(self._blanks[plan.index].lasting(ends), since=self._empty.since)

    def _merged(
        self, plan: IndicatorPlan, ends: Ints, frames: list[AreaFrame]
    ) -> tuple[Ints, Ints, Ints, Frame]:
        if not frames:
            empty = np.empty(0, np.int64)
            return empty, empty, empty, self._blank(plan, ends)
        frame = Frame.joined([f.frame for f in frames])
        kind, uid, tile, district = (
            np.concatenate([getattr(f, name) for f in frames]) for name in ("kind", "uid", "tile", "district")
        )
        order = np.lexsort((tile, uid, kind))
        kind, uid, district = kind[order], uid[order], district[order]
        start = np.flatnonzero(_changes(kind, uid))
        return kind[start], uid[start], district[start], frame.merged(order, start)

    def _rolled_up(self, plan: IndicatorPlan, judged: Judged, rows: Ints) -> tuple[Judged, Ints]:
        """Keep the kinds that get values; ``merge = max``: the greatest value of the lowest kind inside."""
        lowest = AreaKind.of(plan.indicator.lowest) if plan.indicator.lowest != "cell" else AreaKind.COMMUNITY
        kind = self.areas.kind[rows]
        if plan.indicator.merge == "max":
            judged = replace(judged, value=self._greatest(judged.value, rows, lowest))
        keep = np.flatnonzero(kind >= lowest)
        return _columns(judged, keep), rows[keep]

    def _greatest(self, value: Floats, rows: Ints, lowest: AreaKind) -> Floats:
        kind = self.areas.kind[rows]
        inside = np.flatnonzero(kind == lowest)
        out = value.copy()
        for column in np.flatnonzero(kind > lowest).tolist():
            below = inside
            if kind[column] == AreaKind.DISTRICT:
                below = inside[self.areas.district[rows[inside]] == self.areas.uid[rows[column]]]
            best = np.where(np.isnan(value[:, below]), -np.inf, value[:, below]).max(axis=1, initial=-np.inf)
            out[:, column] = np.where(np.isfinite(best), best, np.nan)
        return out

    # -- corrections ---------------------------------------------------------------------------------

    def _correct(self, at: int, out: Published) -> None:
        due = [q.frame for q in self._queued if q.frame.correction == at]
        self._queued = [q for q in self._queued if q.frame.correction != at]
        for index in sorted({f.frame.index for f in due}):
            frames = [f for f in due if f.frame.index == index]
            if not any(f.changed is not None and f.changed.any() for f in frames):
                continue
            plan = self.plan.indicators[index]
            ends = frames[0].frame.ends
            now = self._windows(plan, ends, frames)
            was = now
            if any(f.before is not None for f in frames):
                was = self._windows(plan, ends, [replace(f, frame=f.before or f.frame) for f in frames])
            changed = self._changed(frames, now.areas, len(ends))
            columns = np.flatnonzero(changed.any(axis=0))
            past = Past(_only(now, columns), _only(was, columns), changed[:, columns], at)
            self.publisher.correct(index, past, out)

    def _changed(self, frames: list[AreaFrame], rows: Ints, ends: int) -> NDArray[np.bool_]:
        by_row = np.zeros((len(self.areas.kind), ends), bool)
        for frame in frames:
            if frame.changed is not None:
                where = self.areas.rows(frame.kind, frame.uid, frame.district)
                np.logical_or.at(by_row, where, frame.changed.T)
        return by_row[rows].T

    # -- snapshots -----------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything as plain data; frames are dataclasses of arrays."""
        return {
            "version": 1,
            "kind": self.areas.kind.copy(),
            "uid": self.areas.uid.copy(),
            "district": self.areas.district.copy(),
            "publisher": self.publisher.state(),
            "begin": self.begin,
            "since": self._empty.since,
            "birth": self.areas.birth.copy(),
            "closed": self.closed,
            "queued": list(self._queued),
            "early": list(self._early),
            "clocks": {name: (c.maximum, c.limit) for name, c in self.clocks.by_sender.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self.areas.rows(state["kind"], state["uid"], state["district"])
        self.publisher = Publisher(self.plan, self.areas.describe, state["publisher"])
        self.begin, self.closed = state["begin"], state["closed"]
        self._empty.since = state["since"]
        self.areas.birth = state["birth"].copy()
        self._queued, self._early = list(state["queued"]), list(state["early"])
        for name, (maximum, limit) in state["clocks"].items():
            if name in self.clocks.by_sender:
                self.clocks.hear(name, Clock(maximum, limit))


def _changes(kind: Ints, uid: Ints) -> NDArray[np.bool_]:
    first = np.ones(len(kind), bool)
    first[1:] = (kind[1:] != kind[:-1]) | (uid[1:] != uid[:-1])
    return first


def _part(frame: AreaFrame, first: int, last: int) -> AreaFrame:
    changed = None if frame.changed is None else frame.changed[first:last]
    return replace(frame, frame=frame.frame.part(first, last), changed=changed)


def _between(frame: AreaFrame, first: int, last: int) -> AreaFrame | None:
    ends = frame.frame.ends
    begin = int(np.searchsorted(ends, first, side="left"))
    end = int(np.searchsorted(ends, last, side="right"))
    if begin == end:
        return None
    return frame if (begin, end) == (0, len(ends)) else _part(frame, begin, end)


def _columns(judged: Judged, columns: Ints) -> Judged:
    level_ok = None if judged.level_ok is None else judged.level_ok[:, columns]
    return Judged(
        judged.ends,
        judged.value[:, columns],
        judged.n[:, columns],
        judged.coverage[:, columns],
        judged.allowed[:, columns],
        level_ok,
        judged.recent[:, columns],
        None if judged.warming is None else judged.warming[:, columns],
    )


def _only(windows: Windows, columns: Ints) -> Windows:
    return Windows(_columns(windows.judged, columns), windows.areas[columns], windows.always[:, columns])


def _alike(ends: Ints, frames: list[AreaFrame]) -> list[Ints]:
    """Window ends in runs that every frame covers wholly or not at all."""
    cuts = {i for f in frames for i in np.searchsorted(ends, f.frame.ends[[0, -1]] + [0, 1]).tolist()}
    cuts |= set(range(0, len(ends), _CHUNK)) | {len(ends)}
    edges = sorted(cuts | {0})
    return [ends[a:b] for a, b in pairwise(edges)]
