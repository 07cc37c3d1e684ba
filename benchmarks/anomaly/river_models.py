"""Online models of the library river as scorers of one series: the one module that imports it.

Source: Montiel et al., "River: machine learning for streaming data in Python", JMLR 22, 2021. Every model
scores a value before it learns it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from river import anomaly, compose, preprocessing, time_series

Floats = NDArray[np.float64]


def gaussian(values: Floats) -> Floats:
    """``GaussianScorer`` over all history; a series without variance yet scores 0 instead of its maximum."""
    model, scores, spread = anomaly.GaussianScorer(), np.zeros(values.size), 0.0
    first = float(values[0])
    for row, value in enumerate(values.tolist()):
        scores[row] = model.score_one(None, value) if spread > 0 else 0.0
        model.learn_one(None, value)
        spread = max(spread, abs(value - first))
    return scores


def holt_winters(values: Floats) -> Floats:
    """``PredictiveAnomalyDetection`` with Holt-Winters without season.

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


def half_space_trees(values: Floats, lags: int = 5) -> Floats:
    """``HalfSpaceTrees`` on the last ``lags`` values, scaled by their running minimum and maximum."""
    model = compose.Pipeline(
        preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(n_trees=10, height=8, window_size=250, seed=1)
    )
    scores, past = np.zeros(values.size), [float(values[0])] * lags
    for row, value in enumerate(values.tolist()):
        past = [value, *past[:-1]]
        features = dict(enumerate(past))
        scores[row] = model.score_one(features)
        model.learn_one(features)
    return scores


MODELS: dict[str, Callable[[Floats], Floats]] = {
    "river GaussianScorer": gaussian,
    "river PAD, Holt-Winters": holt_winters,
    "river HalfSpaceTrees, 5 lags": half_space_trees,
}
