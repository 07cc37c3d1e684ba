"""Records as columns → messages for a topic: an object each, arrays of objects, or Arrow streams.

Rows of one partition stay in their order. A message of several records never mixes partitions, so whatever
belongs together (a tile of the grid, a sensor) is decoded by one process.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sinks.kafka_types import Outgoing

Form = Literal["json", "json-array", "arrow"]
FORMS: tuple[Form, ...] = get_args(Form)

SIZES: dict[Form, int] = {"json": 1, "json-array": 100, "arrow": 2_000}
"""Records in a message."""

_TYPES: dict[Form, bytes] = {
    "json": b"application/json",
    "json-array": b"application/json",
    "arrow": b"application/vnd.apache.arrow.stream",
}


def messages(
    frame: pl.DataFrame, partition: NDArray[np.int64], topic: str, form: Form, size: int | None = None
) -> Iterator[Outgoing]:
    """The rows of a frame as messages to the partitions given for each, of at most ``size`` records.

    >>> rows = pl.DataFrame({"sensor_id": ["a", "b", "a"], "value": [1.0, 2.0, 3.0]})
    >>> found = messages(rows, np.array([0, 1, 0]), "t", "json-array")
    >>> [(one.partition, one.value) for one in found]  # doctest: +NORMALIZE_WHITESPACE
    [(0, b'[{"sensor_id":"a","value":1.0},{"sensor_id":"a","value":3.0}]'),
     (1, b'[{"sensor_id":"b","value":2.0}]')]
    """
    order = np.argsort(partition, kind="stable")
    numbers, first = np.unique(partition[order], return_index=True)
    most = size or SIZES[form]
    headers = (("content-type", _TYPES[form]),)
    for number, begin, end in zip(numbers.tolist(), first, [*first[1:], len(order)], strict=True):
        own = frame[order[begin:end]]
        key = f"{topic}-{number}".encode()
        for value in _values(own, form, most):
            yield Outgoing(topic, value, key, headers, number)


def _values(frame: pl.DataFrame, form: Form, most: int) -> Iterator[bytes]:
    if form == "arrow":
        for start in range(0, len(frame), most):
            sink = io.BytesIO()
            frame[start : start + most].write_ipc_stream(sink, compat_level=pl.CompatLevel.oldest())
            yield sink.getvalue()
        return
    lines = frame.write_ndjson().encode().splitlines()
    if form == "json":
        yield from lines
        return
    for start in range(0, len(lines), most):
        yield b"[" + b",".join(lines[start : start + most]) + b"]"
