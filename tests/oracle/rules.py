"""What is known of every indicator beside its formula: the specification, its inputs, its conditions."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.oracle.area import Area
from tests.oracle.formulas import Value
from tests.oracle.records import DAY, HOUR, MINUTE
from tests.oracle.settled import within

SPECIFICATION = Path(__file__).resolve().parents[1] / "data" / "indicators_spec.csv"
UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}


def never(_: Area) -> int:
    """No cases."""
    return 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One indicator: window and hop in ms, value, its metrics and how each may be late, thresholds.

    ``metrics`` maps a metric to ``window`` (readings inside only), ``held`` or ``reached``. ``least`` is the
    least number of things an alarm needs, counted by ``things``; ``yellow`` what that level needs besides.
    ``kinds`` are the case types that make a row due though the value is zero without any.
    """

    window: int
    hop: int
    value: Callable[[Area], Value]
    metrics: Mapping[str, str]
    raises: tuple[float, ...]
    low_bad: bool
    lowest: str
    cases: Callable[[Area], int] = never
    least: int = 0
    things: Callable[[Area], int] = never
    min_coverage: float = 0.0
    yellow: Callable[[Area], bool] | None = None
    zero: tuple[str, ...] = ()


@cache
def specified() -> Mapping[str, Mapping[str, str]]:
    """The rows of the specification by id."""
    with SPECIFICATION.open(encoding="utf-8", newline="") as lines:
        return {row["id"]: row for row in csv.DictReader(lines)}


def duration(text: str) -> int:
    """Milliseconds of a duration such as 15m."""
    return int(text[:-1]) * UNITS[text[-1]]


def rule(
    name: str,
    value: Callable[[Area], Value],
    metrics: str = "",
    *,
    cases: Callable[[Area], int] = never,
    least: int = 0,
    things: Callable[[Area], int] = never,
    share: bool = False,
    yellow: Callable[[Area], bool] | None = None,
    zero: str = "",
) -> tuple[str, Rule]:
    """A rule with what the specification says; ``metrics`` as in "a b: held, c: window"."""
    row = specified()[name]
    lateness = (part.split(":") for part in metrics.split(",") if part)
    levels = tuple(float(row[level]) for level in ("blue", "yellow", "orange", "red") if row[level])
    return name, Rule(
        window=duration(row["window"]),
        hop=duration(row["hop"]),
        value=value,
        metrics={metric: how.strip() for some, how in lateness for metric in some.split()},
        raises=levels,
        low_bad=row["direction"] == "low_bad",
        lowest=row["lowest"],
        cases=cases,
        least=least,
        things=things,
        min_coverage=0.5 if share else 0.0,
        yellow=yellow,
        zero=tuple(zero.split()),
    )


def checked(a: Area) -> int:
    """The engine's own checks of readings inside the window."""
    marks = (s for c, s in a.city.checked.items() if a.holds(c))
    return sum(within(stamps, a.end - a.window, a.end) for stamps in marks)
