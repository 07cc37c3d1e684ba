"""Online models of the library river: half-space trees and drift detectors. The one module that imports it.

Source: Montiel et al., "River: machine learning for streaming data in Python", JMLR 22, 2021. Models take a
dict or a number at a time, tens of microseconds each: for a few hundred vectors, never for single series.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from river import anomaly, drift, time_series

Floats = NDArray[np.float64]


class HalfSpaceTrees:
    """Anomaly of a vector of values in [0, 1] against those of late.

    Source: Tan, Ting and Liu, "Fast anomaly detection for streaming data", IJCAI 2011.

    >>> trees, rng = HalfSpaceTrees(seed=1), np.random.default_rng(1)
    >>> for _ in range(600):
    ...     usual = trees.update(rng.normal(0.5, 0.05, 3))
    >>> bool(trees.update(np.array([0.95, 0.05, 0.95])) > usual)
    True
    """

    def __init__(self, seed: int, trees: int = 10, height: int = 6, window: int = 250) -> None:
        """``trees`` of a ``height``; a vector is compared with those of the last full ``window``."""
        self._model = anomaly.HalfSpaceTrees(n_trees=trees, height=height, window_size=window, seed=seed)

    def update(self, vector: Floats) -> float:
        """Score a vector, float64 [k] within [0, 1], then learn it: 0 usual to 1 never seen."""
        features = dict(enumerate(np.clip(vector, 0.0, 1.0).tolist()))
        score = float(self._model.score_one(features))
        self._model.learn_one(features)
        return score


def drifts(values: Floats, model: str) -> NDArray[np.intp]:
    """Rows at which a drift detector raises an alarm on the values of one series.

    ``model`` is ``adwin`` (Bifet and Gavaldà 2007) or ``page_hinkley`` (Page 1954), with river's defaults.

    >>> rng = np.random.default_rng(1)
    >>> level = np.concatenate([np.zeros(500), np.full(500, 3.0)])
    >>> found = drifts(level + rng.normal(0, 1, 1000), "adwin")
    >>> bool(500 < found[0] < 600)
    True
    """
    detector = drift.ADWIN() if model == "adwin" else drift.PageHinkley()
    found = []
    for row, value in enumerate(values.tolist()):
        detector.update(value)
        if detector.drift_detected:
            found.append(row)
    return np.array(found, np.intp)


def gaussian(values: Floats) -> Floats:
    """Scores of ``GaussianScorer`` over all history; without variance yet 0 instead of its maximum."""
    model, scores, spread = anomaly.GaussianScorer(), np.zeros(values.size), 0.0
    first = float(values[0])
    for row, value in enumerate(values.tolist()):
        scores[row] = model.score_one(None, value) if spread > 0 else 0.0
        model.learn_one(None, value)
        spread = max(spread, abs(value - first))
    return scores


def holt_winters(values: Floats) -> Floats:
    """Scores of ``PredictiveAnomalyDetection`` with Holt-Winters without season.

    The score is the share of so many standard deviations, 1 beyond them: thirty, lest much be equal.
    """
    forecaster = time_series.HoltWinters(alpha=0.3, beta=0.1)
    model = anomaly.PredictiveAnomalyDetection(forecaster, horizon=1, n_std=30.0, warmup_period=60)
    scores = np.zeros(values.size)
    for row, value in enumerate(values.tolist()):
        # Without a past there is no forecast to compare with.
        scores[row] = model.score_one(None, value) if row > 1 else 0.0
        model.learn_one(None, value)
    return scores


def lagged_trees(values: Floats, lags: int = 5) -> Floats:
    """Scores of ``HalfSpaceTrees`` on the last ``lags`` values, scaled by running minimum and maximum."""
    model = anomaly.HalfSpaceTrees(n_trees=10, height=8, window_size=250, seed=1)
    scores, past = np.zeros(values.size), [float(values[0])] * lags
    low = high = past[0]
    for row, value in enumerate(values.tolist()):
        low, high = min(low, value), max(high, value)
        past = [value, *past[:-1]]
        span = high - low
        features = {lag: (old - low) / span if span else 0.0 for lag, old in enumerate(past)}
        scores[row] = model.score_one(features)
        model.learn_one(features)
    return scores


MODELS: dict[str, Callable[[Floats], Floats]] = {
    "river GaussianScorer": gaussian,
    "river PAD, Holt-Winters": holt_winters,
    "river HalfSpaceTrees, 5 lags": lagged_trees,
}
"""Models as scorers of one series; every model scores a value before it learns it."""
