"""One recorded series, row by row: values and hours of the week → scores, whatever the chunks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indicators.detector import Detector
from indicators.detector_kinds import Kind
from indicators.detector_settings import USUAL_STEP_MS, DetectorSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEARNING = 20
"""Rows from which the step is learned where none is given; of these nothing is said in any case."""


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Columns of n rows: what ``Verdicts`` has for one series."""

    score: Floats
    probability: Floats
    kind: NDArray[np.int8]
    alarm: NDArray[np.bool_]
    baseline: Floats
    low: Floats
    high: Floats

    @classmethod
    def silent(cls, rows: int) -> Self:
        """Rows of which nothing can be said yet."""
        kind = np.full(rows, Kind.WARMING_UP, np.int8)
        unknown = (np.full(rows, np.nan) for _ in ("baseline", "low", "high"))
        return cls(np.zeros(rows), np.ones(rows), kind, np.zeros(rows, bool), *unknown)

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """The rows of all parts, one after the other."""
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})


class SeriesScorer:
    """Scores the rows of one series in their order; no row depends on those behind it.

    >>> scorer = SeriesScorer(step_ms=300_000)
    >>> scores = scorer.score(np.arange(3) * 300_000, np.ones(3), np.zeros(3, int))
    >>> scores.score.tolist(), Kind(scores.kind[0]).name
    ([0.0, 0.0, 0.0], 'WARMING_UP')
    """

    def __init__(self, step_ms: float | None = None, false_alarms: float = 10.0) -> None:
        """``step_ms``: between rows; None: the median of the first :data:`LEARNING` rows."""
        self.step_ms = step_ms
        self._false_alarms = false_alarms
        self._detector = None if step_ms is None else self._of_step(step_ms)
        self._first: list[tuple[int, float, int]] = []

    def score(self, stamps: Ints, values: Floats, slots: Ints) -> ScoredRows:
        """Score the next rows.

        Args:
            stamps: int64 [n], ms; only their differences matter, and only for the step.
            values: float64 [n], NaN where missing.
            slots: int64 [n], hours of the week.
        """
        rows = list(zip(stamps.tolist(), values.tolist(), slots.tolist(), strict=True))
        if self._detector is not None:
            return _scored(self._detector, rows)
        begin = LEARNING - len(self._first)
        self._first += rows[:begin]
        said = ScoredRows.silent(len(rows[:begin]))
        if len(self._first) < LEARNING:
            return said
        self.step_ms = _median_step([stamp for stamp, _, _ in self._first])
        self._detector = self._of_step(self.step_ms)
        _scored(self._detector, self._first)
        return ScoredRows.joined([said, _scored(self._detector, rows[begin:])])

    def _of_step(self, step_ms: float) -> Detector:
        return Detector(1, DetectorSettings.for_step(step_ms), self._false_alarms)


def _median_step(stamps: list[int]) -> float:
    """The usual step; duplicates and steps backwards say nothing of it."""
    steps = np.diff(stamps)
    forward = steps[steps > 0]
    return float(np.median(forward)) if forward.size else float(USUAL_STEP_MS)


def _scored(detector: Detector, rows: list[tuple[int, float, int]]) -> ScoredRows:
    said = ScoredRows.silent(len(rows))
    for at, (_, value, slot) in enumerate(rows):
        verdict = detector.update(np.array([value]), slot)
        for f in fields(said):
            getattr(said, f.name)[at] = getattr(verdict, f.name)[0]
    return said
