"""Partials to values: the Area arithmetic of a formula over merged reductions, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indicators.calendar import Calendar
from indicators.elementwise import apply
from indicators.evaluate import Frame, scalar
from indicators.expression import Apply, CaseSet, Kind, Node, Reduce, walk
from indicators.history import NOW, OF_AREAS, Moment, evaluate, is_lacking
from indicators.plan import IndicatorPlan
from indicators.slices import Ints
from indicators.tolerance import le

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """One indicator's values for T window ends and A areas; arrays [T, A].

    ``allowed``: coverage and ``alarm_needs`` permit a level; ``level_ok`` [T, A, 4] or None; ``recent``: a
    valid input in the last 30 days (R13); ``warming``: no value, for want of history.
    """

    ends: Ints
    value: Floats
    n: Ints
    coverage: Floats
    allowed: Flags
    level_ok: Flags | None
    recent: Flags
    warming: Flags | None = None


class AreaValues:
    """Area expressions over the merged reductions of a frame, at present and at other moments.

    ``lacking`` [T, A] marks where a function of history is unknown for want of history.
    """

    def __init__(
        self, plan: IndicatorPlan, frame: Frame, calendar: Calendar, settings: Mapping[str, float]
    ) -> None:
        """Nothing is computed before it is asked for."""
        self.plan, self.frame, self.calendar, self.settings = plan, frame, calendar, settings
        keys = [(node, NOW) for node in plan.reductions] + [(past.node, past.moment) for past in plan.pasts]
        self._partial = dict(zip(keys, frame.partials, strict=True))
        self._found: dict[tuple[Node, Moment], Floats] = {}
        self.lacking = np.zeros(frame.evidence.columns[0].shape, bool)

    def of(self, node: Node, moment: Moment = NOW) -> Floats:
        """An expression's value: float64[T, A], or what broadcasts to it."""
        key = node, moment
        if key not in self._found:
            self._found[key] = self._value(node, moment)
        return self._found[key]

    def _value(self, node: Node, moment: Moment) -> Floats:
        if isinstance(node, Reduce):
            return self._reduced(node, moment)
        if isinstance(node, Apply):
            if node.fn in OF_AREAS:
                found, lacking = evaluate(node, self.plan.indicator.window_ms, self.of)
                self.lacking |= lacking
                return found
            return apply(node.fn, [self.of(a, moment) for a in node.args], node.params)
        return scalar(node, self.frame.ends - moment.back, self.calendar, self.settings)

    def _reduced(self, node: Reduce, moment: Moment) -> Floats:
        found = self._partial[node, moment].finish()
        if moment.back and not moment.window and node.args[0].kind is Kind.CASES:
            # Without a case in sight a past count is zero only if somebody was looking.
            own = self.plan.indicator.window_ms
            longest = max(s.window or own for s in walk(node) if isinstance(s, CaseSet))
            unseen = self.frame.ends - moment.back - longest < self.frame.since
            found = np.where(unseen[:, None], np.nan, found)
        return found

    def lacking_series(self) -> Flags:
        """Where series have no value for want of history."""
        out = np.zeros(self.lacking.shape, bool)
        for node in self.plan.reductions:
            if is_lacking(node):
                out |= self.of(node) > 0
        return out


def judge(plan: IndicatorPlan, frame: Frame, calendar: Calendar, settings: Mapping[str, float]) -> Judged:
    """Values, coverage and permission to alarm, from partials."""
    values = AreaValues(plan, frame, calendar, settings)
    shape = frame.evidence.columns[0].shape
    value = np.broadcast_to(values.of(plan.indicator.formula.value), shape)
    warming = np.isnan(value) & (values.lacking | values.lacking_series())
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
        warming,
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
