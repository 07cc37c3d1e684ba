"""What the commands of ``yiwang catalogue`` share: options, the catalogue they name, how they fail."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Never, Protocol

import typer

from indicators.catalogue import Catalogue, CatalogueError, files


class Language(StrEnum):
    """Language of names and headings."""

    zh = "zh"
    en = "en"


Own = Annotated[
    list[Path] | None,
    typer.Option(
        "--catalogue", help="A catalogue file or folder of one's own; repeatable.", show_default=False
    ),
]
Lang = Annotated[Language, typer.Option(help="Language of names and headings.")]


class Faults(Protocol):
    """An error with one message per fault."""

    messages: tuple[str, ...]


def load(paths: Sequence[Path] | None) -> Catalogue:
    """The shipped indicators and those of some files; without success, the faults and exit code 1."""
    try:
        return Catalogue.load(paths or ())
    except CatalogueError as error:
        fail(error)


def named(paths: Sequence[Path]) -> list[Path]:
    """The files that arguments name; a name that leads nowhere is wrong use, exit code 2."""
    try:
        return files(paths)
    except CatalogueError as error:
        fail(error, 2)


def fail(error: Faults, code: int = 1) -> Never:
    """Print the faults and exit."""
    for message in error.messages:
        typer.echo(message, err=True)
    raise typer.Exit(code)
