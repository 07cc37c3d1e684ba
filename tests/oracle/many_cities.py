"""Random cities through the engine for as long as there is time, and what was compared.

    python -m tests.oracle.many_cities --minutes 15 --jobs 2
    python -m tests.oracle.many_cities --cities 4 --seed 7 --json

Every city's values, counts, coverage and statuses are compared with those the oracle computes from the raw
records, for all 84 indicators and all kinds of areas.

Exit code: 0 all equal and something compared of everything, 1 otherwise, 2 wrong use.
"""

from __future__ import annotations

import json as json_text
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.oracle.recompute import RULES
from tests.oracle.whole_cities import WholeRecipe, any_recipe, indicators_of
from tests.oracle.whole_comparison import KINDS, Compared, differences, kinds_of, missing, run, strangers

PARTS = ("present", "past")


@dataclass
class Report:
    """What was compared so far, and what was wrong with which city."""

    cities: int = 0
    compared: Compared = field(default_factory=Counter)
    wrong: list[tuple[str, str]] = field(default_factory=list)


def one_city(seed: int) -> tuple[str, Compared, list[str]]:
    """Compare one city, present and past by turns: its recipe, what was compared, what was wrong."""
    r = Random(seed)  # noqa: S311 (not for secrets)
    recipe: WholeRecipe = any_recipe(r, PARTS[seed % 2])
    batch_size, lanes = r.choice([1, 7, 100, 1000, 10**6]), r.choice([1, 2])
    made_from = f"{recipe!r}, batches of {batch_size}, {lanes} lanes"
    compared: Compared = Counter()
    try:
        city = recipe.city()
        rows, summary = run(city, indicators_of(recipe.part), batch_size, lanes)
        wrong = [*differences(city, rows, indicators_of(recipe.part), compared), *strangers(city, rows)]
        counts = [summary["rejected"], summary["duplicates"]]
        if counts != [city.rejected, city.duplicates]:
            wrong.append(f"refused {counts} instead of {[city.rejected, city.duplicates]}")
    except Exception as error:  # noqa: BLE001 - a city that breaks the engine is a finding like any other
        wrong = [repr(error)]
    return made_from, compared, wrong


def compare(cities: int, minutes: float, seed: int, jobs: int, *, quiet: bool) -> Report:
    """Compare so many cities, or as many as fit into the minutes."""
    report, begun = Report(), time.monotonic()
    seeds = iter(range(seed, seed + cities)) if cities else count(seed)
    running: set[Future[tuple[str, Compared, list[str]]]] = set()
    with ProcessPoolExecutor(jobs) as pool, Progress(console=Console(stderr=True, quiet=quiet)) as progress:
        task = progress.add_task("cities", total=cities or minutes * 60)
        while True:
            late = not cities and time.monotonic() - begun > minutes * 60
            while not late and len(running) < jobs and (following := next(seeds, None)) is not None:
                running.add(pool.submit(one_city, following))
            if not running:
                return report
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                made_from, compared, wrong = future.result()
                report.cities += 1
                report.compared += compared
                report.wrong += [(made_from, text) for text in wrong]
            spent = min(time.monotonic() - begun, minutes * 60)
            progress.update(task, completed=report.cities if cities else spent)


def main(
    cities: Annotated[int, typer.Option(min=0, help="Cities; 0: as many as there is time for.")] = 0,
    minutes: Annotated[float, typer.Option(help="How long, without --cities.")] = 15.0,
    seed: Annotated[int, typer.Option(help="The first city's; the next ones follow.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,  # noqa: FBT002
) -> None:
    """Compare random cities with the oracle."""
    report = compare(cities, minutes, seed, jobs, quiet=json)
    lacking = missing(report.compared, RULES)
    if json:
        compared = {name: {k: report.compared[name, k] for k in kinds_of(name)} for name in RULES}
        found = {"cities": report.cities, "compared": compared, "missing": lacking, "wrong": report.wrong}
        typer.echo(json_text.dumps(found, ensure_ascii=False, indent=1))
    else:
        _print(report)
    for made_from, text in report.wrong[:20]:
        typer.echo(f"{made_from}\n  {text}", err=True)
    if lacking:
        some = ", ".join(lacking[:8])
        typer.echo(f"no value compared of {len(lacking)} indicators and kinds, such as {some}", err=True)
    raise typer.Exit(1 if report.wrong or lacking else 0)


def _print(report: Report) -> None:
    table = Table(box=box.SIMPLE)
    table.add_column("indicator", no_wrap=True)
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for name in RULES:
        cells = [f"{report.compared[name, kind]:,}" if kind in kinds_of(name) else "" for kind in KINDS]
        table.add_row(name, *cells)
    Console().print(table)
    total = sum(report.compared.values())
    typer.echo(f"{report.cities} cities, {total:,} values compared, {len(report.wrong)} differences")


if __name__ == "__main__":
    typer.run(main)
