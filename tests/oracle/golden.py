"""Golden cases as records of the oracle, and the arithmetic beside them.

The notation is read by the package (``indicators.golden_case``); what is expected is not computed there.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from indicators.golden_case import DEFAULT_CELL, GoldenCase, shipped_cases
from tests.oracle.places import from_metres
from tests.oracle.records import LONG_AGO, Listed, Reading, Records, Transition


@dataclass(frozen=True, slots=True)
class Golden:
    """One case: records and, per area (name -> cells), the value and level expected at ``at`` (epoch ms).

    ``telling``: it is there to tell the formula from wrong versions of it.
    """

    indicator: str
    name: str
    at: int
    records: Records
    settings: Mapping[str, float]
    areas: Mapping[str, frozenset[str]]
    value: Mapping[str, float | None]
    level: Mapping[str, int | None]
    by_hand: str | None
    telling: bool

    @property
    def cells(self) -> frozenset[str]:
        """Every cell a record of the case lies in."""
        placed = {t.cell for t in self.records.transitions if t.cell}
        return frozenset(placed | {r.cell for r in self.records.listed})

    @property
    def located(self) -> bool:
        """Whether records say more exactly where they are."""
        places = [t.place for t in self.records.transitions] + [r.place for r in self.records.listed]
        return any(places)


def golden_cases() -> list[Golden]:
    """All shipped cases, in their order."""
    return [of_oracle(case) for case in shipped_cases()]


def of_oracle(case: GoldenCase) -> Golden:
    """A case with records of the oracle."""
    return Golden(
        indicator=case.indicator,
        name=case.name,
        at=case.at,
        records=_records(case),
        settings=case.settings,
        areas=case.areas,
        value=case.value,
        level=case.level,
        by_hand=case.by_hand,
        telling=case.file is not None and case.file.name == "telling_cases.toml",
    )


def _records(case: GoldenCase) -> Records:
    return Records(
        tuple(Reading(r.sensor, r.metric, r.value, r.ts, case.sensors[r.sensor].cell) for r in case.readings),
        tuple(
            Transition(
                t.case,
                t.event,
                t.status,
                t.ts,
                t.cell or DEFAULT_CELL,
                t.severity or None,
                t.channel,
                from_metres(*t.spot) if t.spot else None,
            )
            for t in case.transitions
        ),
        tuple(
            Listed(
                name, s.cell, None, s.period_ms or None, s.retired, from_metres(*s.spot) if s.spot else None
            )
            for name, s in case.sensors.items()
        ),
        since=LONG_AGO if case.since is None else case.since,
    )


CALLS: Mapping[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "log10": math.log10, "ceil": math.ceil, "max": max, "abs": abs,
}  # fmt: skip
OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.USub: operator.neg, ast.Lt: operator.lt, ast.Gt: operator.gt,
}  # fmt: skip


def by_hand(text: str) -> float:
    """The arithmetic beside a case: numbers, ``+ - * / **``, one comparison, ``if`` and five functions.

    >>> by_hand("3 if abs(0.1 + 0.2 - 0.3) < 1e-9 else sqrt(4)")
    3
    """
    value: float = _arithmetic(ast.parse(text, mode="eval").body)
    return value


def _arithmetic(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float()):
            return node.value
        case ast.BinOp():
            return OPERATORS[type(node.op)](_arithmetic(node.left), _arithmetic(node.right))
        case ast.UnaryOp():
            return OPERATORS[type(node.op)](_arithmetic(node.operand))
        case ast.Compare(ops=[op], comparators=[right]):
            return OPERATORS[type(op)](_arithmetic(node.left), _arithmetic(right))
        case ast.IfExp():
            return _arithmetic(node.body if _arithmetic(node.test) else node.orelse)
        case ast.Call(func=ast.Name(id=name)) if name in CALLS and not node.keywords:
            return CALLS[name](*map(_arithmetic, node.args))
    raise ValueError(f"no arithmetic: {ast.unparse(node)!r}")
