"""Figures of a benchmark, as a table for people and as one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table


def show(figures: Mapping[str, float], to: Path | None = None, digits: int = 2, bars: str = "") -> None:
    """Print figures with so many digits, ``bars`` as a last line; write the JSON to a file too."""
    lines = Table("figure", "value", box=box.MARKDOWN)
    lines.columns[1].justify = "right"
    for name, value in figures.items():
        lines.add_row(name, f"{value:,.{digits}f}")
    if bars:
        lines.add_row("bars", bars)
    Console(width=110).print(lines)
    text = json.dumps(figures)
    print(text)  # noqa: T201 - a command
    if to is not None:
        to.write_text(text + "\n")
