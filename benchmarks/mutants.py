"""Do the golden cases notice a wrong formula? One place of each shipped formula is changed at a time.

    python -m benchmarks.mutants
    python -m benchmarks.mutants --indicator 'weather.*' --json

A mutant is caught when a golden case of its indicator gives another value or level than it should. Mutants
that the compiler refuses do not count. Those that no case catches need a line in ``mutant_reasons.toml``: why
they are equivalent, or why they are let live. Writes ``docs/mutants.md`` when the whole catalogue is run.

Exit code: 0 at least 90 % of the mutants are caught and every survivor has its reason, 1 otherwise, 2 wrong
use.
"""

from __future__ import annotations

import fnmatch
import json as json_text
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from alerts.golden_run import run_case
from benchmarks.formula_mutants import formula_mutants, numbered
from indicators.catalogue import Catalogue
from indicators.entry import Entry
from indicators.golden_case import GoldenCase, shipped_cases
from indicators.indicator import Indicator, build
from indicators.metrics import Metrics

ROOT = Path(__file__).resolve().parents[1]
REASONS = Path(__file__).with_name("mutant_reasons.toml")
PAGE = ROOT / "docs" / "mutants.md"
BAR = 0.9
"""Least share of mutants to be caught."""

Fate = Literal["caught", "survived", "refused"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One mutant: the key it changes, ``old → new``, the entry it makes."""

    indicator: str
    key: str
    change: str
    entry: Entry

    @property
    def name(self) -> str:
        """How the file of reasons calls it."""
        return self.change if self.key == "formula" else f"{self.key}: {self.change}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mutant; ``by`` is the case that caught it, or what the compiler said."""

    indicator: str
    name: str
    fate: Fate
    by: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a mutant lives: ``equivalent`` (no records tell it apart) or let live."""

    equivalent: bool
    why: str


def attempts(indicator: Indicator) -> Iterator[Attempt]:
    """Every mutant of an indicator's formula and conditions, and windows twice and half as long.

    >>> [a.name for a in attempts(Catalogue.load()["weather.visibility_min"])][-2:]
    ['window: 10m → 1200s', 'window: 10m → 300s']
    """
    entry = indicator.entry
    texts = {"formula": entry.formula, "alarm_needs": entry.alarm_needs}
    for key, text in texts.items():
        mutants = list(formula_mutants(text or ""))
        for mutant, change in zip(mutants, numbered(mutants), strict=True):
            yield Attempt(indicator.id, key, change, msgspec.structs.replace(entry, **{key: mutant.text}))
    for level, text in entry.level_needs.items():
        mutants = list(formula_mutants(text))
        for mutant, change in zip(mutants, numbered(mutants), strict=True):
            needs = {**entry.level_needs, level: mutant.text}
            changed = msgspec.structs.replace(entry, level_needs=needs)
            yield Attempt(indicator.id, f"level_needs.{level}", change, changed)
    for ms in (2 * indicator.window_ms, indicator.window_ms // 2):
        window = f"{ms // 1000}s"
        changed = msgspec.structs.replace(entry, window=window)
        yield Attempt(indicator.id, "window", f"{entry.window} → {window}", changed)


@cache
def _cases(name: str) -> tuple[GoldenCase, ...]:
    return tuple(case for case in _all_cases() if case.indicator == name)


@cache
def _all_cases() -> tuple[GoldenCase, ...]:
    return tuple(shipped_cases())


@cache
def _metrics() -> Metrics:
    return Metrics.load()


@cache
def _shipped() -> Mapping[str, Indicator]:
    return {i.id: i for i in Catalogue.load().indicators}


def tried(attempt: Attempt) -> Outcome:
    """Compile a mutant and run the golden cases of its indicator until one fails."""
    found = partial(Outcome, attempt.indicator, attempt.name)
    try:
        mutant = build(attempt.entry, _metrics())
    except ValueError as error:
        return found("refused", str(error))
    for case in _cases(attempt.indicator):
        result = run_case(case, {mutant.id: mutant}, _metrics())
        if not result.passed:
            return found("caught", case.name)
    return found("survived", "")


def _of(name: str) -> list[Outcome]:
    return [tried(attempt) for attempt in attempts(_shipped()[name])]


def outcomes(names: Sequence[str], jobs: int, *, quiet: bool) -> list[Outcome]:
    """Try the mutants of some indicators in several processes."""
    console = Console(stderr=True, quiet=quiet)
    with ProcessPoolExecutor(jobs) as pool:
        done = track(pool.map(_of, names), "mutants", len(names), console=console)
        return [outcome for own in done for outcome in own]


@cache
def reasons() -> Mapping[tuple[str, str], Reason]:
    """The written reasons by indicator and mutant."""
    rows = tomllib.loads(REASONS.read_text("utf-8")).get("survivor", [])
    return {
        (row["indicator"], name): Reason(row["equivalent"], row["why"])
        for row in rows
        for name in row["changes"]
    }


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of mutants; ``equivalent`` of those that survived."""

    mutants: int
    caught: int
    equivalent: int
    refused: int

    @property
    def share(self) -> float:
        """Caught of all that are not equivalent."""
        return self.caught / max(self.mutants - self.equivalent, 1)

    @property
    def plain(self) -> float:
        """Caught of all, equivalent ones too."""
        return self.caught / max(self.mutants, 1)


def score(found: Sequence[Outcome]) -> Score:
    """Count.

    >>> score([Outcome("a.b", "1 → 2", "caught", ""), Outcome("a.b", "2 → 3", "survived", "")]).share
    0.5
    """
    alive = [o for o in found if o.fate != "refused"]
    equal = sum(o.fate == "survived" and (r := _reason(o)) is not None and r.equivalent for o in alive)
    return Score(len(alive), sum(o.fate == "caught" for o in alive), equal, len(found) - len(alive))


def _reason(o: Outcome) -> Reason | None:
    return reasons().get((o.indicator, o.name))


def faults(found: Sequence[Outcome]) -> list[str]:
    """Survivors without a reason, and reasons without a survivor."""
    names = {o.indicator for o in found}
    survived = {(o.indicator, o.name) for o in found if o.fate == "survived"}
    missing = [f"{i}: {name}: survived, and has no reason" for i, name in sorted(survived - set(reasons()))]
    idle = [key for key in sorted(set(reasons()) - survived) if key[0] in names]
    return missing + [f"{i}: {name}: has a reason to live, but did not survive" for i, name in idle]


def main(
    indicator: Annotated[list[str] | None, typer.Option(help="Id or pattern; default: all.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = min(os.cpu_count() or 1, 2),
    json: Annotated[bool, typer.Option("--json", help="Print every mutant as JSON.")] = False,  # noqa: FBT002
) -> None:
    """Change one place of each shipped formula at a time and see whether the golden cases notice."""
    names = [n for n in _shipped() if not indicator or any(fnmatch.fnmatch(n, p) for p in indicator)]
    if not names:
        raise typer.BadParameter(f"no indicator fits {indicator}; yiwang catalogue list shows all")
    found = outcomes(names, jobs, quiet=json)
    wrong = faults(found)
    if json:
        typer.echo(json_text.dumps([asdict(o) for o in found], ensure_ascii=False, indent=1))
    else:
        _print(found)
    for fault in wrong:
        typer.echo(fault, err=True)
    if not indicator:
        PAGE.write_text(page(found), "utf-8")
    raise typer.Exit(1 if wrong or score(found).share < BAR else 0)


def _by_indicator(found: Sequence[Outcome]) -> Mapping[str, list[Outcome]]:
    by: dict[str, list[Outcome]] = {}
    for outcome in found:
        by.setdefault(outcome.indicator, []).append(outcome)
    return by


def _print(found: Sequence[Outcome]) -> None:
    table = Table(box=box.SIMPLE)
    table.add_column("indicator")
    for column in ("mutants", "caught", "equivalent", "survived", "refused"):
        table.add_column(column, justify="right")
    for name, own in [*_by_indicator(found).items(), ("all", list(found))]:
        s = score(own)
        left = s.mutants - s.caught - s.equivalent
        table.add_row(name, *map(str, (s.mutants, s.caught, s.equivalent, left, s.refused)))
    Console().print(table)
    s = score(found)
    typer.echo(f"caught {s.share:.1%} of the mutants that are not equivalent, {s.plain:.1%} of all")


HEAD = """# Mutants

Do the golden cases notice a wrong formula? `make mutants` changes one place of each shipped formula at a
time: a number by a tenth (small whole numbers by one) up and down, an operator to its neighbour at the
border and to its opposite, a function to one of the same shape, a status to the ones beside it, a
duration or a window to twice and half its length, a clock span by an hour at either end. A mutant is
caught when a golden case of its indicator then gives another value or level. Mutants that the compiler
refuses are no formulas and do not count; equivalent ones give the same value whatever the records.

"""


def page(found: Sequence[Outcome]) -> str:
    """The page of results, as Markdown."""
    s = score(found)
    told = (
        f"**{s.caught} of {s.mutants - s.equivalent} mutants that are not equivalent are caught "
        f"({s.share:.1%})**; {s.equivalent} more are equivalent, {s.refused} were refused by the compiler. "
        f"The bar is {BAR:.0%}."
    )
    lines = [
        told,
        "",
        "## Survivors",
        "",
        "| indicator | change | equivalent | why it lives |",
        "|---|---|---|---|",
    ]
    for o in found:
        if o.fate == "survived":
            reason = _reason(o) or Reason(equivalent=False, why="no case catches it yet")
            change = o.name.replace("|", "\\|")
            lines.append(
                f"| {o.indicator} | `{change}` | {'yes' if reason.equivalent else 'no'} | {reason.why} |"
            )
    lines += ["", "## By indicator", "", "| indicator | mutants | caught | equivalent | survived | refused |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for name, own in _by_indicator(found).items():
        t = score(own)
        left = t.mutants - t.caught - t.equivalent
        lines.append(f"| {name} | {t.mutants} | {t.caught} | {t.equivalent} | {left} | {t.refused} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)
