"""Readings of faulty sensors, kept apart from what indicators are computed from.

An order takes effect at a slice end, like late records: what it names is taken out of the slices or put back,
and the windows it touches are published again. What comes for a faulty sensor goes aside at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.batches import FINAL, Ints
from flows.pieces import Orders
from indicators.shard import Shard
from indicators.slice_ring import SliceRing

Flags = NDArray[np.bool_]

REACH = 12 * 3_600_000
"""How far back readings of a faulty sensor are taken out, ms: most faults show within hours."""

_HOUR = 3_600_000
_KEPT = 24 * _HOUR
"""How long a span that is over is remembered, longer than any record may be late by."""


@dataclass(slots=True)
class Spans:
    """Spans of time of some series of one metric, rows in no order: int64[n] each.

    Readings of ``series`` with ``begin`` < ts <= ``end`` do not count.
    """

    series: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    begin: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    end: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def put(self, series: int, begin: int, end: int) -> int:
        """Begin or end a span; returns where it ended before, its beginning if it is new.

        >>> spans = Spans()
        >>> spans.put(3, 100, FINAL), spans.put(3, 100, 500) == FINAL, spans.put(3, 700, FINAL)
        (100, True, 700)
        """
        row = np.flatnonzero((self.series == series) & (self.begin == begin))
        if len(row):
            before = int(self.end[row[0]])
            self.end[row[0]] = end
            return before
        new = (series, begin, end)
        for name, value in zip(("series", "begin", "end"), new, strict=True):
            setattr(self, name, np.append(getattr(self, name), value))
        return begin

    def hold(self, series: Ints, ts: Ints) -> Flags:
        """Whether readings lie in a span: bool[n]."""
        out = np.zeros(len(ts), bool)
        mine = np.flatnonzero(np.isin(series, self.series))
        if not len(mine):
            return out
        who, at = series[mine], ts[mine]
        for one, begin, end in zip(self.series.tolist(), self.begin.tolist(), self.end.tolist(), strict=True):
            out[mine] |= (who == one) & (at > begin) & (at <= end)
        return out

    def forget(self, before: int) -> None:
        """Drop spans that ended before an instant."""
        kept = self.end >= before
        self.series, self.begin, self.end = self.series[kept], self.begin[kept], self.end[kept]

    def state(self) -> tuple[Ints, Ints, Ints]:
        """Copies of the columns."""
        return self.series.copy(), self.begin.copy(), self.end.copy()


class Quarantine:
    """What one lane keeps apart, by metric; ``waiting`` orders have not taken effect."""

    def __init__(self, shard: Shard) -> None:
        """Every reading counts."""
        self._shard = shard
        self.waiting: list[Orders] = []
        self.spans: dict[int, Spans] = {}
        self.early: dict[int, Spans] = {}
        self.aside: dict[int, SliceRing] = {}

    @property
    def sensors(self) -> int:
        """How many series are kept apart now."""
        return sum(int((spans.end == FINAL).sum()) for spans in self.spans.values())

    # -- orders ----------------------------------------------------------------------------------------

    def take(self, orders: Orders) -> None:
        """Remember orders until they take effect; all are of series that were announced here before."""
        self.waiting.append(orders)

    def early_boundaries(self, until: int) -> list[int]:
        """The instants by another at which orders take effect for early values, ascending."""
        return sorted({e for orders in self.waiting for e in orders.effective.tolist() if e <= until})

    def apply_early(self, at: int) -> None:
        """Let the orders of an instant take effect for early values."""
        for metric, series, begin, end in self._due(at):
            self.early.setdefault(metric, Spans()).put(series, begin, end)

    def apply(self, at: int) -> Ints:
        """Let the orders of an instant take effect; returns the cells they touch."""
        cells = []
        for metric, series, begin, end in self._due(at):
            before = self.spans.setdefault(metric, Spans()).put(series, begin, end)
            if end > before:
                self._take_out(metric, series, before, end)
            elif end < before:
                self._put_back(metric, series, end, before)
            cells.append(int(self._shard.stores[metric].cell[series]))
        self.waiting = [kept for orders in self.waiting if (kept := _others(orders, at)) is not None]
        return np.array(cells, np.int64)

    def _due(self, at: int) -> list[tuple[int, int, int, int]]:
        """Metric, series, begin and end of the orders of an instant that are about series of this lane."""
        found = []
        for orders in self.waiting:
            for i in np.flatnonzero(orders.effective == at).tolist():
                metric = int(orders.metric[i])
                store = self._shard.stores[metric]
                own = np.flatnonzero(store.sensor == orders.sensor_key[i])
                own = own[self._shard.cells.code[store.cell[own]] == orders.cell[i]]
                if len(own):
                    found.append((metric, int(own[0]), int(orders.begin[i]), int(orders.end[i])))
        return found

    def _take_out(self, metric: int, series: int, begin: int, end: int) -> None:
        span = np.array([series]), np.array([begin]), np.array([end])
        found, *_ = [store.take_out(*span) for store in self._shard.every_store(metric)]
        if len(found[0]):
            self._ring(metric).insert(*found, self._shard.stores[metric].n)

    def _put_back(self, metric: int, series: int, begin: int, end: int) -> None:
        ring = self.aside.get(metric)
        if ring is None:
            return
        found = ring.take_out(np.array([series]), np.array([begin]), np.array([end]))
        if len(found[0]):
            for store in self._shard.every_store(metric):
                store.insert(*found)

    def _ring(self, metric: int) -> SliceRing:
        if metric not in self.aside:
            ring = self._shard.stores[metric].ring
            self.aside[metric] = SliceRing(ring.length, ring.origin)
        return self.aside[metric]

    # -- readings --------------------------------------------------------------------------------------

    def insert(self, metric: int, series: Ints, ts: Ints, value: Ints) -> None:
        """Take readings in arrival order; those that do not count go aside, and are counted all the same."""
        spans = self.spans.get(metric)
        apart = None if spans is None else spans.hold(series, ts)
        if apart is None or not apart.any():
            self._shard.insert(metric, series, ts, value)
            return
        store = self._shard.stores[metric]
        fresh, times = self._ring(metric).insert(series[apart], ts[apart], value[apart], store.n)
        self._shard.counters.add(("checked", "correct"), store.cell[fresh], times)
        np.minimum.at(store.first, series[apart], ts[apart])
        if not apart.all():
            self._shard.insert(metric, series[~apart], ts[~apart], value[~apart])

    def held_early(self, metric: int) -> Callable[[Ints, Ints], Flags] | None:
        """What tells which readings do not count for early values; None where all do."""
        spans = self.early.get(metric)
        return None if spans is None or not len(spans.series) else spans.hold

    def forget(self, until: int) -> None:
        """Forget what no record or order to come can ask for."""
        within = self._shard.plan.metrics.revise_within_ms
        for metric, ring in self.aside.items():
            ring.forget(until - int(within[metric]) - 2 * _HOUR)
            ring.rest(until - 2 * _HOUR)
        for spans in (*self.spans.values(), *self.early.values()):
            spans.forget(until - int(within.max()) - _KEPT)

    # -- snapshots -------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "waiting": list(self.waiting),
            "spans": {metric: spans.state() for metric, spans in self.spans.items()},
            "early": {metric: spans.state() for metric, spans in self.early.items()},
            "aside": {
                metric: {k: ring.dump(k) for k in sorted(ring.slices)} for metric, ring in self.aside.items()
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self.waiting = list(state["waiting"])
        self.spans = {metric: Spans(*(c.copy() for c in found)) for metric, found in state["spans"].items()}
        self.early = {metric: Spans(*(c.copy() for c in found)) for metric, found in state["early"].items()}
        for metric, slices in state["aside"].items():
            for k, data in slices.items():
                self._ring(metric).load(k, data)


def _others(orders: Orders, at: int) -> Orders | None:
    kept = orders.effective != at
    if kept.all():
        return orders
    return Orders(*(getattr(orders, name)[kept] for name in Orders.__slots__)) if kept.any() else None
