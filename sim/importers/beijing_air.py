"""Import the Beijing multi-site air recordings (UCI data set 501, CC BY 4.0) as readings.

The folder holds one CSV per station, ``PRSA_*.csv`` or ``.csv.gz``, as published, and ``stations.csv`` with
``station,lon,lat``. What becomes of the columns:

============ =================== ==============================================================
column       metric              note
============ =================== ==============================================================
PM2.5        ``pm25``            µg/m³
PM10         ``pm10``            µg/m³
SO2          ``so2``             µg/m³
NO2          ``no2``             µg/m³
CO           ``co``              µg/m³ in the file, mg/m³ here
O3           ``o3``              µg/m³
TEMP         ``air_temperature`` °C, of the nearest weather station: several stations share one
WSPM         ``wind_speed``      m/s, likewise
PRES DEWP wd not imported        no metric of the catalogue
RAIN         not imported        mm per *hour*; ``rain_1m`` is mm per minute, at most 20
============ =================== ==============================================================

``year month day hour`` are Beijing time (UTC+8, no summer time) and name the hour that *begins*; a mean is
known when its hour is over, so label h is stamped (h+1):00. Missing values (``NA``, blank, not a number) are
dropped and counted, never filled. The sensor is the station, its period 3600 s. The datum of the places is
not stated; they are taken as WGS84, right within some 500 m.
"""

from pathlib import Path

import polars as pl

from sim.importers.records import Progress, Records, Report, beside, found, number, registry, texts
from sim.importers.shift import Shift

COLUMNS = {
    "PM2.5": ("pm25", 1.0),
    "PM10": ("pm10", 1.0),
    "SO2": ("so2", 1.0),
    "NO2": ("no2", 1.0),
    "CO": ("co", 0.001),
    "O3": ("o3", 1.0),
    "TEMP": ("air_temperature", 1.0),
    "WSPM": ("wind_speed", 1.0),
}
"""Column of the recordings → metric and factor to its unit."""

HOUR = 3_600_000
UTC_OFFSET = 8 * HOUR
STAMP = ("year", "month", "day", "hour")

PATTERNS = ("PRSA_*.csv", "PRSA_*.csv.gz")
NOT_IMPORTED = ("PRES", "DEWP", "RAIN", "wd")


def import_beijing_air(
    source: Path, to: Path, shift: Shift | None = None, progress: Progress = lambda *_: None
) -> Report:
    r"""Write ``readings.jsonl``, sorted by time, and ``sensors.csv`` into ``to``.

    Raises:
        ValueError: no recordings, no stations.csv, a missing column, or a station without coordinates;
            the message names the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "stations.csv").write_text("station,lon,lat\nDongsi,116.417,39.929\n")
    ...     _ = (folder / "PRSA_Dongsi.csv").write_text(
    ...         "year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,WSPM,station\n"
    ...         "2013,3,1,0,9,NA,,25,300,82,-0.5,2.0,Dongsi\n"
    ...     )
    ...     report = import_beijing_air(folder, folder / "out")
    >>> report.readings, report.dropped["PM10"]
    (6, 1)
    """
    files = found(source, PATTERNS)
    frames = []
    for done, path in enumerate(files):
        progress(done, len(files), path.name)
        frames.append(_station_rows(path))
    rows = pl.concat(frames)
    progress(len(files), len(files), "sorting and writing")
    sensors = _sensors(beside(source, ["stations.csv"]), rows["station"].unique().sort(), shift)
    readings = _readings(rows)
    Records(readings=readings, sensors=sensors).write(to)
    return Report(
        files=len(files),
        rows=rows.height,
        readings=readings.height,
        events=0,
        sensors=sensors["sensor_id"].n_unique(),
        truths=0,
        dropped={column: rows[column].null_count() for column in COLUMNS},
        doubtful={},
        not_imported=NOT_IMPORTED,
        zone="Asia/Shanghai",
    )


def _station_rows(path: Path) -> pl.DataFrame:
    """Return station, ts and the measured columns (null: missing) of one file."""
    text = texts(path, (*STAMP, *COLUMNS, "station"))
    year, month, day, hour = (pl.col(c).cast(pl.Int32) for c in STAMP)
    label = pl.datetime(year, month, day, hour).dt.epoch("ms")
    # A value that is no finite number ("NA", blank) is missing, whatever the column's type.
    return text.select("station", (label - UTC_OFFSET + HOUR).alias("ts"), *map(number, COLUMNS))


def _readings(rows: pl.DataFrame) -> pl.DataFrame:
    """Return sensor_id, metric, value, ts."""
    in_units = [(pl.col(c) * factor).round(6).alias(metric) for c, (metric, factor) in COLUMNS.items()]
    long = rows.select(pl.col("station").alias("sensor_id"), "ts", *in_units)
    return long.unpivot(index=["sensor_id", "ts"], variable_name="metric", value_name="value").drop_nulls(
        "value"
    )


def _sensors(path: Path, stations: pl.Series, shift: Shift | None) -> pl.DataFrame:
    """Return one registry row per station and metric."""
    known = texts(path, ("station", "lon", "lat")).select("station", number("lon"), number("lat"))
    places = known.filter(pl.col("station").is_in(stations.implode())).drop_nulls().unique("station")
    unknown = stations.filter(~stations.is_in(places["station"].implode()))
    if unknown.len():
        raise ValueError(f"{path} has no coordinates of {', '.join(unknown)}: add a row for each")
    return registry(places.rename({"station": "sensor_id"}), [m for m, _ in COLUMNS.values()], 3600, shift)
