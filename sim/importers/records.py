"""What all importers share: their signature, their report, and the files they read and write.

An importer turns the files of a public data set into ``readings.jsonl`` and ``sensors.csv``, and where the
data set has them ``events.jsonl`` and ``truth.jsonl``. Missing values are dropped and counted, never filled;
what the catalogue has no metric for is named, not bent into another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from sim.importers.shift import Shift

Progress = Callable[[int, int, str], None]
"""Called with parts done, parts in all, what is being done."""

READINGS = {"sensor_id": pl.String, "metric": pl.String, "value": pl.Float64, "ts": pl.Int64}
EVENTS = {
    "event_id": pl.String,
    "type": pl.String,
    "status": pl.String,
    "ts": pl.Int64,
    "lon": pl.Float64,
    "lat": pl.Float64,
    "channel": pl.String,
    "department": pl.String,
    "note": pl.String,
}
SENSORS = {
    "sensor_id": pl.String,
    "lon": pl.Float64,
    "lat": pl.Float64,
    "metric": pl.String,
    "period_s": pl.Int64,
}
"""Columns of what is written; ``ts`` in epoch ms, places in WGS84 degrees. Null: not said."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did.

    Attributes:
        files: files read.
        rows: their rows.
        readings: readings written.
        events: event records written, one per known status of a case.
        sensors: sensors written, each with one or more metrics.
        truths: lines of ``truth.jsonl`` written; 0: the data set has no such file.
        dropped: what was left out → how many, also where it is 0.
        doubtful: what was kept and may be wrong → how many.
        not_imported: columns that become nothing, as no metric is what they are.
        zone: time zone of the city, for the ``--tz`` of a replay.
    """

    files: int
    rows: int
    readings: int
    events: int
    sensors: int
    truths: int
    dropped: dict[str, int]
    doubtful: dict[str, int]
    not_imported: tuple[str, ...]
    zone: str


class Importer(Protocol):
    """Turns ``source``, a folder or one of its files, into records in ``to``."""

    def __call__(
        self, source: Path, to: Path, shift: Shift | None = None, progress: Progress = ...
    ) -> Report:
        """Raises ValueError, naming the file, for one that is missing or is not as published."""


@dataclass(frozen=True, slots=True)
class Records:
    """What an importer found; frames have the columns of READINGS, EVENTS and SENSORS, in any order."""

    readings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=READINGS))
    events: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EVENTS))
    sensors: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SENSORS))
    truth: pl.DataFrame | None = None

    def write(self, to: Path) -> None:
        """Write all, sorted by time. Only readings and sensors are always written: a replay asks for them.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Records().write(Path(folder) / "new")
        ...     sorted(path.name for path in (Path(folder) / "new").iterdir())
        ['readings.jsonl', 'sensors.csv']
        """
        to.mkdir(parents=True, exist_ok=True)
        readings = self.readings.select(*READINGS).sort("ts", "sensor_id", "metric")
        readings.write_ndjson(to / "readings.jsonl")
        self.sensors.select(*SENSORS).sort("sensor_id", "metric").write_csv(to / "sensors.csv")
        if self.events.height:
            # A case that was closed in the minute of its report was reported first all the same.
            in_order = self.events.sort("ts", "event_id", pl.col("status") != "reported")
            in_order.select(*EVENTS).write_ndjson(to / "events.jsonl")
        if self.truth is not None:
            self.truth.write_ndjson(to / "truth.jsonl")


def found(source: Path, patterns: Sequence[str]) -> list[Path]:
    """The file itself, or the files of a folder that match a pattern, sorted.

    Raises:
        ValueError: there is none; names the patterns.

    >>> found(Path("."), ["*.moon"])
    Traceback (most recent call last):
    ValueError: no recordings in .: expected files named *.moon
    """
    if source.is_file():
        return [source]
    files = sorted({path for pattern in patterns for path in source.glob(pattern) if path.is_file()})
    if not files:
        raise ValueError(f"no recordings in {source}: expected files named {' or '.join(patterns)}")
    return files


def beside(source: Path, names: Sequence[str]) -> Path:
    """The first of these files in the folder, or in the folder of the file.

    Raises:
        ValueError: none is there.

    >>> beside(Path("."), ["places.moon"])
    Traceback (most recent call last):
    ValueError: places.moon is missing in .: it belongs to the data set
    """
    folder = source.parent if source.is_file() else source
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f"{' or '.join(names)} is missing in {folder}: it belongs to the data set")


def texts(path: Path, needed: Sequence[str], separator: str = ",") -> pl.DataFrame:
    """A CSV (or ``.csv.gz``) with every column as text.

    Raises:
        ValueError: it lacks a column, or is no CSV.
    """
    try:
        table = pl.read_csv(path, infer_schema=False, separator=separator)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path} is no CSV that can be read: {error}") from error
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}: is it the file as published?")
    return table


def number(column: str) -> pl.Expr:
    """A text column as numbers; null where it is no finite number ("NA", blank, "inf")."""
    value = pl.col(column).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value).alias(column)


def registry(
    places: pl.DataFrame, metrics: Sequence[str], period_s: int, shift: Shift | None
) -> pl.DataFrame:
    """Rows of ``sensors.csv``: every metric of every place.

    Args:
        places: ``sensor_id``, ``lon``, ``lat``.
        metrics: what each of them measures.
        period_s: seconds between readings.
        shift: where to move them.

    >>> one = pl.DataFrame({"sensor_id": ["s"], "lon": [116.4], "lat": [39.9]})
    >>> registry(one, ["pm25"], 3600, None).rows()
    [('s', 116.4, 39.9, 'pm25', 3600)]
    """
    ordered = places.sort("sensor_id")
    rows = moved(ordered, shift).join(pl.DataFrame({"metric": list(metrics)}), how="cross")
    return rows.with_columns(period_s=pl.lit(period_s, pl.Int64)).select(*SENSORS)


def moved(rows: pl.DataFrame, shift: Shift | None) -> pl.DataFrame:
    """Rows with ``lon`` and ``lat`` moved, rounded to 1e-7 degree, about a centimetre; null stays null."""
    if shift is None:
        return rows
    lon, lat = shift.move(rows["lon"].to_numpy(), rows["lat"].to_numpy())
    places = pl.DataFrame({"lon": lon, "lat": lat}).select(pl.all().round(7).fill_nan(None))
    return rows.with_columns(places)
