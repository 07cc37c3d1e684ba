"""Rows of Arrow as JSON texts: evidence of what was refused, whatever is in them."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def stream_row(message: bytes, row: int) -> bytes:
    """One row of an Arrow IPC stream that could be decoded, as a JSON object.

    >>> batch = pa.record_batch({"sensor_id": ["a", "b"]})
    >>> sink = pa.BufferOutputStream()
    >>> with pa.ipc.new_stream(sink, batch.schema) as writer:
    ...     writer.write_batch(batch)
    >>> stream_row(sink.getvalue().to_pybytes(), 1)
    b'{"sensor_id":"b"}'
    """
    with pa.ipc.open_stream(message) as reader:
        for batch in reader:
            if row < batch.num_rows:
                return row_texts(batch, np.array([row], np.int64))[0]
            row -= batch.num_rows
    raise IndexError(f"the stream has {row} rows less than asked for; ask for a row that it has")


def row_texts(batch: pa.RecordBatch, rows: NDArray[np.int64]) -> list[bytes]:
    """The given rows as JSON objects; what JSON has no form for is shown as text."""
    names = batch.schema.names
    columns = [[_plain(column[row]) for row in rows.tolist()] for column in batch.columns]
    records = zip(*columns, strict=True) if columns else iter([()] * len(rows))
    return [_object(dict(zip(names, record, strict=True))) for record in records]


def _object(record: dict[str, Any]) -> bytes:
    return msgspec.json.encode(record, enc_hook=str)


def _plain(value: pa.Scalar) -> Any:  # noqa: ANN401  # any value of Arrow
    try:
        plain = value.as_py()
        msgspec.json.encode(plain, enc_hook=str)
    except Exception:  # noqa: BLE001  # evidence only: a strange value must not stop the flow
        return _mended(value)
    return plain


def _mended(value: pa.Scalar) -> str:
    content = value.value if isinstance(value, pa.DictionaryScalar) else value
    if isinstance(content, pa.BinaryScalar):
        return bytes(content.as_buffer()).decode(errors="replace")
    return f"unreadable {value.type}"
