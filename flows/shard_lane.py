"""One shard lane: pieces in, values of cells and partials of areas out.

A lane holds the tiles whose number is its own modulo the number of lanes. It acts on the least clock of its
senders: readings and cases in time go to the slices first, then, in order of event time, windows are closed
and late records published at the slice end at which they take effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.batches import FINAL, Ints, NewSeries, ReadingBatch, Strays
from flows.corrections import Corrections
from flows.parked import ParkedReadings
from flows.pieces import (
    BEFORE,
    MAX_DISORDER,
    AreaFrame,
    AreaPiece,
    Clock,
    Clocks,
    EarlyValues,
    PlacedCase,
    PlacedCases,
    ShardPiece,
)
from flows.publisher import Early, Past, Published, Publisher, Windows
from flows.recent_frames import RecentFrames
from geo.areas import Areas
from geo.cells import CellSystem
from indicators.calendar import Calendar
from indicators.cases import CaseRow
from indicators.early import EarlyReadings
from indicators.evaluate import Evaluation, Frame
from indicators.judge import judge
from indicators.layout import AreaGroups, Cells, Layout
from indicators.partials import Partial
from indicators.plan import IndicatorPlan, Plan
from indicators.shard import Shard
from indicators.tolerance import le

CHUNK = 4_000_000
"""Rows (window ends times cells) evaluated at once, to bound memory."""


@dataclass(frozen=True)
class City:
    """What every step must know of the city: the same in all processes."""

    plan: Plan
    calendar: Calendar
    grid: CellSystem
    areas: Areas


@dataclass
class SeriesMap:
    """Where the series numbers of one source part lead in this lane: metric, store number, period."""

    metric: NDArray[np.int16]
    number: Ints
    period: Ints

    @classmethod
    def empty(cls) -> SeriesMap:
        """No series announced."""
        return cls(np.full(0, -1, np.int16), np.empty(0, np.int64), np.empty(0, np.int64))

    def put(self, index: Ints, metric: NDArray[np.int16], number: Ints, period: Ints) -> None:
        """Take announced series."""
        size = int(index.max()) + 1
        more = max(size - len(self.metric), 0)
        if more:
            grow = max(more, len(self.metric))
            self.metric = np.concatenate((self.metric, np.full(grow, -1, np.int16)))
            self.number = np.concatenate((self.number, np.zeros(grow, np.int64)))
            self.period = np.concatenate((self.period, np.zeros(grow, np.int64)))
        self.metric[index], self.number[index], self.period[index] = metric, number, period


class ShardLane:
    """The logic of one lane, free of the engine: ``take`` pieces, get what goes out."""

    def __init__(self, city: City, name: str, senders: Iterable[str]) -> None:
        """An empty lane that waits for all ``senders``."""
        self.city = city
        self.plan = city.plan
        self.name = name
        senders = list(senders)
        self.clocks = Clocks(senders)
        self.lanes = len(senders) - 1
        self.shard = Shard(city.plan, city.calendar, Cells(city.areas.locate, city.grid.tile))
        self.recent = [RecentFrames(p, self.shard) for p in city.plan.indicators]
        self.parked = ParkedReadings(len(city.plan.metrics.metrics))
        self.corrections = Corrections(city.plan)
        self.publisher = Publisher(city.plan, self._describe)
        self.strays: list[Strays] = []
        self.cases: list[PlacedCase] = []
        self.series: dict[str, SeriesMap] = {}
        self.closed = BEFORE
        self.begin = FINAL
        self.judged_early = BEFORE
        self._text = np.empty(0, "S1")
        self._birth = np.empty(0, np.int64)
        self._births: dict[int, int] = {}
        self.early = {
            city.plan.metrics.index[code]: EarlyReadings(
                p, code, city.plan.kind(city.plan.metrics.index[code]).scale
            )
            for p in city.plan.indicators
            if p.indicator.early
            for code in p.metrics
        }
        self._trimmed = BEFORE

    # -- input ---------------------------------------------------------------------------------------

    def take(self, pieces: Iterable[ShardPiece | PlacedCases]) -> tuple[Published, list[AreaPiece]]:
        """Take pieces in order of arrival; act as far as the clocks allow."""
        for piece in pieces:
            if isinstance(piece, PlacedCases):
                self.cases += piece.cases
                if piece.notices is not None:
                    self.corrections.cases(piece.notices)
            else:
                self._readings(piece)
            self.clocks.hear(piece.sender, piece.clock)
        return self._act()

    def _readings(self, piece: ShardPiece) -> None:
        if piece.new is not None:
            self._enrol(piece.sender, piece.new)
        if piece.batch is not None and len(piece.batch):
            self._park(self.series[piece.sender], piece.batch)
        if piece.strays is not None:
            self.strays.append(piece.strays)
        if piece.notices is not None:
            self.corrections.readings(piece.notices)

    def _enrol(self, sender: str, new: NewSeries) -> None:
        cells = self.shard.cells.number(new.cell)
        number = np.empty(len(cells), np.int64)
        for metric in np.unique(new.metric).tolist():
            rows = new.metric == metric
            number[rows] = self.shard.stores[metric].add(
                new.sensor_key[rows], cells[rows], new.period[rows], new.retired[rows], new.registered[rows]
            )
        series = self.series.setdefault(sender, SeriesMap.empty())
        series.put(new.index, new.metric, number, new.period)

    def _park(self, series: SeriesMap, batch: ReadingBatch) -> None:
        metric = series.metric[batch.series]
        order = np.argsort(metric, kind="stable")
        metric = metric[order]
        number = series.number[batch.series[order]]
        ts, value, effective = batch.ts[order], batch.value[order], batch.effective[order]
        cuts = np.flatnonzero(np.diff(metric)) + 1
        for begin, end in zip(np.append(0, cuts), np.append(cuts, len(metric)), strict=True):
            m, part = int(metric[begin]), slice(begin, end)
            length, origin = int(self.plan.slice_ms[m]), self.city.calendar.slice_origin
            late = effective[part] > origin - (origin - ts[part]) // length * length
            self.parked.add(m, (number[part], ts[part], value[part], effective[part]), late)
            if m in self.early:
                grid = batch.grid[order[part]]
                self.early[m].add(number[part], ts[part], value[part], grid)

    # -- time ----------------------------------------------------------------------------------------

    def _act(self) -> tuple[Published, list[AreaPiece]]:
        clock = self.clocks.least
        out = Published()
        piece = AreaPiece(self.name, clock, FINAL)
        if clock.maximum == BEFORE:
            return out, []
        judged = self._judge_early(clock)
        final = clock.maximum == FINAL
        until = min(clock.watermark, clock.limit)
        if self.closed == BEFORE and not self._begin(FINAL - 1 if final else until):
            return out, [piece]
        early_areas = self._early_areas(judged)
        self._take_timely(until)
        boundaries = sorted(
            set(self.parked.boundaries(clock.watermark)) | set(self.corrections.boundaries(clock.watermark))
        )
        for at in boundaries:
            self._take_cases(at - 1)
            self._close(min(at - 1, until), judged, at + MAX_DISORDER, out, piece)
            self._correct(at, out, piece)
        self._take_cases(FINAL if final else until)
        early_before = FINAL if final else clock.maximum + 1
        self._close(until, judged, early_before, out, piece)
        self.shard.advance(until)
        for recent in self.recent:
            recent.trim(until)
        self._trim(until)
        births, self._births = self._births, {}
        return out, [AreaPiece(self.name, clock, self.begin, births, piece.frames, early_areas)]

    def _born(self, cells: Ints, since: Ints) -> None:
        """Note the first records of districts: they have rows from then on (R13)."""
        more = self.shard.cells.n - len(self._birth)
        if more > 0:
            self._birth = np.concatenate((self._birth, np.full(more, FINAL)))
        before = self._birth[cells]
        if (before <= since).all():
            return
        np.minimum.at(self._birth, cells, since)
        for cell in np.unique(cells[before > since]).tolist():
            district = int(self.shard.cells.areas[cell, 2])
            if district >= 0:
                self._births[district] = min(self._births.get(district, FINAL), int(self._birth[cell]))

    def _begin(self, until: int) -> bool:
        """Fix where this lane's windows begin: where its first record in time takes effect."""
        found = [self.parked.begin()]
        found += [c.effective for c in self.cases if not c.late]
        found += [
            int(s.effective[s.effective <= self._slice_end(s.ts)].min(initial=FINAL)) for s in self.strays
        ]
        begin = min(found)
        if begin > until:
            return False
        self.closed = begin - 1
        self.begin = begin
        return True

    def _take_timely(self, until: int) -> None:
        for metric, (series, ts, value, effective) in self.parked.take(until):
            self.shard.insert(metric, series, ts, value)
            self._born(self.shard.stores[metric].cell[series], effective)
        kept = []
        for strays in self.strays:
            late = strays.effective > self._slice_end(strays.ts)
            due = (strays.effective <= until) & ~late
            self._born(self._count(strays.cell[due], strays.ts[due]), strays.effective[due])
            if not due.all():
                kept.append(Strays(strays.cell[~due], strays.ts[~due], strays.effective[~due]))
        self.strays = kept

    def _slice_end(self, ts: Ints) -> Ints:
        counters = self.shard.counters
        return counters.origin + counters.number(ts) * counters.length

    def _count(self, cells: Ints, ts: Ints) -> Ints:
        numbers = self.shard.cells.number(cells)
        if len(cells):
            self.shard.counters.add("checked", numbers, ts)
        return numbers

    def _take_cases(self, until: int) -> None:
        due = [case for case in self.cases if case.effective <= until and not case.late]
        if not due:
            return
        self.cases = [case for case in self.cases if case.effective > until or case.late]
        cells = [(cell, case.effective) for case in due for cell in self._place(case)[-1:]]
        self._born(*np.array(cells, np.int64).reshape(-1, 2).T)

    def _place(self, case: PlacedCase) -> list[int]:
        """Take a case as now known; the cells it lay and lies in."""
        cell = -1 if case.cell < 0 else int(self.shard.cells.number(np.array([case.cell]))[0])
        row = CaseRow(case.case, cell, case.located, case.status, case.ts, case.severity)
        before = self.shard.cases[case.type].put(row)
        return [c for c in (before, cell) if c >= 0]

    # -- closing -------------------------------------------------------------------------------------

    def _close(
        self, until: int, early: dict[int, Early], early_before: int, out: Published, piece: AreaPiece
    ) -> None:
        """Close windows up to an instant, and judge the early values with a grid before another."""
        for plan in self.plan.indicators:
            now, early[plan.index] = early.get(plan.index, Early.none()).split(early_before)
            ends = np.empty(0, np.int64)
            if self.shard.active(plan):
                ends = self.city.calendar.ends(self.closed, until, plan.indicator.hop_ms)
            for part in self._in_memory(plan, ends):
                passed, now = now.split(int(part[-1]) + MAX_DISORDER)
                windows = self._windows(plan, part, piece)
                if plan.indicator.lowest == "cell":
                    self.publisher.close(plan.index, windows, passed, out)
            if now.grid.size:
                self.publisher.close(plan.index, Windows.none(), now, out)
        self.closed = max(self.closed, until)

    def _in_memory(self, plan: IndicatorPlan, ends: Ints) -> list[Ints]:
        """Window ends in parts that can be evaluated at once."""
        size = max((self.shard.store(code).n for code in plan.metrics), default=0)
        step = max(1, CHUNK // max(size, self.shard.layout(plan).size, 1))
        return [ends[i : i + step] for i in range(0, len(ends), step)]

    def _windows(self, plan: IndicatorPlan, ends: Ints, piece: AreaPiece) -> Windows:
        layout = self.shard.layout(plan)
        frame = Evaluation(plan, self.shard, ends).frame()
        self.recent[plan.index].add(layout, frame)
        piece.frames.append(self._for_areas(frame, layout))
        return self._cell_windows(plan, frame, layout.cells)

    def _cell_windows(self, plan: IndicatorPlan, frame: Frame, cells: Ints) -> Windows:
        judged = judge(plan, frame, self.city.calendar, self.plan.catalogue.settings)
        return Windows(judged, cells, np.zeros(judged.value.shape, bool))

    @staticmethod
    def _for_areas(frame: Frame, layout: Layout) -> AreaFrame:
        groups = layout.groups
        return AreaFrame(frame.grouped(groups), groups.kind, groups.uid, groups.tile, groups.district)

    # -- corrections ---------------------------------------------------------------------------------

    def _correct(self, at: int, out: Published, piece: AreaPiece) -> None:
        todo = []
        for index, first in sorted(self.corrections.take(at).items()):
            plan = self.plan.indicators[index]
            ends = self._ends_since(plan, first)
            if len(ends) > 1:
                todo.append((plan, ends, self.recent[index].get(ends)))
        layouts = [self.shard.layout(plan) for plan, _, _ in todo]
        cells = self._take_late(at)
        for (plan, ends, old), layout in zip(todo, layouts, strict=True):
            before = old
            if self.shard.layout(plan) is not layout:
                layout_now = self.shard.layout(plan)
                before = old.at(layout_now.columns(layout.cells), layout_now.size)
            self._publish_past(plan, ends, before, cells, at, out, piece)

    def _ends_since(self, plan: IndicatorPlan, first: int) -> Ints:
        """The closed window ends from an instant on, and the one before them."""
        hop = plan.indicator.hop_ms
        ends = self.city.calendar.ends(first - 1, self.closed, hop)
        if not len(ends):
            return ends
        return np.concatenate((self.city.calendar.ends(ends[0] - 2 * hop, ends[0] - 1, hop)[-1:], ends))

    def _take_late(self, at: int) -> Ints:
        """Let late records take effect; returns the cells they touch."""
        cells = [np.empty(0, np.int64)]
        for metric, (series, ts, value, _) in self.parked.take_late(at):
            self.shard.insert(metric, series, ts, value)
            cells.append(self.shard.stores[metric].cell[series])
            self._born(cells[-1], np.full(len(ts), at))
        kept = []
        for strays in self.strays:
            due = strays.effective == at
            if due.any():
                cells.append(self._count(strays.cell[due], strays.ts[due]))
            if not due.all():
                kept.append(Strays(strays.cell[~due], strays.ts[~due], strays.effective[~due]))
        self.strays = kept
        for case in [c for c in self.cases if c.effective == at]:
            cells.append(np.array(self._place(case), np.int64))
            self._born(cells[-1], np.full(len(cells[-1]), at))
        self.cases = [c for c in self.cases if c.effective != at]
        return np.unique(np.concatenate(cells))

    def _publish_past(
        self,
        plan: IndicatorPlan,
        ends: Ints,
        frame: Frame,
        cells: Ints,
        at: int,
        out: Published,
        piece: AreaPiece,
    ) -> None:
        layout = self.shard.layout(plan)
        columns = layout.columns(cells)
        columns = np.sort(columns[columns >= 0])
        rows, every = np.arange(1, len(ends)), np.arange(len(ends))
        excerpt = self.shard.excerpt(plan, layout.cells[columns], ends[rows])
        new = Evaluation(plan, excerpt, ends[rows]).frame()
        before = frame.columns(every, columns)
        changed = np.zeros((len(ends), len(columns)), bool)
        changed[1:] = _differs(before.part(1, len(ends)), new)
        was = self._cell_windows(plan, before, layout.cells[columns])
        groups = self._touched_groups(plan, layout, columns[changed.any(axis=0)])
        lost = ~np.isnan(was.judged.value[1:]) & np.isnan(self._cell_windows(plan, new, columns).judged.value)
        past = frame.grouped(groups) if plan.events or lost.any() else None
        frame.patch(rows, columns, new)
        self.recent[plan.index].put(frame)
        if len(groups.start) or self.lanes > 1:
            flags = np.zeros((len(ends), layout.size), bool)
            flags[:, columns] = changed
            piece.frames.append(_past_frame(frame, groups, at, flags, past))
        if plan.indicator.lowest == "cell" and changed.any():
            now = self._cell_windows(plan, frame.columns(every, columns), was.areas)
            self.publisher.correct(plan.index, Past(now, was, changed, at), out)

    def _touched_groups(self, plan: IndicatorPlan, layout: Layout, columns: Ints) -> AreaGroups:
        """The areas that hold changed cells; all where other lanes may have changed some, or areas compare."""
        if self.lanes > 1 or plan.indicator.merge == "max":
            return layout.groups
        return layout.groups.holding(columns)

    # -- early judgement -----------------------------------------------------------------------------

    def _judge_early(self, clock: Clock) -> dict[int, Early]:
        """Early values high enough for a level, by indicator; also told to the areas above."""
        found: dict[int, Early] = {}
        until = clock.maximum
        for metric, readings in self.early.items():
            values = readings.judge(self.judged_early, until)
            if values is None:
                continue
            indicator = readings.plan.indicator
            lowest = np.nanmin(indicator.raises) if indicator.high_bad else np.nanmax(indicator.raises)
            high = le(lowest, values.value) if indicator.high_bad else le(values.value, lowest)
            if not high.any():
                continue
            cells = self.shard.stores[metric].cell[values.series[high]]
            order = np.argsort(values.grid[high], kind="stable")
            early = Early(values.grid[high][order], cells[order], values.value[high][order])
            found[readings.plan.index] = _merged(found.get(readings.plan.index), early)
        self.judged_early = max(self.judged_early, until)
        return found

    def _early_areas(self, found: dict[int, Early]) -> list[EarlyValues]:
        parts = []
        for index, early in found.items():
            areas = self.shard.cells.areas[early.row]
            for kind in range(4):
                inside = areas[:, kind] >= 0
                count = int(inside.sum())
                parts.append(
                    EarlyValues(
                        np.full(count, index),
                        early.grid[inside],
                        np.full(count, kind + 1),
                        areas[inside, kind],
                        areas[inside, 2],
                        early.value[inside],
                    )
                )
        return parts

    def births_state(self) -> Ints:
        """When each cell was first heard of, for a snapshot."""
        return self._birth.copy()

    def restore_births(self, state: Ints) -> None:
        """Take up ``births_state()``."""
        self._birth = state.copy()

    def restore_publisher(self, state: dict[str, Any]) -> None:
        """Take up the publisher's part of a snapshot."""
        self.publisher = Publisher(self.plan, self._describe, state)

    # -- the rest ------------------------------------------------------------------------------------

    def _describe(self, rows: Ints) -> tuple[NDArray[np.uint8], NDArray[np.bytes_]]:
        cells = self.shard.cells
        known = len(self._text)
        if known < cells.n:
            fresh = np.array([t.encode() for t in self.city.grid.text(cells.code[known:])])
            self._text = np.concatenate((self._text, fresh)) if known else fresh
        return np.zeros(len(rows), np.uint8), self._text[rows]

    def _trim(self, until: int) -> None:
        """Once an hour forget what only corrections of long past windows could need."""
        if until - self._trimmed < 3_600_000:
            return
        self._trimmed = until
        for plan in self.plan.indicators:
            keep = plan.correctable(self.plan.metrics) + 2 * plan.indicator.window_ms + MAX_DISORDER
            self.publisher.trim(plan.index, until - keep)


def _merged(old: Early | None, new: Early) -> Early:
    if old is None:
        return new
    grid = np.concatenate((old.grid, new.grid))
    order = np.argsort(grid, kind="stable")
    row = np.concatenate((old.row, new.row))[order]
    return Early(grid[order], row, np.concatenate((old.value, new.value))[order])


def _past_frame(
    frame: Frame, groups: AreaGroups, at: int, changed: NDArray[np.bool_], before: Frame | None
) -> AreaFrame:
    flat = changed[:, groups.perm]
    if flat.shape[1]:
        flat = np.logical_or.reduceat(flat, groups.start, axis=1)
    return AreaFrame(
        frame.grouped(groups), groups.kind, groups.uid, groups.tile, groups.district, at, flat, before
    )


def _differs(old: Frame, new: Frame) -> NDArray[np.bool_]:
    """Where any partial is not what it was: bool[T, C]."""
    changed = np.zeros(old.evidence.columns[0].shape, bool)
    for was, now in zip((*old.partials, old.evidence), (*new.partials, new.evidence), strict=True):
        for a, b in zip(was.columns, now.columns, strict=True):
            changed |= a != b
        if was.row is not None and now.row is not None:
            changed |= _values_differ(was, now)
    return changed


def _values_differ(was: Partial, now: Partial) -> NDArray[np.bool_]:
    a, b = (np.lexsort((p.value, p.row)) for p in (was, now))
    shape = was.columns[0].shape
    same = (was.columns[0] == now.columns[0]).ravel()
    out = np.zeros(same.size, bool)
    rows_a, rows_b = was.row[a], now.row[b]
    kept_a, kept_b = same[rows_a], same[rows_b]
    unequal = was.value[a][kept_a] != now.value[b][kept_b]
    out[rows_a[kept_a][unequal]] = True
    return out.reshape(shape)
