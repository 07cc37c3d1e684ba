"""``yiwang import``: public data sets → our records.

NAME, PATH ─▶ importer ─▶ readings.jsonl, sensors.csv, events.jsonl, truth.jsonl in DIR
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from flows.commands.program_name import program
from sim.importers.beijing_air import import_beijing_air
from sim.importers.boston_311 import import_boston_311
from sim.importers.metr_la import import_metr_la
from sim.importers.nyc_311 import import_nyc_311
from sim.importers.shift import Shift
from sim.importers.skab import import_skab
from sim.importers.water_leak import import_water_leak

if TYPE_CHECKING:
    from sim.importers.records import Importer, Report

IMPORTERS: "dict[str, Importer]" = {
    "beijing-air": import_beijing_air,
    "metr-la": import_metr_la,
    "nyc-311": import_nyc_311,
    "boston-311": import_boston_311,
    "water-leak": import_water_leak,
    "skab": import_skab,
}
"""Name on the command line → importer of a folder into a folder."""

EPILOG = """Examples:

  yiwang import beijing-air ~/data/PRSA --to out/beijing

  yiwang import nyc-311 ~/data/311_sample.csv --to out/nyc --shift-to wuhan --json

docs/importers.md says what becomes of every column."""


def import_records(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"Data set: {', '.join(IMPORTERS)}.")],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Folder with the files as published, or one of them.")
    ],
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write records into.")],
    shift_to: Annotated[
        str | None,
        typer.Option(
            metavar="wuhan|LON,LAT",
            help="Move the data set there, its shape in metres kept.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON alone.")] = False,
) -> None:
    """Turn a public data set into readings, cases, a sensor registry, and truth where it is known.

    Values that are missing in the data set are dropped and counted, never filled.
    """
    messages = Console(stderr=True)
    importer = IMPORTERS.get(name)
    if importer is None:
        known = ", ".join(IMPORTERS)
        messages.print(f"There is no importer named {name!r}; known: {known}.", markup=False, soft_wrap=True)
        raise typer.Exit(2)
    shift = _shift(shift_to)
    try:
        report = _with_progress(importer, path, to, shift, messages)
    except (OSError, ValueError) as error:
        messages.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    typer.echo(json.dumps(asdict(report)) if as_json else _summary(report, to))


def _shift(text: str | None) -> Shift | None:
    try:
        return None if text is None else Shift.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--shift-to") from error


def _with_progress(
    importer: "Importer", path: Path, to: Path, shift: Shift | None, console: Console
) -> "Report":
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def show(done: int, total: int, what: str) -> None:
            progress.update(task, completed=done, total=total, description=what)

        return importer(path, to, shift, show)


def _summary(report: "Report", to: Path) -> str:
    dropped = ", ".join(f"{what} {n:,}" for what, n in report.dropped.items())
    counts = {"readings": report.readings, "events": report.events, "truths": report.truths}
    written = ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)
    from_ = f"{report.rows:,} rows in {report.files:,} files"
    lines = [
        f"{written or 'nothing'} of {report.sensors:,} sensors from {from_}, in {to}",
        f"missing and dropped: {dropped}",
    ]
    if doubtful := [f"{what} {n:,}" for what, n in report.doubtful.items() if n]:
        lines.append(f"kept, but doubtful: {', '.join(doubtful)}")
    if report.not_imported:
        lines.append(f"columns not imported: {', '.join(report.not_imported)}")
    return "\n".join([*lines, f"next: {_next(report, to)}"])


def _next(report: "Report", to: Path) -> str:
    events = f" --events {to / 'events.jsonl'}" if report.events else ""
    zone = "" if report.zone == "Asia/Shanghai" else f" --tz {report.zone}"
    inputs = f"--readings {to / 'readings.jsonl'}{events} --sensors {to / 'sensors.csv'}"
    return f"{program()} replay {inputs}{zone} --out out"
