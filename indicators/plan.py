"""What a catalogue needs kept: slice lengths, retention and tests per metric, reductions per indicator.

Built once per catalogue version: the same aggregate of the same metric and window is computed once for all
formulas (FORMULAS.md section 5.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indicators.catalogue import Catalogue, Indicator
from indicators.elementwise import apply
from indicators.expression import (
    Aggregate,
    Apply,
    CaseSet,
    Const,
    Despike,
    Kind,
    Metric,
    Node,
    Reduce,
    children,
    walk,
)
from indicators.history import Past, reductions, steps
from indicators.metrics import Metrics
from indicators.retention import Retention, Scope, Use, step_of, uses
from indicators.slices import Channel, Ints, ReadingTest
from indicators.store import HOLD_PERIODS, REACH_PERIODS, REFERENCE_HOLD, MetricKind
from indicators.tiers import LAST, LAST_TS

LONGEST_SLICE = 3_600_000
EVENT_CORRECT_WITHIN = 7 * 24 * 3_600_000
"""How late a transition may come and still correct closed windows (R4)."""
COUNTERS = {"ds_records_checked": "checked", "ds_records_correct": "correct"}
"""Metrics whose totals include the engine's own counters of its cells (R10)."""


@dataclass(frozen=True)
class IndicatorPlan:
    """One indicator, taken apart: its reductions, and the Area expressions over them."""

    index: int
    indicator: Indicator

    @cached_property
    def roots(self) -> tuple[Node, ...]:
        """The value and the flags."""
        found = [self.indicator.formula.value, *self.indicator.level_needs.values()]
        if self.indicator.alarm_needs is not None:
            found.append(self.indicator.alarm_needs)
        return tuple(found)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every distinct node."""
        return tuple(dict.fromkeys(node for root in self.roots for node in walk(root)))

    @cached_property
    def _reductions(self) -> tuple[tuple[Reduce, ...], tuple[Past, ...]]:
        return reductions(self.roots, self.indicator.window_ms)

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        """The distinct reductions over the present window, in order of appearance."""
        return self._reductions[0]

    @property
    def pasts(self) -> tuple[Past, ...]:
        """The distinct reductions over other windows that functions of history compare."""
        return self._reductions[1]

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics it reads."""
        return self.indicator.formula.metrics

    @cached_property
    def events(self) -> tuple[str, ...]:
        """The event types it reads."""
        return self.indicator.formula.events

    @cached_property
    def case_sets(self) -> tuple[CaseSet, ...]:
        """The distinct sets of cases."""
        return tuple(node for node in self.nodes if isinstance(node, CaseSet))

    @property
    def uses_counters(self) -> bool:
        """Whether the engine's own counters enter (R10)."""
        return any(code in COUNTERS for code in self.metrics)

    def aggregates(self, code: str) -> list[Aggregate]:
        """The aggregates of one metric."""
        return [n for n in self.nodes if isinstance(n, Aggregate) and metric_of(n.source) == code]

    def reach(self, code: str) -> int:
        """How far before a window's end it looks at a metric, holds and reach-back apart, ms."""
        return max(use.reach for use in self.looks(code))

    def durations(self, code: str) -> Iterator[int]:
        """Every duration that slices of a metric must divide, ms."""
        yield from (self.indicator.window_ms, self.indicator.hop_ms)
        for node in self.aggregates(code):
            step = step_of(node)
            yield from (d for d in (node.window, node.offset, 0 if math.isnan(step) else int(step)) if d)
        yield from (step for root in self.roots for step in steps(root))

    def uses(self, code: str, metrics: Metrics) -> list[Use]:
        """What of a metric's past it needs, corrections included."""
        correctable = self.correctable(metrics)
        return [replace(use, reach=use.reach + correctable) for use in self.looks(code)]

    def looks(self, code: str) -> list[Use]:
        """What of a metric's past a window needs."""
        window = self.indicator.window_ms
        scope = Scope(window, math.gcd(self.indicator.hop_ms, window))
        found = [use for root in self.roots for use in uses(root, code, scope)]
        # Evidence: readings in the window and the last one before its end.
        return [*found, Use(window, False, ("count", LAST_TS, LAST), scope.grain)]  # noqa: FBT003

    def correctable(self, metrics: Metrics) -> int:
        """How far back a record, or what is judged of one, may change a window of this indicator, ms."""
        found = [int(metrics.revise_within_ms[metrics.index[code]]) for code in self.metrics]
        if self.events:
            found.append(EVENT_CORRECT_WITHIN)
        if self.uses_counters:
            found.append(int(metrics.revise_within_ms.max()))
        return max(found, default=0)


def metric_of(node: Node) -> str:
    """The metric a readings node is about.

    >>> metric_of(Apply("le", (Metric("bin_fill"), Const(90.0)), Kind.READINGS))
    'bin_fill'
    """
    for below in walk(node):
        code = getattr(below, "code", None)
        if code is not None:
            return str(code)
    raise TypeError("a readings expression names no metric")


def reading_test(node: Node, scale: float) -> ReadingTest:
    """A test of stored integer values from a readings flag."""

    def evaluate(below: Node, values: NDArray[np.float64]) -> NDArray[np.float64] | float:
        if isinstance(below, Metric):
            return values
        if isinstance(below, Const):
            return below.value
        if isinstance(below, Apply):
            return apply(below.fn, [evaluate(a, values) for a in children(below)], below.params)
        raise TypeError(f"{type(below).__name__} cannot be tested reading by reading")

    def test(stored: Ints) -> NDArray[np.float64]:
        return np.asarray(evaluate(node, stored / scale), np.float64)

    return test


@dataclass(frozen=True)
class Plan:
    """Everything the engine keeps for a catalogue."""

    catalogue: Catalogue
    metrics: Metrics

    @cached_property
    def indicators(self) -> tuple[IndicatorPlan, ...]:
        """The indicators, in the catalogue's order."""
        return tuple(IndicatorPlan(i, ind) for i, ind in enumerate(self.catalogue.indicators))

    def using(self, code: str) -> list[IndicatorPlan]:
        """The indicators that read a metric or an event type."""
        return self._readers.get(code, [])

    @cached_property
    def _readers(self) -> dict[str, list[IndicatorPlan]]:
        found: dict[str, list[IndicatorPlan]] = {}
        for plan in self.indicators:
            for code in (*plan.metrics, *plan.events):
                found.setdefault(code, []).append(plan)
        return found

    @cached_property
    def slice_ms(self) -> Ints:
        """Slice length of each metric, ms."""
        return np.array([self._slice(m.code) for m in self.metrics.metrics], np.int64)

    def _slice(self, code: str) -> int:
        return math.gcd(LONGEST_SLICE, *(d for p in self.using(code) for d in p.durations(code)))

    @cached_property
    def event_slice_ms(self) -> Ints:
        """The step at which late transitions of each event type are published, ms."""
        return np.array(
            [
                math.gcd(LONGEST_SLICE, *(p.indicator.hop_ms for p in self.using(event.code)))
                for event in self.metrics.events
            ],
            np.int64,
        )

    @cached_property
    def tick_ms(self) -> int:
        """The greatest step all slices and hops are multiples of, ms."""
        return math.gcd(*self.slice_ms.tolist(), *self.event_slice_ms.tolist(), *self._hops())

    def _hops(self) -> Iterable[int]:
        return (p.indicator.hop_ms for p in self.indicators)

    def kind(self, index: int) -> MetricKind:
        """What the store of a metric must know."""
        return self._kinds[index]

    @cached_property
    def _kinds(self) -> list[MetricKind]:
        return [self._kind(i) for i in range(len(self.metrics.metrics))]

    def _kind(self, index: int) -> MetricKind:
        metric = self.metrics.metrics[index]
        hold = REFERENCE_HOLD if metric.reference else 0
        scale = round(1 / float(metric.resolution))
        kept = self.retention(index)
        return MetricKind(
            metric.code,
            float(scale),
            metric.reference,
            kept.kept + hold,
            kept.raw,
            self._fresh(metric.code, kept),
            self._periods(metric.code),
        )

    def _fresh(self, code: str, kept: Retention) -> int:
        """How far back the slices of a window reach that no late record changes."""
        looks = [use for p in self.using(code) for use in p.looks(code)]
        return max((use.reach for use in looks if use.readings or not kept.channels), default=0)

    def _periods(self, code: str) -> int:
        """Periods that hold, reach-back and neighbours of a reading may go back beyond a window."""
        filtered = any(
            isinstance(n, Despike) and n.code == code
            for p in self.using(code)
            for root in p.nodes
            for n in walk(root)
        )
        return HOLD_PERIODS + REACH_PERIODS if filtered else HOLD_PERIODS

    def retention(self, index: int) -> Retention:
        """How long readings and sums of a metric are kept."""
        return self._retentions[index]

    @cached_property
    def _retentions(self) -> list[Retention]:
        return [self._retention(i) for i in range(len(self.metrics.metrics))]

    def _retention(self, index: int) -> Retention:
        metric = self.metrics.metrics[index]
        found = [use for p in self.using(metric.code) for use in p.uses(metric.code, self.metrics)]
        late = int(self.metrics.revise_within_ms[index])
        return Retention.of(found, int(self.slice_ms[index]), late)

    def tests(self, index: int) -> dict[Channel, ReadingTest]:
        """The flag channels that slices of a metric must count."""
        return self._tests[index]

    @cached_property
    def _tests(self) -> list[dict[Channel, ReadingTest]]:
        return [self._tests_of(i) for i in range(len(self.metrics.metrics))]

    def _tests_of(self, index: int) -> dict[Channel, ReadingTest]:
        code = self.metrics.metrics[index].code
        scale = self.kind(index).scale
        found: dict[Channel, ReadingTest] = {}
        for node in (n for p in self.using(code) for n in p.nodes):
            flag = tested(node)
            if flag is not None and metric_of(flag) == code:
                found[("true", flag)] = found[("known", flag)] = reading_test(flag, scale)
        return found


def tested(node: Node) -> Node | None:
    """The readings flag that a node counts, if it counts one."""
    if isinstance(node, Aggregate) and node.fn == "count" and isinstance(node.source, Apply):
        return node.source
    if isinstance(node, Reduce) and node.args[0].kind is Kind.READINGS and node.fn in {"share", "number"}:
        return node.args[0]
    return None
