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


def area_value(node: Node, reduced: Mapping[Node, Floats], scalars: Mapping[Node, Floats]) -> Floats:
    """An Area expression over reduction results."""
    if isinstance(node, Reduce):
        return reduced[node]
    if isinstance(node, Apply):
        return apply(node.fn, [area_value(a, reduced, scalars) for a in node.args], node.params)
    return scalars[node]


def judge(plan: IndicatorPlan, frame: Frame, calendar: Calendar, settings: Mapping[str, float]) -> Judged:
    """Values, coverage and permission to alarm, from partials."""
    reduced: dict[Node, Floats] = {
        node: part.finish() for node, part in zip(plan.reductions, frame.partials, strict=True)
    }
    scalars: dict[Node, Floats] = {
        node: scalar(node, frame.ends, calendar, settings)
        for node in plan.nodes
        if not isinstance(node, (Reduce, Apply)) and node.kind == 0
    }
    shape = frame.evidence.columns[0].shape
    value = np.broadcast_to(area_value(plan.indicator.formula.value, reduced, scalars), shape)
    coverage = _coverage(plan, frame)
    allowed = le(plan.indicator.min_coverage, coverage)
    if plan.indicator.alarm_needs is not None:
        allowed = allowed & (area_value(plan.indicator.alarm_needs, reduced, scalars) == 1)
    level_ok: Flags | None = None
    if plan.indicator.level_needs:
        level_ok = np.ones((*shape, 4), bool)
        for level, node in plan.indicator.level_needs.items():
            level_ok[..., level - 1] = area_value(node, reduced, scalars) == 1
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
