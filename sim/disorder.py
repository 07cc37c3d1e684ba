"""Readings that are not as they should be, everywhere alike.

For measuring and testing, where faults of single sensors (``sim.faults``) would be too few to count on.
"""

from dataclasses import dataclass, replace

import numpy as np

from sim.readings import Block, Readings

LATE_MS = (30_000.0, 3_000_000.0)
"""How late a late reading is: half a minute to 50 minutes."""

FAULTY = -99_999.0
"""What a broken sensor sends: outside the range of every metric."""

_STREAM = 0xD15


@dataclass(frozen=True, slots=True)
class Disorder:
    """Shares of readings, 0 to 1: ``late`` ones, ``duplicates`` that arrive twice, ``faulty`` ones.

    Called with blocks, in any order; the same ``seed`` gives the same outcome.

    >>> block = Block(0, 100, 0, Readings.of([0, 1], [0, 0], [1.0, 2.0], [50, 60]))
    >>> Disorder(seed=1, duplicates=1.0)(block).readings.ts.tolist()
    [50, 60, 50, 60]
    """

    seed: int
    late: float = 0.0
    duplicates: float = 0.0
    faulty: float = 0.0

    def __call__(self, block: Block, /) -> Block:
        """The block as the platform gets it."""
        sent, n = block.readings, len(block.readings)
        rng = np.random.default_rng([self.seed, _STREAM, block.number])
        value = np.where(rng.random(n) < self.faulty, FAULTY, sent.value)
        low, high = LATE_MS
        delay = np.where(rng.random(n) < self.late, low + rng.random(n) * (high - low), 0.0)
        sent = replace(sent, value=value, arrival=sent.arrival + delay.astype(np.int64))
        again = sent.take(rng.random(n) < self.duplicates)
        again = replace(again, arrival=again.arrival + 1500)
        return replace(block, readings=Readings.joined([sent, again]))
