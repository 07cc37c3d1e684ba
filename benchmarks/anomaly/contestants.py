"""What is compared: our detector, simple baselines, river's models; all online, none looking ahead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from indicators import river_models
from indicators.detector import Detector
from indicators.detector_settings import DetectorSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Series:
    """Values float64 [n] and hours of the week int64 [n] of one series."""

    values: Floats
    slots: Ints


@dataclass(frozen=True, slots=True)
class Contestant:
    """``scores``: series → one float64 [n] each, more being more anomalous."""

    name: str
    scores: Callable[[Sequence[Series]], list[Floats]]

    def timed(self, series: Sequence[Series]) -> tuple[list[Floats], float]:
        """Scores, and microseconds of a reading."""
        begun = perf_counter()
        found = self.scores(series)
        return found, (perf_counter() - begun) / sum(s.values.size for s in series) * 1e6


def contestants() -> list[Contestant]:
    """All that are compared, ours first."""
    return [
        Contestant("this detector", detector),
        Contestant("· value against its record only", one_view(3)),
        Contestant("· against its fast mean only", one_view(0)),
        *(Contestant(name, each(score)) for name, score in BASELINES.items()),
        *(Contestant(name, each(_values_only(score))) for name, score in river_models.MODELS.items()),
    ]


def detector(series: Sequence[Series], settings: DetectorSettings | None = None) -> list[Floats]:
    """Our detector on all series at once, each with its own clock."""
    rows = max(s.values.size for s in series)
    values, slots = np.full((rows, len(series)), np.nan), np.zeros((rows, len(series)), np.int64)
    for column, one in enumerate(series):
        values[: one.values.size, column] = one.values
        slots[: one.slots.size, column] = one.slots
    judge = Detector(len(series), settings)
    scores = np.stack([judge.update(v, s).score for v, s in zip(values, slots, strict=True)])
    return [scores[: one.values.size, column].astype(np.float64) for column, one in enumerate(series)]


def one_view(view: int) -> Callable[[Sequence[Series]], list[Floats]]:
    """Our detector with one of its views."""
    weights = tuple(float(v == view) for v in range(6))
    return lambda series: detector(series, replace(DetectorSettings(), weights=weights))


def each(score: Callable[[Series], Floats]) -> Callable[[Sequence[Series]], list[Floats]]:
    """One series after the other."""
    return lambda series: [score(one) for one in series]


def _values_only(score: Callable[[Floats], Floats]) -> Callable[[Series], Floats]:
    return lambda one: score(one.values)


def ewma(one: Series, span: float = 512.0) -> Floats:
    """Distance to an exponentially weighted mean, in exponentially weighted standard deviations."""
    mean, variance, scores = 0.0, 0.0, np.zeros(one.values.size)
    for row, value in enumerate(one.values.tolist()):
        rate = max(1.0 / span, 1.0 / (row + 1))
        step = value - mean
        scores[row] = abs(step) / variance**0.5 if variance > 0 else 0.0
        mean += rate * step
        variance = (1.0 - rate) * (variance + rate * step * step)
    return scores


def robust_z(one: Series, window: int = 288) -> Floats:
    """Distance to the median of the last ``window`` values, in median absolute deviations.

    A deviation counts as no less than a tenth of the standard deviation so far, lest a quiet day divide by 0.
    """
    scores = np.zeros(one.values.size)
    rows = np.arange(1, one.values.size + 1)
    mean, square = np.cumsum(one.values) / rows, np.cumsum(np.square(one.values)) / rows
    least = 0.1 * np.sqrt(np.maximum(square - np.square(mean), 0.0)) + 1e-9
    for row in range(20, one.values.size):
        past = one.values[max(row - window, 0) : row]
        median = np.median(past)
        spread = 1.4826 * np.median(np.abs(past - median))
        scores[row] = abs(one.values[row] - median) / max(spread, least[row - 1])
    return scores


def seasonal_naive(one: Series) -> Floats:
    """Distance to the mean of the last week's same hour, in standard deviations of such distances."""
    mean, count = np.zeros(168), np.zeros(168)
    variance, scores = 0.0, np.zeros(one.values.size)
    last, total, rows = -1, 0.0, 0
    for row, (value, slot) in enumerate(zip(one.values.tolist(), one.slots.tolist(), strict=True)):
        if slot != last and rows:
            mean[last], count[last] = total / rows, 1
            total, rows = 0.0, 0
        last, total, rows = slot, total + value, rows + 1
        if count[slot]:
            distance = value - mean[slot]
            scores[row] = abs(distance) / variance**0.5 if variance > 0 else 0.0
            variance += max(1 / 2000, 1 / (row + 1)) * (distance * distance - variance)
    return scores


BASELINES: dict[str, Callable[[Series], Floats]] = {
    "EWMA z, span 512": ewma,
    "robust z (median, MAD), window 288": robust_z,
    "seasonal naive (same hour last week)": seasonal_naive,
}
