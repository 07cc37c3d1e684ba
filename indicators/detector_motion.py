"""How a series moves from one reading to the next, and what is left of it around its baseline."""

import numpy as np
from numpy.typing import NDArray

from indicators.detector_settings import TABLE, DetectorSettings
from indicators.detector_state import DetectorState

Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]

_CLIP = np.float32(4.0)
"""What is out of the ordinary moves usual sizes as if it were this many times as large, and no more."""

_UNREST, _LARGEST = np.float32(0.08), np.float32(8.0)
"""Weight of a step in the mean of those of late, and the size beyond which it counts no more."""

_LEAST = np.float32(1e-12)


def move(
    state: DetectorState, value: Float32s, present: Bools, to: DetectorSettings
) -> tuple[Float32s, Float32s]:
    """Return the step to this reading and its size in units of the usual one [S]; then learn both.

    Both are 0 where there is no reading, or none before.
    """
    again = present & (state.count > 0)
    step = (value - state.last) * again
    np.copyto(state.last, value, where=present)
    length = np.abs(step)
    size = length / np.maximum(state.jitter, _LEAST) * (state.count > to.first)
    state.unrest += _UNREST * again * (np.minimum(size, _LARGEST) - state.unrest)
    state.since_leap += again & (state.since_leap < 255)
    rate = to.smoothing[5, np.minimum(np.maximum(state.count - 1, 0), TABLE - 1)] * again
    bounded = (state.count > to.first) & (state.jitter > 0)
    np.minimum(length, _CLIP * state.jitter + _LEAST, out=length, where=bounded)
    state.jitter += rate * (length - state.jitter)
    return step, size


def stray(state: DetectorState, residual: Float32s, present: Bools, to: DetectorSettings) -> None:
    """Learn how far readings lie from their baseline: a variance, to which an outlier adds only so much."""
    square = residual * residual
    limit = _CLIP * _CLIP * state.residual
    np.minimum(square, limit, out=square, where=(state.count > to.first) & (limit > 0))
    state.residual += (
        to.smoothing[5, np.minimum(state.count, TABLE - 1)] * present * (square - state.residual)
    )
