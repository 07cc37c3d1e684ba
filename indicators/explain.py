"""Why a value is what it is: the tree of a formula with every value on the way and who contributed.

>>> from indicators.catalogue import Catalogue
>>> from indicators.golden_case import shipped_cases
>>> from indicators.golden_town import GoldenTown
>>> from indicators.metrics import Metrics
>>> case = next(c for c in shipped_cases() if c.indicator == "gas.leak_lel_max")
>>> town = GoldenTown(case, Catalogue.load()[case.indicator], Metrics.load())
>>> tree = town.explained("all").tree
>>> tree.text, tree.value, [child.value for child in tree.children]
('max_of(...)', 5.0, [1.0, 5.0])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indicators.calendar import Calendar
from indicators.contributions import Rows, contributions, weights
from indicators.entry import LEVELS
from indicators.evaluate import Evaluation, Frame
from indicators.expression import Apply, Const, Node, Reduce, walk
from indicators.expression_text import formula_text
from indicators.judge import AreaValues, Judged, judge
from indicators.plan import IndicatorPlan

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Branch:
    """One node: its text, the name it has in the formula (""), its value (NaN: none), what it is made of.

    A reduction has ``rows`` with a weight each, the sum of value times weight being its value; other nodes
    have ``children``.
    """

    text: str
    name: str
    fn: str
    value: float
    children: tuple[Branch, ...] = ()
    rows: Rows | None = None
    weights: Floats | None = None

    def walk(self) -> Iterator[Branch]:
        """This branch and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Explanation:
    """The tree of a value, the trees of the conditions for a level, and the value as it is judged."""

    tree: Branch
    conditions: Mapping[str, Branch]
    judged: Judged


@dataclass(frozen=True)
class Share:
    """What one shard knows of one area at one window end: merged partials (one column) and their rows.

    ``rows`` are in the order of the plan's reductions.
    """

    frame: Frame
    rows: tuple[Rows, ...]


def share_of(at: Evaluation, columns: Ints, frame: Frame | None = None) -> Share:
    """The share of some columns of an evaluation of a single window end, merged as they are ordered.

    ``frame`` is that of the evaluation, where it is there already.
    """
    whole = frame or at.frame()
    frame = whole.merged(np.asarray(columns, np.intp), np.zeros(1, np.intp))
    names = names_of(at.plan)
    return Share(frame, tuple(contributions(at, node, columns, names) for node in at.plan.reductions))


def empty_share(at: Evaluation) -> Share:
    """The share of an evaluation of an empty shard, as that of an area without records."""
    none, names = np.empty(0, np.int64), names_of(at.plan)
    rows = tuple(contributions(at, node, none, names) for node in at.plan.reductions)
    return Share(at.frame().at(none, 1), rows)


def names_of(plan: IndicatorPlan) -> dict[Node, str]:
    """The named parts of a formula by their nodes, numbers apart."""
    parts = plan.indicator.formula.parts
    return {node: name for name, node in parts.items() if not isinstance(node, Const)}


def explain(
    plan: IndicatorPlan, shares: list[Share], calendar: Calendar, settings: Mapping[str, float]
) -> Explanation:
    """Explain the value of an area from the shares of the shards it lies in, at least one."""
    frame = Frame.joined([share.frame for share in shares])
    frame = frame.merged(np.arange(len(shares)), np.zeros(1, np.intp))
    joined = [Rows.joined(parts) for parts in zip(*(share.rows for share in shares), strict=True)]
    rows = dict(zip(plan.reductions, joined, strict=True))
    grower = _Grower(plan, rows, _values(plan, frame, calendar, settings))
    indicator = plan.indicator
    conditions = {}
    if indicator.alarm_needs is not None:
        conditions["alarm_needs"] = grower.branch(indicator.alarm_needs)
    for level, node in indicator.level_needs.items():
        conditions[f"level_needs.{LEVELS[level - 1]}"] = grower.branch(node)
    return Explanation(
        grower.branch(indicator.formula.value), conditions, judge(plan, frame, calendar, settings)
    )


def _values(
    plan: IndicatorPlan, frame: Frame, calendar: Calendar, settings: Mapping[str, float]
) -> Callable[[Node], float]:
    """The value of any Area or Scalar node of the formula, for the single area of a frame."""
    values = AreaValues(plan, frame, calendar, settings)
    return lambda node: float(np.broadcast_to(values.of(node), (1, 1))[0, 0])


class _Grower:
    """Grows branches from nodes; ``names`` are the formula's named parts."""

    def __init__(
        self, plan: IndicatorPlan, rows: Mapping[Reduce, Rows], value: Callable[[Node], float]
    ) -> None:
        self.rows = rows
        self.value = value
        self.names = names_of(plan)

    def branch(self, node: Node) -> Branch:
        text, name, fn = formula_text(node, self.names), self.names.get(node, ""), getattr(node, "fn", "")
        if isinstance(node, Reduce):
            return self.reduction(node, text, name)
        # What a function of history takes from other windows alone has no rows in this one.
        now = all(one in self.rows for one in walk(node) if isinstance(one, Reduce))
        children = tuple(self.branch(arg) for arg in _arguments(node)) if now else ()
        return Branch(text, name, fn, self.value(node), children)

    def reduction(self, node: Reduce, text: str, name: str) -> Branch:
        rows = self.rows[node]
        value = self.value(node)
        found = weights(node.fn, rows, node.params[0] if node.fn == "quantile" else math.nan, value)
        return Branch(text, name, node.fn, value, (), rows, found)


def _arguments(node: Node) -> Iterator[Node]:
    """What is worth a branch: numbers written in the formula are read there."""
    if isinstance(node, Apply):
        yield from (arg for arg in node.args if not isinstance(arg, Const))
