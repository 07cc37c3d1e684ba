"""Readings as columns, and blocks of them: what the city sends in a span of time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """m readings.

    ``device`` int32 is a number in ``Devices``, ``metric`` int16 a position in ``device_classes.METRICS``,
    ``value`` float64 in the metric's unit, ``ts`` and ``arrival`` int64 epoch milliseconds: when it was
    measured, when it reaches the platform. Rows are in no particular order.

    >>> both = Readings.joined([Readings.none(), Readings.of([3], [0], [1.5], [1000])])
    >>> len(both), both.arrival.tolist()
    (1, [1000])
    """

    device: NDArray[np.int32]
    metric: NDArray[np.int16]
    value: Floats
    ts: Int64s
    arrival: Int64s

    @classmethod
    def of(
        cls,
        device: Sequence[int],
        metric: Sequence[int],
        value: Sequence[float],
        ts: Sequence[int],
        arrival: Sequence[int] | None = None,
    ) -> Self:
        """Readings from plain sequences; without ``arrival`` each arrives when it is measured."""
        return cls(
            np.asarray(device, dtype=np.int32),
            np.asarray(metric, dtype=np.int16),
            np.asarray(value, dtype=np.float64),
            np.asarray(ts, dtype=np.int64),
            np.asarray(ts if arrival is None else arrival, dtype=np.int64),
        )

    @classmethod
    def none(cls) -> Self:
        """No readings."""
        return cls.of([], [], [], [])

    @classmethod
    def joined(cls, parts: Sequence["Readings"]) -> Self:
        """The rows of all parts, one after the other."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([p.device for p in parts]),
            np.concatenate([p.metric for p in parts]),
            np.concatenate([p.value for p in parts]),
            np.concatenate([p.ts for p in parts]),
            np.concatenate([p.arrival for p in parts]),
        )

    def __len__(self) -> int:
        return len(self.ts)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Self:
        """The rows at the given positions, or where a mask is true."""
        return replace(
            self,
            device=self.device[rows],
            metric=self.metric[rows],
            value=self.value[rows],
            ts=self.ts[rows],
            arrival=self.arrival[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The readings due in [begin, end), ms; ``number`` counts the blocks of a city from 0.

    A reading is due at a multiple of its period; its ``ts`` is up to half a second earlier, its ``arrival``
    may lie behind ``end``.
    """

    begin: int
    end: int
    number: int
    readings: Readings
