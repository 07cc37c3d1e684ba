"""``yiwang score``: what happened against what was alerted.

truth.jsonl, alerts.jsonl ─▶ sim.scoring.score ─▶ a table, JSON, a picture
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Never

import typer
from rich.console import Console

from flows.commands.replay import code_field, existing, zone
from flows.replay.progress import reading_bar

if TYPE_CHECKING:
    import polars as pl

    from geo.areas import Areas
    from geo.cells import CellSystem
    from indicators.catalogue import Catalogue
    from sim.scoring.exposure import Exposure
    from sim.scoring.files import TruthEvent
    from sim.scoring.score import Score

EPILOG = """Examples:

  yiwang score --alerts out/alerts.jsonl --truth city/truth.jsonl --areas city/areas.geojson

  yiwang score --alerts out/incidents.jsonl --truth city/truth.jsonl --json

  yiwang score --alerts out/alerts.jsonl --truth city/truth.jsonl --plot score.svg

An event is found if an alert of one of its indicators is raised in its cells, or in areas that hold them, \
between its start and its end + 2 hops. Give the --areas, --grid and --catalogue that the replay had."""


def score(
    alerts: Annotated[
        Path,
        typer.Option(metavar="F", help="alerts.jsonl or incidents.jsonl of a replay.", show_default=False),
    ],
    truth: Annotated[Path, typer.Option(metavar="F", help="truth.jsonl: what happened.", show_default=False)],
    areas: Annotated[
        Path | None, typer.Option(metavar="F", help="Areas, GeoJSON; without: grid codes.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Further indicators, TOML files.")
    ] = None,
    cells: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Cells watched; default: of indicators.parquet beside."),
    ] = None,
    days: Annotated[
        float | None,
        typer.Option(metavar="D", help="Days watched; default: of indicators.parquet beside."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="F.svg", help="Also draw events and alerts over time.")
    ] = None,
    tz: Annotated[str, typer.Option(metavar="ZONE", help="Time zone of the times shown.")] = "Asia/Shanghai",
    grid: Annotated[
        Path | None, typer.Option(metavar="GEOJSON", help="A grid of polygons instead of the BeiDou grid.")
    ] = None,
    grid_code_field: Annotated[
        str | None, typer.Option(metavar="F", help="The property that holds a polygon's code.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the score as JSON alone.")] = False,
) -> None:
    """Score alerts against the truth: recall, precision, time to detect, false alerts."""
    zone(tz)
    if days is not None and not days > 0:
        raise typer.BadParameter(f"found {days:g}; give a positive number of days", param_hint="--days")
    files = {"alerts": alerts, "truth": truth, "areas": areas, "grid": grid, "catalogue": catalogue}
    for option, path in files.items():
        existing(path, option)
    known = _catalogue(catalogue)
    layout = _Layout(areas, grid, code_field(grid, grid_code_field))
    events, result = _scored(alerts, truth, layout, known, _exposure(alerts, cells, days, known))
    if plot:
        _draw(plot, events, result, known, tz)
    if as_json:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
        return
    from flows.commands.score_tables import score_tables

    for shown in score_tables(events, result, _names(known), tz):
        Console().print(shown)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The areas and the grid of the replay."""

    areas: Path | None
    grid: Path | None
    grid_code_field: str | None

    def cells(self) -> "CellSystem | None":
        from geo.cells import PolygonGrid

        if self.grid is None or self.grid_code_field is None:
            return None
        return PolygonGrid.from_geojson(self.grid, self.grid_code_field)

    def areas_of(self, cells: "CellSystem") -> "Areas":
        from geo.areas import Areas

        return Areas.from_geojson(self.areas, cells) if self.areas else Areas.from_codes(cells)


def _catalogue(folder: Path | None) -> "Catalogue":
    from indicators.catalogue import Catalogue, CatalogueError

    try:
        return Catalogue.load([folder] if folder else ())
    except CatalogueError as error:
        _fail(error, 2)


def _hops(known: "Catalogue") -> dict[str, int]:
    return {indicator.id: indicator.hop_ms for indicator in known.indicators}


def _names(known: "Catalogue") -> dict[str, str]:
    from sim.scenarios import SCENARIOS

    scenarios = {scenario.name: scenario.name_zh for scenario in SCENARIOS.values()}
    return scenarios | {indicator.id: indicator.entry.name_zh for indicator in known.indicators}


def _exposure(alerts: Path, cells: int | None, days: float | None, known: "Catalogue") -> "Exposure | None":
    """What is given, else what the table beside the alerts says; None, with a word about it, if neither."""
    from polars.exceptions import PolarsError

    from sim.scoring.exposure import Exposure, watched

    if cells is not None and days is not None:
        return Exposure(cells, days)
    table = alerts.parent / "indicators.parquet"
    if not table.exists():
        _say(
            f"{table} is not there, so false alerts cannot be counted by cells and days;"
            " give --cells and --days"
        )
        return None
    try:
        seen = watched(table, _hops(known))
    except (OSError, PolarsError) as error:
        _fail(f"{table} cannot be read: {error}; give --cells and --days instead", 1)
    return Exposure(seen.cells if cells is None else cells, seen.days if days is None else days)


def _scored(
    alerts: Path, truth: Path, layout: _Layout, known: "Catalogue", exposure: "Exposure | None"
) -> "tuple[Sequence[TruthEvent], Score]":
    from geo.geojson import AreaFileError
    from sim.scoring.files import ScoreFileError, read_alerts, read_truth
    from sim.scoring.places import places
    from sim.scoring.score import score as compare

    try:
        events = read_truth(truth)
        with reading_bar(alerts.stat().st_size, shown=sys.stderr.isatty()) as advance:
            raised = read_alerts(alerts, advance)
        _check_indicators(events, raised, _hops(known))
        where = places(events, raised, layout.areas_of, layout.cells())
    except AreaFileError as error:
        _fail(error, 2)
    except (ScoreFileError, OSError) as error:
        _fail(error, 1)
    return events, compare(events, where, _hops(known), exposure)


def _check_indicators(
    events: "Sequence[TruthEvent]", raised: "pl.DataFrame", hops: Mapping[str, int]
) -> None:
    unknown = {name for event in events for name in event.indicators} - hops.keys()
    alerting = sorted(unknown & set(raised["indicator"]))
    if alerting:
        _fail(
            f"{', '.join(alerting)}: events name it and there are alerts of it, but it is not in the"
            " catalogue, so its hop is not known; give the replay's --catalogue",
            2,
        )
    if unknown:
        _say(f"not in the catalogue, so no alert can be of it: {', '.join(sorted(unknown))}")


def _draw(path: Path, events: "Sequence[TruthEvent]", result: "Score", known: "Catalogue", tz: str) -> None:
    from sim.scoring.plot import draw

    try:
        path.write_text(draw(events, result, _hops(known), _names(known), tz), encoding="utf-8")
    except OSError as error:
        _fail(f"{path} cannot be written: {error}", 1)
    _say(f"drawn: {path}")


def _say(message: str) -> None:
    Console(stderr=True).print(message, markup=False, highlight=False, soft_wrap=True)


def _fail(error: BaseException | str, code: int) -> Never:
    Console(stderr=True).print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)
