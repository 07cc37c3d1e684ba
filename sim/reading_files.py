"""Files of readings, written block by block: columns → JSON lines, an Arrow stream, or Parquet."""

from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from sim.device_classes import METRICS
from sim.readings import Readings

Format = Literal["jsonl", "arrow", "parquet"]

FORMATS: tuple[Format, ...] = ("jsonl", "arrow", "parquet")

BATCH_ROWS = 65_536
"""Rows of one Arrow record batch: some megabytes, what a reader holds at once."""

_SCHEMA = pa.schema(
    [
        ("sensor_id", pa.dictionary(pa.int32(), pa.string())),
        ("metric", pa.dictionary(pa.int16(), pa.string())),
        ("value", pa.float64()),
        ("ts", pa.int64()),
    ]
)


class ReadingFile(Protocol):
    """A file that takes readings; a context that closes it."""

    def write(self, readings: Readings) -> None:
        """Append readings in the order given."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def reading_file(folder: Path, file_format: Format, sensor_ids: pl.Series) -> ReadingFile:
    """Open ``readings.jsonl``, ``readings.arrow`` or ``readings.parquet`` in a folder.

    ``sensor_ids`` names the devices, by number.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with reading_file(Path(folder), "jsonl", pl.Series(["a", "b"])) as file:
    ...         file.write(Readings.of([1], [0], [41.5], [1000]))
    ...     print(Path(folder, "readings.jsonl").read_text(), end="")
    {"sensor_id":"b","metric":"road_freeflow_speed","value":41.5,"ts":1000}
    """
    path = folder / f"readings.{file_format}"
    match file_format:
        case "jsonl":
            return _JsonLines(path, sensor_ids)
        case "arrow":
            return _Arrow(path, sensor_ids)
        case "parquet":
            return _Parquet(path, sensor_ids)


class _JsonLines:
    def __init__(self, path: Path, sensor_ids: pl.Series) -> None:
        self._ids, self._metrics = sensor_ids, pl.Series(METRICS)
        self._file = path.open("wb")

    def write(self, readings: Readings) -> None:
        """Append one line a reading."""
        frame = pl.DataFrame(
            {
                "sensor_id": self._ids.gather(readings.device),
                "metric": self._metrics.gather(readings.metric),
                "value": readings.value,
                "ts": readings.ts,
            }
        )
        frame.write_ndjson(self._file)
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class _Columns:
    """What the columnar formats share: the names as dictionaries, one for the whole file."""

    def __init__(self, sensor_ids: pl.Series) -> None:
        self._ids = pa.array(sensor_ids.to_list(), pa.string())
        self._metrics = pa.array(METRICS, pa.string())

    def table(self, readings: Readings) -> pa.Table:
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(readings.device), self._ids),
            pa.DictionaryArray.from_arrays(pa.array(readings.metric), self._metrics),
            pa.array(readings.value),
            pa.array(readings.ts),
        ]
        return pa.Table.from_arrays(columns, schema=_SCHEMA)


class _Arrow(_Columns):
    def __init__(self, path: Path, sensor_ids: pl.Series) -> None:
        super().__init__(sensor_ids)
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._file, _SCHEMA)

    def write(self, readings: Readings) -> None:
        """Append record batches."""
        self._writer.write_table(self.table(readings), max_chunksize=BATCH_ROWS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._file.close()


class _Parquet(_Columns):
    def __init__(self, path: Path, sensor_ids: pl.Series) -> None:
        super().__init__(sensor_ids)
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="zstd")

    def write(self, readings: Readings) -> None:
        """Append a row group, if there is anything."""
        if len(readings):
            self._writer.write_table(self.table(readings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def registry(sensor_ids: pl.Series, lon: object, lat: object, site: pl.Series) -> pl.DataFrame:
    """The rows of ``sensors.csv``: one a device; periods are the catalogue's, so they need not stand here.

    >>> registry(pl.Series(["a"]), np.array([114.3]), np.array([30.6]), pl.Series(["大智街道"])).rows()
    [('a', 114.3, 30.6, '大智街道')]
    """
    columns = {"sensor_id": sensor_ids, "lon": np.asarray(lon), "lat": np.asarray(lat), "site": site}
    return pl.DataFrame(columns)
