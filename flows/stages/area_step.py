"""The areas above the cells: partials of all shard lanes in, values of communities to city out.

One key owns all areas: a window's partials are a few thousand rows for a whole city, and a district never
needs a second merge to become part of the city's value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.local_ladders import LocalLadders
from flows.batches import FINAL, Floats, Ints
from flows.city import City
from flows.control.change import Change
from flows.control.editions import Editions
from flows.pieces import BEFORE, MAX_DISORDER, AreaFrame, AreaPiece, Clock, Clocks, EarlyValues, Moves
from flows.stages.area_frames import alike, between, changes, only_areas, only_columns, part_of
from flows.stages.area_rows import AreaRows
from flows.stages.publisher import Early, Past, Published, Publisher, Windows
from geo.areas import AreaKind
from indicators import expression
from indicators.evaluate import Evaluation, Frame
from indicators.indicator import Indicator
from indicators.judge import Judged, judge
from indicators.layout import Cells
from indicators.plan import IndicatorPlan
from indicators.shard import Shard

AREAS = "areas"
"""Key of the area step's values, and its name as a sender."""


@dataclass(slots=True)
class _Queued:
    """A frame of one lane whose windows are not merged yet, judged in an ``edition`` of the city."""

    edition: int
    frame: AreaFrame


class AreaStep:
    """The logic of the area step, free of the engine."""

    def __init__(self, city: City, lanes: Iterable[str]) -> None:
        """No area has a value; waits for all ``lanes``."""
        self.city = city
        self.plan = city.plan
        self.clocks = Clocks(lanes)
        self.areas = AreaRows(city)
        self.publisher = Publisher(city.plan, self.areas.describe, None, self._ladders)
        self.editions: Editions | None = None
        self.change: Change | None = None
        self._ahead: list[Change] = []
        self.begin = FINAL
        self.closed = BEFORE
        self._due = BEFORE
        self._queued: list[_Queued] = []
        self._early: list[tuple[int, EarlyValues]] = []
        self._blanks: dict[int, Frame] = {}
        self._begun: dict[str, int] = {}
        self._empty = _empty(city, FINAL)
        self._trimmed = BEFORE
        self._valued: dict[int, bool] = {}

    def take(self, pieces: Iterable[AreaPiece]) -> list[tuple[Published, Moves]]:
        """Take pieces; publish as far as all lanes have come, once for each edition.

        The moves have no transitions yet: they are those of what is published.
        """
        for piece in pieces:
            self.clocks.hear(piece.sender, piece.clock)
            self._queued += [_Queued(piece.edition, frame) for frame in piece.frames]
            self._early += [(piece.edition, early) for early in piece.early]
            self.begin = min(self.begin, piece.begin)
            self._empty.since = min(self._empty.since, piece.since)
            self.areas.born(piece.births)
            if piece.change is not None and piece.change.number > self._last_change:
                self._ahead.append(piece.change)
        clock = self.clocks.least
        done, begun = list[tuple[Published, Moves]](), None
        if clock.maximum == BEFORE or self.begin == FINAL:
            return [(Published(), Moves(AREAS, clock, [], self.city.edition))]
        while self._ahead and self._ahead[0].effective <= min(clock.watermark, clock.limit):
            change = self._ahead[0]
            done.append(self._acted(Clock(change.effective + MAX_DISORDER), begun))
            begun = change, self._become(change)
        return [*done, self._acted(clock, begun)]

    @property
    def _last_change(self) -> int:
        """The number of the latest change heard of."""
        return self._ahead[-1].number if self._ahead else self.city.edition

    def _acted(self, clock: Clock, begun: tuple[Change, Published] | None) -> tuple[Published, Moves]:
        change, out = begun or (None, Published())
        self._act(clock, out)
        return out, Moves(AREAS, clock, [], self.city.edition, change)

    # -- changes -------------------------------------------------------------------------------------

    def _become(self, change: Change) -> Published:
        """Go on with what a change has put in force."""
        self._ahead.pop(0)
        changed = self._edition(change).plan.catalogue.changed(self.plan.catalogue)
        begun = {name: at for name, at in self._begun.items() if name not in changed}
        self._renew(change, begun | dict.fromkeys(changed, change.effective))
        # What is left of earlier editions can be of windows alone that nobody closes any more.
        self._queued = [q for q in self._queued if q.edition >= change.number]
        self._early = [(edition, early) for edition, early in self._early if edition >= change.number]
        return self.publisher.become(self.plan, change.effective, self._ladders)

    def _edition(self, change: Change) -> City:
        if self.editions is None:
            raise RuntimeError(f"change {change.number} came to a run without control")
        return self.editions.city(change)

    def _renew(self, change: Change, begun: dict[str, int]) -> None:
        """Build what depends on the catalogue anew."""
        city = self._edition(change)
        self.change, self.city, self.plan, self._begun = change, city, city.plan, begun
        self._blanks, self._valued, self._due = {}, {}, BEFORE
        self._empty = _empty(city, self._empty.since)

    def _ladders(self, indicator: Indicator) -> LocalLadders | None:
        return LocalLadders.of(indicator, self.city.thresholds, self.city.calendar, self.areas.placed)

    # -- acting --------------------------------------------------------------------------------------

    def _act(self, clock: Clock, out: Published) -> None:
        until = min(clock.watermark, clock.limit)
        if self.closed == BEFORE:
            self.closed = self.begin - 1
        early = self._take_early(clock)
        corrections = sorted(
            {
                q.frame.correction
                for q in self._queued
                if 0 <= q.frame.correction <= clock.watermark and q.edition == self.city.edition
            }
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
        own = [early for edition, early in self._early if edition == self.city.edition]
        if not own:
            return {}
        index, grid, kind, uid, district, value = (
            np.concatenate([getattr(e, name) for e in own])
            for name in ("index", "grid", "kind", "uid", "district", "value")
        )
        due = grid <= clock.maximum
        rest = ~due
        self._early = [(edition, early) for edition, early in self._early if edition != self.city.edition]
        if rest.any():
            left = EarlyValues(*(c[rest] for c in (index, grid, kind, uid, district, value)))
            self._early.append((self.city.edition, left))
        rows = self.areas.rows(kind, uid, district)
        found = {}
        for i in np.unique(index[due]).tolist():
            at = np.flatnonzero(due & (index == i))
            at = at[np.argsort(grid[at], kind="stable")]
            found[i] = Early(grid[at], rows[at], value[at])
        return found

    # -- closing -------------------------------------------------------------------------------------

    def _close(self, until: int, early: dict[int, Early], early_before: int, out: Published) -> None:
        due: dict[int, list[_Queued]] = {}
        kept: list[_Queued] = []
        for queued in self._queued:
            frame = queued.frame
            ends = frame.frame.ends
            if frame.correction >= 0 or ends[0] > until or queued.edition != self.city.edition:
                kept.append(queued)
                continue
            # An indicator that came later may end windows more often than its records take effect.
            reached = self.city.reached(self.plan.indicators[frame.frame.index], until)
            if ends[0] > reached:
                kept.append(queued)
                continue
            if ends[-1] > reached:
                cut = int(np.searchsorted(ends, reached, side="right"))
                kept.append(_Queued(queued.edition, part_of(frame, cut, len(ends))))
                queued = _Queued(queued.edition, part_of(frame, 0, cut))  # noqa: PLW2901
            due.setdefault(frame.frame.index, []).append(queued)
        self._queued = kept
        idle = until < self._due
        for plan in self.plan.indicators:
            if idle and plan.index not in early and plan.index not in due:
                continue
            now, early[plan.index] = early.get(plan.index, Early.none()).split(early_before)
            frames = [q.frame for q in due.get(plan.index, [])]
            self._close_indicator(plan, until, frames, now, out)
        self.closed = max(self.closed, until)
        self._due = self._due if idle else self.city.due(self.closed)

    def _close_indicator(
        self, plan: IndicatorPlan, until: int, frames: list[AreaFrame], early: Early, out: Published
    ) -> None:
        after = max(self.city.reached(plan, self.closed), self._begun.get(plan.indicator.id, BEFORE))
        ends = self.city.calendar.ends(after, self.city.reached(plan, until), plan.indicator.hop_ms)
        if len(ends) and not frames:
            ends = self._eventful(plan, ends) if self._awaited(plan, int(ends[-1])) else ends[:0]
        for part in alike(ends, frames):
            passed, early = early.split(int(part[-1]) + MAX_DISORDER)
            own = [between(f, int(part[0]), int(part[-1])) for f in frames]
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
        born = self.areas.birth <= ends[-1]
        born[rows] = False
        extra = np.flatnonzero(born)
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
        start = np.flatnonzero(changes(kind, uid))
        return kind[start], uid[start], district[start], frame.merged(order, start)

    def _rolled_up(self, plan: IndicatorPlan, judged: Judged, rows: Ints) -> tuple[Judged, Ints]:
        """Keep the kinds that get values; ``merge = max``: the greatest value of the lowest kind inside."""
        lowest = AreaKind.of(plan.indicator.lowest) if plan.indicator.lowest != "cell" else AreaKind.COMMUNITY
        kind = self.areas.kind[rows]
        if plan.indicator.merge == "max":
            judged = replace(judged, value=self._greatest(judged.value, rows, lowest))
        keep = np.flatnonzero(kind >= lowest)
        return only_columns(judged, keep), rows[keep]

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
        own = [q for q in self._queued if q.frame.correction == at and q.edition == self.city.edition]
        due = [q.frame for q in own]
        self._queued = [q for q in self._queued if q.frame.correction != at or q.edition != self.city.edition]
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
            past = Past(only_areas(now, columns), only_areas(was, columns), changed[:, columns], at)
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
            "change": self.change,
            "ahead": list(self._ahead),
            "begun": dict(self._begun),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        if state["change"] is not None:
            self._renew(state["change"], dict(state["begun"]))
        self._ahead = list(state["ahead"])
        self.areas.rows(state["kind"], state["uid"], state["district"])
        self.publisher = Publisher(self.plan, self.areas.describe, state["publisher"], self._ladders)
        self.begin, self.closed = state["begin"], state["closed"]
        self._empty.since = state["since"]
        self.areas.birth = state["birth"].copy()
        self._queued, self._early = list(state["queued"]), list(state["early"])
        for name, (maximum, limit) in state["clocks"].items():
            if name in self.clocks.by_sender:
                self.clocks.hear(name, Clock(maximum, limit))


def _empty(city: City, since: int) -> Shard:
    """A shard without anything, for windows without any data."""
    return Shard(city.plan, city.calendar, Cells(city.areas.locate, city.grid.tile), since=since)
