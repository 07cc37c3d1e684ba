"""From how far a series surpasses itself to how rarely that happens: a score, a probability, an alarm.

The *score* has one scale for all series: six times it is the number of zeros of "1 in n windows". The scale
is the share of windows in which series of the Numenta Anomaly Benchmark surpass their records by that much.
The *probability* follows the tail of the series itself, and an *alarm* is raised where it falls below the
budget of false alarms.
"""

import numpy as np
from numpy.typing import NDArray

from indicators.detector_settings import DetectorSettings
from indicators.detector_state import DetectorState

Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]

DAY_MS = 86_400_000

RARE, STEEP = 1.5e-3, 2.45
"""P(surpassing by r or more) = RARE / (1 + STEEP r)²: fitted to the exceedances of 333,000 windows."""

DECADES = 6.0
"""A score of 1 is one window in a million."""

SENSOR = np.float32(1e-3)
"""Runs of equal or missing readings score no higher than this: they tell of the sensor, not of the city."""

HEAVY = np.float32(0.15)
"""Shape of the generalised Pareto tail of one series; 0 would be exponential."""

TAIL_WEEKS = 2016.0
"""Steps over which a series' rate of surpassing itself is averaged: a week."""

_EPISODES = np.float32(1 / 30)
"""Weight of a surprise in the mean of all."""

REST = 12
"""Steps (times the stretch) of calm before a series may alarm again."""


def common_probability(surprise: Float32s) -> Float32s:
    """How rare a surprise is among series in general; 1 without any.

    >>> [f"{p:.3g}" for p in common_probability(np.array([0.0, 0.3, 3.0], np.float32))]
    ['1', '0.000498', '2.15e-05']
    """
    rare = np.float32(RARE) / np.square(1.0 + np.float32(STEEP) * surprise)
    return np.where(surprise > 0, rare, np.float32(1.0))


def score_of(probability: Float32s) -> Float32s:
    """The score of a probability: 0.5 for one window in a thousand, 1 for one in a million and below.

    >>> score_of(np.array([1.0, 1e-3, 1e-9], np.float32)).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    rarity = -np.log10(np.maximum(probability, 1e-30)) / DECADES
    return np.clip(rarity, 0.0, 1.0).astype(np.float32) + np.float32(0.0)  # no -0


def own_probability(state: DetectorState, surprise: Float32s, to: DetectorSettings) -> Float32s:
    """How rare a surprise is for the series itself [S]; then its tail learns it.

    Records of independent values come at a rate of 2 in the readings remembered, no less is assumed. What
    surpasses the usual excess many times over counts as four times: an event does not hide the next one.
    """
    happened = surprise > 0
    age = np.maximum(state.age, 1).astype(np.float32)
    least = np.float32(2.0) / np.minimum(age, np.float32(to.record_memory * to.stretch))
    rate = np.maximum(state.tail_rate, least)
    tail = (1.0 + HEAVY * surprise / state.tail_excess) ** (-1.0 / HEAVY)
    probability = np.where(happened, np.minimum(rate * tail, 1.0), np.float32(1.0))
    weight = np.maximum(np.float32(1.0 / (TAIL_WEEKS * to.stretch)), 1.0 / (age + 1.0))
    state.tail_rate += weight * (happened - state.tail_rate)
    bounded = np.minimum(surprise, 4.0 * state.tail_excess)
    state.tail_excess += _EPISODES * happened * (bounded - state.tail_excess)
    return probability.astype(np.float32)


def budget_per_step(false_alarms: float, to: DetectorSettings) -> float:
    """Probability that uses up a budget of ``false_alarms`` per 1,000 series and day.

    >>> round(1 / budget_per_step(10.0, DetectorSettings()))
    28800
    """
    return false_alarms / 1000.0 * to.step_ms / DAY_MS


def threshold(state: DetectorState, false_alarms: float, to: DetectorSettings) -> Float32s:
    """Surprise at which each series alarms now, standard deviations beyond its record, float32 [S]."""
    age = np.maximum(state.age, 1)
    rate = np.maximum(state.tail_rate, 2.0 / np.minimum(age, to.record_memory * to.stretch))
    ratio = np.maximum(rate / budget_per_step(false_alarms, to), 1.0)
    return (state.tail_excess / HEAVY * (ratio**HEAVY - 1.0)).astype(np.float32)


def alarm(state: DetectorState, probability: Float32s, false_alarms: float, to: DetectorSettings) -> Bools:
    """Which series alarm: rarer than the budget allows, calm before, known for two days and 168 readings."""
    rare = probability <= budget_per_step(false_alarms, to)
    begun = (state.age >= 2 * DAY_MS / to.step_ms) & (state.count >= to.alarming)
    raised = rare & begun & (state.rest >= REST * to.stretch)
    state.rest += state.rest < 255
    state.rest[rare] = 0
    return raised
