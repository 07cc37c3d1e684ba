"""A call's arguments, matched to the parameters of the function table and converted.

>>> import ast
>>> duration(ast.parse("'15m'", mode="eval").body)
900000
"""

import ast
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from indicators.durations import clock_span, milliseconds
from indicators.expression import Const, Node
from indicators.functions import STATUSES
from indicators.metrics import Metrics
from indicators.signatures import REQUIRED, Function, Parameter, Takes
from indicators.syntax import FormulaError
from indicators.typing_rules import accepts, describe

Compile = Callable[[ast.expr], Node]
"""Compiles an expression to a node; raises FormulaError."""

Argument: TypeAlias = Any
"""A node, a literal, or a tuple of either; the parameter says which."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LITERALS: dict[Takes, Callable[[float], bool]] = {
    Takes.NUMBER: lambda _: True,
    Takes.POSITIVE: lambda v: v > 0,
    Takes.WHOLE: lambda v: v >= 1 and v == int(v),
    Takes.LAG: lambda v: v >= 0 and v == int(v),
    Takes.RANK: lambda v: 0 < v < 100,
    Takes.FRACTION: lambda v: 0 < v <= 1,
}


@dataclass(frozen=True, slots=True)
class Slot:
    """What was written for a parameter: one expression, or several of a ``many`` parameter."""

    parameter: Parameter
    given: tuple[ast.expr, ...]


def closest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the closest known ones.

    >>> closest("rain_1min", ["rain_1m", "pm25"])
    '; did you mean rain_1m?'
    """
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def assign(call: ast.Call, function: Function) -> dict[str, Slot]:
    """Which argument belongs to which parameter.

    Raises:
        FormulaArgumentError: too many, too few, twice, or an unknown keyword.

    >>> from indicators.functions import FUNCTIONS
    >>> list(assign(ast.parse("quantile(x, 0.5)", mode="eval").body, FUNCTIONS["quantile"]))
    ['x', 'q']
    """
    slots: dict[str, Slot] = {}
    waiting = list(call.args)
    for parameter in function.parameters:
        if parameter.takes is Takes.PER_EVENT:
            continue
        taken = _take(parameter, waiting)
        if taken:
            slots[parameter.name] = Slot(parameter, taken)
    if waiting:
        raise FormulaArgumentError(waiting[0], f"one argument too many for {function.signature}")
    _assign_keywords(call, function, slots)
    for parameter in function.parameters:
        if parameter.required and parameter.name not in slots:
            message = f"{function.signature} needs {parameter.name!r}: {parameter.takes.value}"
            raise FormulaArgumentError(call, message)
    return slots


class FormulaArgumentError(Exception):
    """An argument that does not fit, at its place in the tree; the compiler turns it into a FormulaError."""

    def __init__(self, at: ast.AST, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


def _take(parameter: Parameter, waiting: list[ast.expr]) -> tuple[ast.expr, ...]:
    if parameter.keyword or not waiting:
        return ()
    if not parameter.many:
        return (waiting.pop(0),)
    text = parameter.takes is Takes.STATUS
    taken: list[ast.expr] = []
    while waiting and _is_text(waiting[0]) is text:
        taken.append(waiting.pop(0))
    return tuple(taken)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _assign_keywords(call: ast.Call, function: Function, slots: dict[str, Slot]) -> None:
    known = {p.name: p for p in function.parameters if not p.many}
    rest = next((p for p in function.parameters if p.takes is Takes.PER_EVENT), None)
    for keyword in call.keywords:
        name = keyword.arg or ""
        if rest is not None and name not in known:
            before = slots[rest.name].given if rest.name in slots else ()
            pair = ast.Tuple([ast.copy_location(ast.Name(name), keyword), keyword.value])
            slots[rest.name] = Slot(rest, (*before, ast.copy_location(pair, keyword)))
        elif name not in known:
            message = f"{function.signature} has no argument {name!r}{closest(name, known)}"
            raise FormulaArgumentError(keyword, message)
        elif name in slots:
            raise FormulaArgumentError(keyword, f"{name!r} is given twice; give it once")
        else:
            slots[name] = Slot(known[name], (keyword.value,))


def convert(slot: Slot, compile_: Compile, metrics: Metrics) -> Argument:
    """The value of a slot: nodes for expressions, numbers and texts for literals; a tuple where many.

    Raises:
        FormulaArgumentError: the argument is not what the parameter takes.
    """
    values = tuple(convert_one(slot.parameter, given, compile_, metrics) for given in slot.given)
    if not slot.parameter.many and slot.parameter.takes is not Takes.PER_EVENT:
        return values[0]
    if len(values) < slot.parameter.least:
        message = f"{slot.parameter.name!r} is needed {slot.parameter.least} times at least"
        raise FormulaArgumentError(slot.given[-1], message)
    return values


def convert_one(parameter: Parameter, given: ast.expr, compile_: Compile, metrics: Metrics) -> Argument:
    """The value of one expression given for a parameter.

    Raises:
        FormulaArgumentError: it is not what the parameter takes.
    """
    takes = parameter.takes
    try:
        if takes in _TEXTS:
            return _TEXTS[takes](given)
        if takes in _LITERALS:
            return _literal(takes, given, compile_)
        if takes is Takes.EVENT:
            return _event(given, metrics)
        if takes in {Takes.POINT, Takes.PER_EVENT, Takes.WEIGHTS}:
            return _tuple(takes, given, compile_, metrics)
        if takes is Takes.NEED:
            return duration(given) if _is_text(given) else _literal(Takes.POSITIVE, given, compile_)
    except ValueError as error:
        if isinstance(error, FormulaError):
            raise
        raise FormulaArgumentError(given, f"{parameter.name!r}: {error}") from None
    node = compile_(given)
    if not accepts(takes, node):
        message = f"{parameter.name!r} must be {takes.value}; found {describe(node)}"
        raise FormulaArgumentError(given, message)
    return node


def _text(given: ast.expr, takes: Takes) -> str:
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value
    raise ValueError(f"must be {takes.value}; put it in quotes")


def duration(given: ast.expr) -> int:
    """Milliseconds of a duration in quotes.

    Raises:
        ValueError: not a text, or not a duration.

    >>> duration(ast.Constant("1h"))
    3600000
    """
    return milliseconds(_text(given, Takes.DURATION))


def _clock(given: ast.expr) -> tuple[int, int]:
    return clock_span(_text(given, Takes.CLOCK))


def _status(given: ast.expr) -> str:
    text = _text(given, Takes.STATUS)
    if text not in STATUSES:
        hint = closest(text, STATUSES) or f"; one of {', '.join(STATUSES)}"
        raise ValueError(f"unknown status {text!r}{hint}")
    return text


def _name(given: ast.expr) -> str:
    text = _text(given, Takes.NAME)
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not a name; use lower-case letters, digits and _")
    return text


_TEXTS: Mapping[Takes, Callable[[ast.expr], Argument]] = {
    Takes.DURATION: duration,
    Takes.CLOCK: _clock,
    Takes.STATUS: _status,
    Takes.NAME: _name,
}


def _literal(takes: Takes, given: ast.expr, compile_: Compile) -> float:
    if _is_text(given):
        raise ValueError(f"must be {takes.value}; found a text")
    node = compile_(given)
    if not isinstance(node, Const):
        raise ValueError(f"must be {takes.value}; found {describe(node)}")  # noqa: TRY004 - value of a formula
    if not _LITERALS[takes](node.value):
        raise ValueError(f"must be {takes.value}; found {node.value:g}")
    return node.value


def _event(given: ast.expr, metrics: Metrics) -> str:
    if not isinstance(given, ast.Name):
        raise ValueError(f"must be {Takes.EVENT.value}, such as ev_hotline")  # noqa: TRY004 - value of a formula
    if given.id not in metrics.event_index:
        raise ValueError(f"unknown event type {given.id!r}{closest(given.id, metrics.event_index)}")
    return given.id


def _tuple(takes: Takes, given: ast.expr, compile_: Compile, metrics: Metrics) -> tuple[Argument, ...]:
    if not isinstance(given, ast.Tuple):
        raise ValueError(f"must be {takes.value}; put it in parentheses")  # noqa: TRY004 - value of a formula
    items = given.elts
    if takes is Takes.WEIGHTS:
        return tuple(_weight(item, compile_) for item in items)
    if len(items) != 2:
        raise ValueError(f"must be {takes.value}; found {len(items)} items")
    if takes is Takes.PER_EVENT:
        return _event(items[0], metrics), _literal(Takes.NUMBER, items[1], compile_)
    return tuple(convert_one(Parameter("point", Takes.VALUE), item, compile_, metrics) for item in items)


def _weight(given: ast.expr, compile_: Compile) -> float:
    value = _literal(Takes.NUMBER, given, compile_)
    if value < 0:
        raise ValueError(f"a weight is not negative; found {value:g}")
    return value


def default(parameter: Parameter) -> Argument:
    """The value of a parameter that was left out.

    >>> default(Parameter("per", Takes.DURATION, "1h")), default(Parameter("hi", Takes.VALUE, None))
    (3600000, None)
    """
    if parameter.many or parameter.default is REQUIRED:
        return ()
    if parameter.takes is Takes.DURATION and isinstance(parameter.default, str):
        return milliseconds(parameter.default)
    return parameter.default
