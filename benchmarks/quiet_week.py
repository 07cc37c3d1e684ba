"""A week in which nothing happens: what is alerted all the same, by indicator; a Markdown table.

    python -m benchmarks.quiet_week --sensors 2000 --seed 1

The city is made by ``yiwang simulate`` without scenarios, replayed by ``yiwang replay``; every alert raised
is a false one. Rates are per 1,000 cells that were watched and day. *First day* counts those of the first 24
hours, in which windows of a day are not yet full.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.scenarios import replay, yiwang
from indicators.catalogue import Catalogue
from sim.city import HOUR_MS, START
from sim.scoring.exposure import Exposure, watched
from sim.scoring.files import read_alerts

KINDS = ("cell", "community", "street", "district", "city")


def week(folder: Path, sensors: int, seed: int, hours: float, faults: str) -> tuple[pl.DataFrame, Exposure]:
    """Simulate and replay a week; return the alerts raised, and what was watched."""
    city, out = folder / "city", folder / "out"
    options = {"seed": seed, "sensors": sensors, "hours": f"{hours:g}", "faults": faults, "to": city}
    yiwang("simulate", *(str(x) for name, value in options.items() for x in (f"--{name}", value)))
    replay(city, out)
    hops = {indicator.id: indicator.hop_ms for indicator in Catalogue.load(()).indicators}
    return read_alerts(out / "alerts.jsonl", lambda _: None), watched(out / "indicators.parquet", hops)


def table(alerts: pl.DataFrame, cell_days: float) -> Table:
    """Return the alerts by indicator, most first: how many, of which areas, per 1,000 cells and day."""
    names = ("indicator", "raised", "first day", *KINDS, "areas", "per 1,000 cells and day")
    rows = Table(*names, box=box.MARKDOWN)
    for column in rows.columns[1:]:
        column.justify = "right"
    early = pl.col("raised") <= START + 24 * HOUR_MS
    counted = (
        alerts.group_by("indicator")
        .agg(
            raised=pl.len(),
            early=early.sum(),
            areas=pl.struct("kind", "area").n_unique(),
            **{kind: (pl.col("kind") == kind).sum() for kind in KINDS},
        )
        .sort("raised", "indicator", descending=[True, False])
    )
    for row in counted.iter_rows(named=True):
        kinds = [str(row[kind]) for kind in KINDS]
        rate = row["raised"] / cell_days * 1000
        counts = (str(row["raised"]), str(row["early"]), *kinds, str(row["areas"]))
        rows.add_row(row["indicator"], *counts, f"{rate:.2f}")
    rows.add_row(
        "all",
        str(alerts.height),
        str(alerts.filter(early).height),
        *(str(alerts.filter(kind=kind).height) for kind in KINDS),
        str(alerts.select("kind", "area").n_unique()),
        f"{alerts.height / cell_days * 1000:.2f}",
    )
    return rows


def main(
    sensors: Annotated[int, typer.Option(help="Devices in the city.")] = 1000,
    seed: Annotated[list[int] | None, typer.Option(help="Seeds, repeatable; 1 without it.")] = None,
    hours: Annotated[float, typer.Option(help="How long it lasts.")] = 168.0,
    faults: Annotated[str, typer.Option(help="How the sensors err: none, normal, heavy.")] = "none",
    keep: Annotated[Path | None, typer.Option(help="Folder in which everything is kept.")] = None,
) -> None:
    """Count the alerts of a week in which nothing happens."""
    console, messages = Console(width=150), Console(stderr=True)
    found, cell_days = [], 0.0
    for number in track(seed or [1], "waiting", console=messages, transient=True):
        with tempfile.TemporaryDirectory(prefix="yiwang-week-") as temporary:
            folder = keep / str(number) if keep else Path(temporary)
            alerts, exposure = week(folder, sensors, number, hours, faults)
        found.append(alerts)
        cell_days += exposure.cells * exposure.days
    console.print(table(pl.concat(found), cell_days))
    console.print(f"\n{cell_days:,.0f} days of cells were watched; faults of sensors: {faults}.")


if __name__ == "__main__":
    typer.run(main)
