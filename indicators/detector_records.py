"""How far a view goes beyond its own record: a surprise that is calibrated by itself.

The k-th of independent values is a record with probability 1/k whatever their distribution, so the more a
series has been seen, the rarer its surprises. Records fade towards the mean, slowly.
"""

import numpy as np
from numpy.typing import NDArray

from indicators.detector_settings import TABLE, DetectorSettings
from indicators.detector_state import DetectorState
from indicators.detector_views import VOLATILITY

Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]

_STILL = np.float32(1e-12)
"""A standard deviation below which a view has none."""


def surpass(
    state: DetectorState,
    views: Float32s,
    present: Bools,
    to: DetectorSettings,
    weights: Float32s | None = None,
) -> Float32s:
    """Return how far each view goes beyond its records, weighted standard deviations [6, S]; learn them.

    ``weights`` [6, S] are those of each series, by default the settings' own. Columns of ``views`` without a
    reading are overwritten.
    """
    _begin(state, views, present, to)
    # What is at its mean surpasses nothing and teaches nothing; cheaper than a mask in every step below.
    idle = np.flatnonzero(~present | (state.count < to.first))
    if idle.size:
        views[:, idle] = state.mean[:, idle]
    excess: Float32s = np.maximum(views - state.high, state.low - views)
    np.maximum(excess, 0.0, out=excess)
    deviation = np.sqrt(state.variance)
    deviation[deviation <= _STILL] = np.inf
    excess /= deviation
    excess *= np.array(to.weights, np.float32)[:, None] if weights is None else weights
    _learn(state, views, present, to)
    return excess


def _begin(state: DetectorState, views: Float32s, present: Bools, to: DetectorSettings) -> None:
    """The first record of a view is its value when it begins."""
    for first, rows in ((to.first, slice(None)), (to.volatility_first, slice(VOLATILITY, VOLATILITY + 1))):
        new = present & (state.count == first)
        if new.any():
            for array in (state.mean, state.high, state.low):
                array[rows, new] = views[rows, new]
            state.variance[rows, new] = 0.0


def _learn(state: DetectorState, views: Float32s, present: Bools, to: DetectorSettings) -> None:
    """Mean and variance of the views; records fade towards the mean and take in what went beyond them."""
    rate = to.moment_rate[np.minimum(state.count, TABLE - 1)] * present
    step = views - state.mean
    weighted = step * rate
    state.mean += weighted
    weighted *= step
    state.variance += weighted
    state.variance *= 1.0 - rate
    for further, record in ((np.maximum, state.high), (np.minimum, state.low)):
        np.subtract(state.mean, record, out=step)
        step *= to.fading
        np.add(record, step, out=record)
        further(record, views, out=record)
