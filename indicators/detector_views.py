"""A reading seen six ways: against its recent past, its hour of day and of week, as it is, and by its unrest.

views [6, S]: 0 against the fast mean · 1 against the slow one · 2 against the hour of day, smoothed ·
3 the value itself · 4 log of the volatility · 5 against the hour of week, smoothed
"""

import numpy as np
from numpy.typing import NDArray

from indicators.detector_settings import TABLE, DetectorSettings
from indicators.detector_state import HOURS, SLOTS, VIEWS, DetectorState

Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]
Slot = int | NDArray[np.integer]
"""Hour of the week, 0 (Monday 00:00) to 167: one for all series, or one each."""

Place = int | tuple[NDArray[np.integer], NDArray[np.integer]]
"""Index of an hour: a row of all series, or a place in each."""

FAST, SLOW, DAILY, VALUE, VOLATILITY, WEEKLY = range(VIEWS)


def look(state: DetectorState, value: Float32s, present: Bools, slot: Slot, to: DetectorSettings) -> Float32s:
    """Return the views [6, S] of readings and learn from those that are ``present``.

    ``value`` is relative to the origin, 0 where absent. Everything a reading is compared with is older.
    """
    rate = to.smoothing[:, np.minimum(state.count, TABLE - 1)] * present
    views = np.empty((VIEWS, value.size), np.float32)
    levels = state.levels
    for view in (FAST, SLOW):
        np.subtract(value, levels[view], out=views[view])
        levels[view] += rate[view] * views[view]
    views[VALUE] = value
    by_day, by_week = _seasonal(state, value, present, slot, to)
    for view, level, residual in ((DAILY, 2, by_day), (WEEKLY, 3, by_week)):
        levels[level] += rate[level] * (residual - levels[level])
        views[view] = levels[level]
    _spread(state, value, rate, views)
    return views


def expected(state: DetectorState, slot: Slot, to: DetectorSettings) -> tuple[Float32s, Float32s]:
    """Return what hour of day and hour of week lead to expect, float32 [S], relative to the origin."""
    hour_at, slot_at = _at(slot, state.series)
    base = np.where(state.day_seen[hour_at] > 0, state.day[hour_at], state.spread[2])
    visits = np.maximum(state.visits[slot_at].astype(np.float32) - 1.0, 0.0)
    return base, base + visits / (visits + np.float32(to.week_trust)) * state.week[slot_at]


def _at(slot: Slot, series: int) -> tuple[Place, Place]:
    """Indices of the hour of day and of week: a row of all series, or a place in each."""
    if isinstance(slot, int):
        return slot % HOURS, slot % SLOTS
    column = np.arange(series)
    return (slot % HOURS, column), (slot % SLOTS, column)


def _seasonal(
    state: DetectorState, value: Float32s, present: Bools, slot: Slot, to: DetectorSettings
) -> tuple[Float32s, Float32s]:
    """Residuals to the hour of day and of week; then both learn the reading."""
    hour_at, slot_at = _at(slot, state.series)
    arrived = present & (state.last_slot != slot)
    np.copyto(state.last_slot, slot, where=present, casting="unsafe")
    state.visits[slot_at] += arrived & (state.visits[slot_at] < 255)
    base, weekly = expected(state, slot, to)
    state.day_seen[hour_at] += present & (state.day_seen[hour_at] < 255)
    state.week_seen[slot_at] += present & (state.week_seen[slot_at] < 255)
    rate = to.season_rates[state.day_seen[hour_at]] * present
    state.day[hour_at] += rate * (value - state.day[hour_at])
    rate = to.season_rates[state.week_seen[slot_at]] * present
    state.week[slot_at] += rate * (value - state.day[hour_at] - state.week[slot_at])
    return value - base, value - weekly


def _spread(state: DetectorState, value: Float32s, rate: Float32s, views: Float32s) -> None:
    """Exponentially weighted mean and variance; their logarithm falls when a sensor goes flat."""
    mean, variance, overall = state.spread
    overall += rate[5] * (value - overall)
    step = value - mean
    mean += rate[4] * step
    variance += rate[4] * step * step
    variance *= 1.0 - rate[4]
    floor = np.float32(1e-3) * np.sqrt(state.variance[VALUE]) + np.float32(1e-9)
    np.log(np.sqrt(variance) + floor, out=views[VOLATILITY])
