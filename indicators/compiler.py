"""Formula text to typed nodes, or an error that says what to do.

>>> f = compile_formula("n = last(parking_total); 100 * ratio(twm(parking_occupied), n)", Metrics.load())
>>> f.metrics, list(f.parts)
(('parking_total', 'parking_occupied'), ['n'])
"""

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from indicators.arguments import Argument, FormulaArgumentError, Slot, assign, closest, convert, default
from indicators.calls import CallError, Context, build, elementwise
from indicators.elementwise import ELEMENTWISE
from indicators.expression import (
    Apply,
    CaseSet,
    Const,
    Despike,
    Kind,
    Metric,
    Node,
    Union,
    children,
    walk,
)
from indicators.functions import FUNCTIONS
from indicators.metrics import Metrics
from indicators.signatures import Parameter, Role, Takes
from indicators.syntax import FormulaError, Program, parse
from indicators.typing_rules import accepts, describe, role

__all__ = ["Compiler", "Formula", "FormulaError", "compile_flag", "compile_formula", "used"]

MAX_EXPANDED = 4_000
"""Nodes of a value or a part once the parts in it are expanded."""

_BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
}
_COMPARE: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula.

    ``value`` is an Area number; ``parts`` are the named parts in order, other parts expanded in them;
    ``metrics`` and ``events`` are the codes it reads, in order of appearance.
    """

    value: Node
    parts: Mapping[str, Node] = field(hash=False)
    metrics: tuple[str, ...]
    events: tuple[str, ...]
    text: str


def compile_formula(text: str, metrics: Metrics, *, window_ms: int | None = None) -> Formula:
    """The nodes of a formula.

    ``window_ms`` is the indicator's window; with it, also what depends on it is checked.

    Raises:
        FormulaError: the formula is not allowed; names the place, what was found and what to do.

    >>> compile_formula("highest(max(rain_1m)) / 2", Metrics.load()).value.fn
    'div'
    """
    program = parse(text)
    compiler = _Compiler(program, Context(metrics, window_ms), {})
    value = compiler.run()
    if not accepts(Takes.AREA, value):
        message = not_an_area("the formula's value", "number", value)
        raise program.error(program.statements[-1].value, message)
    codes, events = used((*compiler.parts.values(), value))
    return Formula(value, compiler.parts, codes, events, text)


def compile_flag(
    text: str, formula: Formula, metrics: Metrics | None = None, *, window_ms: int | None = None
) -> Node:
    """The node of a condition beside a formula (``alarm_needs``); it may use the formula's named parts.

    Raises:
        FormulaError: not an Area flag, or not allowed.

    >>> f = compile_formula("n = number(present(last(bin_fill))); n", Metrics.load())
    >>> compile_flag("n >= 5", f).fn
    'ge'
    """
    program = parse(text)
    context = Context(metrics or Metrics.load(), window_ms)
    flag = _Compiler(program, context, dict(formula.parts)).run()
    if not accepts(Takes.AREA_FLAG, flag):
        raise program.error(program.statements[-1].value, not_an_area("the condition", "flag", flag))
    return flag


def not_an_area(what: str, wanted: str, found: Node) -> str:
    """Why a node cannot be a formula's value or condition, and what to do.

    >>> not_an_area("the value", "number", Const(1.0))
    'the value must be an Area number; found the number 1: use a metric or an event type'
    """
    hint = "reduce the rows, as in highest(...), average(...) or number(...)"
    if found.kind is Kind.AREA:
        hint = "compare it, as in n >= 10" if wanted == "flag" else "write 1 if ... else 0"
    if found.kind is Kind.SCALAR:
        hint = "use a metric or an event type"
    return f"{what} must be an Area {wanted}; found {describe(found)}: {hint}"


def used(nodes: Sequence[Node]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The metric codes and the event types that nodes read, each once, in order of appearance.

    >>> used([CaseSet("open", ("ev_gas_leak",))])
    ((), ('ev_gas_leak',))
    """
    codes: dict[str, None] = {}
    events: dict[str, None] = {}
    for node in (n for root in nodes for n in walk(root)):
        if isinstance(node, Metric | Despike):
            codes[node.code] = None
        elif isinstance(node, CaseSet):
            events.update(dict.fromkeys(node.events))
    return tuple(codes), tuple(events)


class _Compiler:
    """Compiles one program; ``parts`` grows with its assignments. Stops at the first fault."""

    def __init__(self, program: Program, context: Context, parts: dict[str, Node]) -> None:
        self.program = program
        self.context = context
        self.parts = parts
        self.sizes = {name: _size(node) for name, node in parts.items()}
        self.expanded = 0
        self.by_type: dict[type[ast.expr], Callable[[Any], Node]] = {
            ast.Constant: self.constant,
            ast.Name: self.reference,
            ast.UnaryOp: self.unary,
            ast.BinOp: self.binary,
            ast.BoolOp: self.logic,
            ast.Compare: self.comparison,
            ast.IfExp: self.choice,
            ast.Call: self.call,
        }

    def run(self) -> Node:
        """The program's value.

        Raises:
            FormulaError: with the first fault.
        """
        *assignments, last = self.program.statements
        for statement in assignments:
            self.name(statement.name or "", statement.at)
            self.expanded = 0
            self.parts[statement.name or ""] = self.node(statement.value)
            self.sizes[statement.name or ""] = self.expanded
        self.expanded = 0
        return self.node(last.value)

    def name(self, name: str, at: ast.AST) -> None:
        if name in self.parts:
            raise self.program.error(at, f"{name!r} is named twice; choose another name")
        for what, known in (
            ("a metric", self.context.metrics.index),
            ("an event type", self.context.metrics.event_index),
            ("a function", FUNCTIONS),
        ):
            if name in known:
                raise self.program.error(at, f"{name!r} is {what}; choose another name for the part")

    def node(self, at: ast.expr) -> Node:
        """An expression's node.

        Raises:
            FormulaError: with the first fault.
        """
        self.grow(1, at)
        compile_ = self.by_type.get(type(at))
        if compile_ is None:
            raise self.program.error(at, "a tuple stands only as a point of piecewise or as weights")
        return compile_(at)

    def grow(self, size: int, at: ast.AST) -> None:
        self.expanded += size
        if self.expanded > MAX_EXPANDED:
            raise self.program.error(
                at, f"more than {MAX_EXPANDED} terms once the parts are expanded; split the indicator"
            )

    def constant(self, at: ast.Constant) -> Const:
        if isinstance(at.value, str):
            raise self.program.error(at, f"the text {at.value!r} stands only as an argument of a function")
        try:
            value = float(at.value)  # type: ignore[arg-type]  # the whitelist leaves numbers
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self.program.error(at, "the number is too large; at most 1.8e308")
        return Const(value)

    def reference(self, at: ast.Name) -> Node:
        name, metrics = at.id, self.context.metrics
        if name in self.parts:
            self.grow(self.sizes[name], at)
            return self.parts[name]
        if name in metrics.index:
            return Metric(name)
        if name in metrics.event_index:
            raise self.program.error(
                at, f"{name} is an event type; use it inside entered(...), open(...) or due(...)"
            )
        if name in FUNCTIONS:
            raise self.program.error(at, f"{name} is a function; call it, as in {FUNCTIONS[name].example}")
        known = [*self.parts, *metrics.index, *metrics.event_index, *FUNCTIONS]
        raise self.program.error(at, f"unknown name {name!r}{closest(name, known)}")

    def unary(self, at: ast.UnaryOp) -> Node:
        operand = self.node(at.operand)
        if isinstance(at.op, ast.Not):
            return self.apply("not", (self.flag(operand, at.operand),), at)
        return self.arithmetic("neg", (operand,), (at.operand,), at)

    def binary(self, at: ast.BinOp) -> Node:
        left, right = self.node(at.left), self.node(at.right)
        if isinstance(at.op, ast.BitOr):
            return self.union(left, right, at)
        return self.arithmetic(_BINARY[type(at.op)], (left, right), (at.left, at.right), at)

    def union(self, left: Node, right: Node, at: ast.BinOp) -> Union:
        for node, place in ((left, at.left), (right, at.right)):
            if role(node) is not Role.SET:
                message = f"'|' joins sets of cases; found {describe(node)} (for flags write 'or')"
                raise self.program.error(place, message)
        sets = (n.sets if isinstance(n, Union) else (n,) for n in (left, right))
        return Union(tuple(s for some in sets for s in some))

    def arithmetic(self, fn: str, args: tuple[Node, ...], places: tuple[ast.expr, ...], at: ast.expr) -> Node:
        for node, place in zip(args, places, strict=True):
            if role(node) is Role.FLAG:
                message = f"arithmetic on {describe(node)}; write 1 if ... else 0, or use sum_of"
                raise self.program.error(place, message)
        if all(isinstance(a, Const) for a in args):
            value = float(ELEMENTWISE[fn](*(a.value for a in args if isinstance(a, Const))))
            if math.isfinite(value):
                # Zero has one sign: a formula's text, which shows none, must lead back to the same tree.
                return Const(value + 0.0)
        return self.apply(fn, args, at)

    def logic(self, at: ast.BoolOp) -> Node:
        fn = "and" if isinstance(at.op, ast.And) else "or"
        first, *rest = (self.flag(self.node(v), v) for v in at.values)
        for flag in rest:
            first = self.apply(fn, (first, flag), at)
        return first

    def flag(self, node: Node, at: ast.expr) -> Node:
        if role(node) is not Role.FLAG:
            raise self.program.error(at, f"a flag is needed here; found {describe(node)}: compare it")
        return node

    def comparison(self, at: ast.Compare) -> Node:
        terms = [self.node(t) for t in (at.left, *at.comparators)]
        for term, place in zip(terms, (at.left, *at.comparators), strict=True):
            if role(term) is Role.FLAG:
                raise self.program.error(place, f"a comparison of {describe(term)}; use and, or, not")
        links = [
            self.apply(_COMPARE[type(op)], (a, b), at)
            for op, a, b in zip(at.ops, terms, terms[1:], strict=False)
        ]
        result: Node = links[0]
        for link in links[1:]:
            result = self.apply("and", (result, link), at)
        return result

    def choice(self, at: ast.IfExp) -> Node:
        condition = self.flag(self.node(at.test), at.test)
        then, otherwise = self.node(at.body), self.node(at.orelse)
        if role(then) is not role(otherwise):
            message = f"one branch is {describe(then)}, the other {describe(otherwise)}; make them alike"
            raise self.program.error(at, message)
        return self.apply("if", (condition, then, otherwise), at)

    def apply(self, fn: str, args: tuple[Node, ...], at: ast.AST) -> Apply:
        try:
            return elementwise(fn, args)
        except CallError as error:
            raise self.program.error(at, str(error)) from None

    def call(self, at: ast.Call) -> Node:
        name = at.func.id if isinstance(at.func, ast.Name) else ""
        function = FUNCTIONS.get(name)
        if function is None:
            raise self.program.error(at, self.not_a_function(name))
        try:
            slots = assign(at, function)
            args = {p.name: self.argument(slots.get(p.name), p) for p in function.parameters}
            return build(name, args, self.context)
        except FormulaArgumentError as error:
            raise self.program.error(error.at, f"{name}: {error.message}") from None
        except CallError as error:
            raise self.program.error(at, str(error)) from None

    def argument(self, slot: Slot | None, parameter: Parameter) -> Argument:
        return default(parameter) if slot is None else convert(slot, self.node, self.context.metrics)

    def not_a_function(self, name: str) -> str:
        metrics = self.context.metrics
        if name in metrics.index or name in self.parts:
            return f"{name} is no function; write an aggregate of it, as in mean({name})"
        if name in metrics.event_index:
            return f"{name} is an event type, no function; write entered({name}, 'reported')"
        return f"unknown function {name!r}{closest(name, FUNCTIONS)}"


Compiler = _Compiler
"""For who wants more of a program than its first fault."""


def _size(node: Node) -> int:
    return 1 + sum(_size(child) for child in children(node))
