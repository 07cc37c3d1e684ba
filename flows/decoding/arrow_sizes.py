"""How much memory an Arrow IPC stream asks for: told by its own headers, before anything is unpacked.

Buffers of a stream may be compressed, each behind the size it will have. The library believes that size,
so it is added up first. Headers are FlatBuffers tables (Arrow's Message.fbs); only a few fields are read.
"""

from __future__ import annotations

import struct

import pyarrow as pa

MAX_UNPACKED = 256 << 20
"""Most bytes that the compressed buffers of one message may unpack to."""
MAX_COLUMNS = 256
"""Most columns of an Arrow message."""

_DICTIONARY, _BATCH = 2, 3
_HEADER_TYPE, _HEADER = 1, 2
_BUFFERS, _COMPRESSION = 2, 3
_DATA = 1


def unpacked_size(message: bytes) -> int:
    """Bytes that the compressed buffers of a stream will take; 0 where none is compressed.

    Raises:
        ValueError: a header is damaged. pyarrow.ArrowException: the stream is.

    >>> import io
    >>> sink, batch = io.BytesIO(), pa.record_batch({"x": pa.array([0] * 1000, pa.int64())})
    >>> options = pa.ipc.IpcWriteOptions(compression="zstd")
    >>> with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
    ...     writer.write_batch(batch)
    >>> unpacked_size(sink.getvalue())
    8000
    """
    total = 0
    try:
        for part in pa.ipc.MessageReader.open_stream(message):
            if part.type in {"record batch", "dictionary"} and part.body is not None:
                total += _of_batch(part.metadata.to_pybytes(), part.body)
    except (struct.error, IndexError) as error:
        raise ValueError(f"a header of the stream is damaged ({error}); write it again") from error
    return total


def _of_batch(header: bytes, body: pa.Buffer) -> int:
    root = _offset(header, 0)
    kind, batch = header[_field(header, root, _HEADER_TYPE)], _table(header, root, _HEADER)
    if kind == _DICTIONARY:
        batch = _table(header, batch, _DATA)
    elif kind != _BATCH:
        raise IndexError("no batch of rows")
    if not _field(header, batch, _COMPRESSION):
        return 0
    buffers = _table(header, batch, _BUFFERS)
    (count,) = struct.unpack_from("<I", header, buffers)
    total = 0
    for offset, length in struct.iter_unpack("<qq", header[buffers + 4 : buffers + 4 + 16 * count]):
        if length:
            (size,) = struct.unpack("<q", body[offset : offset + 8].to_pybytes())
            total += max(size, 0)  # -1: this one is not compressed
    return total


def _offset(header: bytes, at: int) -> int:
    """Where an offset leads to."""
    (step,) = struct.unpack_from("<I", header, at)
    return int(at + step)


def _table(header: bytes, table: int, number: int) -> int:
    """Where a table or vector begins that a field of a table holds."""
    at = _field(header, table, number)
    if not at:
        raise IndexError(f"field {number} is missing")
    return _offset(header, at)


def _field(header: bytes, table: int, number: int) -> int:
    """Where a field of a table is, 0 where the table has none."""
    (back,) = struct.unpack_from("<i", header, table)
    layout = table - back
    (size,) = struct.unpack_from("<H", header, layout)
    place = 4 + 2 * number
    if place + 2 > size:
        return 0
    (step,) = struct.unpack_from("<H", header, layout + place)
    return table + step if step else 0
