"""One rainstorm crossing the city from west to east, in closed form.

The rate at a place is a single sin² pulse, so that both the rate and what has fallen so far are exact
functions of time and place: rain gauges, underpasses and sewers see the same storm without a simulation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MINUTE = 60_000
"""One minute in ms."""

MINUTES_PER_DEGREE = 100.0
"""Travel time of the storm over one degree of longitude: about 57 km/h at 30° north."""


@dataclass(frozen=True, slots=True)
class Storm:
    """A storm that begins at ``start`` (ms) over longitude ``lon`` and lasts ``minutes`` at every place.

    ``peak`` is the greatest rate in mm/min.

    >>> storm = Storm(start=0, lon=114.3, minutes=60.0, peak=2.0)
    >>> at = np.array([0.0, 30.0, 60.0]) * MINUTE
    >>> storm.rate(at, np.full(3, 114.3)).round(2).tolist()
    [0.0, 2.0, 0.0]
    >>> storm.fallen(at, np.full(3, 114.3)).round(1).tolist()
    [0.0, 30.0, 60.0]
    """

    start: int
    lon: float
    minutes: float
    peak: float

    def phase(self, ts: Floats, lon: Floats) -> Floats:
        """Return how much of the storm has passed over a place, 0 to 1; ``ts`` in ms."""
        begun = self.start + (lon - self.lon) * MINUTES_PER_DEGREE * MINUTE
        return np.clip((ts - begun) / (self.minutes * MINUTE), 0.0, 1.0)

    def rate(self, ts: Floats, lon: Floats) -> Floats:
        """Return the rain rate in mm/min."""
        return self.peak * np.sin(np.pi * self.phase(ts, lon)) ** 2

    def fallen(self, ts: Floats, lon: Floats) -> Floats:
        """Return the rain fallen since the storm began, in mm: the integral of :meth:`rate`."""
        s = self.phase(ts, lon)
        return self.peak * self.minutes * (s / 2 - np.sin(2 * np.pi * s) / (4 * np.pi))

    def standing(self, ts: Floats, lon: Floats) -> Floats:
        """Return the rain not yet drained, in mm: what fell, leaving by half every 40 min after the storm."""
        end = self.start + (lon - self.lon) * MINUTES_PER_DEGREE * MINUTE + self.minutes * MINUTE
        return self.fallen(ts, lon) * 0.5 ** (np.maximum(ts - end, 0.0) / (40 * MINUTE))
