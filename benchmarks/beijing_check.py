"""The air quality index of Beijing, recomputed from the recordings and compared with the engine's.

    python benchmarks/beijing_check.py PRSA --from 2013-03-01 --to 2013-06-01

PRSA is the folder that ``yiwang import beijing-air`` reads. The recordings are imported and replayed; at
every whole hour the ``air.aqi`` of the city and of each station's cell is set beside one made straight from
the CSV files by a few polars expressions, which share no code with the engine but the stations' grid codes.
Prints the counts; the exit code is 1 if a value differs.
"""

import csv
import gzip
import shutil
import tempfile
import time
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from flows.replay.replaying import ReplayOptions, replay
from geo import beidou
from sim.importers.beijing_air import import_beijing_air

STEPS = (0, 50, 100, 150, 200, 300, 400, 500)
BOUNDS = {
    "PM2.5": (0, 35, 75, 115, 150, 250, 350, 500),
    "PM10": (0, 50, 150, 250, 350, 420, 500, 600),
    "SO2": (0, 150, 500, 650, 800),
    "NO2": (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    "CO": (0, 5000, 10000, 35000, 60000, 90000, 120000, 150000),
    "O3": (0, 160, 200, 300, 400, 800, 1000, 1200),
}
"""HJ 633-2012 table 1, all in µg/m³ as recorded: particles by the 24 h columns, gases by the 1 h columns."""

TOLERANCE = 1e-9
DAY = "%Y-%m-%d"


def cut(source: Path, to: Path, first: date | None, last: date | None) -> Path:
    """Copy the recordings of the days ``first`` <= day < ``last`` into a folder; returns it."""
    to.mkdir(parents=True)
    shutil.copyfile(source / "stations.csv", to / "stations.csv")
    for path in sorted(source.glob("PRSA_*.csv*")):
        rows = pl.read_csv(path, infer_schema=False)
        day = pl.date(*(pl.col(name).cast(pl.Int32) for name in ("year", "month", "day")))
        kept = rows.filter((day >= (first or date.min)) & (day < (last or date.max)))
        with gzip.open(to / f"{path.name.split('.')[0]}.csv.gz", "wb", compresslevel=1) as file:
            file.write(kept.write_csv().encode())
    return to


def measured(folder: Path) -> pl.DataFrame:
    """The recordings of all stations: ``area`` (code of the station's cell), ``window_end``, pollutants.

    The hour of a row begins with its label, so its window ends an hour later; UTC+8.
    """
    with (folder / "stations.csv").open(encoding="utf-8") as file:
        places = {row["station"]: (float(row["lon"]), float(row["lat"])) for row in csv.DictReader(file)}
    cells = {name: beidou.text(beidou.encode([lon], [lat], 5), 5)[0] for name, (lon, lat) in places.items()}
    rows = pl.concat(pl.read_csv(path, infer_schema=False) for path in sorted(folder.glob("PRSA_*.csv*")))
    parts = (pl.col(name).cast(pl.Int32) for name in ("year", "month", "day", "hour"))
    end = pl.datetime(*parts, time_unit="ms", time_zone="UTC") + pl.duration(hours=1 - 8)
    numbers = (pl.col(name).cast(pl.Float64, strict=False) for name in BOUNDS)
    return rows.select(
        pl.col("station").replace_strict(cells).alias("area"), end.alias("window_end"), *numbers
    )


def index(pollutant: str) -> pl.Expr:
    """A concentration's individual index, not rounded: linear between the points, level beyond the last."""
    value, points = pl.col(pollutant), BOUNDS[pollutant]
    found = pl.when(value.is_null()).then(None).otherwise(STEPS[len(points) - 1])
    for i in range(len(points) - 1, 0, -1):
        share = (value - points[i - 1]) / (points[i] - points[i - 1])
        here = STEPS[i - 1] + share * (STEPS[i] - STEPS[i - 1])
        found = pl.when(value <= points[i]).then(here).otherwise(found)
    return found


def expected(rows: pl.DataFrame) -> pl.DataFrame:
    """``kind, area, window_end, value``: the hourly index of each station, and of the stations' means."""
    city = rows.group_by("window_end").agg(pl.col(*BOUNDS).mean()).with_columns(area=pl.lit("city"))
    both = pl.concat([rows, city.select(rows.columns)])
    worst = pl.max_horizontal(index(pollutant) for pollutant in BOUNDS)
    kind = pl.when(pl.col("area") == "city").then(pl.lit("city")).otherwise(pl.lit("cell"))
    # A hair above a whole number is the whole number itself.
    value = (worst - TOLERANCE * worst).ceil()
    return both.select(kind.alias("kind"), "area", "window_end", value.alias("value")).drop_nulls("value")


def computed(out: Path) -> pl.DataFrame:
    """The engine's values in the same form, from the outputs of a replay."""
    rows = pl.read_parquet(out / "indicators.parquet")
    hourly = rows.filter(
        (pl.col("indicator") == "air.aqi")
        & pl.col("kind").is_in(["city", "cell"])
        & (pl.col("window_end").dt.minute() == 0)
    )
    return hourly.select("kind", "area", "window_end", "value").drop_nulls("value")


def compare(folder: Path, out: Path) -> pl.DataFrame:
    """Per kind of area: hours ``expected``, ``computed``, ``equal``, ``differing`` (or on one side only)."""
    key = ["kind", "area", "window_end"]
    pairs = expected(measured(folder)).join(
        computed(out), on=key, how="full", coalesce=True, suffix="_engine"
    )
    value, engine = pl.col("value"), pl.col("value_engine")
    same = ((value - engine).abs() <= TOLERANCE * pl.max_horizontal(1.0, value.abs())).fill_null(value=False)
    counts = pairs.group_by("kind").agg(
        expected=value.count(), computed=engine.count(), equal=same.sum(), differing=(~same).sum()
    )
    return counts.sort("kind")


def check(source: Path, work: Path, first: date | None = None, last: date | None = None) -> pl.DataFrame:
    """Import and replay the days ``first`` <= day < ``last`` in ``work``; the counts of ``compare``."""
    folder = cut(source, work / "recordings", first, last)
    import_beijing_air(folder, work / "city")
    out = work / "out"
    replay(
        ReplayOptions(
            readings=[work / "city/readings.jsonl"],
            sensors=work / "city/sensors.csv",
            indicators=["air.aqi"],
            out=out,
        )
    )
    return compare(folder, out)


def main(
    source: Annotated[
        Path, typer.Argument(metavar="PRSA", help="Folder with PRSA_*.csv.gz and stations.csv.")
    ],
    first: Annotated[datetime | None, typer.Option("--from", formats=[DAY], help="First day.")] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=[DAY], help="The day after the last.")
    ] = None,
) -> None:
    """Compare the engine's air quality index with one recomputed from the recordings."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="yiwang-beijing-") as work:
        counts = check(source, Path(work), first and first.date(), last and last.date())
    lines = Table("area", "hours recomputed", "hours of the engine", "equal", "differing", box=box.MARKDOWN)
    for row in counts.iter_rows():
        lines.add_row(row[0], *(f"{count:,}" for count in row[1:]))
    console = Console(width=110)
    console.print(lines, highlight=False)
    console.print(f"{time.perf_counter() - begin:.0f} s", highlight=False)
    raise typer.Exit(1 if counts["differing"].sum() or not counts["equal"].sum() else 0)


if __name__ == "__main__":
    typer.run(main)
