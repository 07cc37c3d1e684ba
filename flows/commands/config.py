"""`yiwang config`: check a configuration, print one with every option, print the references."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.config.file import ConfigurationError, load, missing
from flows.config.reference import example as example_text
from flows.config.reference import reference

app = typer.Typer(name="config", help="The configuration of `yiwang run`.", no_args_is_help=True)


@app.command(epilog="Example:\n\n  yiwang config check city.toml")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A configuration, TOML.")],
    as_json: Annotated[bool, typer.Option("--json", help="The faults as a JSON list alone.")] = False,
) -> None:
    """Say everything that is wrong with a configuration; exit code 1 if anything is.

    Files and folders that are not there are named too: the engine needs them, but they may come later.
    """
    faults: tuple[str, ...] = ()
    absent: list[str] = []
    try:
        absent = missing(load(file))
    except ConfigurationError as error:
        faults = error.faults
    if as_json:
        typer.echo(json.dumps(faults, ensure_ascii=False))
    console = Console(stderr=True, highlight=False)
    for fault in faults:
        console.print(f"{file}: {fault}", style="red", markup=False, soft_wrap=True)
    if faults:
        raise typer.Exit(1)
    for message in absent:
        console.print(f"{file}: not there yet: {message}", style="yellow", markup=False, soft_wrap=True)
    console.print(f"{file}: nothing {'else ' if absent else ''}wrong", markup=False, soft_wrap=True)


@app.command(epilog="Example:\n\n  yiwang config example > city.toml")
def example() -> None:
    """Print a configuration with every option."""
    typer.echo(example_text(), nl=False)


@app.command(epilog="Example:\n\n  yiwang config docs > configuration.md")
def docs() -> None:
    """Print the reference of all options, Markdown."""
    typer.echo(reference(), nl=False)


@app.command(epilog="Example:\n\n  yiwang config schemas schemas")
def schemas(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if need be.")],
) -> None:
    """Write the JSON Schemas of all records and results."""
    from flows.config.schemas import write

    write(folder)
