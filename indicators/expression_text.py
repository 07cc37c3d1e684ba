"""Nodes back to formula text: what was compiled can be read, and compiles to the same node again.

>>> from indicators.compiler import compile_formula
>>> from indicators.metrics import Metrics
>>> text = "n = last(bin_fill); 100 * share(n >= 90)"
>>> formula_text(compile_formula(text, Metrics.load()).value)
'100 * share(last(bin_fill) >= 90)'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from indicators.durations import text as duration_text
from indicators.expression import (
    Aggregate,
    Apply,
    CaseSet,
    CaseValue,
    Clock,
    Const,
    Despike,
    Metric,
    Node,
    Reduce,
    Setting,
    Union,
)
from indicators.functions import FUNCTIONS
from indicators.signatures import Takes

_BINARY = {
    "or": ("or", 1), "and": ("and", 2), "lt": ("<", 4), "le": ("<=", 4), "gt": (">", 4), "ge": (">=", 4),
    "eq": ("==", 4), "ne": ("!=", 4), "add": ("+", 6), "sub": ("-", 6), "mul": ("*", 7), "div": ("/", 7),
    "pow": ("**", 9),
}  # fmt: skip
_SPECIAL = frozenset({"not", "neg", "if"})
_ATOM = 10

Names = Mapping[Node, str]
"""Nodes that are shown by a name, such as the named parts of a formula."""


def formula_text(node: Node, names: Names | None = None) -> str:
    """The text of a node; a node in ``names`` below it is shown by its name.

    >>> formula_text(Apply("neg", (Const(1.5),)))
    '-1.5'
    """
    return _Writer(names or {}).write(node, top=True)[0]


class _Writer:
    """Writes nodes as (text, how tightly it binds)."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def write(self, node: Node, *, top: bool = False) -> tuple[str, int]:
        if not top and node in self.names:
            return self.names[node], _ATOM
        if isinstance(node, Const):
            return _number(node.value), 8 if node.value < 0 else _ATOM
        if isinstance(node, Metric):
            return node.code, _ATOM
        if isinstance(node, Union):
            return " | ".join(self.inside(part, 3) for part in node.sets), 3
        if isinstance(node, Apply) and (node.fn in _BINARY or node.fn in _SPECIAL):
            return self.binary(node) if node.fn in _BINARY else self.special(node)
        name, args = self.call(node)
        return f"{name}({', '.join(args)})", _ATOM

    def inside(self, node: Node, least: int) -> str:
        found, binds = self.write(node)
        return found if binds > least else f"({found})"

    def binary(self, node: Apply) -> tuple[str, int]:
        sign, binds = _BINARY[node.fn]
        left, right = node.args
        chained = sign in {"and", "or", "+", "*", "-", "/"}
        return f"{self.inside(left, binds - chained)} {sign} {self.inside(right, binds)}", binds

    def special(self, node: Apply) -> tuple[str, int]:
        if node.fn == "not":
            return f"not {self.inside(node.args[0], 2)}", 3
        if node.fn == "neg":
            return f"-{self.inside(node.args[0], 7)}", 8
        condition, then, otherwise = node.args
        return f"{self.inside(then, 0)} if {self.inside(condition, 0)} else {self.write(otherwise)[0]}", 0

    # -- calls -----------------------------------------------------------------------------------------

    def call(self, node: Node) -> tuple[str, list[str]]:
        match node:
            case Despike():
                name, args = "despike", [node.code, _number(node.factor)]
            case Clock():
                name, args = "clock", [_quoted(f"{_hour(node.begin)}-{_hour(node.end)}")]
            case Setting():
                name, args = "setting", [_quoted(node.name), _number(node.default)]
            case Aggregate():
                name, args = node.fn, list(self.aggregate(node))
            case CaseSet():
                name, args = node.fn, list(_case_set(node))
            case CaseValue():
                name, args = node.fn, list(self.case_value(node))
            case Reduce():
                name, args = node.fn, list(self.reduce(node))
            case Apply():
                name, args = node.fn, list(self.apply(node))
            case _:
                raise TypeError(f"{type(node).__name__} is no call")
        return name, args

    def case_value(self, node: CaseValue) -> Iterator[str]:
        yield self.write(node.cases)[0]
        yield from (_quoted(status) for status in node.statuses)
        yield from (f"{event}={_number(value)}" for event, value in node.numbers)

    def aggregate(self, node: Aggregate) -> Iterator[str]:
        yield self.write(node.source)[0]
        if node.fn not in {"slope", "lowest_mean"}:
            yield from (self.write(parameter)[0] for parameter in node.params)
        if node.window is not None:
            yield _quoted(duration_text(node.window))
        if node.offset:
            yield f"offset={_quoted(duration_text(node.offset))}"
        if node.need is not None:
            yield f"need={_number(node.need)}"
        if node.need_ms is not None:
            yield f"need={_quoted(duration_text(node.need_ms))}"
        if node.cover is not None:
            yield f"cover={_number(node.cover)}"
        if node.fn == "slope":
            names = ("per", "step")
            values = [p.value for p in node.params if isinstance(p, Const)]
            yield from (f"{n}={_span(v)}" for n, v in zip(names, values, strict=True) if not math.isnan(v))
        if node.fn == "lowest_mean":
            begin, end = (int(p.value) for p in node.params if isinstance(p, Const))
            yield f"between={_quoted(f'{_hour(begin)}-{_hour(end)}')}"

    def reduce(self, node: Reduce) -> Iterator[str]:
        yield from (self.write(arg)[0] for arg in node.args)
        if node.fn == "clusters":
            radius, within = node.params
            if not math.isnan(radius):
                yield f"radius={_number(radius)}"
            yield f"within={_span(within)}"
        elif node.fn == "apart":
            yield f"radius={_number(node.params[0])}"
        else:
            yield from (_number(value) for value in node.params)

    def apply(self, node: Apply) -> Iterator[str]:
        special: Mapping[str, Callable[[Apply], Iterator[str]]] = {
            "piecewise": self.piecewise,
            "mean_of": self.mean_of,
        }
        if node.fn in special:
            yield from special[node.fn](node)
            return
        parameters = FUNCTIONS[node.fn].parameters if node.fn in FUNCTIONS else ()
        many = any(p.many for p in parameters)
        given = [*node.args, *node.params]
        for i, value in enumerate(given):
            parameter = None if many or i >= len(parameters) else parameters[i]
            if _left_out(value):
                continue
            if isinstance(value, float):
                timed = parameter is not None and parameter.takes in {Takes.DURATION, Takes.NEED}
                found = _span(value) if timed else _number(value)
            else:
                found = self.write(value)[0]
            named = parameter is not None and (parameter.keyword or (node.fn == "clip" and i == 2))
            yield f"{parameter.name}={found}" if named and parameter is not None else found

    def piecewise(self, node: Apply) -> Iterator[str]:
        first, *rest = (self.write(arg)[0] for arg in node.args)
        yield first
        yield from (f"({x}, {y})" for x, y in zip(rest[::2], rest[1::2], strict=True))

    def mean_of(self, node: Apply) -> Iterator[str]:
        yield from (self.write(arg)[0] for arg in node.args)
        if node.params:
            yield f"weights=({', '.join(_number(weight) for weight in node.params)})"


def _left_out(value: Node | float) -> bool:
    number = value.value if isinstance(value, Const) else value
    return isinstance(number, float) and math.isnan(number)


def _case_set(node: CaseSet) -> Iterator[str]:
    yield from node.events
    yield from (_quoted(status) for status in node.statuses)
    for name in ("without", "since", "before"):
        if (value := getattr(node, name)) is not None:
            yield f"{name}={_quoted(value)}"
    for name in ("window", "within"):
        if (value := getattr(node, name)) is not None:
            yield f"{name}={_span(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _span(ms: float) -> str:
    return _quoted(duration_text(int(ms)))


def _quoted(word: str) -> str:
    return f"'{word}'"


def _hour(ms: int) -> str:
    minutes = ms // 60_000
    return f"{minutes // 60:02}:{minutes % 60:02}"
