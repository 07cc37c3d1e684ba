"""Which closed windows late records may change: (notices, plan) -> a span of window ends per indicator.

Every lane is told of every late record, so that all lanes name the same windows and the areas above can be
merged anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flows.batches import Ints
from flows.pieces import CaseNotices, Notices
from indicators.plan import Plan

STRAY = -1
"""The metric number of readings out of range: they touch the counters only (R10)."""



@dataclass
class Corrections:
    """Spans of instants that late records touch, by the slice end they are published at."""

    plan: Plan
    spans: dict[int, dict[int, list[tuple[int, int]]]] = field(default_factory=dict)

    def readings(self, notices: Notices) -> None:
        """Note late readings: each touches [ts, ts + reach) of every indicator that reads its metric."""
        keys = np.stack((notices.metric.astype(np.int64), notices.ts, notices.effective, notices.period))
        for metric, ts, effective, period in np.unique(keys, axis=1).T.tolist():
            for index, reach in self._reach(metric, period):
                self._note(effective, index, ts, ts + reach)

    def _reach(self, metric: int, period: int) -> list[tuple[int, int]]:
        counters = [(p.index, p.indicator.window_ms) for p in self.plan.indicators if p.uses_counters]
        if metric == STRAY:
            return counters
        found = self.plan.metrics.metrics[metric]
        own = [
            (p.index, p.reach(found.code).of(period, reference=found.reference))
            for p in self.plan.using(found.code)
            if found.code in p.metrics
        ]
        return own + counters

    def cases(self, notices: CaseNotices) -> None:
        """Note late transitions: entered sets for their window, open and due ones from then on."""
        columns = (notices.type, notices.ts, notices.until, notices.effective)
        for kind, ts, until, effective in zip(*(c.tolist() for c in columns), strict=True):
            event = self.plan.metrics.events[kind].code
            for plan in self.plan.using(event):
                reach = plan.case_reach
                self._note(effective, plan.index, ts, effective if reach is None else until + reach)

    def _note(self, effective: int, index: int, first: int, last: int) -> None:
        self.spans.setdefault(effective, {}).setdefault(index, []).append((first, last))

    def boundaries(self, until: int) -> list[int]:
        """The slice ends by an instant at which something is published, ascending."""
        return sorted(e for e in self.spans if e <= until)

    def take(self, effective: int) -> dict[int, list[tuple[int, int]]]:
        """The spans of one slice end, by indicator, no longer noted."""
        return self.spans.pop(effective, {})

    def state(self) -> dict[str, Any]:
        """A plain table."""
        rows = [
            (effective, index, first, last)
            for effective, by_index in self.spans.items()
            for index, spans in by_index.items()
            for first, last in spans
        ]
        return {"spans": np.array(rows, np.int64).reshape(-1, 4)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        for effective, index, first, last in state["spans"].tolist():
            self._note(effective, index, first, last)


def touched(ends: Ints, spans: list[tuple[int, int]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which window ends lie in any span [first, last).

    >>> touched(np.array([10, 20, 30]), [(5, 15), (30, 31)]).tolist()
    [True, False, True]
    """
    marks = np.zeros(len(ends) + 1, np.int64)
    first = np.array([a for a, _ in spans], np.int64)
    last = np.array([b for _, b in spans], np.int64)
    np.add.at(marks, np.searchsorted(ends, first), 1)
    np.subtract.at(marks, np.searchsorted(ends, last), 1)
    return np.cumsum(marks[:-1]) > 0
