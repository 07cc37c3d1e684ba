"""Messages that are Arrow IPC streams -> columns and rejects; the streams of a block are decoded together."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from flows.decoding.arrow_decode import UNREADABLE, check, decode_rows
from flows.decoding.arrow_rows import TooLargeError
from flows.decoding.arrow_sizes import MAX_COLUMNS, MAX_UNPACKED, unpacked_size
from flows.decoding.columns import Ints, Reject
from flows.wire import MAX_ROWS, Kind, Reason

_TOGETHER = 16 << 20
"""Streams of so many bytes, unpacked, are decoded together."""


def decode_streams(messages: Mapping[int, bytes], kind: Kind) -> tuple[list[Any], list[Reject]]:
    """Decode Arrow IPC streams by their numbers in a block; row i of a stream has index i.

    Returns columns, the rows of each stream in their order, and the rejects. A stream that cannot be read,
    or breaks off, is refused whole as ``bad_json``, one of more than ``MAX_ROWS`` rows, of more than
    ``MAX_COLUMNS`` columns, that unpacks to more than ``MAX_UNPACKED`` bytes, or whose refused rows would
    make more than ``MAX_SHOWN`` bytes as ``too_large``.
    """
    parts: list[Any] = []
    rejects: list[Reject] = []
    run: list[_Rows] = []
    size = 0
    for number, message in messages.items():
        try:
            rows = _rows_of(message, number)
        except TooLargeError:
            rejects.append(Reject(number, 0, Reason.TOO_LARGE, message))
        except UNREADABLE:
            rejects.append(Reject(number, 0, Reason.BAD_JSON, message))
        else:
            run += [rows] if len(rows.index) else []
            size += rows.size
        if size > _TOGETHER:
            parts += _decode_together(run, messages, kind, rejects)
            run, size = [], 0
    return parts + _decode_together(run, messages, kind, rejects), rejects


def _stream_batches(message: bytes) -> list[pa.RecordBatch]:
    """The batches of a stream, their buffers checked; those behind the first MAX_ROWS rows are left out."""
    batches: list[pa.RecordBatch] = []
    rows = 0
    with pa.ipc.open_stream(message) as reader:
        if len(reader.schema) > MAX_COLUMNS:
            raise TooLargeError(f"{len(reader.schema)} columns; at most {MAX_COLUMNS} are read")
        for batch in reader:
            batch.validate()
            for column in batch.columns:
                check(column)
            batches.append(batch)
            rows += batch.num_rows
            if rows > MAX_ROWS:
                break
    return batches


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one schema: the batches they are in, of every row its message and its index in it; bytes."""

    batches: list[Any]
    message: Ints
    index: Ints
    size: int = 0

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        names: list[str] = self.batches[0].schema.names
        return names

    def decoded(self, kind: Kind) -> tuple[Any, list[Reject]]:
        """Decode them as one batch: a column costs per batch, mostly for its dictionary."""
        table = pa.Table.from_batches(self.batches).unify_dictionaries().combine_chunks()
        (whole,) = table.to_batches()
        return decode_rows(whole, self.message, self.index, kind)


def _rows_of(message: bytes, number: int) -> _Rows:
    """All rows of one stream."""
    size = unpacked_size(message)
    if size > MAX_UNPACKED:
        raise TooLargeError(f"{size} bytes unpacked; at most {MAX_UNPACKED} are read")
    batches = _stream_batches(message)
    count = sum(batch.num_rows for batch in batches)
    if count > MAX_ROWS:
        raise TooLargeError(f"{count} rows; at most {MAX_ROWS} are read")
    return _Rows(
        batches, np.full(count, number, np.int64), np.arange(count, dtype=np.int64), size + len(message)
    )


def _joined(streams: list[_Rows]) -> _Rows:
    message, index = (np.concatenate([getattr(s, name) for s in streams]) for name in ("message", "index"))
    return _Rows([batch for stream in streams for batch in stream.batches], message, index)


def _decode_together(
    streams: list[_Rows], messages: Mapping[int, bytes], kind: Kind, rejects: list[Reject]
) -> list[Any]:
    """Decode streams, those with the same names of columns as one; adds to ``rejects``."""
    parts: list[Any] = []
    for _, group in groupby(streams, key=attrgetter("names")):
        alike = list(group)
        try:
            columns, refused = _joined(alike).decoded(kind)
        except (*UNREADABLE, TooLargeError):
            parts += _decode_alone(alike, messages, kind, rejects)
        else:
            parts.append(columns)
            rejects += refused
    return parts


def _decode_alone(
    streams: list[_Rows], messages: Mapping[int, bytes], kind: Kind, rejects: list[Reject]
) -> list[Any]:
    """The same for streams that do not fit together, or of which one has a fault: each by itself."""
    parts: list[Any] = []
    for stream in streams:
        number = int(stream.message[0])
        try:
            columns, refused = stream.decoded(kind)
        except TooLargeError:
            rejects.append(Reject(number, 0, Reason.TOO_LARGE, messages[number]))
        except UNREADABLE:
            rejects.append(Reject(number, 0, Reason.BAD_JSON, messages[number]))
        else:
            parts.append(columns)
            rejects += refused
    return parts
