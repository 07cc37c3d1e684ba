"""``yiwang import``: public data sets → our records.

NAME, PATH ─▶ importer ─▶ readings.jsonl + sensors.csv in DIR
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sim.beijing_air import AirImport, import_beijing_air

Importer = Callable[[Path, Path, Callable[[int, int, str], None]], AirImport]

IMPORTERS: dict[str, Importer] = {"beijing-air": import_beijing_air}
"""Name on the command line → importer of a folder into a folder."""

EPILOG = "Example: yiwang import beijing-air ~/data/PRSA --to out/beijing"


def import_records(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Data set: {', '.join(IMPORTERS)}.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder with the files as published.")],
    to: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder to write readings.jsonl and sensors.csv into.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON alone.")] = False,
) -> None:
    """Turn a public data set into readings and a sensor registry.

    Values that are missing in the data set are dropped and counted, never filled.
    """
    messages = Console(stderr=True)
    importer = IMPORTERS.get(name)
    if importer is None:
        known = ", ".join(IMPORTERS)
        messages.print(f"There is no importer named {name!r}; known: {known}.", markup=False, soft_wrap=True)
        raise typer.Exit(2)
    try:
        report = _with_progress(importer, path, to, messages)
    except (OSError, ValueError) as error:
        messages.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    typer.echo(json.dumps(asdict(report)) if as_json else _summary(report, to))


def _with_progress(importer: Importer, path: Path, to: Path, console: Console) -> AirImport:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def show(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, description=what)

        return importer(path, to, show)


def _summary(report: AirImport, to: Path) -> str:
    dropped = ", ".join(f"{column} {n:,}" for column, n in report.dropped.items())
    return (
        f"{report.readings:,} readings of {report.stations} stations from {report.rows:,} rows, in {to}\n"
        f"missing and dropped: {dropped}\n"
        f"next: yiwang replay --readings {to / 'readings.jsonl'} --sensors {to / 'sensors.csv'} --out out"
    )
