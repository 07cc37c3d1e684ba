"""The examples of the function table, computed: formula and records → result, for the reference.

>>> example("mean").result
'a 900; b 5000'
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from indicators.calls import Context
from indicators.compiler import Compiler
from indicators.contributions import Rows
from indicators.entry import Entry
from indicators.expression import Kind, Node
from indicators.functions import FUNCTIONS
from indicators.golden_case import golden_case
from indicators.golden_town import GoldenTown
from indicators.indicator import build
from indicators.metrics import Metrics
from indicators.signatures import Role
from indicators.syntax import parse
from indicators.typing_rules import role

RECORDS = Path(__file__).parent / "data" / "examples" / "functions.toml"
"""The records of every example."""

_AT = "2024-07-03T10:00:00+08:00"
_MOST = 6
"""Rows that a result shows."""


@dataclass(frozen=True, slots=True)
class Example:
    """The records of an example, and what the formula gives for them."""

    records: tuple[str, ...]
    result: str


def example(name: str) -> Example:
    """The computed example of a function.

    Raises:
        KeyError: the function or its records are missing.
    """
    metrics, records = Metrics.load(), tuple(_read()[name])
    text = FUNCTIONS[name].example
    node = Compiler(parse(text), Context(metrics, None), {}).run()
    flag = role(node) is not Role.NUMBER
    formula = text if node.kind is Kind.AREA else f"{'number' if flag else 'total'}({text})"
    if node.kind is Kind.AREA and flag:
        formula = f"1 if {text} else 0"
    town = _town(formula, records, _read()["windows"].get(name, "1h"))
    if node.kind is Kind.AREA:
        return Example(records, _number(float(town.judged().value[0, 0])))
    return Example(records, _rows(town, node))


@cache
def _read() -> Mapping[str, Any]:
    return tomllib.loads(RECORDS.read_text(encoding="utf-8"))


def _town(formula: str, records: tuple[str, ...], window: str) -> GoldenTown:
    metrics = Metrics.load()
    entry = Entry(
        id="example.value", name_zh="例", name_en="Example", theme="emergency", domain="example", unit="1",
        window=window, hop="5m", formula=formula,
    )  # fmt: skip
    series = [line for line in records if _subject(line) in metrics.index]
    cases = [line for line in records if line not in series]
    fields = {"indicator": entry.id, "name": "", "at": _AT, "series": series, "cases": cases, "value": 0}
    return GoldenTown(golden_case(fields, metrics), build(entry, metrics), metrics)


def _subject(line: str) -> str:
    """The metric or event type of a line."""
    return line.split(":", maxsplit=1)[0].split()[1]


def _rows(town: GoldenTown, node: Node) -> str:
    """Rows by their names: values, flags, or the members of a set."""
    tree = town.explained("all").tree
    found = next(branch.rows for branch in tree.walk() if branch.rows is not None)
    names = town.cases if found.kind == "cases" else town.sensors
    pairs = sorted(zip((names[key] for key in found.who.tolist()), found.value.tolist(), strict=True))
    if role(node) is Role.SET:
        return ", ".join(name for name, _ in pairs[:_MOST])
    told = (_flag(value) if role(node) is Role.FLAG else _number(value) for _, value in pairs)
    shown = [f"{name} {text}" for (name, _), text in zip(pairs, told, strict=True)]
    return "; ".join(shown[:_MOST]) + _silent(found)


def _silent(rows: Rows) -> str:
    return f" ({rows.silent} unknown)" if rows.silent else ""


def _flag(value: float) -> str:
    return "true" if value else "false"


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.6g}"
