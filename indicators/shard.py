"""The state of one shard: cells, the series of every metric, cases and counters."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field

import numpy as np

from indicators.attic import Attic
from indicators.calendar import DAY, Calendar
from indicators.cases import TypeCases
from indicators.closing import close_steps
from indicators.counters import CellCounters
from indicators.latest import NEVER
from indicators.layout import Cells, Layout, Universe
from indicators.plan import COUNTERS, IndicatorPlan, Plan
from indicators.slices import Ints
from indicators.stocks import Stocks, kind_of, ring_of
from indicators.store import MetricStore

COUNTERS_KEPT = 4 * DAY
"""Longest use: a window of 24 h, corrected up to 48 h later."""

CASES_KEPT = 60 * DAY
"""Ended cases: a row for 30 days (R13), corrected up to 7 days later, behind the longest SLA and window."""


@dataclass
class Shard:
    """What one shard knows; evaluation (``indicators.evaluate``) reads it, the flow fills it.

    ``since`` is the flow's first watermark: what cases there were before is not known. ``further`` are the
    stores by (metric, number of the stock) that began with a change of the catalogue; all stores of a metric
    have the same series under the same numbers. What only late records can ask for goes to the ``attic``, if
    there is one.
    """

    plan: Plan
    calendar: Calendar
    cells: Cells
    stores: list[MetricStore] = field(init=False)
    stocks: Stocks = field(init=False)
    further: dict[tuple[int, int], MetricStore] = field(default_factory=dict)
    cases: list[TypeCases] = field(init=False)
    counters: CellCounters = field(init=False)
    only: Ints | None = None
    since: int = NEVER
    attic: Attic | None = None
    universes: dict[tuple[int, ...], tuple[tuple[int, ...], Universe]] = field(default_factory=dict)
    layouts: dict[int, tuple[tuple[int, ...], Layout]] = field(default_factory=dict)
    views: dict[int, Shard] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Empty stores with the plan's slices."""
        origin = self.calendar.slice_origin
        self.stocks = Stocks.of(self.plan)
        self.stores = [
            MetricStore(self.plan.kind(i), ring_of(stock, self.plan, i, origin, self.attic))
            for i, (stock,) in enumerate(self.stocks.by_metric)
        ]
        self.cases = [TypeCases(int(sla)) for sla in self.plan.metrics.sla_ms]
        index = self.plan.metrics.index.get(next(iter(COUNTERS)))
        length = 3_600_000 if index is None else int(self.plan.slice_ms[index])
        self.counters = CellCounters(length, origin)

    def store(self, code: str) -> MetricStore:
        """The store of a metric."""
        return self.stores[self.plan.metrics.index[code]]

    def type_cases(self, event: str) -> TypeCases:
        """The cases of an event type."""
        return self.cases[self.plan.metrics.event_index[event]]

    # -- another catalogue -----------------------------------------------------------------------------

    def adopt(self, plan: Plan, stocks: Stocks) -> None:
        """Go on with another catalogue: what its new needs ask for begins with the readings still kept."""
        self.plan, self.stocks = plan, stocks
        further: dict[tuple[int, int], MetricStore] = {}
        for metric, own in enumerate(stocks.by_metric):
            whole = self.stores[metric]
            for stock in own:
                key, kind = (metric, stock.number), kind_of(stock, plan, metric)
                store = whole if not stock.number else self.further.get(key)
                if store is None:
                    ring = ring_of(stock, plan, metric, self.calendar.slice_origin, self.attic)
                    store = whole.twin(kind, ring)
                store.kind, store.ring.tests = kind, plan.tests(metric)
                if stock.number:
                    further[key] = store
        self.further = further
        self.layouts, self.views = {}, {}

    def view(self, plan: IndicatorPlan) -> Shard:
        """The shard as an indicator reads it: with the stores of its own stocks."""
        if not self.further:
            return self
        if plan.index not in self.views:
            metrics = [self.plan.metrics.index[code] for code in plan.metrics]
            keys = [(metric, self.stocks.read_by(plan.indicator.id, metric).number) for metric in metrics]
            own = {key[0]: self.further[key] for key in keys if key in self.further}
            self.views[plan.index] = self._with(own) if own else self
        return self.views[plan.index]

    def _with(self, stores: Mapping[int, MetricStore]) -> Shard:
        """The same shard with other stores of some metrics."""
        found = copy(self)
        found.stores = [stores.get(metric, store) for metric, store in enumerate(self.stores)]
        found.universes, found.layouts = {}, {}
        return found

    def every_store(self, metric: int) -> list[MetricStore]:
        """All stores of a metric, the first one first."""
        own = self.stocks.by_metric[metric]
        return [self.stores[metric], *(self.further[metric, s.number] for s in own if s.number)]

    # -- reading ---------------------------------------------------------------------------------------

    def universe(self, codes: tuple[str, ...]) -> Universe:
        """The sensors known for any of some metrics; rebuilt only when series were added."""
        indexes = tuple(self.plan.metrics.index[code] for code in codes)
        version = tuple(self.stores[i].n for i in indexes)
        found = self.universes.get(indexes)
        if found is None or found[0] != version:
            found = version, Universe.of([self.stores[i] for i in indexes], self.cells)
            self.universes[indexes] = found
        return found[1]

    def layout(self, plan: IndicatorPlan) -> Layout:
        """The cells an indicator has values for."""
        stores = [self.store(code) for code in plan.metrics]
        types = [self.type_cases(event) for event in plan.events]
        counted = self.cells.n if plan.uses_counters else 0
        version = (*(s.n for s in stores), *(len(t.places) for t in types), counted)
        found = self.layouts.get(plan.index)
        if found is None or found[0] != version:
            placed = [np.fromiter(t.places, np.int64, len(t.places)) for t in types]
            layout = Layout.of(
                [*(s.cell for s in stores), *placed, np.arange(counted)], self.cells, self.only
            )
            found = version, layout
            self.layouts[plan.index] = found
        return found[1]

    def active(self, plan: IndicatorPlan) -> bool:
        """Whether anything here can give the indicator a value."""
        if plan.uses_counters and self.cells.n:
            return True
        return any(self.store(code).n for code in plan.metrics) or any(
            self.type_cases(event).places for event in plan.events
        )

    def excerpt(self, plan: IndicatorPlan, cells: Ints, ends: Ints) -> Shard:
        """The same shard reduced to some cells and to what an indicator needs for some window ends."""
        found = copy(self)
        found.only, found.stores, found.universes, found.layouts = cells, list(self.stores), {}, {}
        member = np.zeros(self.cells.n, bool)
        member[cells] = True
        for code in plan.metrics:
            index = self.plan.metrics.index[code]
            store = self.stores[index]
            held = max(store.kind.periods * store.longest_period, int(store.hold.max(initial=0)))
            reach = plan.reach(code) + held
            series = np.flatnonzero(member[store.cell])
            found.stores[index] = store.excerpt(
                series, int(ends[0]) - reach - store.ring.length, int(ends[-1])
            )
        return found

    def insert(self, metric: int, series: Ints, ts: Ints, value: Ints) -> None:
        """Take readings of one metric in arrival order; counts those that replace no other (R7, R10)."""
        store, *further = self.every_store(metric)
        fresh, times = store.insert(series, ts, value)
        for other in further:
            other.insert(series, ts, value)
        cells = store.cell[fresh]
        self.counters.add(("checked", "correct"), cells, times)

    def advance(self, to: int) -> None:
        """Move the latest readings to an instant and forget what no window can ask for any more."""
        for store in (*self.stores, *self.further.values()):
            store.advance(to, close_steps)
        self.counters.forget(to - COUNTERS_KEPT)

    def forget(self, until: int) -> None:
        """Drop cases that ended long before an instant, and those that lie in another shard now."""
        for cases in self.cases:
            cases.forget(until - CASES_KEPT)
