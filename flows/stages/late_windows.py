"""Windows of a lane that late records change: evaluated anew for the cells touched, and published again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.batches import Ints
from flows.city import City
from flows.pieces import AreaFrame
from flows.stages.intake import Intake
from flows.stages.publisher import Past, Published, Publisher, Windows
from flows.stages.recent_frames import RecentFrames
from indicators.evaluate import Evaluation, Frame
from indicators.judge import judge
from indicators.layout import AreaGroups, Layout
from indicators.partials import Partial
from indicators.plan import IndicatorPlan
from indicators.shard import Shard


def cell_windows(city: City, plan: IndicatorPlan, frame: Frame, cells: Ints) -> Windows:
    """Values of cells from their partials."""
    judged = judge(plan, frame, city.calendar, city.plan.catalogue.settings)
    return Windows(judged, cells, np.zeros(judged.value.shape, bool))


@dataclass(frozen=True, slots=True)
class _Touched:
    """What late records may change: an indicator, its window ends, their partials before, the layout then."""

    plan: IndicatorPlan
    ends: Ints
    frame: Frame
    layout: Layout


@dataclass(frozen=True)
class LateWindows:
    """Publishes windows anew; ``alone`` where no other lane can have changed the same areas.

    ``begun`` tells since when an indicator is computed that was not there, or was another, at the beginning:
    windows before are not its own.
    """

    city: City
    shard: Shard
    intake: Intake
    recent: list[RecentFrames]
    begun: dict[str, int]
    alone: bool

    def correct(self, at: int, closed: int, publisher: Publisher, out: Published) -> list[AreaFrame]:
        """Let the late records of a slice end take effect; windows are closed up to ``closed``."""
        touched = [
            _Touched(plan, ends, self.recent[plan.index].get(ends), self.shard.view(plan).layout(plan))
            for plan, ends in self._spans(at, closed)
        ]
        cells = self.intake.take_late(at)
        frames = [self._anew(each, cells, at, publisher, out) for each in touched]
        return [frame for frame in frames if frame is not None]

    def _spans(self, at: int, closed: int) -> list[tuple[IndicatorPlan, Ints]]:
        plans = self.city.plan.indicators
        found = [
            (plans[index], self._ends_since(plans[index], first, closed))
            for index, first in sorted(self.intake.corrections.take(at).items())
        ]
        return [(plan, ends) for plan, ends in found if len(ends) > 1]

    def _ends_since(self, plan: IndicatorPlan, first: int, closed: int) -> Ints:
        """The closed window ends from an instant on, and the one before them."""
        hop, closed = plan.indicator.hop_ms, self.city.reached(plan, closed)
        first = max(first, self.begun.get(plan.indicator.id, first - 1) + 1)
        ends = self.city.calendar.ends(first - 1, closed, hop)
        if not len(ends):
            return ends
        return np.concatenate((self.city.calendar.ends(ends[0] - 2 * hop, ends[0] - 1, hop)[-1:], ends))

    def _anew(
        self, touched: _Touched, cells: Ints, at: int, publisher: Publisher, out: Published
    ) -> AreaFrame | None:
        plan, ends, frame = touched.plan, touched.ends, touched.frame
        shard = self.shard.view(plan)
        layout = shard.layout(plan)
        if layout is not touched.layout:
            frame = frame.at(layout.columns(touched.layout.cells), layout.size)
        columns = layout.columns(cells)
        columns = np.sort(columns[columns >= 0])
        rows, every = np.arange(1, len(ends)), np.arange(len(ends))
        excerpt = shard.excerpt(plan, layout.cells[columns], ends[rows])
        new = Evaluation(plan, excerpt, ends[rows]).frame()
        before = frame.columns(every, columns)
        changed = np.zeros((len(ends), len(columns)), bool)
        changed[1:] = _differs(before.part(1, len(ends)), new)
        was = cell_windows(self.city, plan, before, layout.cells[columns])
        groups = self._touched_groups(plan, layout, columns[changed.any(axis=0)])
        lost = ~np.isnan(was.judged.value[1:]) & np.isnan(
            cell_windows(self.city, plan, new, columns).judged.value
        )
        past = frame.grouped(groups) if plan.events or lost.any() else None
        frame.patch(rows, columns, new)
        self.recent[plan.index].put(frame)
        if plan.indicator.lowest == "cell" and changed.any():
            now = cell_windows(self.city, plan, frame.columns(every, columns), was.areas)
            publisher.correct(plan.index, Past(now, was, changed, at), out)
        if not len(groups.start):
            return None
        flags = np.zeros((len(ends), layout.size), bool)
        flags[:, columns] = changed
        return _area_frame(frame, groups, at, flags, past)

    def _touched_groups(self, plan: IndicatorPlan, layout: Layout, columns: Ints) -> AreaGroups:
        """The areas that hold changed cells; all where other lanes may change some, or areas compare."""
        if not self.alone or plan.indicator.merge == "max":
            return layout.groups
        return layout.groups.holding(columns)


def _area_frame(
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
    if was.row is None or was.value is None or now.row is None or now.value is None:
        return np.zeros(was.columns[0].shape, bool)
    # Points are rows of several numbers.
    old, new = (v.reshape(len(v), v[0].size if len(v) else 1) for v in (was.value, now.value))
    a = np.lexsort((*old.T, was.row))
    b = np.lexsort((*new.T, now.row))
    shape = was.columns[0].shape
    same = (was.columns[0] == now.columns[0]).ravel()
    out = np.zeros(same.size, bool)
    rows_a, rows_b = was.row[a], now.row[b]
    kept_a, kept_b = same[rows_a], same[rows_b]
    unequal = (old[a][kept_a] != new[b][kept_b]).any(axis=1)
    out[rows_a[kept_a][unequal]] = True
    return out.reshape(shape)
