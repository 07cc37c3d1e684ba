"""Import SKAB, a pump's water circulation test bed (Skoltech), as readings of industrial assets.

The folder holds the CSV files as published, separated by ``;``, in folders ``anomaly-free valve1 valve2
other``. Each file is an experiment of its own and becomes an asset (one ``sensor_id`` such as
``skab-valve1-0``). What becomes of the columns:

======================= ======================== ======================================================
column                  metric                   note
======================= ======================== ======================================================
Volume Flow RateRMS     ``industrial_water_flow`` l/min in the file, m³/h here (× 0.06)
Voltage                 ``supply_voltage``       V, at the motor
Pressure                not imported             bar; its step of 0.33 bar is as large as what it measures:
                                                 19 % lie below 0, which no metric of a network allows, and
                                                 to drop only these would falsify the rest
Accelerometer1RMS,      not imported             no metric of the catalogue
Accelerometer2RMS,
Current, Temperature,
Thermocouple
anomaly, changepoint    not imported             labels of single seconds; no indicator of ours looks so
                                                 closely, and none reads what they label
======================= ======================== ======================================================

Stamps are local time of the laboratory, Europe/Moscow (UTC+3 all year), one row a second with small holes.
There are no places: the assets stand 300 m apart on a square, row by row in the order of their names, around
Wuhan's centre or where ``--shift-to`` says.
"""

import math
from pathlib import Path

import numpy as np
import polars as pl

from sim.importers.local_time import local_ms
from sim.importers.records import READINGS, Progress, Records, Report, found, number, registry, texts
from sim.importers.shift import WUHAN, Shift

PATTERNS = tuple(f"{folder}/*.csv" for folder in ("anomaly-free", "valve1", "valve2", "other"))
COLUMNS = {"Volume Flow RateRMS": ("industrial_water_flow", 0.06), "Voltage": ("supply_voltage", 1.0)}
"""Column of the recordings → metric and factor to its unit."""

NOT_IMPORTED = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "anomaly",
    "changepoint",
)
ZONE = "Europe/Moscow"
STAMP_FORMATS = ("%Y-%m-%d %H:%M:%S",)
SPACING = 300.0
"""Metres between assets: no two share a cell."""


def import_skab(
    source: Path, to: Path, shift: Shift | None = None, progress: Progress = lambda *_: None
) -> Report:
    r"""Write ``readings.jsonl``, sorted by time, and ``sensors.csv`` into ``to``.

    Raises:
        ValueError: no files, or one lacks a column; the message names the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     (folder / "valve1").mkdir()
    ...     _ = (folder / "valve1" / "0.csv").write_text(
    ...         "datetime;Voltage;Volume Flow RateRMS\n2020-03-09 10:14:33;233.062;32.0\n"
    ...     )
    ...     report = import_skab(folder, folder / "out")
    ...     (folder / "out" / "readings.jsonl").read_text().splitlines()[0]
    '{"sensor_id":"skab-valve1-0","metric":"industrial_water_flow","value":1.92,"ts":1583738073000}'
    """
    files = found(source, PATTERNS)
    tables = []
    for done, path in enumerate(files):
        progress(done, len(files), path.name)
        tables.append(_rows(path))
    rows = pl.concat(tables)
    progress(len(files), len(files), "sorting and writing")
    timed = rows.drop_nulls("ts").unique(["sensor_id", "ts"], maintain_order=True)
    long = timed.unpivot(list(COLUMNS), index=["sensor_id", "ts"], variable_name="column").drop_nulls("value")
    metric, factor = (
        pl.col("column").replace_strict({name: to_[i] for name, to_ in COLUMNS.items()}) for i in (0, 1)
    )
    readings = long.with_columns((pl.col("value") * factor).round(6), metric=metric).select(*READINGS)
    metrics = [metric for metric, _ in COLUMNS.values()]
    sensors = registry(_places(sorted(rows["sensor_id"].unique()), shift or WUHAN), metrics, 1, None)
    Records(readings=readings, sensors=sensors).write(to)
    return Report(
        files=len(files),
        rows=rows.height,
        readings=readings.height,
        events=0,
        sensors=len(files),
        truths=0,
        dropped={
            "row without a time, or of a time seen before": rows.height - timed.height,
            "missing value": timed.height * len(COLUMNS) - readings.height,
        },
        doubtful={},
        not_imported=NOT_IMPORTED,
        zone=ZONE,
    )


def _rows(path: Path) -> pl.DataFrame:
    table = texts(path, ("datetime", *COLUMNS), separator=";")
    asset = f"skab-{path.parent.name}-{path.stem}"
    when = local_ms("datetime", STAMP_FORMATS, ZONE).alias("ts")
    return table.select(pl.lit(asset).alias("sensor_id"), when, *map(number, COLUMNS))


def _places(assets: list[str], shift: Shift) -> pl.DataFrame:
    side = math.ceil(math.sqrt(len(assets)))
    row, column = np.divmod(np.arange(len(assets)), side)
    lon, lat = shift.place(column * SPACING, -row * SPACING)
    places = pl.DataFrame({"sensor_id": assets, "lon": lon, "lat": lat})
    return places.with_columns(pl.col("lon", "lat").round(7))
