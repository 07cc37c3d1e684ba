"""What travels between the steps of the flow: batches of columns, never single records.

Times are int64 epoch milliseconds. Every record carries, beside its own time ``ts``, the time
``effective`` at which it takes effect: the end of its slice if it came in time, else the first slice
end after the watermark its partition had when it arrived. Both depend on the partition's order alone,
so no result depends on batch size, number of processes or the interleaving of partitions (R8).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FINAL = np.iinfo(np.int64).max
"""The clock of an input that has been read to its end."""
NAME_BYTES = 128
"""How much of a sensor's id is told of it."""


@dataclass(frozen=True, slots=True)
class NewSeries:
    """Series a source part speaks of for the first time (or whose attributes changed).

    Row i describes the source-local series ``index[i]``. ``sensor_key`` is a 63-bit hash of the
    sensor's id, the same in every process; ``retired`` is the time the registry retired it (FINAL: never);
    ``registered`` tells that the registry names this sensor for this metric; ``lon`` and ``lat`` are where it
    stands in 1e-9 degree of WGS84, NOWHERE where no record said; ``name`` is the sensor's id, the first
    `NAME_BYTES` of its UTF-8, empty in what an earlier release kept; ``placed`` tells that the registry puts
    this sensor into this cell; ``owner`` is the department it names for it, cut likewise, empty for none.
    """

    index: NDArray[np.int32]
    sensor_key: Ints
    metric: NDArray[np.int16]
    cell: Ints
    period: Ints
    retired: Ints
    registered: NDArray[np.bool_]
    lon: Ints
    lat: Ints
    name: NDArray[np.bytes_]
    placed: NDArray[np.bool_]
    owner: NDArray[np.bytes_]

    def __setstate__(self, state: list[Any]) -> None:
        """Take up what was kept, also before there were names, places and owners."""
        n = len(state[0])
        unknown = [np.zeros(n, "S1"), np.zeros(n, np.bool_), np.zeros(n, "S1")]
        known = fields(self)
        columns = (
            [*state, *unknown[len(unknown) - (len(known) - len(state)) :]]
            if len(state) < len(known)
            else state
        )
        for column, value in zip(known, columns, strict=True):
            object.__setattr__(self, column.name, value)


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Admitted readings in arrival order, n rows.

    ``value`` is an integer number of the metric's resolution; ``grid`` is the end of the second of event
    time (partition's running maximum, this record included) in which the reading arrived.
    """

    series: NDArray[np.int32]
    ts: Ints
    value: Ints
    effective: Ints
    grid: Ints

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, slots=True)
class Strays:
    """Readings out of their metric's range: they count in their cell's ``checked`` counter (R10)."""

    cell: Ints
    ts: Ints
    effective: Ints


@dataclass(frozen=True, slots=True)
class CaseRecords:
    """Admitted event records in arrival order, n rows.

    ``case`` is a 63-bit hash of the event id, ``type`` and ``status`` indexes into the event types and
    statuses, ``cell`` -1 where the record has no coordinates, ``severity`` 0 where not given,
    ``channel`` a 63-bit hash of the channel (0: none).
    """

    case: Ints
    type: NDArray[np.int16]
    status: NDArray[np.int8]
    ts: Ints
    effective: Ints
    cell: Ints
    lon: Floats
    lat: Floats
    severity: NDArray[np.int8]
    channel: Ints

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One record that was not accepted, with its provenance (C-2.1)."""

    source: str
    partition: int
    offset: int
    index: int
    reason: str
    raw: bytes
    ts_received: int
    headers: tuple[tuple[str, str], ...] = ()
    """CloudEvents attributes of the message, by name."""
