"""What each sensor by itself does that a healthy one does not: signs of a fault, without looking at others.

Equal readings, isolated spikes, noise that alternates and slow departures from what is expected are counted
from readings and the detector's verdicts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import DTypeLike, NDArray

from indicators.detector import BAND, Verdicts
from indicators.detector_kinds import Kind
from indicators.neighbours import NEVER

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]

_LAYOUT: dict[str, tuple[DTypeLike, float]] = {
    "readings": (np.int64, 0),
    "last": (np.float64, np.nan),
    "last_at": (np.int64, NEVER),
    "back_at": (np.int64, NEVER),
    "back": (np.int64, 0),
    "run_since": (np.int64, NEVER),
    "run_usual": (np.bool_, 0),
    "change_at": (np.int64, NEVER),
    "changes": (np.int64, 0),
    "departure": (np.float32, 0),
    "scatter": (np.float32, 0),
    "near_at": (np.int64, NEVER),
    "above": (np.float32, 0),
    "below": (np.float32, 0),
    "above_since": (np.int64, NEVER),
    "below_since": (np.int64, NEVER),
    "leapt_at": (np.int64, NEVER),
    "shaken_at": (np.int64, NEVER),
    "usual": (np.float32, 0),
    "step": (np.float32, 0),
    "unrest": (np.float32, 0),
    "turn": (np.float32, 0),
    "energy": (np.float32, 0),
    "calm_at": (np.int64, NEVER),
    "restless_at": (np.int64, NEVER),
    "rough": (np.float32, 0),
    "rough_since": (np.int64, NEVER),
    "before": (np.float64, np.nan),
    "pending_at": (np.int64, NEVER),
    "spikes": (np.int64, 0),
    "first_spike": (np.int64, NEVER),
    "last_spike": (np.int64, NEVER),
    "impossible_at": (np.int64, NEVER),
}
"""Type and first value of each array [S]."""

_SMOOTH, _RECENT, _SLOW = np.float32(1 / 12), np.float32(0.08), np.float32(1 / 200)
_CLIP, _LARGEST, _LEAST = np.float32(4.0), np.float32(8.0), np.float32(1e-9)

RESTLESS, CALM = 2.3, 1.8
"""Size of the steps of late, in usual ones, that is noise, and that is none any more."""

SCATTERED = 1.5
"""Mean distance to the baseline, standard deviations, of what is noisy; 0.8 is usual."""

ALTERNATING = -0.2
"""Product of consecutive steps over their square: -0.5 for white noise, 0 for a walk, more for a trend."""

NEAR = 1.0
"""Smoothed distance to the baseline, standard deviations, that is no departure."""

ALLOWED = 0.75
"""Distance to the baseline, standard deviations, that sums of distances leave out (CUSUM's allowance)."""

ROUGH = 2.0
"""Size of a step, in usual ones, that sums of steps leave out."""

LEAP = 6.0
"""A step this many times the usual one is a leap."""

RETURNED = 0.3
"""What is left of a spike, as a share of it, after which it is isolated."""

SPIKE_MS = 24 * 3_600_000
"""Spikes further apart do not belong together."""

SHAKEN_MS = 7 * SPIKE_MS
"""So long after what shook a sensor its baseline may be wrong: the mean of an hour of the week remembers."""

_SETTLED = 60
"""Readings before anything is said."""


@dataclass
class SensorSigns:
    """The memory of S series.

    ``last`` valid of the ``readings``, at ``last_at``; ``back`` of them since the last gap, which ended at
    ``back_at``. ``run_since`` is when the equal ones at the end began, ``run_usual`` whether within the
    expected band; ``changes`` in a row since ``change_at``. ``departure``: smoothed distance to the
    baseline in standard deviations, last small at ``near_at``; ``above`` and ``below`` sums of distances less
    what is allowed, positive since ``above_since`` and ``below_since``; ``leapt_at`` the last leap,
    ``shaken_at`` the last one so far away that it has shifted the baseline. ``usual`` size of a ``step``,
    ``unrest`` that of late in usual ones, last small at ``calm_at``, large at ``restless_at``; ``rough`` the
    sum of steps less what is usual, positive since ``rough_since``; ``turn`` and ``energy`` mean product of
    consecutive steps and mean square; ``scatter`` smoothed distance to the baseline whatever its sign.
    ``before`` the reading before a spike at ``pending_at`` that may come back; ``spikes`` isolated ones, from
    ``first_spike`` to ``last_spike``; ``impossible_at`` the last reading outside the valid range.
    Times are epoch ms.
    """

    readings: Ints
    last: Floats
    last_at: Ints
    back_at: Ints
    back: Ints
    run_since: Ints
    run_usual: Bools
    change_at: Ints
    changes: Ints
    departure: Float32s
    scatter: Float32s
    near_at: Ints
    above: Float32s
    below: Float32s
    above_since: Ints
    below_since: Ints
    leapt_at: Ints
    shaken_at: Ints
    usual: Float32s
    step: Float32s
    unrest: Float32s
    turn: Float32s
    energy: Float32s
    calm_at: Ints
    restless_at: Ints
    rough: Float32s
    rough_since: Ints
    before: Floats
    pending_at: Ints
    spikes: Ints
    first_spike: Ints
    last_spike: Ints
    impossible_at: Ints

    @classmethod
    def empty(cls, series: int) -> SensorSigns:
        """The memory of series that have not sent anything."""
        return cls(**{name: np.full(series, first, dtype) for name, (dtype, first) in _LAYOUT.items()})

    def joined(self, more: SensorSigns) -> SensorSigns:
        """These series and ``more`` behind them."""
        names = [f.name for f in fields(self)]
        return SensorSigns(**{n: np.concatenate([getattr(self, n), getattr(more, n)]) for n in names})

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Copies of all arrays by name."""
        return {f.name: getattr(self, f.name).copy() for f in fields(self)}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[np.generic]]) -> SensorSigns:
        """The memory that :meth:`arrays` was taken of.

        Raises:
            ValueError: an array is missing, of another type or another length.
        """
        size = arrays["readings"].size if "readings" in arrays else 0
        for name, (dtype, _) in _LAYOUT.items():
            found = arrays.get(name)
            if found is None or found.dtype != np.dtype(dtype) or found.shape != (size,):
                what = "none" if found is None else f"{found.shape} {found.dtype}"
                raise ValueError(f"array {name!r} of a judge is ({size},) {np.dtype(dtype)}; found {what}")
        return cls(**{name: np.array(arrays[name]) for name in _LAYOUT})

    def learn(
        self, readings: Floats, impossible: Bools, verdicts: Verdicts, now: int
    ) -> tuple[Bools, Float32s]:
        """Take in a step; return which readings were valid, and how far from the baseline, float32 [S].

        The distance is in standard deviations, 0 where there is nothing to compare.
        """
        present = np.isfinite(readings) & ~impossible
        self.impossible_at[impossible] = now
        distance = _distance(readings, verdicts, present)
        self._runs(readings, present, distance, now)
        self._spikes(readings, present, verdicts, impossible, now)
        self._steps(readings, present, now)
        self.shaken_at[(self.leapt_at == now) & (np.abs(distance) >= _LARGEST)] = now
        self._departures(distance, present, now)
        np.copyto(self.last, readings, where=present)
        self.last_at[present] = now
        self.readings += present
        return present, distance

    def _runs(self, readings: Floats, present: Bools, distance: Float32s, now: int) -> None:
        equal = present & (readings == self.last)
        other = present & ~equal
        self.run_since[other] = now
        usual = (np.abs(distance) <= BAND) & (np.abs(self.departure) <= NEAR)
        np.copyto(self.run_usual, usual, where=other)
        self.change_at[other & (self.changes == 0)] = now
        self.changes += other
        self.changes[equal] = 0
        after = present & (self.back == 0)
        self.back_at[after] = now
        self.back[~present] = 0
        self.back += present

    def _spikes(
        self, readings: Floats, present: Bools, verdicts: Verdicts, impossible: Bools, now: int
    ) -> None:
        """A spike is isolated if the next valid reading is back where it came from."""
        rows = np.flatnonzero(present & (self.pending_at > NEVER))
        back = np.abs(readings[rows] - self.before[rows])
        single = rows[back <= RETURNED * np.abs(self.last[rows] - self.before[rows])]
        self._count(single, self.pending_at[single])
        self.pending_at[rows] = NEVER
        new = present & (verdicts.kind == Kind.SPIKE) & (self.readings >= _SETTLED)
        new &= np.abs(readings - self.last) >= LEAP * self.usual
        new[rows] = False
        self.pending_at[new] = now
        np.copyto(self.before, self.last, where=new)
        wrong = np.flatnonzero(impossible)
        self._count(wrong, np.full(wrong.size, now))

    def _count(self, rows: NDArray[np.intp], at: Ints) -> None:
        old = rows[at - self.last_spike[rows] > SPIKE_MS] if rows.size else rows
        self.spikes[old] = 0
        first = self.spikes[rows] == 0
        self.first_spike[rows[first]] = at[first]
        self.spikes[rows] += 1
        self.last_spike[rows] = at

    def _steps(self, readings: Floats, present: Bools, now: int) -> None:
        again = present & (self.readings > 0)
        step = np.where(again, readings - self.last, 0.0).astype(np.float32)
        size = np.abs(step)
        usual = np.maximum(self.usual, _LEAST)
        self.leapt_at[again & (size >= LEAP * usual) & (self.readings >= _SETTLED)] = now
        held = np.clip(step / usual, -_LARGEST, _LARGEST)
        former = np.clip(self.step / usual, -_LARGEST, _LARGEST)
        rate = _RECENT * again
        self.unrest += rate * (np.abs(held) - self.unrest)
        self.turn += rate * (held * former - self.turn)
        self.energy += rate * (held * held - self.energy)
        _add_up(self.rough, self.rough_since, np.minimum(size / usual, _LARGEST) - ROUGH, again, now)
        settled = self.readings >= _SETTLED
        np.minimum(size, _CLIP * usual, out=size, where=settled & (self.usual > 0))
        weight = np.maximum(_SLOW, 1.0 / np.maximum(self.readings, 1)).astype(np.float32)
        self.usual += weight * again * (size - self.usual)
        np.copyto(self.step, step, where=again)
        self.calm_at[present & (self.unrest <= CALM)] = now
        self.restless_at[present & (self.unrest >= RESTLESS)] = now

    def _departures(self, distance: Float32s, present: Bools, now: int) -> None:
        held = np.clip(distance, -_LARGEST, _LARGEST)
        self.departure += _SMOOTH * present * (held - self.departure)
        self.scatter += _SMOOTH * present * (np.abs(held) - self.scatter)
        self.near_at[present & (np.abs(self.departure) <= NEAR)] = now
        near = np.clip(distance, -_CLIP, _CLIP)
        _add_up(self.above, self.above_since, near - ALLOWED, present, now)
        _add_up(self.below, self.below_since, -near - ALLOWED, present, now)

    def drifting(self, least: float, now: int) -> Bools:
        """Who is away from a baseline that can be trusted, and has come there without a leap."""
        found: Bools = (np.abs(self.departure) >= least) & (self.leapt_at <= self.near_at)
        found &= self.shaken_at < now - SHAKEN_MS
        return found

    def departed_since(self) -> Ints:
        """When each series left its baseline in the direction in which it is away: int64 [S], epoch ms."""
        return np.where(self.departure > 0, self.above_since, self.below_since)

    def rough_from(self) -> Ints:
        """When the steps of each series became large, if they are: int64 [S], epoch ms."""
        return np.minimum(self.rough_since, self.calm_at + 1)

    def noisy(self) -> Bools:
        """Whose steps have been large and back and forth for a while."""
        shape = self.turn <= ALTERNATING * np.maximum(self.energy, _LEAST)
        found: Bools = (self.unrest >= RESTLESS) & (self.scatter >= SCATTERED) & shape
        found &= self.readings >= 2 * _SETTLED
        return found

    def restless(self, now: int, within: int) -> Bools:
        """Whose steps have been large and not become usual since, whatever their shape."""
        found: Bools = (self.restless_at > self.calm_at) & (self.last_at >= now - within)
        return found


def _add_up(total: Float32s, since: Ints, more: Floats | Float32s, present: Bools, now: int) -> None:
    """Add to sums that never fall below nothing; remember when each became positive.

    That is where Page's cumulative sum (Biometrika 41, 1954) sees a change begin.
    """
    none = total <= 0
    np.copyto(total, np.maximum(total + more, 0).astype(np.float32), where=present)
    since[present & none & (total > 0)] = now


def _distance(readings: Floats, verdicts: Verdicts, present: Bools) -> Float32s:
    """How far valid readings are from the baseline, standard deviations; 0 without one."""
    deviation = (verdicts.high - verdicts.baseline) / BAND
    known = present & (deviation > 0)
    far = np.divide(readings - verdicts.baseline, deviation, out=np.zeros(readings.size), where=known)
    return far.astype(np.float32)
