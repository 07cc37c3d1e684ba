"""Evaluation of one indicator over one shard: (plan, shard, window ends) -> partials per cell.

The tree is walked once per call for all window ends together; rows are sensors (or cases), columns the
cells of the indicator's layout. What comes out merges exactly into any area (FORMULAS.md section 5.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from indicators.aggregates import HELD, REACHING, Window, aggregate, enough, holds
from indicators.calendar import Calendar
from indicators.case_values import CaseEvaluation
from indicators.clock_spans import lowest_mean
from indicators.elementwise import apply
from indicators.expression import (
    Aggregate,
    Apply,
    Clock,
    Const,
    Despike,
    Kind,
    Node,
    Reduce,
    Setting,
)
from indicators.held import time_outside
from indicators.history import LACKS, OF_SERIES, Past, metrics_of
from indicators.latest import NEVER
from indicators.layout import AreaGroups, Layout, Universe
from indicators.partials import Column, Partial
from indicators.plan import COUNTERS, IndicatorPlan, metric_of, tested
from indicators.point_reductions import OF_POINTS, of_points
from indicators.series_history import lacks, of_series
from indicators.series_reductions import SERIES_REDUCTIONS
from indicators.shard import Shard
from indicators.slices import Ints
from indicators.slopes import slope
from indicators.spikes import Despiked

Floats = NDArray[np.float64]
Rows = TypeVar("Rows", Ints, Floats)

VALID_INPUT_WITHIN = 30 * 24 * 3_600_000
"""An area keeps its row this long after its last valid input (R13)."""


@dataclass(frozen=True)
class Frame:
    """One indicator's partials for T window ends and A cells or areas.

    ``evidence`` carries, in order: readings and cases counted; per metric the sensors with a value; per
    metric the sensors expected; inputs not older than 30 days. All add. ``partials`` are those of the plan's
    reductions, then those of its ``pasts``. ``since`` is when the records began: before, no case is known.
    """

    index: int
    ends: Ints
    partials: tuple[Partial, ...]
    evidence: Partial
    since: int = NEVER

    def part(self, first: int, last: int) -> Frame:
        """The window ends first <= i < last."""
        parts = tuple(p.part(first, last) for p in self.partials)
        return replace(
            self, ends=self.ends[first:last], partials=parts, evidence=self.evidence.part(first, last)
        )

    def at(self, where: Ints, size: int) -> Frame:
        """The same in a wider table of areas: column j moves to ``where[j]``."""
        parts = tuple(p.at(where, len(self.ends), size) for p in self.partials)
        return replace(self, partials=parts, evidence=self.evidence.at(where, len(self.ends), size))

    def grouped(self, groups: AreaGroups) -> Frame:
        """The same for areas."""
        return self.merged(groups.perm, groups.start)

    def merged(self, perm: NDArray[np.intp], start: NDArray[np.intp]) -> Frame:
        """Merge runs of columns: group g takes perm[start[g]:start[g + 1]]."""
        parts = tuple(p.grouped(perm, start) for p in self.partials)
        return Frame(self.index, self.ends, parts, self.evidence.grouped(perm, start), self.since)

    def lasting(self, ends: Ints) -> Frame:
        """A frame of no areas for other window ends."""
        parts = tuple(p.lasting(len(ends)) for p in self.partials)
        return replace(self, ends=ends, partials=parts, evidence=self.evidence.lasting(len(ends)))

    @staticmethod
    def stacked(frames: Sequence[Frame]) -> Frame:
        """Consecutive window ends of the same areas."""
        parts = tuple(Partial.stacked(p) for p in zip(*(f.partials for f in frames), strict=True))
        ends = np.concatenate([f.ends for f in frames])
        return replace(
            frames[0], ends=ends, partials=parts, evidence=Partial.stacked([f.evidence for f in frames])
        )

    def patch(self, ends: Ints, where: Ints, new: Frame) -> None:
        """Overwrite some window ends (positions) and columns by a frame of just those."""
        for part, fresh in zip((*self.partials, self.evidence), (*new.partials, new.evidence), strict=True):
            part.patch(ends, where, fresh)

    def columns(self, ends: Ints, where: Ints) -> Frame:
        """Some window ends (positions) of some columns."""
        parts = tuple(p.only(ends, where) for p in self.partials)
        return replace(self, ends=self.ends[ends], partials=parts, evidence=self.evidence.only(ends, where))

    @staticmethod
    def joined(frames: Sequence[Frame]) -> Frame:
        """The same window ends of several shards side by side."""
        parts = tuple(Partial.joined(p) for p in zip(*(f.partials for f in frames), strict=True))
        return replace(frames[0], partials=parts, evidence=Partial.joined([f.evidence for f in frames]))


@dataclass
class Evaluation:
    """One call: an indicator, a shard, the window ends (ascending int64, slice ends)."""

    plan: IndicatorPlan
    shard: Shard
    ends: Ints
    window_ms: int = 0
    layout: Layout = field(init=False)
    _windows: dict[tuple[str, int, int], Window] = field(default_factory=dict)
    _series: dict[Aggregate, Floats] = field(default_factory=dict)
    _histories: dict[tuple[Apply, tuple[str, ...]], Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fix the columns."""
        self.window_ms = self.window_ms or self.plan.indicator.window_ms
        self.layout = self.shard.layout(self.plan)
        self.cases = CaseEvaluation(self.shard, self.plan, self.ends, self.layout, self.window_ms)

    def frame(self) -> Frame:
        """The partials of every reduction, and the evidence."""
        partials = tuple(self.reduce(node) for node in self.plan.reductions)
        past = self.past() if self.plan.pasts else ()
        return Frame(self.plan.index, self.ends, (*partials, *past), self.evidence(), self.shard.since)

    def moved(self, ends: Ints, window: int = 0) -> Evaluation:
        """The same indicator at other ends, with windows of another length."""
        return Evaluation(self.plan, self.shard, ends, window or self.window_ms)

    def past(self) -> tuple[Partial, ...]:
        """The partials of the plan's ``pasts``; windows of equal length are evaluated together."""
        found: dict[Past, Partial] = {}
        for window in dict.fromkeys(past.moment.window for past in self.plan.pasts):
            own = [past for past in self.plan.pasts if past.moment.window == window]
            backs = np.array(sorted({past.moment.back for past in own}), np.int64)
            ends = np.unique(self.ends[:, None] - backs)
            there = self.moved(ends, window)
            every = np.arange(self.layout.size)
            whole = {node: there.reduce(node) for node in dict.fromkeys(past.node for past in own)}
            for past in own:
                rows = np.searchsorted(ends, self.ends - past.moment.back)
                found[past] = whole[past.node].only(rows, every)
        return tuple(found[past] for past in self.plan.pasts)

    def window(self, code: str, length: int | None = None, offset: int = 0) -> Window:
        """The windows of a metric, made once."""
        length = length or self.window_ms
        key = (code, length, offset)
        if key not in self._windows:
            self._windows[key] = Window(self.shard.store(code), self.ends, length, offset)
        return self._windows[key]

    # -- reductions ----------------------------------------------------------------------------------

    def reduce(self, node: Reduce) -> Partial:
        """One reduction's partial, in the layout's columns."""
        kind = node.args[0].kind
        if node.fn in OF_POINTS:
            return of_points(node, self)
        if kind is Kind.CASES:
            return self.cases.reduce(node)
        if kind is Kind.READINGS:
            return self._pooled(node)
        return self._over_series(node)

    def _pooled(self, node: Reduce) -> Partial:
        code = metric_of(node.args[0])
        window = self.window(code)
        scale = window.store.kind.scale
        flag = tested(node)
        if node.fn == "quantile":
            return self._pooled_values(node, window)
        if flag is not None:
            known, true = window.total(("known", flag)), window.total(("true", flag))
            columns = (known, known, true) if node.fn == "share" else (known, true)
            return self._spread(Partial(node.fn, ("add",) * len(columns), columns), window, "add")
        if node.fn in {"highest", "lowest"}:
            op = "max" if node.fn == "highest" else "min"
            return self._spread(Partial(node.fn, (op,), (window.total(op) / scale,)), window, op)
        part = self._spread(
            Partial(node.fn, ("add", "add"), (window.count, window.total("sum")), scale), window, "add"
        )
        return self._with_counters(part, code)

    def _spread(self, part: Partial, window: Window, op: str) -> Partial:
        """Columns per series -> columns per cell of the layout."""
        columns: list[Column] = []
        where = self.layout.columns(window.store.cell)
        ufunc = {"add": np.add, "max": np.maximum, "min": np.minimum}[op]
        neutral = {"add": 0, "max": -np.inf, "min": np.inf}[op]
        for column in part.columns:
            if op != "add":
                column = np.where(window.count > 0, column, neutral)  # noqa: PLW2901
            out = cast("Column", np.full((len(self.ends), self.layout.size), neutral, column.dtype))
            for i, row in enumerate(column):
                ufunc.at(out[i], where, row)
            columns.append(out)
        return replace(part, columns=tuple(columns))

    def _with_counters(self, part: Partial, code: str) -> Partial:
        if code not in COUNTERS:
            return part
        own = self.counted(COUNTERS[code])
        n, total = part.columns
        scale = np.int64(part.scale)
        return replace(part, columns=(n + own, total + own * scale))

    def counted(self, name: str) -> Ints:
        """The engine's own counter over the indicator's window: int64[ends, cells]."""
        counters = self.shard.counters
        high = counters.number(self.ends)
        low = counters.number(self.ends - self.window_ms)
        size = self.shard.cells.n
        rows = [counters.total(name, a, b, size) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
        return np.stack(rows)[:, self.layout.cells]

    def _pooled_values(self, node: Reduce, window: Window) -> Partial:
        packed = window.own
        n = max(window.store.n, 1)
        where = self.layout.columns(window.store.cell)
        row = packed.row // n * self.layout.size + where[packed.row % n]
        return self._kept(node, row, packed.value)

    def _kept(self, node: Reduce, row: Ints, value: Floats) -> Partial:
        shape = (len(self.ends), self.layout.size)
        counts = np.bincount(row, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)
        return Partial(node.fn, ("add",), (counts,), q=node.params[0], row=row, value=value)

    def _over_series(self, node: Reduce) -> Partial:
        codes = metrics_of(node)
        universe = self.shard.universe(codes)
        known = universe.known(self.ends)
        args = [np.where(known, self.series(arg, codes, universe), np.nan) for arg in node.args]
        if node.fn == "quantile":
            return self._series_values(node, universe, args[0])
        part = SERIES_REDUCTIONS[node.fn](node, universe, args)
        return part.at(self.layout.columns(universe.cells), len(self.ends), self.layout.size)

    def _series_values(self, node: Reduce, universe: Universe, values: Floats) -> Partial:
        end, column = np.nonzero(~np.isnan(values))
        sizes = np.diff(universe.start, append=universe.size)
        where = np.repeat(self.layout.columns(universe.cells), sizes)
        return self._kept(node, end * self.layout.size + where[column], values[end, column])

    # -- series --------------------------------------------------------------------------------------

    def series(self, node: Node, codes: tuple[str, ...], universe: Universe) -> Floats:
        """A series expression over the rows of a universe: float64[ends, rows] or broadcastable."""
        if isinstance(node, Aggregate):
            code = metric_of(node.source)
            return universe.take(codes.index(code), self.aggregate(node))
        if isinstance(node, Apply):
            if node.fn in OF_SERIES or node.fn == LACKS:
                return self._history(node, codes, universe)
            args = [self.series(a, codes, universe) for a in node.args]
            return apply(node.fn, args, node.params)
        return self.scalar(node)

    def _history(self, node: Apply, codes: tuple[str, ...], universe: Universe) -> Floats:
        if (node, codes) not in self._histories:
            inner = node.args[0]
            if node.fn == LACKS and isinstance(inner, Apply):
                found = lacks(inner, codes, universe, self)
            else:
                found = of_series(node, codes, universe, self)
            self._histories[node, codes] = found
        return self._histories[node, codes]

    def aggregate(self, node: Aggregate) -> Floats:
        """A per-series aggregate: float64[ends, series], NaN for series not known by then."""
        found = self._series.get(node)
        if found is None:
            window = self.window(metric_of(node.source), node.window, node.offset)
            if isinstance(node.source, Despike):
                window = Despiked.of(window, node.source.factor)
            if node.fn == "lowest_mean":
                values = lowest_mean(window, node, self.shard.calendar)
            elif node.fn == "time_outside":
                limits = [self._limit(window, p) for p in node.params]
                values = time_outside(window, limits[0], limits[1])
            elif node.fn == "slope":
                values = enough(window, node, slope(window, node))
            else:
                values = aggregate(window, node)
            found = np.where(window.store.known(self.ends), values, np.nan)
            self._series[node] = found
        return found

    def _limit(self, window: Window, node: Node) -> Floats:
        """A limit of ``time_outside`` for each series of its metric, matched by sensor and cell."""
        codes = (window.store.kind.code, *metrics_of(node))
        universe = self.shard.universe(codes)
        rows = np.broadcast_to(self.series(node, codes, universe), (len(self.ends), universe.size))
        out = np.full(window.shape, np.nan)
        has = universe.position[0] >= 0
        out[:, universe.position[0][has]] = rows[:, has]
        return out

    def scalar(self, node: Node) -> Floats:
        """A number or a clock flag: float64[ends, 1]."""
        return scalar(node, self.ends, self.shard.calendar, self.shard.plan.catalogue.settings)

    # -- evidence ------------------------------------------------------------------------------------

    def evidence(self) -> Partial:
        """Counts behind the value: see :class:`Frame`."""
        count = self.cases.counted()
        recent = self.cases.recent(VALID_INPUT_WITHIN)
        if self.plan.uses_counters:
            checked = self.counted("checked")
            count, recent = count + checked, recent + checked
        present, expected = [], []
        for code in self.plan.metrics:
            window = self.window(code)
            store = window.store
            if not store.n:
                empty = np.zeros((len(self.ends), self.layout.size), np.int64)
                present.append(empty)
                expected.append(empty)
                continue
            latest = store.latest(self.ends)[0]
            known = store.expected(self.ends, latest)
            valid = (latest > NEVER) & (latest > self.ends[:, None] - VALID_INPUT_WITHIN)
            rows = np.stack((window.count, self._present(code, window) & known, known, valid))
            summed = self._by_cell(rows.astype(np.int64), window)
            count, recent = count + summed[0], recent + summed[3]
            present.append(summed[1])
            expected.append(summed[2])
        columns = (count, *present, *expected, recent)
        return Partial("evidence", ("add",) * len(columns), columns)

    def _present(self, code: str, window: Window) -> NDArray[np.bool_]:
        found = window.count > 0
        names = {node.fn for node in self.plan.aggregates(code)}
        if names & HELD:
            found = found | holds(window)
        if names & REACHING:
            found = found | window.reached()[0]
        return found

    def _by_cell(self, rows: Ints, window: Window) -> Ints:
        """int64[k, ends, series] -> int64[k, ends, cells]."""
        out = np.zeros((*rows.shape[:2], self.layout.size), np.int64)
        runs = window.store.runs
        out[..., self.layout.columns(runs.cells)] = np.add.reduceat(
            rows[..., runs.order], runs.start, axis=-1
        )
        return out


def scalar(node: Node, ends: Ints, calendar: Calendar, settings: Mapping[str, float]) -> Floats:
    """A number, a setting or a clock flag at each end: float64[ends or 1, 1]."""
    if isinstance(node, Const):
        return np.full((1, 1), node.value)
    if isinstance(node, Setting):
        return np.full((1, 1), settings.get(node.name, node.default))
    if isinstance(node, Clock):
        return calendar.within(ends, node.begin, node.end).astype(np.float64)[:, None]
    raise TypeError(f"{type(node).__name__} is no scalar")
