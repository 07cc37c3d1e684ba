"""The scoring rules of the Numenta Anomaly Benchmark, written from the paper.

Source: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark",
2015, arXiv:1510.03336, section II. A row is detected where its score reaches the threshold. The earliest
detection in a window of anomaly earns up to 1, by a sigmoid the more the earlier; every detection outside
costs up to the weight of a false positive, little just after a window; a window without detection costs the
weight of a false negative. The first rows, the probation, do not count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PROBATION_SHARE, PROBATION_ROWS = 0.15, 5000
"""The first 15 % of a series, of 5,000 rows at most, are for learning."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a detection is worth: weights of false positives and false negatives; a true one is worth 1."""

    name: str
    false_positive: float
    false_negative: float


PROFILES = (
    Profile("standard", 0.11, 1.0),
    Profile("low FP", 0.22, 1.0),
    Profile("low FN", 0.11, 2.0),
)
"""The application profiles of the paper."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What each row of a series is worth if it is detected, by position alone.

    ``worth`` float64 [rows]: 0 to 1 within a window, 0 to -1 outside of it, before weights. ``window`` int64
    [rows]: number of the window, -1 outside. ``counts`` bool [rows]: false in the probation. ``windows``: how
    many there are.
    """

    worth: Floats
    window: NDArray[np.int64]
    counts: NDArray[np.bool_]
    windows: int


def sigmoid(position: Floats) -> Floats:
    """The paper's scaled sigmoid: near 1 at the beginning of a window (-1), 0 at its end, near -1 long after.

    >>> sigmoid(np.array([-1.0, 0.0, 1.0, 4.0])).round(4).tolist()
    [0.9866, 0.0, -0.9866, -1.0]
    """
    bounded = 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, 3.0))) - 1.0
    return np.where(position > 3.0, -1.0, bounded)


def marks(rows: int, windows: Sequence[tuple[int, int]]) -> Marks:
    """Return what each row is worth; ``windows`` are the first and last row of each, in order, apart.

    >>> found = marks(10, [(4, 6)])
    >>> found.worth.round(2).tolist()
    [-1.0, -1.0, -1.0, -1.0, 1.0, 0.94, 0.69, -0.85, -0.99, -1.0]
    >>> found.window.tolist()
    [-1, -1, -1, -1, 0, 0, 0, -1, -1, -1]
    """
    row = np.arange(rows)
    worth, window = np.full(rows, -1.0), np.full(rows, -1, np.int64)
    best = float(sigmoid(np.array([-1.0]))[0])
    for number, (first, last) in enumerate(windows):
        after = row[last + 1 :] - last
        worth[last + 1 :] = sigmoid(after / max(last - first, 1))
        inside = row[first : last + 1]
        worth[first : last + 1] = sigmoid(-(last - inside + 1) / (last - first + 1)) / best
        window[first : last + 1] = number
    probation = int(PROBATION_SHARE * min(rows, PROBATION_ROWS))
    return Marks(worth, window, row >= probation, len(windows))


@dataclass(frozen=True, slots=True)
class Sweep:
    """Scores of a corpus for every threshold that makes a difference, from high to low.

    ``threshold`` float64 [k]; ``points`` float64 [k]: raw score of the corpus with that threshold.
    """

    threshold: Floats
    points: Floats
    windows: int
    profile: Profile

    def normalised(self) -> Floats:
        """100 for a perfect detector, 0 for one that never detects; float64 [k]."""
        null = -self.profile.false_negative * self.windows
        return 100.0 * (self.points - null) / (self.windows - null)

    def best(self) -> tuple[float, float]:
        """The threshold that scores most, and its normalised score; infinity and 0 if none is above 0."""
        scores = self.normalised()
        if not scores.size or scores.max() <= 0.0:
            return np.inf, 0.0
        at = int(scores.argmax())
        return float(self.threshold[at]), float(scores[at])

    def at(self, threshold: float) -> float:
        """The normalised score with a threshold."""
        reached = int(np.searchsorted(-self.threshold, -threshold, side="right"))
        return float(self.normalised()[reached - 1]) if reached else 0.0


def sweep(series: Sequence[tuple[Floats, Marks]], profile: Profile) -> Sweep:
    """Score detections (one float per row, more is more anomalous) of many series, for every threshold.

    >>> scores = np.zeros(100)
    >>> scores[50] = 1.0
    >>> found = sweep([(scores, marks(100, [(50, 59)]))], PROFILES[0])
    >>> found.best()
    (1.0, 100.0)
    """
    score, gain = _gains(series, profile)
    order = np.argsort(-score, kind="stable")
    windows = sum(m.windows for _, m in series)
    total = np.cumsum(gain[order]) - profile.false_negative * windows
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, score.size > 0))
    return Sweep(score[order][last], total[last], windows, profile)


def _gains(series: Sequence[tuple[Floats, Marks]], profile: Profile) -> tuple[Floats, Floats]:
    """All counted rows: their score, and what the total gains when the threshold falls to it.

    Detections come in by falling score, so a window's best worth rises from the loss of missing it to the
    running maximum over the rows that came in.
    """
    scores, gains = [np.empty(0)], [np.empty(0)]
    for score, mark in series:
        outside = mark.counts & (mark.window < 0)
        scores.append(score[outside])
        gains.append(mark.worth[outside] * profile.false_positive)
        for number in range(mark.windows):
            rows = np.flatnonzero(mark.counts & (mark.window == number))
            rows = rows[np.argsort(-score[rows], kind="stable")]
            reached = np.maximum.accumulate(mark.worth[rows])
            scores.append(score[rows])
            gains.append(np.diff(reached, prepend=-profile.false_negative))
    return np.concatenate(scores), np.concatenate(gains)
