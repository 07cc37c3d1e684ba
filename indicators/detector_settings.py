"""What a detector is set to: how far back each of its memories reaches, what counts as young, as extreme.

Spans are numbers of readings at a step of five minutes. Their source is a study on the series of the Numenta
Anomaly Benchmark: the result hardly depends on them (thousands of settings scored 69.1 ± 3 of 100).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]

USUAL_STEP_MS = 300_000
"""The step the spans are meant for; slower series use the same numbers of readings."""

FASTEST = 5
"""Spans are stretched by this at most: to those of one reading a minute."""

MODELS = {
    "seasonal": (1.0, 1.0, 1.0, 1.0, 0.6, 0.6),
    "robust_z": (1.0, 1.0, 0.0, 1.0, 0.6, 0.0),
    "changepoint": (0.0, 1.0, 1.0, 1.0, 0.0, 0.6),
}
"""Weights of the views by what the catalogue names in its column ``anomaly``.

Views are, in order: against the fast mean, the slow one, the hour of day, as it is, volatility, hour of week.
``robust_z`` has no season, ``changepoint`` leaves out what passes quickly.
"""

TABLE = 65_536
"""Readings after which a series is as old as it gets."""


@dataclass(frozen=True)
class DetectorSettings:
    """Constants of a detector; ``stretch`` multiplies all spans, for series faster than five minutes.

    >>> DetectorSettings.for_step(60_000).stretch, DetectorSettings.for_step(3_600_000).stretch
    (5, 1)
    """

    stretch: int = 1
    step_ms: float = USUAL_STEP_MS
    fast: float = 55.0
    slow: float = 130.0
    smooth_day: float = 40.0
    smooth_week: float = 5.0
    volatility: float = 160.0
    overall: float = 300.0
    moments: float = 5_000.0
    record_memory: float = 20_000.0
    season_rate: float = 0.1
    week_trust: float = 1.0
    hold: float = 0.99
    start: int = 20
    volatility_start: int = 50
    warm: int = 60
    alarm_after: int = 168
    cap: float = 20.0
    weights: tuple[float, ...] = MODELS["seasonal"]

    @classmethod
    def for_step(cls, step_ms: float, model: str = "seasonal") -> DetectorSettings:
        """Settings for readings ``step_ms`` apart; ``model`` is one of :data:`MODELS`.

        Raises:
            ValueError: there is no such model, or the step is not positive.
        """
        if model not in MODELS:
            raise ValueError(f"there is no model {model!r} of single series; use one of {', '.join(MODELS)}")
        if not step_ms > 0:
            raise ValueError(f"readings are a positive number of ms apart; found {step_ms}")
        stretch = int(np.clip(round(USUAL_STEP_MS / step_ms), 1, FASTEST))
        return cls(stretch=stretch, step_ms=step_ms, weights=MODELS[model])

    @property
    def first(self) -> int:
        """Readings before the records begin."""
        return self.start * self.stretch

    @property
    def volatility_first(self) -> int:
        """Readings before the records of volatility begin."""
        return self.volatility_start * self.stretch

    @property
    def warming(self) -> int:
        """Readings of which the detector says nothing."""
        return self.warm * self.stretch

    @property
    def alarming(self) -> int:
        """Readings before the first alarm: a week of hours."""
        return self.alarm_after * self.stretch

    @property
    def fading(self) -> np.float32:
        """Share of its distance to the mean that a record loses with every reading."""
        return np.float32(1.0 / (self.record_memory * self.stretch))

    @property
    def held(self) -> np.float32:
        """Share of the last peak that stays from one reading to the next."""
        return np.float32(self.hold ** (1.0 / self.stretch))

    @cached_property
    def smoothing(self) -> Float32s:
        """Weight of a new reading by those before it: [6, TABLE] fast … overall; at first plain means."""
        spans = (self.fast, self.slow, self.smooth_day, self.smooth_week, self.volatility, self.overall)
        age = np.arange(1, TABLE + 1)
        return np.stack([np.maximum(1.0 / (s * self.stretch), 1.0 / age) for s in spans]).astype(np.float32)

    @cached_property
    def moment_rate(self) -> Float32s:
        """Weight of a new value in mean and variance of a view, by readings before: [TABLE]."""
        age = np.arange(TABLE) - self.first + 1.0
        rate = np.maximum(1.0 / (self.moments * self.stretch), 1.0 / age.clip(1.0))
        return np.where(age >= 1.0, rate, 0.0).astype(np.float32)

    @cached_property
    def season_rates(self) -> Float32s:
        """Weight of a new reading in the mean of its hour, by the readings there, itself included: [256]."""
        seen = np.arange(1, 256)
        rate = np.maximum(self.season_rate / self.stretch, 1.0 / seen)
        return np.concatenate([[1.0], rate]).astype(np.float32)
