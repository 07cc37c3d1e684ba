"""What the aggregates of an indicator need of the past, and whether the engine keeps it already.

>>> from indicators.catalogue import Catalogue
>>> from indicators.metrics import Metrics
>>> plan = Plan(Catalogue.load(), Metrics.load())
>>> [(need.text, need.at_once) for need in needs(plan.indicators[0], plan)][:1]
[("mean(pm25, need='45m')", True)]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indicators.durations import DAY, MILLISECONDS
from indicators.expression import Aggregate, Apply, CaseSet, Despike, Kind, Metric, Node, Reduce, children
from indicators.expression_text import formula_text
from indicators.plan import IndicatorPlan, Plan, metric_of
from indicators.shard import CASES_KEPT

HOUR, WEEK = MILLISECONDS["h"], 7 * DAY


@dataclass(frozen=True, slots=True)
class Need:
    """One aggregate, pooled reduction or set of cases.

    ``reach_ms`` is how far back from a window's end it looks, ``kept_ms`` how far back the running engine has
    what it looks at.
    """

    text: str
    code: str
    reach_ms: int
    kept_ms: int

    @property
    def at_once(self) -> bool:
        """There is a value as soon as the indicator is added."""
        return self.reach_ms <= self.kept_ms

    @property
    def warm_ms(self) -> int:
        """How long the first complete window lets wait, ms."""
        return max(self.reach_ms - self.kept_ms, 0)


def needs(of: IndicatorPlan, running: Plan) -> tuple[Need, ...]:
    """The needs of an indicator, each once, against what a running catalogue keeps."""
    names = {node: name for name, node in of.indicator.formula.parts.items()}
    found: dict[tuple[str, str], Need] = {}
    for node, reach in _looking(of):
        text = formula_text(node, names)
        for code in node.events if isinstance(node, CaseSet) else (metric_of(node),):
            kept = CASES_KEPT if isinstance(node, CaseSet) else kept_ms(running, code)
            old = found.get((text, code))
            found[text, code] = Need(text, code, max(reach, old.reach_ms if old else 0), kept)
    return tuple(found.values())


def kept_ms(running: Plan, code: str) -> int:
    """How far back the readings of a metric are there for windows that end now, ms."""
    return running.kind(running.metrics.index[code]).keep_ms


def reach_ms(of: IndicatorPlan, code: str) -> int:
    """How far back an indicator looks at a metric, its own window at least, ms."""
    found = [
        reach for node, reach in _looking(of) if not isinstance(node, CaseSet) and metric_of(node) == code
    ]
    return max([of.indicator.window_ms, *found])


def _looking(of: IndicatorPlan) -> Iterator[tuple[Aggregate | Reduce | CaseSet, int]]:
    for root in of.roots:
        yield from _look(root, of.indicator.window_ms, 0)


def _look(node: Node, window: int, back: int) -> Iterator[tuple[Aggregate | Reduce | CaseSet, int]]:
    """What looks at records, and how far back."""
    if isinstance(node, Aggregate):
        yield node, back + (node.window or window) + node.offset
        for limit in node.params:
            yield from _look(limit, window, back)
    elif isinstance(node, CaseSet):
        yield node, back + (node.window or window)
    elif isinstance(node, Reduce) and node.args[0].kind is Kind.READINGS:
        yield node, back + window
    else:
        more = _history(node, window) if isinstance(node, Apply) else 0
        for child in children(node):
            if not isinstance(child, Metric | Despike):
                yield from _look(child, window, back + more)


def _history(node: Apply, window: int) -> int:
    """How much further back a function of history evaluates its argument, ms (FORMULAS.md section 4.5)."""
    match node.fn, node.params:
        case "robust_z", (days, *_):
            return int(days) * DAY
        case "zscore", (days, lag, *_):
            return int(days + lag) * DAY
        case "same_hour", (weeks, *_):
            return int(weeks) * WEEK + HOUR
        case "streak", (step, cap, *_):
            return int(step * (cap - 1))
        case "peak", (step, *_):
            return max(window - int(step), 0)
        case _:
            return 0
