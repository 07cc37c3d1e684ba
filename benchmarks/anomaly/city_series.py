"""The series of a simulated city at steps of five minutes: what its sensors send, with or without faults."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.city import City
from sim.device_classes import METRICS
from sim.readings import Block, Readings

STEP_MS = 300_000


@dataclass(frozen=True, slots=True)
class CitySeries:
    """``device`` and ``metric`` int64 [S] of each series, a ``metric`` being a position in ``METRICS``."""

    device: NDArray[np.int64]
    metric: NDArray[np.int64]

    @classmethod
    def of(cls, city: City) -> "CitySeries":
        """Every pair of a device and a metric that sends within the first six hours."""
        seen = np.unique(
            np.concatenate([_keys(city.block(n).readings) for n in range(6 * 3_600_000 // city.block_ms)])
        )
        return cls(*np.divmod(seen, len(METRICS)))

    def __len__(self) -> int:
        return self.device.size

    def ticks(
        self, city: City, spoilt: Callable[[Block], Block] | None = None
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Yield (end of a step in epoch ms, last value of each series in it, NaN where there is none)."""
        keys = self.device * len(METRICS) + self.metric
        for block in city.blocks():
            steps = (block.end - block.begin) // STEP_MS
            values = np.full((steps, keys.size), np.nan)
            readings = (spoilt(block) if spoilt else block).readings
            order = np.argsort(readings.ts, kind="stable")
            key, ts, value = _keys(readings)[order], readings.ts[order], readings.value[order]
            place = np.minimum(np.searchsorted(keys, key), keys.size - 1)
            # A reading is stamped up to half a second early; those of another block's time are left out.
            step = (ts + 500 - block.begin) // STEP_MS
            known = (keys[place] == key) & (step >= 0) & (step < steps)
            values[step[known], place[known]] = value[known]
            for number in range(steps):
                yield block.begin + (number + 1) * STEP_MS, values[number]


def _keys(readings: Readings) -> NDArray[np.int64]:
    return readings.device.astype(np.int64) * len(METRICS) + readings.metric
