"""Record files: blocks of undecoded records, in file order, from any place on.

JSON lines (``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst``), Parquet, and Arrow IPC files and streams
(``.arrow``, ``.arrows``). Any position can be stored and returned to: reading on gives the same records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, overload

from flows.decoding.arrow_decode import RecordBatch, count_rows, decode_batch, file_batches
from flows.decoding.columns import Events, Feedback, Readings, Reject
from flows.decoding.decode import decode_events, decode_feedback, decode_readings
from flows.decoding.line_files import LINE_SUFFIXES, LineReader, Position
from flows.wire import Kind

ARROW_SUFFIXES = (".parquet", ".arrow", ".arrows")
"""Endings of the files read through Arrow."""

SUFFIXES = (*LINE_SUFFIXES, *ARROW_SUFFIXES)
"""Endings of all files that can be read."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive records of a file, not decoded: n lines, or n rows.

    ``first`` is the number of the first one in its file (blank lines do not count), ``cut`` the positions
    of lines too large to be kept, of which only the beginning is here, ``arrow`` those of messages that are
    Arrow streams of their own.
    """

    messages: list[bytes] | RecordBatch
    first: int
    cut: tuple[int, ...] = ()
    arrow: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.messages) if isinstance(self.messages, list) else int(self.messages.num_rows)


class _Reader(Protocol):
    """Where records come from; ``read`` gives at most n of them, none at the end."""

    def read(self, n: int) -> tuple[list[bytes] | RecordBatch, tuple[int, ...]] | None: ...
    def position(self) -> Position: ...
    def seek(self, position: Position) -> None: ...
    def bytes_read(self) -> int: ...
    def close(self) -> None: ...


class RecordFile:
    """A file of records of one kind, read block by block; with ``follow`` lines appended later come too.

    Raises:
        ValueError: a file name of another ending, or (while reading) a file that is damaged.
        OSError: it cannot be opened.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "readings.jsonl")
    >>> _ = path.write_text('{"sensor_id":"s","metric":"rain","value":1,"ts":0}')
    >>> with RecordFile(path, "readings") as file:
    ...     decode(file.read(100), "readings")[0].sensor.to_list()
    ['s']
    """

    def __init__(self, path: Path, kind: Kind, *, follow: bool = False) -> None:
        self.path, self.kind = path, kind
        self.total_bytes = path.stat().st_size
        self._reader = LineReader(path, follow=True) if follow else _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def bytes_read(self) -> int:
        """How much of ``total_bytes`` has been read, for a progress bar."""
        return self._reader.bytes_read()

    def read(self, n: int) -> Block | None:
        """Return the next records, at least one and at most n; None at the end."""
        first = self._reader.position()[2]
        found = self._reader.read(n)
        return None if found is None else Block(found[0], first, found[1])

    def position(self) -> Position:
        """Return where the next record is: plain integers, to be stored."""
        return self._reader.position()

    def seek(self, position: Position) -> None:
        """Go back (or on) to a position of this file."""
        self._reader.seek(position)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


@overload
def decode(block: Block, kind: Literal["readings"]) -> tuple[Readings, list[Reject]]: ...
@overload
def decode(block: Block, kind: Literal["events"]) -> tuple[Events, list[Reject]]: ...
@overload
def decode(block: Block, kind: Literal["feedback"]) -> tuple[Feedback, list[Reject]]: ...
def decode(block: Block, kind: Kind) -> tuple[Readings | Events | Feedback, list[Reject]]:
    """Decode a block; ``message`` of rows and rejects counts from ``block.first``.

    >>> decode(Block([b"?"], first=7), "readings")[1][0].reason.value
    'bad_json'
    """
    if not isinstance(block.messages, list):
        return decode_batch(block.messages, kind)
    if kind == "readings":
        return decode_readings(block.messages, block.arrow, block.cut)
    if kind == "events":
        return decode_events(block.messages, block.arrow, block.cut)
    return decode_feedback(block.messages, block.arrow, block.cut)


def _open(path: Path) -> _Reader:
    if path.name.endswith(LINE_SUFFIXES):
        return LineReader(path)
    if path.name.endswith(ARROW_SUFFIXES):
        return _RowReader(path)
    raise ValueError(f"a record file must end in one of {', '.join(SUFFIXES)}; got {path.name}; convert it")


class _RowReader:
    """Rows of a Parquet or Arrow file."""

    def __init__(self, path: Path) -> None:
        self._path, self._size, self._rows = path, path.stat().st_size, count_rows(path)
        self._batches: Iterator[RecordBatch] = file_batches(path)
        self._batch: RecordBatch = None
        self._taken = self._batch_rows = self._record = 0

    def read(self, n: int) -> tuple[RecordBatch, tuple[int, ...]] | None:
        if self._taken == self._batch_rows:
            batch = next(self._batches, None)
            if batch is None:
                return None
            self._batch, self._taken, self._batch_rows = batch, 0, batch.num_rows
        rows = self._batch.slice(self._taken, n)
        self._taken += rows.num_rows
        self._record += rows.num_rows
        return rows, ()

    def position(self) -> Position:
        return 0, 0, self._record

    def seek(self, position: Position) -> None:
        self._record = position[2]
        self._batches = file_batches(self._path, self._record)
        self._batch, self._taken, self._batch_rows = None, 0, 0

    def bytes_read(self) -> int:
        return self._size * self._record // max(self._rows, 1)

    def close(self) -> None:
        self.seek((0, 0, self._record))
