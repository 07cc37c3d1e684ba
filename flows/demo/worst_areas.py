"""Where it was worst: rows of values -> a table of the worst areas of every indicator."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import polars as pl
from rich.markup import escape
from rich.table import Table

from flows.commands.unit_text import with_unit
from indicators.indicator import Indicator

SHOWN = 3
"""Areas shown per indicator."""

KINDS = ("street", "district", "city")
"""Kinds of area shown; of an indicator the first one it has values for."""

_LEVELS = ("-", "[blue]蓝 blue[/]", "[yellow]黄 yellow[/]", "[dark_orange]橙 orange[/]", "[red]红 red[/]")


def worst_areas(table: pl.DataFrame, high_bad: Mapping[str, bool], shown: int = SHOWN) -> pl.DataFrame:
    """The worst row of each of the ``shown`` worst areas of every indicator, worst first.

    Worse is the higher level, then the value farther on the bad side, then the earlier window.

    Args:
        table: columns of ``indicators.parquet``.
        high_bad: indicator id -> whether high values are the bad ones; other indicators are left out.
        shown: areas of an indicator.
    """
    badness = pl.col("value") * pl.col("indicator").replace_strict(
        {name: 1.0 if high else -1.0 for name, high in high_bad.items()}, return_dtype=pl.Float64
    )
    rank = pl.col("kind").replace_strict({kind: i for i, kind in enumerate(KINDS)}, return_dtype=pl.Int8)
    rows = table.filter(
        pl.col("value").is_not_null(), pl.col("indicator").is_in(list(high_bad)), pl.col("kind").is_in(KINDS)
    ).with_columns(badness=badness, rank=rank)
    return (
        rows.filter(pl.col("rank") == pl.col("rank").min().over("indicator"))
        .sort(
            ["indicator", "level", "badness", "window_end", "area"],
            descending=[False, True, True, False, False],
        )
        .unique(["indicator", "area"], keep="first", maintain_order=True)
        .group_by("indicator", maintain_order=True)
        .head(shown)
        .select(table.columns)
    )


def worst_table(
    rows: pl.DataFrame, indicators: Sequence[Indicator], names: Mapping[str, str], tz: str
) -> Table:
    """The worst areas of a run, for reading.

    Args:
        rows: columns of ``indicators.parquet``.
        indicators: those to show.
        names: area id -> name; an area without one is shown by its id.
        tz: zone of the times shown.
    """
    known = {indicator.id: indicator for indicator in indicators}
    table = Table(
        "指标 indicator",
        "区域 area",
        "最差时 worst at",
        "数值 value",
        "级别 level",
        title="最差区域 Where it was worst",
    )
    table.columns[3].justify = "right"
    worst = worst_areas(rows, {name: i.high_bad for name, i in known.items()})
    for (name,), group in worst.group_by("indicator", maintain_order=True):
        entry = known[str(name)].entry
        table.add_section()
        for i, row in enumerate(group.iter_rows(named=True)):
            table.add_row(
                "" if i else escape(f"{entry.name_zh} {entry.name_en}"),
                escape(names.get(row["area"], row["area"])),
                f"{row['window_end'].astimezone(ZoneInfo(tz)):%H:%M}",
                with_unit(f"{row['value']:,.4g}", entry.unit),
                _LEVELS[row["level"]],
            )
    return table
