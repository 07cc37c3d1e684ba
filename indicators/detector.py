"""Anomalies of many series, online: readings of a step → how unusual each is, what kind, what was expected.

    readings ─▶ views ─▶ records ─▶ surprise ─┬▶ score, probability, alarm
             └▶ runs ─────────────────────────┴▶ kind

Nothing looks ahead; a verdict is final. Series do not see each other, so any division of them gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indicators import detector_kinds, detector_motion, detector_records, detector_runs, detector_tail
from indicators.detector_settings import DetectorSettings
from indicators.detector_state import DetectorState
from indicators.detector_views import VALUE, Slot, expected, look

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]

BLOCK = 8_192
"""Series worked on at a time, so that what they need stays in the processor's cache."""

BAND = 3.0
"""Half the width of the expected band, standard deviations of what is left around the baseline."""

_FURTHEST = np.float32(100.0)
"""A reading is taken as no further beyond its record than this, standard deviations: it may be rubbish."""


_LARGEST = np.float32(1e17)
"""Nothing measured is larger; squares of it are still numbers."""

_LEAST = np.float32(1e-3)
"""A record that is surpassed by less is not: rounding, standard deviations."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What is to be said of one step of S series.

    ``score`` float32 0 to 1, ``probability`` float32 (how often the series itself shows as much), ``kind``
    int8 (``Kind``), ``view`` int8 the view that was surpassed most, -1 for none, ``alarm`` bool,
    ``baseline``, ``low``, ``high`` float64 what was expected, NaN before there is anything to expect.
    """

    score: Float32s
    probability: Float32s
    kind: NDArray[np.int8]
    view: NDArray[np.int8]
    alarm: NDArray[np.bool_]
    baseline: Floats
    low: Floats
    high: Floats

    @classmethod
    def joined(cls, parts: list[Verdicts]) -> Verdicts:
        """The series of all parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})


class Detector:
    """Detects anomalies in ``series`` series with a common step; all state is in ``state``.

    ``false_alarms``: the budget per 1,000 series and day. ``weights`` [6, S] of the views of each series may
    be set, None for those of the settings; they are no part of the state.

    >>> detector = Detector(series=2)
    >>> rng = np.random.default_rng(1)
    >>> for hour in range(200):
    ...     verdicts = detector.update(rng.normal(20.0, 1.0, 2), slot=hour % 168)
    >>> verdicts = detector.update(np.array([20.0, 40.0]), slot=200 % 168)
    >>> verdicts.score.round(1).tolist(), [detector_kinds.Kind(k).name for k in verdicts.kind]
    ([0.0, 0.9], ['NORMAL', 'SPIKE'])
    """

    def __init__(
        self, series: int, settings: DetectorSettings | None = None, false_alarms: float = 10.0
    ) -> None:
        """``settings`` default to those of a step of five minutes."""
        self.settings = settings or DetectorSettings()
        self.false_alarms = false_alarms
        self.state = DetectorState.empty(series)
        self.weights: Float32s | None = None

    def update(self, readings: Floats, slot: Slot) -> Verdicts:
        """Judge a step's readings, then learn from them.

        To be called for every step, also for one without any reading: silence is counted in steps.

        Args:
            readings: float64 [S], NaN where a series has none.
            slot: hour of the week on the series' clock, 0 to 167, one for all or int [S].

        Raises:
            ValueError: there are more or fewer readings than series.
        """
        if readings.shape != (self.state.series,):
            raise ValueError(
                f"a detector of {self.state.series} series got readings of shape {readings.shape}"
            )
        parts = []
        for begin in range(0, max(self.state.series, 1), BLOCK):
            end = min(begin + BLOCK, self.state.series)
            at = slot if isinstance(slot, int) else slot[begin:end]
            weights = None if self.weights is None else self.weights[:, begin:end]
            parts.append(self._judge(self.state.part(begin, end), readings[begin:end], at, weights))
        return Verdicts.joined(parts)

    def extend(self, series: int) -> None:
        """Take in further series, numbered behind those there are."""
        self.state = self.state.joined(DetectorState.empty(series))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The whole state as plain arrays, copied; :meth:`restore` goes on from them with equal verdicts."""
        return self.state.arrays()

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Go on from what :meth:`arrays` gave.

        Raises:
            ValueError: the arrays are not those of a detector, or of another version.
        """
        self.state = DetectorState.restored(arrays)
        return self

    def _judge(
        self, state: DetectorState, readings: Floats, slot: Slot, weights: Float32s | None
    ) -> Verdicts:
        to = self.settings
        present, value = _centred(state, readings, to)
        _, weekly = expected(state, slot, to)
        band = _band(state, weekly, to)
        runs = detector_runs.prolong(state, value, present, to)
        motion = detector_motion.move(state, value, present, to)
        views = look(state, value, present, slot, to)
        excess = detector_records.surpass(state, views, present, to, weights)
        surprise = _surprise(state, excess, to)
        detector_motion.stray(state, value - weekly, present, to)
        common = detector_tail.common_probability(surprise)
        own = np.minimum(detector_tail.own_probability(state, surprise, to), runs.min(axis=0))
        view = np.full(readings.size, -1, np.int8)
        unusual = np.flatnonzero(surprise)
        if unusual.size:
            view[unusual] = excess[:, unusual].argmax(axis=0)
        rare = common <= detector_kinds.NOTABLE
        seen = detector_kinds.Seen(
            value, value - weekly, present, *motion, excess[VALUE], view, rare & present, runs
        )
        kind = detector_kinds.tell(state, seen, to)
        alarm = detector_tail.alarm(state, own, self.false_alarms, to)
        score = detector_tail.score_of(np.minimum(common, np.maximum(runs.min(axis=0), detector_tail.SENSOR)))
        state.age += state.count > 0
        state.count += present
        return Verdicts(score, own, kind, view, alarm, *band)


def _centred(
    state: DetectorState, readings: Floats, to: DetectorSettings
) -> tuple[NDArray[np.bool_], Float32s]:
    """Which readings there are, and their values relative to each series' first; 0 for none."""
    present = np.isfinite(readings)
    np.copyto(state.origin, readings, where=present & (state.count == 0))
    value = np.subtract(readings, state.origin, out=np.zeros(readings.size), where=present)
    furthest = np.sqrt(state.variance[VALUE]) * _FURTHEST
    known = (state.count > to.warming) & (furthest > 0)
    furthest[~known] = _LARGEST
    least = np.maximum(state.low[VALUE] - furthest, -_LARGEST)
    most = np.minimum(state.high[VALUE] + furthest, _LARGEST)
    return present, np.clip(value, least, most, out=value).astype(np.float32)


def _surprise(state: DetectorState, excess: Float32s, to: DetectorSettings) -> Float32s:
    """The largest excess of all views, if it is more than the last one, which fades."""
    excess *= state.count > to.warming
    largest = np.minimum(excess.max(axis=0), np.float32(to.cap))
    largest[largest < _LEAST] = 0.0
    surprise = np.where(largest > state.peak, largest, np.float32(0.0))
    state.peak *= to.held
    np.maximum(state.peak, largest, out=state.peak)
    return surprise


def _band(state: DetectorState, weekly: Float32s, to: DetectorSettings) -> tuple[Floats, Floats, Floats]:
    """Baseline, lower and upper end of the band in the readings' own unit."""
    baseline = np.where(state.count > to.first, state.origin + weekly, np.nan)
    half = BAND * np.sqrt(state.residual)
    return baseline, baseline - half, baseline + half
