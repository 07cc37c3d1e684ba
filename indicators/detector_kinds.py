"""What kind of anomaly it is, as far as can be told by now.

A jump is a `spike` until it has lasted; then it is a `level_shift`. What grows without a jump is a `drift`,
or `seasonal` where the value itself is nothing new and only its hour is. Large steps one after the other are
a `noise_burst`, equal readings a `flat_line`, none at all `silence`.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from indicators.detector_settings import DetectorSettings
from indicators.detector_state import DetectorState
from indicators.detector_views import DAILY, VOLATILITY, WEEKLY

Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]


class Kind(IntEnum):
    """Kinds of anomaly; the names are those of the contract."""

    NORMAL = 0
    WARMING_UP = 1
    SPIKE = 2
    LEVEL_SHIFT = 3
    DRIFT = 4
    FLAT_LINE = 5
    SILENCE = 6
    NOISE_BURST = 7
    SEASONAL = 8


NAMES_ZH = {
    Kind.NORMAL: "正常",
    Kind.WARMING_UP: "预热",
    Kind.SPIKE: "尖峰",
    Kind.LEVEL_SHIFT: "水平突变",
    Kind.DRIFT: "漂移",
    Kind.FLAT_LINE: "卡死",
    Kind.SILENCE: "静默",
    Kind.NOISE_BURST: "噪声突增",
    Kind.SEASONAL: "时段异常",
}
"""The kinds as people read them."""

NOTABLE = 1e-3
"""A probability from which on something has a kind other than normal."""

EPISODE = 36
"""Steps (times the stretch) after something notable in which it may still be seen to last."""

SUDDEN = 5.0
"""A step this many times the usual one is a jump."""

LASTING, LASTED = 6, 24
"""Readings after which a jump that has not gone back is a shift of level, and until when it is called so."""

RESTLESS = 4.0
"""Usual step of late, in units of the usual one, that is a burst of noise; two spikes make 3."""

SEASONED = 4.0
"""Range of the hours of a day, in standard deviations around them, of a series that has a daily season."""

ASTRAY = 1 / 3
"""A reading this share of that range away from what is due has missed its hour; less is a drift so far."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a kind is told from: columns of S series.

    ``value`` relative to the origin; ``residual`` to the hour of week;
    ``present``; ``step`` from the last reading and its ``size`` in usual
    steps; ``beyond`` excess of the value over its own records; ``view`` the view surpassed most; ``rare``
    whether that is notable; ``runs`` [2, S] probabilities of runs of equal readings and of steps without.
    """

    value: Float32s
    residual: Float32s
    present: Bools
    step: Float32s
    size: Float32s
    beyond: Float32s
    view: NDArray[np.int8]
    rare: Bools
    runs: Float32s


def tell(state: DetectorState, seen: Seen, to: DetectorSettings) -> NDArray[np.int8]:
    """Return the :class:`Kind` of each series, int8 [S]; remember notable jumps."""
    stuck, silent = seen.runs < NOTABLE
    state.calm += state.calm < 255
    state.calm[seen.rare | stuck | silent] = 0
    open_ = seen.present & (state.calm <= min(EPISODE * to.stretch, 254))
    kind = np.full(state.series, Kind.NORMAL, np.int8)
    rare = np.flatnonzero(seen.rare)
    if rare.size:
        kind[rare] = _sort(state, seen, rare)
    kind[open_ & _lasts(state, seen.value)] = Kind.LEVEL_SHIFT
    kind[open_ & (state.unrest >= RESTLESS)] = Kind.NOISE_BURST
    kind[stuck] = Kind.FLAT_LINE
    kind[silent] = Kind.SILENCE
    kind[state.count <= to.warming] = Kind.WARMING_UP
    return kind


def _sort(state: DetectorState, seen: Seen, rare: NDArray[np.intp]) -> NDArray[np.int8]:
    """Kinds of the few series that show something notable."""
    view = seen.view[rare]
    daily = (view == DAILY) | (view == WEEKLY)
    usual = daily & (seen.beyond[rare] <= 0) & _astray(state, seen, rare)
    kind = np.where(usual, np.int8(Kind.SEASONAL), np.int8(Kind.DRIFT))
    kind[view == VOLATILITY] = Kind.NOISE_BURST
    kind[_leaps(state, seen, rare) | (state.since_leap[rare] < LASTING)] = Kind.SPIKE
    return kind


def _leaps(state: DetectorState, seen: Seen, rare: NDArray[np.intp]) -> Bools:
    """Which of them have just jumped; a way back is no new jump. Remembers where each came from."""
    value, step = seen.value[rare], seen.step[rare]
    back = np.abs(value - state.before[rare]) < np.abs(state.leap[rare]) / 2
    sudden = seen.size[rare] >= SUDDEN
    new = sudden & ~(back & (state.since_leap[rare] < LASTED))
    state.before[rare[new]] = value[new] - step[new]
    state.leap[rare[new]] = step[new]
    state.since_leap[rare[new]] = 0
    return sudden


def _lasts(state: DetectorState, value: Float32s) -> Bools:
    """Whether a notable jump of late has not gone back."""
    there = (value - state.before) * np.sign(state.leap) >= np.abs(state.leap) / 2
    lasted: Bools = there & (state.since_leap >= LASTING) & (state.since_leap < LASTED)
    return lasted


def _astray(state: DetectorState, seen: Seen, rare: NDArray[np.intp]) -> Bools:
    """Which series depend on the hour of day by more than they scatter, and are far from what it asks for."""
    season = np.ptp(state.day[:, rare], axis=0)
    seasoned = season >= SEASONED * np.sqrt(state.residual[rare])
    far: Bools = seasoned & (np.abs(seen.residual[rare]) >= ASTRAY * season)
    return far
