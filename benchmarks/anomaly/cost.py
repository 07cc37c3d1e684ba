"""What a step of many series costs: processor time and memory, on one core."""

from time import process_time

import numpy as np

from indicators.detector import Detector

HEADER = ("series", "ms a step", "µs a reading", "bytes a series")


def row(series: int, steps: int = 20) -> tuple[str, ...]:
    """The fastest of some steps of a detector past its beginning; a tenth of the readings is missing."""
    rng = np.random.default_rng(1)
    detector, taken = Detector(series), []
    for step in range(70 + steps):
        readings = rng.normal(20.0, 1.0, series)
        readings[rng.random(series) < 0.1] = np.nan
        begun = process_time()
        detector.update(readings, step // 12 % 168)
        taken.append(process_time() - begun)
    seconds = min(taken[70:])
    size = detector.state.nbytes / series
    return (f"{series:,}", f"{seconds * 1e3:.1f}", f"{seconds / series * 1e6:.3f}", f"{size:,.0f}")
