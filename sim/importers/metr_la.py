"""Import METR-LA road speeds (LA Metro loop detectors, as published with DCRNN and T-GCN) as readings.

The folder holds ``los_speed.csv``, or a ``*speed*.csv`` or ``.csv.gz`` like it: a header of sensor ids, then
one row per five minutes without a time. ``metr_la_sensor_locations.csv`` (or ``graph_sensor_locations.csv``,
its name in DCRNN) has ``index,sensor_id,latitude,longitude``. What becomes of the columns:

============ =================== ==============================================================
column       metric              note
============ =================== ==============================================================
a sensor id  ``road_speed``      miles per hour in the file, km/h here (× 1.609344)
============ =================== ==============================================================

Row i is 2012-03-01 00:00 of Los Angeles + i × 5 minutes. That day has winter time, UTC−8, and the rows are
evenly spaced, so the change of clocks on 11 March does not bend them: they are counted from the first moment.
METR-LA writes 0 where a detector was silent (in T-GCN's week these gaps were filled by its authors, which
cannot be undone); a speed of 0 or none is dropped and counted. Free-flow speeds and lengths of the roads are
not in the data, so a congestion index cannot come from it.
"""

from pathlib import Path

import polars as pl

from sim.importers.records import Progress, Records, Report, beside, found, number, registry, texts
from sim.importers.shift import Shift

PATTERNS = ("*speed*.csv", "*speed*.csv.gz")
PLACES = ("metr_la_sensor_locations.csv", "graph_sensor_locations.csv")

START = 1_330_588_800_000
"""2012-03-01T00:00:00-08:00, the time of the first row, epoch ms."""

STEP = 300_000
KM_PER_MILE = 1.609344


def import_metr_la(
    source: Path, to: Path, shift: Shift | None = None, progress: Progress = lambda *_: None
) -> Report:
    r"""Write ``readings.jsonl``, sorted by time, and ``sensors.csv`` into ``to``.

    Raises:
        ValueError: no speeds, more than one file of them, no locations, or a sensor without one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     _ = (folder / "metr_la_sensor_locations.csv").write_text(
    ...         "index,sensor_id,latitude,longitude\n0,773869,34.15497,-118.31829\n"
    ...     )
    ...     _ = (folder / "los_speed.csv").write_text("773869\n62.5\n0\n")
    ...     report = import_metr_la(folder, folder / "out")
    ...     (folder / "out" / "readings.jsonl").read_text()
    '{"sensor_id":"773869","metric":"road_speed","value":100.584,"ts":1330588800000}\n'
    >>> report.dropped
    {'silent': 1}
    """
    files = found(source, PATTERNS)
    if len(files) > 1:
        names = ", ".join(path.name for path in files)
        raise ValueError(f"{source} has several files of speeds ({names}): name the one to import")
    progress(0, 2, files[0].name)
    speeds = texts(files[0], ())
    places = _places(beside(source, PLACES), speeds.columns)
    stamped = speeds.with_row_index("row").select(
        (START + pl.col("row").cast(pl.Int64) * STEP).alias("ts"), *map(number, speeds.columns)
    )
    long = stamped.unpivot(index="ts", variable_name="sensor_id", value_name="mph")
    spoken = long.filter(pl.col("mph") != 0).with_columns(metric=pl.lit("road_speed"))
    readings = spoken.with_columns(value=(pl.col("mph") * KM_PER_MILE).round(6))
    progress(1, 2, "sorting and writing")
    sensors = registry(places, ["road_speed"], STEP // 1000, shift)
    Records(readings=readings, sensors=sensors).write(to)
    return Report(
        files=1,
        rows=speeds.height,
        readings=readings.height,
        events=0,
        sensors=sensors.height,
        truths=0,
        dropped={"silent": long.height - readings.height},
        doubtful={},
        not_imported=(),
        zone="America/Los_Angeles",
    )


def _places(path: Path, sensors: list[str]) -> pl.DataFrame:
    table = texts(path, ("sensor_id", "latitude", "longitude"))
    known = table.select(
        pl.col("sensor_id").str.strip_chars(), lon=number("longitude"), lat=number("latitude")
    ).drop_nulls()
    unknown = [name for name in sensors if name not in set(known["sensor_id"])]
    if unknown:
        raise ValueError(f"{path} has no coordinates of {', '.join(unknown[:10])}: add a row for each")
    return known.filter(pl.col("sensor_id").is_in(sensors)).unique("sensor_id")
