"""What a scenario does to the sensors it touches: effects on values, by metric, device and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Op = Literal["add", "scale", "set", "atleast", "drop"]


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """A change of one metric of some devices within [begin, end), ms.

    ``metric`` is a code, ``devices`` int [n] numbers in ``Devices``, ``size`` float64 [n] (or one number for
    all). The strength f rises from 0 to 1 within ``ramp_ms`` after the beginning and falls likewise before
    the end (0: at once). Of a value v, f = 1 makes

    - ``add`` v + size; ``scale`` v · size; ``set`` size; ``atleast`` max(v, size): in between, linearly;
    - ``drop`` nothing: the reading is not sent, whatever f.
    """

    metric: str
    devices: NDArray[np.int64]
    begin: int
    end: int
    op: Op
    size: Floats | float = 0.0
    ramp_ms: int = 0

    def strength(self, ts: NDArray[np.int64]) -> Floats:
        """How far the effect has come at each moment, 0 to 1.

        >>> effect = Effect("gas_lel", np.array([0]), 0, 1000, "set", 20.0, ramp_ms=200)
        >>> effect.strength(np.array([-1, 0, 100, 500, 900, 1000])).tolist()
        [0.0, 0.0, 0.5, 1.0, 0.5, 0.0]
        """
        inside = (ts >= self.begin) & (ts < self.end)
        if not self.ramp_ms:
            return inside.astype(np.float64)
        nearest = np.minimum(ts - self.begin, self.end - ts)
        return np.where(inside, np.clip(nearest / self.ramp_ms, 0.0, 1.0), 0.0)


def applied(
    effects: Sequence[Effect], value: Floats, device: NDArray[np.int32], ts: NDArray[np.int64]
) -> Floats:
    """Return the values (float64 [m], of one metric) after the effects on it, in order; NaN for "not sent".

    ``device`` and ``ts`` [m] belong to the values.

    >>> effect = Effect("gas_lel", np.array([7]), 0, 1000, "add", 20.0)
    >>> applied([effect], np.array([1.0, 1.0]), np.array([7, 8], np.int32), np.array([5, 5])).tolist()
    [21.0, 1.0]
    """
    for effect in effects:
        rows, which = _touched(effect, device, ts)
        if rows.size:
            value = value.copy()
            value[rows] = _changed(effect, value[rows], which, ts[rows])
    return value


def _touched(
    effect: Effect, device: NDArray[np.int32], ts: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows the effect acts on, and the position of each one's device in the effect."""
    if not len(ts) or not len(effect.devices) or ts.max() < effect.begin or ts.min() >= effect.end:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    order = np.argsort(effect.devices, kind="stable")
    known = effect.devices[order]
    at = np.minimum(np.searchsorted(known, device), len(known) - 1)
    rows = np.flatnonzero((known[at] == device) & (ts >= effect.begin) & (ts < effect.end))
    return rows, order[at[rows]]


def _changed(effect: Effect, value: Floats, which: NDArray[np.intp], ts: NDArray[np.int64]) -> Floats:
    size = np.broadcast_to(np.asarray(effect.size, dtype=np.float64), effect.devices.shape)[which]
    f = effect.strength(ts)
    match effect.op:
        case "add":
            return value + f * size
        case "scale":
            return value * (1 + f * (size - 1))
        case "set":
            return value + f * (size - value)
        case "atleast":
            return np.maximum(value, value + f * (size - value))
        case "drop":
            return np.full_like(value, np.nan)
