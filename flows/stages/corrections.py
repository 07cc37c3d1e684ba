"""Which closed windows late records may change: (notices, plan) -> a first instant per indicator.

Every lane is told of every late record, so that all lanes name the same windows and the areas above can be
merged anew. A late record may change every window from its own time on: its value while it lies in the
window, coverage and the row itself (R11, R13) for longer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flows.pieces import CaseNotices, Notices
from indicators.plan import Plan

STRAY = -1
"""The metric number of readings out of range: they touch the counters only (R10)."""

EVENTS = 1 << 32
"""What the number of an event type is added to, so that it is none of a metric."""


@dataclass
class Corrections:
    """By the slice end at which late records are published: what they are of -> earliest instant they touch.

    What they are of is the number of a metric, ``STRAY``, or ``EVENTS`` and above: an event type.
    """

    plan: Plan
    touched: dict[int, dict[int, int]] = field(default_factory=dict)

    def readings(self, notices: Notices) -> None:
        """Note late readings."""
        keys, inverse = np.unique(np.stack((notices.metric, notices.effective)), axis=1, return_inverse=True)
        first = np.full(keys.shape[1], np.iinfo(np.int64).max)
        np.minimum.at(first, inverse.ravel(), notices.ts)
        for (metric, effective), ts in zip(keys.T.tolist(), first.tolist(), strict=True):
            self._note(effective, metric, ts)

    def cases(self, notices: CaseNotices) -> None:
        """Note late transitions."""
        columns = (notices.type, notices.ts, notices.effective)
        for kind, ts, effective in zip(*(c.tolist() for c in columns), strict=True):
            self._note(effective, EVENTS + kind, ts)

    def _note(self, effective: int, source: int, first: int) -> None:
        known = self.touched.setdefault(effective, {})
        known[source] = min(first, known.get(source, first))

    def boundaries(self, until: int) -> list[int]:
        """The slice ends by an instant at which something is published, ascending."""
        return sorted(e for e in self.touched if e <= until)

    def take(self, effective: int) -> dict[int, int]:
        """What is published at one slice end, no longer noted: indicator -> earliest instant."""
        found: dict[int, int] = {}
        for source, first in self.touched.pop(effective, {}).items():
            for index in self._indicators(source):
                found[index] = min(first, found.get(index, first))
        return found

    def _indicators(self, source: int) -> list[int]:
        if source >= EVENTS:
            return [p.index for p in self.plan.using(self.plan.metrics.events[source - EVENTS].code)]
        found = [p.index for p in self.plan.indicators if p.uses_counters]
        if source != STRAY:
            found += [p.index for p in self.plan.using(self.plan.metrics.metrics[source].code)]
        return found

    def state(self) -> dict[str, Any]:
        """A plain table."""
        rows = [(e, source, first) for e, known in self.touched.items() for source, first in known.items()]
        return {"touched": np.array(rows, np.int64).reshape(-1, 3)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        for effective, source, first in state["touched"].tolist():
            self._note(effective, source, first)
