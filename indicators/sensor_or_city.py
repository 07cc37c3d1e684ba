"""Sensor or city? Whether what is unusual is a fault of one sensor, or something that happens.

    verdicts ─▶ signs of each sensor ─┐
    moves of neighbours ──────────────┼─▶ fault · event · unclear
    moves of related metrics (rules) ─┘

What is physically impossible (equal readings, silence, values out of range, isolated spikes, noise back and
forth, a drift away from neighbours that agree) is a *fault* unless others do the same. What others share is
an *event*. A sensor that jumps alone and stays is *unclear* for ever: an event must never be hidden.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from indicators.cross_checks import CrossChecks, Trait
from indicators.detector import BAND, Verdicts
from indicators.detector_kinds import Kind
from indicators.judgements import FaultKind, Judgements, JudgeSettings, What
from indicators.neighbours import Neighbours, SensorSeries
from indicators.sensor_company import Company, Onlookers
from indicators.sensor_signs import SensorSigns
from indicators.sensor_standing import SensorStanding, Step

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

VERSION = 3


class SensorOrCity:
    """Judges the suspects among S series at each step.

    Series of one tile must be together; tiles do not see each other.

    >>> from indicators.detector import Detector
    >>> from indicators.metrics import Metrics
    >>> metrics, rng = Metrics.load(), np.random.default_rng(1)
    >>> which = np.full(1, metrics.index["tap_pressure"])
    >>> one = SensorSeries(np.array([1]), which, np.array([7]), metrics.low[which], metrics.high[which])
    >>> judge, detector, told = SensorOrCity(one, tuple(metrics.index)), Detector(1), []
    >>> for step in range(400):
    ...     value = rng.normal(0.3, 0.003, 1) if step < 300 else np.array([0.3])
    ...     told.append(judge.update(value, detector.update(value, step // 12), (step + 1) * 300_000))
    >>> fault = next(j for j in told if (j.what == What.FAULT).any())
    >>> FaultKind(fault.kind[0]).name, int(fault.since[0]) // 300_000
    ('STUCK', 301)
    """

    def __init__(
        self,
        series: SensorSeries,
        codes: tuple[str, ...],
        settings: JudgeSettings | None = None,
        checks: CrossChecks | None = None,
    ) -> None:
        """``codes`` are of the metrics that ``series.metric`` numbers; ``checks`` default to the shipped."""
        self.settings, self.codes = settings or JudgeSettings(), codes
        self.checks = checks or CrossChecks.load()
        self.signs, self._held = SensorSigns.empty(len(series)), SensorStanding.empty(len(series))
        self._arrange(series)

    @property
    def series(self) -> SensorSeries:
        """The series as they stand."""
        return self.beside.series

    def arrange(self, series: SensorSeries) -> None:
        """Go on with another table: the first series are those known, where they stand now; others are new.

        Raises:
            ValueError: there are fewer than before.
        """
        more = len(series) - len(self.series)
        if more < 0:
            raise ValueError(f"a judge got a table of {-more} series less than it has: none may leave")
        self.signs = self.signs.joined(SensorSigns.empty(more))
        self._held = self._held.joined(SensorStanding.empty(more))
        memory = self.beside.arrays()
        self._arrange(series)
        self.beside.recall(memory)

    def _arrange(self, series: SensorSeries) -> None:
        self.beside = Neighbours(series, self.checks, self.codes)
        bits = np.array([self.checks.traits.get(code, 0) for code in self.codes], np.int64)
        self._traits = bits[series.metric] if len(series) else np.empty(0, np.int64)

    def update(
        self, readings: Floats, verdicts: Verdicts, slot_end: int, due: Bools | None = None
    ) -> Judgements:
        """Judge a closed step.

        Args:
            readings: float64 [S], NaN where a series has none; also those outside the valid range.
            verdicts: the detector's, of the same step.
            slot_end: end of the step, epoch ms.
            due: bool [S], whose step ends here, where not all report equally often; of others there is
                neither a reading nor the lack of one.

        Raises:
            ValueError: there are more or fewer readings than series.
        """
        if readings.shape != (len(self.series),):
            raise ValueError(f"a judge of {len(self.series)} series got readings of shape {readings.shape}")
        others = np.empty(0, np.int64) if due is None else np.flatnonzero(~due)
        held = self._held
        back, good = self.signs.back[others], held.good[others]
        impossible = (readings < self.series.low) | (readings > self.series.high)
        present, distance = self.signs.learn(readings, impossible, verdicts, slot_end)
        moved = _moved(verdicts.kind) & (np.abs(distance) >= BAND)
        moved |= np.abs(self.signs.departure) >= self.settings.drift
        moved &= present & ~held.faulty
        rows = np.flatnonzero(moved)
        self.beside.remember(rows, distance[rows] > 0, slot_end)
        suspect = moved | (verdicts.kind >= Kind.SPIKE) | impossible | self.signs.noisy()
        held.seen[suspect] = slot_end
        began = np.where(held.faulty, held.since, self.signs.rough_from())
        faults = held.faulty, held.dead, began
        around = Onlookers(self.signs, self.beside, self._traits, *faults, self.settings)
        company = around.company(suspect | held.faulty, distance, slot_end)
        held.event_at[suspect & (company.at >= slot_end - self.settings.together)] = slot_end
        held.shared_at[suspect & company.restless] = slot_end
        kind = self._kinds(suspect, verdicts, company, slot_end)
        step = Step(slot_end, suspect, present, kind, *self._looks(verdicts, suspect, slot_end))
        told = held.settle(step, self.signs, company, self.settings)
        self.signs.back[others], held.good[others] = back, good
        return told

    # -- kinds of faults -----------------------------------------------------------------------------

    def _kinds(self, suspect: Bools, verdicts: Verdicts, company: Company, now: int) -> NDArray[np.uint8]:
        """The kind of fault that each suspect shows, 0 for none."""
        signs, to = self.signs, self.settings
        kind = np.zeros(len(self.series), np.uint8)
        kind[suspect & self._drifts(company, now)] = FaultKind.DRIFT
        begun = np.where(self._held.what > What.NOTHING, self._held.since, now)
        alone = suspect & (self._held.event_at < np.minimum(begun, now - to.together))
        lasting = signs.calm_at <= now - to.noise
        impulsive = self._traits & Trait.IMPULSIVE > 0
        unlike = suspect & (self._held.shared_at < signs.rough_since) & (company.rule < 0)
        kind[unlike & signs.noisy() & lasting & ~impulsive] = FaultKind.NOISE
        spiky = (signs.spikes >= to.spikes) & (signs.last_spike == now) & ~impulsive & alone
        kind[spiky | (signs.impossible_at == now)] = FaultKind.SPIKE
        kind[self._stuck(verdicts)] = FaultKind.STUCK
        kind[self._silent(verdicts)] = FaultKind.SILENT
        # That it comes is all a heartbeat says: to keep one apart would be the outage it is there to tell.
        kind[self._traits & Trait.HEARTBEAT > 0] = FaultKind.NONE
        return kind

    def _drifts(self, company: Company, now: int) -> Bools:
        """Who has left its baseline without a leap while enough others stay at theirs."""
        signs, to = self.signs, self.settings
        away = signs.drifting(to.drift, now) & (signs.near_at < now)
        slow: Bools = away & (company.calm >= to.agreeing) & (company.away == 0)
        return slow

    def _stuck(self, verdicts: Verdicts) -> Bools:
        """Equal readings at a usual value that is no end of the range, of one sensor of the tile alone."""
        flat = (verdicts.kind == Kind.FLAT_LINE) & (verdicts.probability <= self.settings.stuck)
        last = self.signs.last
        resting = (last == 0) | (last <= self.series.low) | (last >= self.series.high)
        still: Bools = flat & self.signs.run_usual & ~resting & (self._traits & Trait.STATE == 0)
        found: Bools = still & (self.beside.others(flat) == 0)
        return found

    def _silent(self, verdicts: Verdicts) -> Bools:
        """No readings, while all other devices of the tile go on."""
        silent = (verdicts.kind == Kind.SILENCE) & (self.signs.readings > 0)
        rows = np.flatnonzero(silent)
        alone = np.zeros(len(self.series), np.bool_)
        if rows.size:
            beside = self.beside
            alone[rows] = beside.devices_of_tile(rows)[beside.tile[rows]] <= 1
        return alone

    def _looks(self, verdicts: Verdicts, suspect: Bools, now: int) -> tuple[NDArray[np.uint8], Bools]:
        """The kind of fault each suspect looks like by itself, and whether that outweighs an earlier look.

        It is no proof, a hint, 0 for none.
        """
        signs = self.signs
        away = signs.drifting(self.settings.drift, now)
        noisy = signs.noisy()
        looks = np.zeros(suspect.size, np.uint8)
        for one, like in (
            (FaultKind.DRIFT, (verdicts.kind == Kind.DRIFT) | away),
            (FaultKind.NOISE, (verdicts.kind == Kind.NOISE_BURST) | noisy),
            (FaultKind.SPIKE, signs.last_spike == now),
            (FaultKind.STUCK, verdicts.kind == Kind.FLAT_LINE),
            (FaultKind.SILENT, verdicts.kind == Kind.SILENCE),
        ):
            looks[suspect & like] = one
        still = (looks == FaultKind.STUCK) | (looks == FaultKind.SILENT)
        return looks, still | (noisy & (looks == FaultKind.NOISE)) | (away & (looks == FaultKind.DRIFT))

    # -- state ---------------------------------------------------------------------------------------

    def standing(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Ints]:
        """What is held of every series now: what, kind, since, copies [S]."""
        return self._held.what.copy(), self._held.kind.copy(), self._held.since.copy()

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The whole state as plain arrays, copied; :meth:`restore` goes on with equal judgements."""
        version = {"version": np.array([VERSION], np.int64)}
        return {**version, **self.signs.arrays(), **self._held.arrays(), **self.beside.arrays()}

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from what :meth:`arrays` gave, of a judge of the same series.

        Raises:
            ValueError: the arrays are not those of a judge, of another version or number of series.
        """
        version = arrays.get("version")
        if version is None or version.tolist() != [VERSION]:
            raise ValueError(f"the state of a judge has version {VERSION}; found {version}: start anew")
        signs = SensorSigns.restored(arrays)
        if signs.readings.size != len(self.series):
            raise ValueError(f"a judge of {len(self.series)} series got the state of {signs.readings.size}")
        self.signs = signs
        self._held = SensorStanding.restored(arrays)
        self.beside.recall(arrays)


def _moved(kind: NDArray[np.int8]) -> Bools:
    """Who shows something that a city may do: anything but standing still and silence."""
    found: Bools = (kind >= Kind.SPIKE) & (kind != Kind.FLAT_LINE) & (kind != Kind.SILENCE)
    return found
