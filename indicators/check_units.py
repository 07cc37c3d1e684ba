"""The unit of a formula's value, as far as the units of its metrics tell it.

A factor may be a conversion, so whatever is multiplied by a number has an unknown unit; a share times 100 is
known to be %, seconds by 60 are minutes. Units are UCUM; annotations in braces say nothing of size.

>>> from indicators.compiler import compile_formula
>>> formula = compile_formula("highest(sum(rain_1m))", Metrics.load())
>>> Units(Metrics.load()).of(formula.value)
'mm'
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from indicators.expression import Aggregate, Apply, Const, Despike, Metric, Node, Reduce
from indicators.metrics import Metrics

ONE = "1"
"""The unit of shares and quotients. Counts have none: they may be meant per window."""

_LIKE_READINGS = frozenset(
    {
        "sum",
        "mean",
        "min",
        "max",
        "last",
        "twm",
        "median",
        "percentile",
        "leq",
        "harmonic_mean",
        "lowest_mean",
    }
)
_LIKE_ROWS = frozenset({"total", "average", "highest", "lowest", "quantile"})
_LIKE_FIRST = frozenset(
    {"neg", "abs", "only", "same_hour", "running_percentile", "peak", "clip"}
)  # fmt: skip
_ALIKE = frozenset(
    {"add", "sub", "max_of", "min_of", "sum_of", "mean_of", "lt", "le", "gt", "ge", "eq", "ne"}
)
_FLAGS = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "present"})
_FIXED = {
    "observed": "s", "time_outside": "s", "took": "s", "share": ONE, "heat_index": "Cel", "aqi": ONE,
    "water_class": ONE, "fire_weather": ONE, "robust_z": ONE, "zscore": ONE, "streak": ONE,
}  # fmt: skip
_SECONDS = {60.0: "min", 3600.0: "h", 86400.0: "d"}
_WORDS = {"add": "adds", "sub": "subtracts"}


class Units:
    """Units of the nodes of one formula; ``clashes`` are the mixtures met on the way, in words."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.clashes: list[str] = []

    def of(self, node: Node) -> str | None:
        """The unit of a node's value, None where it is not known."""
        found: str | None
        match node:
            case Metric(code=code) | Despike(code=code):
                found = plain(self.metrics[code].unit)
            case Aggregate(fn=fn, source=below) if fn in _LIKE_READINGS:
                found = self.of(below)
            case Reduce(fn=fn, args=(below, *_)) if fn in _LIKE_ROWS:
                found = self.of(below)
            case Reduce(fn="ratio", args=(above, below)):
                unit = self.of(above)
                found = ONE if unit is not None and unit == self.of(below) else None
            case Apply():
                found = self._applied(node)
            case _:
                found = _FIXED.get(getattr(node, "fn", ""))
        return found

    def _applied(self, node: Apply) -> str | None:
        if node.fn == "present":
            # Asking which of several are known mixes nothing.
            return ONE
        units = [self.of(arg) for arg in node.args]
        if node.fn in _ALIKE:
            self._compare(node.fn, units)
        if node.fn in {"mul", "div"}:
            return self._product(node, units)
        if node.fn == "if":
            return self._other(node.args[1:], units[1:])
        return self._same(node.fn, units)

    def _same(self, fn: str, units: Sequence[str | None]) -> str | None:
        """Of a function whose value has the unit of its arguments, or one of its own."""
        if fn in _FLAGS:
            return ONE
        if fn in _LIKE_FIRST:
            return units[0]
        if fn in _ALIKE:
            return next((unit for unit in units if unit is not None), None)
        return _FIXED.get(fn)

    def _other(self, args: Sequence[Node], units: Sequence[str | None]) -> str | None:
        """The unit of both branches, or of one where the other is a bare number."""
        if units[0] == units[1]:
            return units[0]
        for i, other in ((0, 1), (1, 0)):
            if isinstance(args[i], Const):
                return units[other]
        return None

    def _compare(self, fn: str, units: Sequence[str | None]) -> None:
        known = list(dict.fromkeys(unit for unit in units if unit not in {None, ONE}))
        if len(known) > 1:
            self.clashes.append(f"the formula {_WORDS.get(fn, 'compares')} {' and '.join(map(str, known))}")

    def _product(self, node: Apply, units: Sequence[str | None]) -> str | None:
        a, b = node.args
        if node.fn == "mul":
            if {units[0], units[1]} == {ONE, None} and any(n == Const(100.0) for n in (a, b)):
                return "%"
            return units[1] if units[0] == ONE else units[0] if units[1] == ONE else None
        if units[0] == "s" and isinstance(b, Const):
            return _SECONDS.get(b.value)
        if units[0] is not None and units[0] == units[1]:
            return ONE
        return units[0] if units[1] == ONE else None


def plain(unit: str) -> str:
    """A unit without annotations, and decibels without what they refer to.

    >>> plain("%{LEL}"), plain("{veh}"), plain("m/s")
    ('%', '1', 'm/s')
    """
    bare = re.sub(r"\{[^}]*\}", "", unit)
    return "dB" if bare.startswith("dB[") else bare or ONE
