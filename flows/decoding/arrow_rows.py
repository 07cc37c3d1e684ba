"""Rows of Arrow as JSON texts: evidence of what was refused, whatever is in them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MAX_TEXT = 1 << 16
"""Longest text of a column that is shown of a refused row, in bytes."""
MAX_SHOWN = 64 << 20
"""Most bytes of all refused rows of a batch together: a few bytes of a dictionary may stand in every row."""


class TooLargeError(Exception):
    """What was asked for takes more room than is allowed."""


def stream_row(message: bytes, row: int) -> bytes:
    """One row of an Arrow IPC stream that could be decoded, as a JSON object.

    >>> batch = pa.record_batch({"sensor_id": ["a", "b"]})
    >>> sink = pa.BufferOutputStream()
    >>> with pa.ipc.new_stream(sink, batch.schema) as writer:
    ...     writer.write_batch(batch)
    >>> stream_row(sink.getvalue().to_pybytes(), 1)
    b'{"sensor_id":"b"}'
    """
    for batch in _batches(message):
        if row < batch.num_rows:
            return row_texts(batch, np.array([row], np.int64))[0]
        row -= batch.num_rows
    raise IndexError(f"the stream has {row} rows less than asked for; ask for a row that it has")


@lru_cache(maxsize=1)  # refused rows of one stream come one after the other
def _batches(message: bytes) -> list[pa.RecordBatch]:
    with pa.ipc.open_stream(message) as reader:
        return list(reader)


def row_texts(batch: pa.RecordBatch, rows: NDArray[np.int64]) -> list[bytes]:
    """The given rows as JSON objects; what JSON has no form for is shown as text.

    Raises:
        TooLargeError: they take more than ``MAX_SHOWN`` bytes.
    """
    names, columns = batch.schema.names, batch.columns
    texts, room = list[bytes](), MAX_SHOWN
    for row in rows.tolist():
        text = _object({name: _plain(column[row]) for name, column in zip(names, columns, strict=True)})
        room -= len(text)
        if room < 0:
            raise TooLargeError(f"refused rows of more than {MAX_SHOWN} bytes")
        texts.append(text)
    return texts


def _object(record: dict[str, Any]) -> bytes:
    return msgspec.json.encode(record, enc_hook=str)


def _plain(value: pa.Scalar) -> Any:  # noqa: ANN401  # any value of Arrow
    if pa.types.is_nested(value.type):
        return f"not shown: {value.type}"
    if (cut := _cut(value)) is not None:
        return cut
    try:
        plain = value.as_py()
        msgspec.json.encode(plain, enc_hook=str)
    except Exception:  # noqa: BLE001  # evidence only: a strange value must not stop the flow
        return _mended(value)
    return plain


def _cut(value: pa.Scalar) -> str | None:
    """The beginning of a text that is too long to be shown, None for anything else."""
    content = value.value if isinstance(value, pa.DictionaryScalar) else value
    if not isinstance(content, pa.BinaryScalar) or not content.is_valid:
        return None
    text = content.as_buffer()
    return bytes(text[:MAX_TEXT]).decode(errors="replace") + "..." if text.size > MAX_TEXT else None


def _mended(value: pa.Scalar) -> str:
    content = value.value if isinstance(value, pa.DictionaryScalar) else value
    if isinstance(content, pa.BinaryScalar):
        return bytes(content.as_buffer()).decode(errors="replace")
    return f"unreadable {value.type}"
