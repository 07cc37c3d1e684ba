"""The seam to Arrow and Parquet: frames -> segments, segments -> sorted Parquet files."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sinks.digits import significant

if TYPE_CHECKING:
    from sinks.table_file import ValueFrame

Arrow = Any
"""An object of Arrow, which is published without type information."""

_NUMBERS: tuple[tuple[str, type[np.generic]], ...] = (
    ("kind", np.uint8),
    ("window_end", np.int64),
    ("value", np.float64),
    ("level", np.uint8),
    ("n", np.int64),
    ("coverage", np.float64),
    ("revision", np.int32),
    ("status", np.uint8),
)
_SEGMENT = pa.schema(
    [(name, pa.dictionary(pa.int32(), pa.string())) for name in ("indicator", "area")]
    + [(name, pa.from_numpy_dtype(kind)) for name, kind in _NUMBERS]
)
TABLE = pa.schema(
    [
        pa.field("indicator", pa.string(), nullable=False),
        pa.field("area", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("window_end", pa.timestamp("ms", "UTC"), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("level", pa.int8(), nullable=False),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("coverage", pa.float64()),
        pa.field("revision", pa.int32(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
    ]
)
"""Columns of ``indicators.parquet`` and ``revisions.parquet``."""

ROW_GROUP = 1 << 18
SORT_ROWS = 1 << 20
"""Rows sorted in memory at a time, about 100 MB; a larger table is sorted in several passes."""

_PASSES = 32
"""Each pass reads all segments, so beyond this many passes it is the rows in memory that grow."""

_SPAN = 1 << 44
"""More than any epoch millisecond before the year 2500: packs (indicator, window end) into one int64."""


class Segment:
    """One Arrow IPC stream being written; readable up to any flushed length."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._stream = pa.ipc.new_stream(
            self._file, _SEGMENT, options=pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
        )

    def write(self, frames: Sequence["ValueFrame"]) -> None:
        """Append non-empty frames as one record batch."""
        self._stream.write_batch(record_batch(frames))
        # NB: nothing stays in the file's own buffer, which an abandoned part would write out when collected.
        self._file.flush()

    def sync(self, *, durable: bool) -> int:
        """Bring what is written to the disk if ``durable``; the length in bytes."""
        if durable:
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """End the stream."""
        self._stream.close()
        self._file.close()


def record_batch(frames: Sequence["ValueFrame"]) -> Arrow:
    """One record batch of the segment schema with the rows of non-empty frames, in order."""
    lengths = [len(f) for f in frames]
    names = {name: i for i, name in enumerate(dict.fromkeys(f.indicator for f in frames))}
    codes = np.repeat(np.array([names[f.indicator] for f in frames], np.int32), lengths)
    indicator = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(list(names), pa.string()))
    numbers = [
        pa.array(_joined([getattr(f, name) for f in frames], lengths, kind)) for name, kind in _NUMBERS
    ]
    return pa.record_batch([indicator, _areas(frames), *numbers], schema=_SEGMENT)


def streams_of(frames: Sequence["ValueFrame"], labels: "Labels", most: int) -> Iterator[bytes]:
    """Arrow IPC streams of ``most`` rows each with the rows of non-empty frames, in order, as in `TABLE`."""
    batch = record_batch(frames)
    columns = {name: batch.column(name) for name in _SEGMENT.names}
    for name, texts in (("kind", labels.kinds), ("status", labels.statuses)):
        columns[name] = pa.DictionaryArray.from_arrays(columns[name], list(texts))
    for name in ("value", "coverage"):
        columns[name] = pa.array(significant(columns[name].to_numpy()), from_pandas=True)
    rows = pa.table([columns[field.name] for field in TABLE], names=TABLE.names).cast(TABLE)
    for start in range(0, len(rows), most):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, TABLE) as stream:
            stream.write_table(rows.slice(start, most))
        yield sink.getvalue().to_pybytes()


def _joined(columns: list[Any], lengths: list[int], kind: type[np.generic]) -> NDArray[Any]:
    if all(np.ndim(c) == 0 for c in columns):
        return np.repeat(np.array(columns, kind), lengths)
    return np.concatenate(
        [c if np.ndim(c) else np.full(n, c, kind) for c, n in zip(columns, lengths, strict=True)]
    ).astype(kind, copy=False)


def _areas(frames: Sequence["ValueFrame"]) -> Arrow:
    """The areas of all rows as a dictionary column: each frame names an area once for its windows."""
    if any(isinstance(f.names, list) for f in frames):
        texts = (
            n if isinstance(n, list) else map(bytes.decode, n.tolist()) for n in (f.names for f in frames)
        )
        names = pa.array(list(chain.from_iterable(texts)), pa.string())
    else:
        names = _text(np.concatenate([f.names for f in frames]))
    first = np.cumsum([0, *(len(f.names) for f in frames)])
    rows = [f.place if f.place is not None else np.arange(len(f.names)) for f in frames]
    place = np.concatenate([row + start for row, start in zip(rows, first.tolist(), strict=False)])
    distinct = names.dictionary_encode()
    codes = distinct.indices.to_numpy()[place]
    return pa.DictionaryArray.from_arrays(pa.array(codes), distinct.dictionary)


def _text(fixed: NDArray[np.bytes_]) -> Arrow:
    """Fixed-width UTF-8 bytes, padded with NUL, as an Arrow string column."""
    if not fixed.dtype.itemsize:
        return pa.array([""] * len(fixed), pa.string())
    padded = np.ascontiguousarray(fixed).view(np.uint8).reshape(len(fixed), -1)
    used = padded != 0
    offsets = np.zeros(len(fixed) + 1, np.int32)
    np.cumsum(used.sum(axis=1), out=offsets[1:])
    column = pa.StringArray.from_buffers(len(fixed), pa.py_buffer(offsets), pa.py_buffer(padded[used]))
    column.validate(full=True)
    return column


@dataclass(frozen=True, slots=True)
class Labels:
    """Texts of the ``kind`` and ``status`` codes."""

    kinds: Sequence[str]
    statuses: Sequence[str]


@dataclass(frozen=True, slots=True)
class Merged:
    """What `merge` wrote: rows of the table, revisions beyond the first values, windows."""

    rows: int
    revisions: int
    windows: int


def merge(segments: Sequence[Path], table: Path, revisions: Path | None, labels: Labels) -> Merged:
    """Sort the rows of all segments into ``table`` (last revisions) and ``revisions`` (all of them).

    Rows are ordered by (indicator, window end, kind, area, revision); of equal rows the later one counts.
    Equal content gives equal bytes. The rows in memory are the largest of `SORT_ROWS`, one window's rows
    and a thirty-second of all.
    """
    tally = _tally(segments)
    rows = 0
    with ParquetTable(table) as final, ParquetTable(revisions) as full:
        for group in _groups(tally):
            columns, last = _sorted(_load(segments, group), group, labels)
            full.write(columns)
            final.write(columns if last.all() else columns.filter(pa.array(last)))
            rows += int(last.sum())
    return Merged(rows=rows, revisions=tally.total() - rows, windows=len(tally))


def _batches(segments: Iterable[Path], fields: list[int] | None = None) -> Iterator[Arrow]:
    options = pa.ipc.IpcReadOptions(included_fields=fields)
    for path in segments:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source, options=options) as reader:
            yield from reader


def batches(path: Path, *, torn: bool = False) -> Iterator[Arrow]:
    """The record batches of a segment; with ``torn`` those that are there whole, where its end may not be."""
    try:
        yield from _batches([path])
    except (pa.ArrowInvalid, OSError):
        if not torn:
            raise


def _tally(segments: Sequence[Path]) -> Counter[tuple[str, int]]:
    """Rows of every (indicator, window end)."""
    tally: Counter[tuple[str, int]] = Counter()
    for batch in _batches(segments, [0, 3]):
        names = batch.column("indicator").dictionary.to_pylist()
        codes = batch.column("indicator").indices.to_numpy().astype(np.int64)
        packed, counts = np.unique(codes * _SPAN + batch.column("window_end").to_numpy(), return_counts=True)
        for key, count in zip(packed.tolist(), counts.tolist(), strict=True):
            tally[names[key // _SPAN], key % _SPAN] += count
    return tally


def _groups(tally: Counter[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    """The windows in order, cut into runs of limited rows (or one window)."""
    limit = max(SORT_ROWS, tally.total() // _PASSES)
    group: list[tuple[str, int]] = []
    rows = 0
    for window in sorted(tally):
        if group and rows + tally[window] > limit:
            yield group
            group, rows = [], 0
        group.append(window)
        rows += tally[window]
    if group:
        yield group


def _load(segments: Sequence[Path], group: list[tuple[str, int]]) -> Arrow:
    """The rows of a group of windows as one table; text as dictionary codes."""
    names = sorted({name for name, _ in group})
    rank = {name: i for i, name in enumerate(names)}
    first, last = (rank[name] * _SPAN + end for name, end in (group[0], group[-1]))
    chosen = []
    for batch in _batches(segments):
        indicator = batch.column("indicator")
        ranks = np.array([rank.get(n, -1) for n in indicator.dictionary.to_pylist()], np.int64)
        window = ranks[indicator.indices.to_numpy()] * _SPAN + batch.column("window_end").to_numpy()
        inside = (window >= first) & (window <= last)
        if inside.any():
            chosen.append(batch if inside.all() else batch.filter(pa.array(inside)))
    return pa.Table.from_batches(chosen).unify_dictionaries().combine_chunks()


def _sorted(table: Arrow, group: list[tuple[str, int]], labels: Labels) -> tuple[Arrow, NDArray[np.bool_]]:
    """Rows as `TABLE` in output order, and which of them are last revisions."""
    names, name = _ranked(table.column("indicator").chunk(0))
    areas, area = _ranked(table.column("area").chunk(0))
    columns: dict[str, Any] = {key: table.column(key).to_numpy() for key, _ in _NUMBERS}
    place = {text: i for i, text in enumerate(names)}
    windows = np.array([place[text] * _SPAN + end for text, end in group])
    row = np.searchsorted(windows, name * _SPAN + columns["window_end"])
    row = (row * len(labels.kinds) + columns["kind"]) * len(areas) + area
    revised = columns["revision"].any()
    order = np.lexsort((columns["revision"], row)) if revised else np.argsort(row, kind="stable")
    row = row[order]
    columns = {key: column[order] for key, column in columns.items()}
    columns["value"] = pa.array(significant(columns["value"]), from_pandas=True)
    columns["coverage"] = pa.array(significant(columns["coverage"]), from_pandas=True)
    columns["indicator"] = pa.DictionaryArray.from_arrays(name[order], names)
    columns["area"] = pa.DictionaryArray.from_arrays(area[order], areas)
    columns["kind"] = pa.DictionaryArray.from_arrays(columns["kind"], list(labels.kinds))
    columns["status"] = pa.DictionaryArray.from_arrays(columns["status"], list(labels.statuses))
    last = np.append(row[1:] != row[:-1], True)
    return pa.table([columns[field.name] for field in TABLE], names=TABLE.names), last


def _ranked(column: Arrow) -> tuple[list[str], NDArray[np.int64]]:
    """Sorted distinct texts of a dictionary column, and each row's place among them."""
    texts = np.array(column.dictionary.to_pylist(), object)
    order = np.argsort(texts, kind="stable")
    rank = np.empty(len(texts), np.int64)
    rank[order] = np.arange(len(texts))
    return texts[order].tolist(), rank[column.indices.to_numpy()]


class ParquetTable:
    """A Parquet file that appears when it is complete; with no path, a table nobody wants.

    Row groups hold `ROW_GROUP` rows whatever the pieces written, so equal rows give equal bytes.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rest = TABLE.empty_table()

    def __enter__(self) -> Self:
        if self._path is not None:
            self._draft = self._path.with_name(f".{self._path.name}.draft")
            texts = [field.name for field in TABLE if field.type == pa.string()]
            self._writer = pq.ParquetWriter(
                self._draft, TABLE, compression="zstd", version="2.6", use_dictionary=texts
            )
        return self

    def write(self, rows: Arrow) -> None:
        """Append a table with the columns of `TABLE`; text may be dictionary-encoded."""
        if self._path is None:
            return
        self._rest = pa.concat_tables([self._rest, rows.cast(TABLE)])
        whole = len(self._rest) // ROW_GROUP * ROW_GROUP
        for start in range(0, whole, ROW_GROUP):
            self._put(self._rest.slice(start, ROW_GROUP))
        self._rest = self._rest.slice(whole)

    def _put(self, rows: Arrow) -> None:
        self._writer.write_table(rows.combine_chunks(), row_group_size=ROW_GROUP)

    def __exit__(self, failure: object, *_: object) -> None:
        if self._path is None:
            return
        if failure is None and len(self._rest):
            self._put(self._rest)
        self._writer.close()
        if failure is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink()
