"""What every step of the flow must know of the city."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from alerts.thresholds import Thresholds
from flows.beginning import Ticks
from geo.areas import Areas
from geo.cells import CellSystem
from indicators.calendar import Calendar
from indicators.plan import IndicatorPlan, Plan

COUNTED_EVERY = 3_600_000
"""The step at which readings out of range take effect, ms."""


@dataclass(frozen=True)
class City:
    """What every step must know of the city: the same in all processes.

    Attributes:
        plan: of the catalogue in force.
        calendar: the city's days.
        grid: its cells.
        areas: its areas.
        thresholds: levels of some areas at some times.
        first: the plan the run began with, by whose slices records take effect; None: ``plan``.
        edition: how often the city has changed since then.
    """

    plan: Plan
    calendar: Calendar
    grid: CellSystem
    areas: Areas
    thresholds: Thresholds = field(default_factory=Thresholds)
    first: Plan | None = None
    edition: int = 0

    @property
    def beginning(self) -> Plan:
        """The plan the run began with."""
        return self.first or self.plan

    @property
    def ticks(self) -> Ticks:
        """When records may take effect."""
        return Ticks(self.beginning.tick_ms, self.calendar.slice_origin)

    @cached_property
    def _steps(self) -> dict[int, tuple[int, ...]]:
        """By indicator: steps at which its records take effect, where its windows end more often."""
        return {p.index: self._coarse(p) for p in self.plan.indicators} if self.first else {}

    def _coarse(self, plan: IndicatorPlan) -> tuple[int, ...]:
        begun, metrics = self.beginning, self.plan.metrics
        steps = [
            *(int(begun.slice_ms[metrics.index[code]]) for code in plan.metrics),
            *(int(begun.event_slice_ms[metrics.event_index[code]]) for code in plan.events),
        ]
        if plan.uses_counters:
            steps.append(COUNTED_EVERY)
        return tuple(sorted({step for step in steps if plan.indicator.hop_ms % step}))

    @cached_property
    def _hops(self) -> list[int]:
        return sorted({p.indicator.hop_ms for p in self.plan.indicators})

    def due(self, closed: int) -> int:
        """Before when no window ends, once all up to an instant are closed; the instant itself: unknown."""
        if self.first is not None or abs(closed) >= np.iinfo(np.int64).max:
            return closed
        return min((self.calendar.next_end(closed, hop) for hop in self._hops), default=closed)

    def beat(self, plan: IndicatorPlan) -> tuple[int, tuple[int, ...]]:
        """What tells when windows of an indicator are closed: the hop, and what `reached` depends on."""
        return plan.indicator.hop_ms, self._steps.get(plan.index, ())

    def reached(self, plan: IndicatorPlan, until: int) -> int:
        """Up to when windows of an indicator can be closed once records have taken effect up to an instant.

        That is the instant itself, unless the indicator came later and asks more often than its records
        take effect.
        """
        steps = self._steps.get(plan.index, ())
        if not steps or abs(until) == np.iinfo(np.int64).max:
            return until
        origin = self.calendar.slice_origin
        return min(origin + (until - origin) // step * step for step in steps)
