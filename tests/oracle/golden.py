"""The notation of golden cases: text in, raw records and expectations out.

The head of ``tests/data/golden_cases.toml`` describes it.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.oracle.records import DAY, HOUR, MINUTE, Listed, Reading, Records, Transition
from tests.oracle.settled import metric_rows

DATA = Path(__file__).resolve().parents[1] / "data"
GOLDEN_CASES = DATA / "golden_cases.toml"
CASE_FILES = (GOLDEN_CASES, DATA / "more_cases.toml")
KEYS = {"indicator", "name", "at", "series", "cases", "periods", "retired", "settings", "areas"}
KEYS |= {"value", "level", "by_hand"}

SERIES = re.compile(
    r"(?P<sensor>\w+)(\*(?P<copies>\d+))?(@(?P<cell>\w+))?(\((?P<place>[^)]*)\))? (?P<metric>\w+)"
    r"( every (?P<every>\w+))?( until (?P<until>-?\w+))?: (?P<values>.*)"
)
CASE = re.compile(
    r"(?P<case>\w+)(\*(?P<copies>\d+))?(@(?P<cell>\w+))?(\((?P<place>[^)]*)\))?(#(?P<channel>\w+))? "
    r"(?P<kind>\w+)( s(?P<severity>[1-4]))?: (?P<steps>.*?)( repeat (?P<first>\d+)d\.\.(?P<last>\d+)d)?"
)
NUMBER = r"-?\d+(?:\.\d+)?"
VALUES = re.compile(
    rf"(?P<start>{NUMBER})(?:(?P<step>[+-]\d+(?:\.\d+)?))?(?:x(?P<more>\d+))?|_(?:x(?P<gaps>\d+))?"
)
LENGTHS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1000}
LEVELS = {"none": None}


@dataclass(frozen=True, slots=True)
class Golden:
    """One case: records and, per area (name -> cells), the value and level expected at ``at`` (epoch ms)."""

    indicator: str
    name: str
    at: int
    records: Records
    settings: Mapping[str, float]
    areas: Mapping[str, frozenset[str]]
    value: Mapping[str, float | None]
    level: Mapping[str, int | None]
    by_hand: str | None

    @property
    def cells(self) -> frozenset[str]:
        """Every cell a record of the case lies in."""
        placed = {t.cell for t in self.records.transitions if t.cell}
        return frozenset(placed | {r.cell for r in self.records.listed})


def golden_cases(paths: Iterable[Path] = CASE_FILES) -> list[Golden]:
    """All cases of some files, in their order."""
    texts = (path.read_text(encoding="utf-8") for path in paths)
    return [parse(case) for text in texts for case in tomllib.loads(text)["case"]]


def duration(text: str) -> int:
    """Milliseconds of a duration, which may have several parts and a sign.

    >>> duration("-10m1s"), duration("2h30m")
    (-601000, 9000000)
    """
    parts = re.findall(r"(\d+)([dhms])", text)
    if "".join(a + b for a, b in parts) != text.lstrip("-"):
        raise ValueError(f"no duration: {text!r}; write one like -2h30m")
    size = sum(int(number) * LENGTHS[unit] for number, unit in parts)
    return -size if text.startswith("-") else size


def values(text: str) -> list[float | None]:
    """The values of a series, None for a gap.

    >>> values("5x2 0+10x3 _ 7 _x2")
    [5.0, 5.0, 5.0, 0.0, 10.0, 20.0, 30.0, None, 7.0, None, None]
    """
    found: list[float | None] = []
    for word in text.split():
        match = VALUES.fullmatch(word)
        if match is None:
            raise ValueError(f"no value: {word!r}; write one like 5, 5x3, 0+10x3, _ or _x3")
        if match["start"] is None:
            found += [None] * int(match["gaps"] or 1)
        else:
            start, step = float(match["start"]), float(match["step"] or 0)
            found += [start + step * i for i in range(int(match["more"] or 0) + 1)]
    return found


def parse(case: Mapping[str, Any]) -> Golden:
    """A case from its TOML table."""
    if unknown := set(case) - KEYS:
        raise ValueError(f"unknown keys {sorted(unknown)} in {case['name']!r}; known are {sorted(KEYS)}")
    at = int(datetime.fromisoformat(case["at"]).timestamp() * 1000)
    lines = [_match(SERIES, text) for text in case.get("series", ())]
    cells = {m["sensor"]: m["cell"] for m in lines if m["cell"]}
    readings = [r for m in lines for r in _readings(m, at, cells.get(m["sensor"], "A"))]
    transitions = [t for text in case.get("cases", ()) for t in _transitions(_match(CASE, text), at)]
    sensors = {r.sensor: Listed(r.sensor, r.cell) for r in readings}
    for sensor, period in case.get("periods", {}).items():
        sensors[sensor] = replace(sensors[sensor], period=duration(period))
    for sensor in case.get("retired", ()):
        sensors[sensor] = replace(sensors[sensor], retired=True)
    records = Records(
        tuple(sorted(readings, key=lambda r: r.ts)),
        tuple(sorted(transitions, key=lambda t: t.ts)),
        tuple(sensors.values()),
    )
    everything = {r.cell for r in sensors.values()} | {t.cell for t in transitions if t.cell}
    areas = case.get("areas", {"all": everything})
    return Golden(
        indicator=case["indicator"],
        name=case["name"],
        at=at,
        records=records,
        settings=case.get("settings", {}),
        areas={name: frozenset(cells) for name, cells in areas.items()},
        value={name: None if v == "null" else float(v) for name, v in _by_area(case["value"], areas).items()},
        level={name: LEVELS.get(v, v) for name, v in _by_area(case.get("level", {}), areas).items()},
        by_hand=case.get("by_hand"),
    )


def _by_area(expected: Any, areas: Mapping[str, Any]) -> dict[str, Any]:
    return dict(expected) if isinstance(expected, dict) else dict.fromkeys(areas, expected)


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(f"cannot read {text!r}; the notation is described in {GOLDEN_CASES.name}")
    return found


def _names(name: str, copies: str | None) -> list[str]:
    return [f"{name}{i}" for i in range(1, int(copies) + 1)] if copies else [name]


def _readings(m: re.Match[str], at: int, cell: str) -> Iterator[Reading]:
    found = values(m["values"])
    step = duration(m["every"]) if m["every"] else metric_rows()[m["metric"]].period
    last = at + (duration(m["until"]) if m["until"] else 0)
    for sensor in _names(m["sensor"], m["copies"]):
        for back, value in enumerate(reversed(found)):
            if value is not None:
                yield Reading(sensor, m["metric"], value, last - back * step, cell)


def _transitions(m: re.Match[str], at: int) -> Iterator[Transition]:
    severity = int(m["severity"]) if m["severity"] else None
    days = range(int(m["first"]), int(m["last"]) + 1) if m["first"] else ()
    for case in _names(m["case"], m["copies"]):
        for day in (0, *days):
            name = f"{case}-{day}d" if day else case
            for step in m["steps"].split(", "):
                status, when = step.split()
                ts = at + duration(when) - day * DAY
                yield Transition(name, m["kind"], status, ts, m["cell"] or "A", severity, m["channel"])


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
