"""Partials to values: the Area arithmetic of a formula over merged reductions, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indicators.calendar import Calendar
from indicators.elementwise import apply
from indicators.evaluate import Frame, scalar
from indicators.expression import Apply, Node, Reduce
from indicators.plan import IndicatorPlan
from indicators.slices import Ints
from indicators.tolerance import le

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """One indicator's values for T window ends and A areas; arrays [T, A].

    ``allowed``: coverage and ``alarm_needs`` permit a level; ``level_ok`` [T, A, 4] or None; ``recent``: a
    valid input in the last 30 days (R13).
    """

    ends: Ints
    value: Floats
    n: Ints
    coverage: Floats
    allowed: Flags
    level_ok: Flags | None
    recent: Flags


class AreaValues:
    """Area expressions over the merged reductions of a frame."""

    def __init__(
        self, plan: IndicatorPlan, frame: Frame, calendar: Calendar, settings: Mapping[str, float]
    ) -> None:
        """Nothing is computed before it is asked for."""
        self.frame, self.calendar, self.settings = frame, calendar, settings
        self._partial = dict(zip(plan.reductions, frame.partials, strict=True))
        self._found: dict[Node, Floats] = {}

    def of(self, node: Node) -> Floats:
        """An expression's value: float64[T, A], or what broadcasts to it."""
        if node not in self._found:
            self._found[node] = self._value(node)
        return self._found[node]

    def _value(self, node: Node) -> Floats:
        if isinstance(node, Reduce):
            return self._partial[node].finish()
        if isinstance(node, Apply):
            return apply(node.fn, [self.of(a) for a in node.args], node.params)
        return scalar(node, self.frame.ends, self.calendar, self.settings)


def judge(plan: IndicatorPlan, frame: Frame, calendar: Calendar, settings: Mapping[str, float]) -> Judged:
    """Values, coverage and permission to alarm, from partials."""
    values = AreaValues(plan, frame, calendar, settings)
    shape = frame.evidence.columns[0].shape
    value = np.broadcast_to(values.of(plan.indicator.formula.value), shape)
    coverage = _coverage(plan, frame)
    allowed = le(plan.indicator.min_coverage, coverage)
    if plan.indicator.alarm_needs is not None:
        allowed = allowed & (values.of(plan.indicator.alarm_needs) == 1)
    level_ok: Flags | None = None
    if plan.indicator.level_needs:
        level_ok = np.ones((*shape, 4), bool)
        for level, node in plan.indicator.level_needs.items():
            level_ok[..., level - 1] = values.of(node) == 1
    columns = frame.evidence.columns
    return Judged(
        frame.ends,
        np.array(value, np.float64),
        np.asarray(columns[0], np.int64),
        coverage,
        np.broadcast_to(allowed, shape),
        level_ok,
        np.asarray(columns[-1]) > 0,
    )


def _coverage(plan: IndicatorPlan, frame: Frame) -> Floats:
    columns = frame.evidence.columns
    after = 1 + len(plan.metrics)
    out = np.ones(columns[0].shape)
    for present, expected in zip(columns[1:after], columns[after:-1], strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(expected > 0, present / expected, 1.0)
        out = np.minimum(out, share)
    return out
