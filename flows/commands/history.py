"""``yiwang history``: an indicator's values over time in one area, as a table, as JSON, or drawn."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Never
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand

if TYPE_CHECKING:
    import polars as pl

    from indicators.indicator import Indicator

EPILOG = """Examples:

  yiwang history air.aqi city

  yiwang history drainage.ponding_depth_max 420106 --last 6h --plot

  yiwang history traffic.congestion_index 420102 --history /data/history --json

  yiwang history air.aqi city --plot aqi.svg"""

_TERMINAL = "-"
_LEVELS = ("", "[blue]blue 蓝[/]", "[yellow]yellow 黄[/]", "[dark_orange]orange 橙[/]", "[red]red 红[/]")


class PlotCommand(TyperCommand):
    """Lets ``--plot`` stand alone; only a name that ends in .svg belongs to it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own context
        """Give a ``--plot`` without a file its meaning."""
        whole: list[str] = []
        for i, argument in enumerate(args):
            whole.append(argument)
            if argument == "--plot" and not (i + 1 < len(args) and args[i + 1].endswith(".svg")):
                whole.append(_TERMINAL)
        return super().parse_args(ctx, whole)


def history(
    indicator: Annotated[str, typer.Argument(metavar="INDICATOR", help="Id, such as air.aqi.")],
    area: Annotated[str, typer.Argument(metavar="AREA", help="Id of an area, or code of a cell.")],
    folder: Annotated[Path, typer.Option("--history", metavar="DIR", help="Folder of the history.")] = Path(
        "history"
    ),
    last: Annotated[
        str, typer.Option(metavar="24h", help="How long before the newest window to begin.")
    ] = "24h",
    tz: Annotated[str, typer.Option(metavar="ZONE", help="Zone of the times shown.")] = "Asia/Shanghai",
    plot: Annotated[
        str | None,
        typer.Option(metavar="[F.svg]", help="Draw it: here, or into an SVG file.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The rows as a JSON list alone.")] = False,
) -> None:
    """Show the values of an indicator in an area over time, as `yiwang run --history` keeps them."""
    from indicators.catalogue import Catalogue

    known = {one.id: one for one in Catalogue.load().indicators}
    rows = _rows(folder, indicator, area, last)
    if as_json:
        typer.echo(json.dumps([_plain(row) for row in rows.iter_rows(named=True)], ensure_ascii=False))
        return
    title, unit = _title(known.get(indicator), indicator, area)
    if plot is None:
        Console().print(_table(rows, title, unit, ZoneInfo(tz)))
    else:
        raises = known[indicator].raises if indicator in known else ()
        _draw(rows, (title, unit, raises), ZoneInfo(tz), plot)


def _rows(folder: Path, indicator: str, area: str, last: str) -> "pl.DataFrame":
    from indicators.durations import milliseconds
    from sinks.history_reader import areas, newest, read

    if not folder.is_dir():
        _misused("history", f"{folder} is no folder; give the one that `yiwang run --history` writes to")
    try:
        span = milliseconds(last)
    except ValueError:
        _misused("last", f"found {last!r}; give a duration such as 24h, 90m or 7d")
    end = newest(folder, indicator, area)
    if end is None:
        there = _instead(indicator, area, areas(folder, indicator))
        Console(stderr=True).print(
            f"Error: {folder} has no value of {indicator} in {area}; {there}",
            style="red",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(1)
    return read(folder, indicator, area, end - span, end)


def _instead(indicator: str, area: str, there: list[str]) -> str:
    """What to ask for instead: areas that have values, or the nearest indicator."""
    if there:
        # The shortest ids are those of the city and its districts.
        near = get_close_matches(area, there, n=3, cutoff=0.4) or sorted(
            there, key=lambda one: (len(one), one)
        )
        return f"there is {', '.join(near[:3])}"
    from indicators.catalogue import Catalogue

    known = [one.id for one in Catalogue.load().indicators]
    near = [one for one in get_close_matches(indicator, known, n=1) if one != indicator]
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}see `yiwang catalogue list` for indicators"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "window_end": int(row["window_end"].timestamp() * 1000)}


def _title(indicator: "Indicator | None", name: str, area: str) -> tuple[str, str]:
    if indicator is None:
        return f"{name} · {area}", "1"
    entry = indicator.entry
    return f"{entry.name_zh} {entry.name_en} · {area}", entry.unit


def _table(rows: "pl.DataFrame", title: str, unit: str, zone: ZoneInfo) -> Table:
    value = "value" if unit == "1" else f"value, {unit}"
    table = Table("window end", value, "level", "n", "coverage", "rev.", "status", title=title)
    for column in (1, 3, 4, 5):
        table.columns[column].justify = "right"
    for row in rows.iter_rows(named=True):
        shown, coverage = row["value"], row["coverage"]
        table.add_row(
            f"{_local(row['window_end'], zone):%Y-%m-%d %H:%M}",
            "-" if shown is None else f"{shown:,.6g}",
            _LEVELS[row["level"]],
            f"{row['n']:,}",
            "-" if coverage is None else f"{coverage:.0%}",
            str(row["revision"]),
            row["status"],
        )
    return table


def _draw(rows: "pl.DataFrame", about: tuple[str, str, Sequence[float]], zone: ZoneInfo, plot: str) -> None:
    from flows.commands.history_plot import svg, terminal

    title, unit, raises = about
    ends = [_local(end, zone) for end in rows["window_end"].to_list()]
    points = list(zip(ends, rows["value"].to_list(), strict=True))
    if plot == _TERMINAL:
        console = Console()
        console.print(title, markup=False, highlight=False)
        console.print(terminal(points, unit, console.width), markup=False, highlight=False, soft_wrap=True)
        return
    Path(plot).write_text(svg(points, title, unit, raises), encoding="utf-8")
    Console(stderr=True).print(f"{len(points)} windows drawn in {plot}", markup=False, soft_wrap=True)


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(zone)


def _misused(option: str, message: str) -> Never:
    raise typer.BadParameter(message, param_hint=f"--{option}")
