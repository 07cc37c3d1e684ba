"""Stuck and silent: runs of equal readings and of steps without one, against the longest there were.

If a run goes on with the same probability at each step, the longest of T steps is about as long as one that
has probability 1/T, and one of length L has probability T^(-L / longest), whatever that probability of going
on is. It changes by the hour though, and the longest run is one of chance; so what exceeds it counts by half.
"""

import numpy as np
from numpy.typing import NDArray

from indicators.detector_settings import DetectorSettings
from indicators.detector_state import DetectorState

Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]

SHORTEST = 3.0
"""Records of runs are at least this long: shorter ones say little."""

MARGIN = 1.25
"""A run is unusual from this many times the longest one on: those of a regular rhythm are about equal."""

_MOST = 60_000


def prolong(state: DetectorState, value: Float32s, present: Bools, to: DetectorSettings) -> Float32s:
    """Return the probability of runs that go on [2, S]: equal readings, steps without any; 1 for the rest.

    A run that ended becomes a record if it was longer. Records fade as fast as those of values.
    """
    _end_runs(state, value, present, to)
    probability = np.ones((2, state.series), np.float32)
    # What has hardly ever changed is not stuck.
    lively = present & (state.count > 2 * state.run.astype(np.int32))
    known = state.count > to.warming
    for row, length, record, going_on in (
        (0, state.run, state.run_record, lively),
        (1, state.gap, state.gap_record, ~present),
    ):
        longest = np.maximum(record, np.float32(SHORTEST))
        unusual = np.flatnonzero(known & going_on & (length > np.float32(MARGIN) * longest + 1))
        if unusual.size:
            seen = np.log(np.maximum(state.age[unusual], 2).astype(np.float32))
            probability[row, unusual] = np.exp(-seen * (1.0 + length[unusual] / longest[unusual]) / 2)
    return probability


def _end_runs(state: DetectorState, value: Float32s, present: Bools, to: DetectorSettings) -> None:
    """Count what goes on; what ended goes into the records."""
    equal = present & (value == state.last) & (state.count > 0)
    other = present & ~equal
    np.maximum(state.run_record, state.run, out=state.run_record, where=other)
    np.maximum(state.gap_record, state.gap, out=state.gap_record, where=present)
    state.run_record *= 1.0 - to.fading
    state.gap_record *= 1.0 - to.fading
    state.run[other] = 0
    state.run += equal & (state.run < _MOST)
    state.gap[present] = 0
    state.gap += ~present & (state.count > 0) & (state.gap < _MOST)
