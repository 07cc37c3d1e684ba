"""``yiwang demo``: the shipped sample city replayed, and where it was worst.

sim/sample ─▶ replay ─▶ indicators.parquet ─▶ a table: per indicator, its worst streets
"""

import json
import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from flows.replay_command import perform, summary_table

EPILOG = """Examples:

  yiwang demo

  yiwang demo --out demo --no-ui"""

ZONE = "Asia/Shanghai"


def demo(
    length: Annotated[
        str,
        typer.Option("--for", metavar="120s|forever", help="At most this long; the sample ends by itself."),
    ] = "forever",
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Plain text, without colours and progress.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the outputs; default: a new one in /tmp.")
    ] = None,
) -> None:
    """Replay the sample city, a stormy afternoon in three districts, and show where it was worst."""
    from flows.worst_areas import worst_table
    from indicators.catalogue import Catalogue

    _check_length(length)
    console = Console(no_color=True, highlight=False) if no_ui else Console()
    folder = out or Path(tempfile.mkdtemp(prefix="yiwang-demo-"))
    with as_file(files("sim") / "sample") as sample:
        summary = _replay(sample, folder, progress=not no_ui and sys.stderr.isatty())
        names = _names(sample / "areas.geojson")
    table = folder / "indicators.parquet"
    console.print(worst_table(table, Catalogue.load().indicators, names, ZONE))
    console.print(summary_table(summary, ZONE))
    console.print(f"\nAll values, alerts and rejects are in {folder}", soft_wrap=True, markup=False)


def _check_length(length: str) -> None:
    from indicators.durations import milliseconds

    if length == "forever":
        return
    try:
        milliseconds(length)
    except ValueError as error:
        message = f"found {length!r}; give a time such as 120s, or forever"
        raise typer.BadParameter(message, param_hint="--for") from error


def _replay(sample: Path, out: Path, *, progress: bool) -> dict[str, object]:
    from flows.replay import ReplayOptions

    options = ReplayOptions(
        readings=[sample / "readings.jsonl.gz"],
        events=[sample / "events.jsonl"],
        sensors=sample / "sensors.csv",
        areas=sample / "areas.geojson",
        tz=ZONE,
        out=out,
        progress=progress,
    )
    summary: dict[str, object] = msgspec.to_builtins(perform(options))
    return summary


def _names(areas: Path) -> dict[str, str]:
    """Area id -> Chinese and English name."""
    features = json.loads(areas.read_text(encoding="utf-8"))["features"]
    found = (feature["properties"] for feature in features)
    return {p.get("id", p.get("adcode")): f"{p['name_zh']} {p['name_en']}" for p in found}
