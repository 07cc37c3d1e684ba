"""Write a city's records as files of the wire format: frames → JSON lines, Arrow or Parquet."""

import json
from pathlib import Path
from typing import Literal

import polars as pl

from sim.random_city import RandomCity

Format = Literal["jsonl", "arrow", "parquet"]

READINGS_NAME = {"jsonl": "readings.jsonl", "arrow": "readings.arrow", "parquet": "readings.parquet"}
"""File name of the readings by format."""

BATCH_ROWS = 65_536
"""Rows in one Arrow record batch: some megabytes, what a reader holds at once."""


def write_city(city: RandomCity, to: Path, file_format: Format = "jsonl") -> Path:
    """Write ``sensors.csv``, ``events.jsonl`` and the readings into ``to``; return the readings' path.

    >>> import tempfile
    >>> from sim.random_city import random_city
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_city(random_city(sensors=20, minutes=2, seed=1), Path(folder))
    ...     json.loads(path.read_text().splitlines()[0]).keys()
    dict_keys(['sensor_id', 'metric', 'value', 'ts'])
    """
    to.mkdir(parents=True, exist_ok=True)
    city.sensors.write_csv(to / "sensors.csv")
    write_records(city.events, to / "events.jsonl")
    path = to / READINGS_NAME[file_format]
    if file_format == "jsonl":
        city.readings.write_ndjson(path)
    elif file_format == "arrow":
        write_arrow(city.readings, path)
    else:
        city.readings.write_parquet(path)
    return path


def write_records(records: pl.DataFrame, path: Path) -> None:
    """Write rows as JSON lines without their null fields, as the wire format wants optional fields."""
    rows = ({k: v for k, v in row.items() if v is not None} for row in records.iter_rows(named=True))
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def write_arrow(readings: pl.DataFrame, path: Path) -> None:
    """Write an Arrow IPC stream of several batches, with ``sensor_id`` and ``metric`` dictionary-encoded."""
    coded = readings.with_columns(pl.col("sensor_id", "metric").cast(pl.Categorical))
    batches = pl.concat(list(coded.iter_slices(BATCH_ROWS)), rechunk=False)
    batches.write_ipc_stream(path, compat_level=pl.CompatLevel.oldest())
