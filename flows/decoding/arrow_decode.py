"""Arrow and Parquet -> the columns and rejects that JSON records give; the module that imports pyarrow.

Columns are found by name, others ignored. Identifiers are texts, dictionary-encoded or not; ``value``,
``lon`` and ``lat`` integers or floats (null, and NaN for coordinates, means missing); ``ts`` integer
milliseconds, a timestamp with a zone, or RFC 3339 text. A column of another type spoils each of its rows.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from flows.decoding.arrow_rows import row_texts
from flows.decoding.columns import (
    BAD,
    FAULTS,
    NAIVE,
    Bytes,
    Events,
    Feedback,
    Flags,
    Floats,
    Ints,
    Names,
    Readings,
    Reject,
    misplaced,
    moments,
    out_of_time,
)
from flows.wire import CRS_NAMES, END_OF_TIME, MAX_ID, Action, Kind, Reason, Status

RecordBatch = pa.RecordBatch

_ROWS = 1 << 16
UNREADABLE = (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError, TypeError)
"""What the library raises for bytes that are no Arrow."""
_IDENTIFIERS = {"sensor_id", "metric", "crs", "event_id", "type", "status", "incident_id", "action", "actor"}
_LAYOUT_OF_TEXTS = (
    (pa.types.is_string, pa.binary()),
    (pa.types.is_large_string, pa.large_binary()),
    (pa.types.is_string_view, pa.binary_view()),
)
_PER_MILLISECOND = {"ms": 1, "us": 1_000, "ns": 1_000_000}


def decode_batch(batch: pa.RecordBatch, kind: Kind) -> tuple[Readings | Events | Feedback, list[Reject]]:
    """Decode n rows read from a file: row i is message i of its block, index 0.

    >>> batch = pa.record_batch({"sensor_id": ["s"], "metric": ["rain_intensity"], "value": [1], "ts": [0]})
    >>> decode_batch(batch, "readings")[0].value
    array([1.])
    """
    rows = np.arange(batch.num_rows, dtype=np.int64)
    return decode_rows(batch, rows, np.zeros(batch.num_rows, np.int64), kind)


def check(column: pa.Array) -> None:
    """Raise if the buffers are unsound; that a text is UTF-8 is judged later, row by row."""
    if pa.types.is_dictionary(column.type):
        check(column.dictionary)
        pa.DictionaryArray.from_arrays(column.indices, column.dictionary)  # looks at the bounds
        return
    for is_text, same_layout in _LAYOUT_OF_TEXTS:
        if is_text(column.type):
            column = column.view(same_layout)
    column.validate(full=True)


def file_batches(path: Path, first: int = 0) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file, or of an Arrow IPC file or stream, from row ``first`` on.

    Raises:
        ValueError: the file is damaged or of another format.
        OSError: it cannot be opened.
    """
    with _reading(path):
        start, batches = (_parquet if path.suffix == ".parquet" else _ipc)(path, first)
        for batch in batches:
            batch.validate()
            for column in batch.columns:
                check(column)
            if start + batch.num_rows > first:
                yield batch.slice(max(first - start, 0))
            start += batch.num_rows


def count_rows(path: Path) -> int:
    """Return how many rows a file has; errors as for ``file_batches``."""
    with _reading(path):
        if path.suffix == ".parquet":
            return int(pq.read_metadata(path).num_rows)
        return sum(batch.num_rows for batch in _ipc(path, 0)[1])


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # of the system, not of the format
            raise
        raise ValueError(f"{path} cannot be read as {path.suffix} ({error}); write it again") from error


def _parquet(path: Path, first: int) -> tuple[int, Iterator[pa.RecordBatch]]:
    named = (column for column in pq.read_schema(path) if column.name in _IDENTIFIERS)
    texts = [column.name for column in named if _is_text(column.type)]
    file = pq.ParquetFile(path, memory_map=True, read_dictionary=texts)
    groups = file.num_row_groups
    ends = np.cumsum([file.metadata.row_group(group).num_rows for group in range(groups)], dtype=np.int64)
    group = int(np.searchsorted(ends, first, side="right"))
    start = int(ends[group - 1]) if group else 0
    return start, file.iter_batches(_ROWS, row_groups=list(range(group, groups)))


def _ipc(path: Path, _first: int) -> tuple[int, Iterator[pa.RecordBatch]]:
    source = pa.memory_map(str(path))
    magic = source.read(6)
    source.seek(0)
    if magic != b"ARROW1":
        return 0, iter(pa.ipc.open_stream(source))
    file = pa.ipc.open_file(source)
    return 0, (file.get_batch(number) for number in range(file.num_record_batches))


def decode_rows(batch: pa.RecordBatch, message: Ints, index: Ints, kind: Kind) -> tuple[Any, list[Reject]]:
    """Decode n rows, each of a message and with an index in it, both int64[n].

    Raises:
        TooLargeError: the refused rows would make more than ``MAX_SHOWN`` bytes.
    """
    fields = _Fields(batch, np.zeros(batch.num_rows, np.uint8))
    columns = _LAYOUTS[kind](fields, message, index)
    if not fields.faults.any():
        return columns, []
    bad = np.flatnonzero(fields.faults)
    rejects = [
        Reject(int(message[row]), int(index[row]), FAULTS[fields.faults[row]] or Reason.BAD_FIELD, raw)
        for row, raw in zip(bad.tolist(), row_texts(batch, bad), strict=True)
    ]
    return columns.take(np.flatnonzero(fields.faults == 0)), rejects


@dataclass(frozen=True, slots=True)
class _Fields:
    """The columns of a batch of n rows, checked as they are read; ``faults`` collects codes per row."""

    batch: pa.RecordBatch
    faults: Bytes

    def number(self, name: str) -> Floats:
        """A column of numbers; NaN where there is none."""
        column = self._column(name)
        if column is None or pa.types.is_null(column.type):
            return np.full(len(self.faults), np.nan)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            self.faults[:] = BAD
            return np.full(len(self.faults), np.nan)
        return np.array(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))

    def identifier(self, name: str) -> Names:
        """A needed column of identifiers."""
        return self._checked(name, _are_ids)

    def choice(self, name: str, allowed: tuple[str, ...]) -> Names:
        """A needed column of words from a list."""
        return self._checked(name, lambda texts: [text in allowed for text in texts])

    def text(self, name: str) -> list[str | None]:
        """An optional column of texts."""
        codes, values = self._texts(name)
        self._refuse(np.array([value is None for value in values], bool), codes)
        return [None if code < 0 else values[code] for code in codes.tolist()]

    def time(self) -> Ints:
        """The needed column ``ts`` in ms."""
        column = self._column("ts")
        if column is not None and pa.types.is_integer(column.type):
            ts = column.cast(pa.int64(), safe=False).fill_null(-1).to_numpy()
        elif column is not None and pa.types.is_timestamp(column.type):
            ts = _milliseconds(column)
            if column.type.tz is None:
                self.faults[:] = NAIVE
                return ts
        else:
            return self._time_texts()
        self.faults[out_of_time(ts)] = BAD
        return np.array(ts)

    def place(self) -> tuple[Floats, Floats, Bytes]:
        """The optional columns ``lon``, ``lat``, ``crs``."""
        lon, lat = self.number("lon"), self.number("lat")
        self.faults[misplaced(lon, lat)] = BAD
        codes, values = self._texts("crs")
        known = [CRS_NAMES.index(value) if value in CRS_NAMES else -1 for value in values]
        self._refuse(np.array(known) < 0, codes)
        return lon, lat, np.array([*known, 0])[codes].astype(np.uint8)

    def _time_texts(self) -> Ints:
        codes, values = self._texts("ts")
        ts, faults = moments([value or "" for value in values])
        self.faults[:] = np.maximum(self.faults, np.append(faults, np.uint8(BAD))[codes])
        return np.append(ts, 0)[codes]

    def _checked(self, name: str, good: Callable[[list[str]], list[bool] | Flags]) -> Names:
        codes, values = self._texts(name)
        texts = [value or "" for value in values]  # which no column of these takes for good
        self._refuse(~np.asarray(good(texts), bool), codes)
        self.faults[codes < 0] = BAD
        return Names(codes, texts)

    def _refuse(self, bad: Flags, codes: NDArray[np.int32]) -> None:
        self.faults[np.append(bad, False)[codes]] = BAD  # code -1 (null) reads the last

    def _texts(self, name: str) -> tuple[NDArray[np.int32], list[str | None]]:
        """Codes (-1: null) into the distinct texts that occur (None: not UTF-8)."""
        column = self._column(name)
        codes = np.full(len(self.faults), -1, np.int32)
        if column is None or pa.types.is_null(column.type):
            return codes, []
        if not _is_text(column.type):
            self.faults[:] = BAD
            return codes, []
        return _distinct(column)

    def _column(self, name: str) -> pa.Array | None:
        found = self.batch.schema.get_all_field_indices(name)
        return self.batch.column(found[-1]) if found else None


def _are_ids(texts: list[str]) -> Flags:
    length = np.fromiter(map(len, texts), np.int64, len(texts))
    return (length > 0) & (length <= MAX_ID)


def _is_text(kind: pa.DataType) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(is_text(values) for is_text, _ in _LAYOUT_OF_TEXTS)


def _distinct(column: pa.Array) -> tuple[NDArray[np.int32], list[str | None]]:
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.large_binary()).dictionary_encode()
    codes = np.array(column.indices.cast(pa.int32()).fill_null(-1).to_numpy(), np.int32)
    values = column.dictionary
    used = np.zeros(len(values), bool)
    used[codes[codes >= 0]] = True
    if not used.all():
        codes = np.append(np.cumsum(used, dtype=np.int32) - 1, np.int32(-1))[codes].astype(np.int32)
        values = values.filter(pa.array(used))
    plain = values.cast(pa.large_binary())
    try:
        return codes, plain.cast(pa.large_string()).to_pylist()  # looks at every letter
    except pa.ArrowInvalid:
        return codes, [_utf8(value) for value in plain.to_pylist()]


def _utf8(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _milliseconds(column: pa.Array) -> Ints:
    ticks = np.array(column.cast(pa.int64()).fill_null(-1).to_numpy(), np.int64)
    if column.type.unit != "s":
        return ticks // _PER_MILLISECOND[column.type.unit]
    seconds: Ints = np.clip(ticks, -1, END_OF_TIME // 1_000)
    return seconds * 1_000


def _readings(fields: _Fields, message: Ints, index: Ints) -> Readings:
    value = fields.number("value")
    fields.faults[~np.isfinite(value)] = BAD
    lon, lat, crs = fields.place()
    return Readings(
        sensor=fields.identifier("sensor_id"),
        metric=fields.identifier("metric"),
        value=value,
        ts=fields.time(),
        lon=lon,
        lat=lat,
        crs=crs,
        index=index,
        message=message,
    )


def _events(fields: _Fields, message: Ints, index: Ints) -> Events:
    severity = fields.number("severity")
    fields.faults[~np.isnan(severity) & ~np.isin(severity, (1, 2, 3, 4))] = BAD
    lon, lat, crs = fields.place()
    fields.text("note")
    return Events(
        event_id=_listed(fields.identifier("event_id")),
        type=_listed(fields.identifier("type")),
        status=_listed(fields.choice("status", get_args(Status))),
        ts=fields.time(),
        lon=lon,
        lat=lat,
        crs=crs,
        severity=np.nan_to_num(severity, posinf=0, neginf=0).clip(0, 4).astype(np.int8),
        channel=fields.text("channel"),
        department=fields.text("department"),
        index=index,
        message=message,
    )


def _feedback(fields: _Fields, message: Ints, index: Ints) -> Feedback:
    return Feedback(
        incident_id=_listed(fields.identifier("incident_id")),
        action=_listed(fields.choice("action", get_args(Action))),
        actor=_listed(fields.identifier("actor")),
        ts=fields.time(),
        note=fields.text("note"),
        index=index,
        message=message,
    )


_LAYOUTS: Mapping[Kind, Callable[[_Fields, Ints, Ints], Any]] = {
    "readings": _readings,
    "events": _events,
    "feedback": _feedback,
}


def _listed(column: Names) -> list[str]:
    padded = [*column.values, ""]  # read by code -1, in rows that will go
    return column.to_list() if column.codes is None else [padded[code] for code in column.codes.tolist()]
