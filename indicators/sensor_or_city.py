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
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from indicators.cross_checks import CrossChecks, Trait
from indicators.detector import BAND, Verdicts
from indicators.detector_kinds import Kind
from indicators.judgements import FaultKind, Judgements, JudgeSettings, What
from indicators.neighbours import NEVER, Neighbours, SensorSeries
from indicators.sensor_signs import SensorSigns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]

VERSION = 1


@dataclass
class _Standing:
    """What is held of S series.

    ``what``, ``kind``, ``since``; ``seen`` the last unusual step; ``good`` readings in a row that agree, from
    ``good_at``; ``event_at`` when others last moved too. Times are epoch ms.
    """

    what: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    since: Ints
    seen: Ints
    good: Ints
    good_at: Ints
    event_at: Ints

    @classmethod
    def empty(cls, n: int) -> _Standing:
        what, never = np.zeros((2, n), np.uint8), np.full((4, n), NEVER, np.int64)
        return cls(what[0], what[1], never[0], never[1], np.zeros(n, np.int64), never[2], never[3])

    def joined(self, more: _Standing) -> _Standing:
        names = [f.name for f in fields(self)]
        return _Standing(**{n: np.concatenate([getattr(self, n), getattr(more, n)]) for n in names})


@dataclass(frozen=True, slots=True)
class _Company:
    """What others do, by series [S].

    ``at`` when one last moved the same way, ``witness`` which device, ``rule`` by which; ``calm`` how many.
    """

    at: Ints
    witness: Ints
    rule: Ints
    calm: Ints
    neighbours: Ints


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
        self.signs, self._held = SensorSigns.empty(len(series)), _Standing.empty(len(series))
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
        self._held = self._held.joined(_Standing.empty(more))
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
        back, good = self.signs.back[others], self._held.good[others]
        impossible = (readings < self.series.low) | (readings > self.series.high)
        present, distance = self.signs.learn(readings, impossible, verdicts, slot_end)
        moved = _moved(verdicts.kind) & (np.abs(distance) >= BAND)
        moved |= np.abs(self.signs.departure) >= self.settings.drift
        moved &= present & (self._held.what != What.FAULT)
        rows = np.flatnonzero(moved)
        self.beside.remember(rows, distance[rows] > 0, slot_end)
        suspect = moved | (verdicts.kind >= Kind.SPIKE) | impossible | self.signs.noisy()
        held = self._held
        held.seen[suspect] = slot_end
        company = self._company(suspect | (held.what == What.FAULT), distance, slot_end)
        together = company.at >= slot_end - self.settings.together
        held.event_at[suspect & together] = slot_end
        kind = self._kinds(suspect, verdicts, company, slot_end)
        looks = self._looks(verdicts, suspect, slot_end)
        told = self._settle(kind, looks, suspect, company, present, slot_end)
        self.signs.back[others], self._held.good[others] = back, good
        return told

    # -- others --------------------------------------------------------------------------------------

    def _company(self, asked: Bools, distance: Float32s, now: int) -> _Company:
        beside, n = self.beside, len(self.series)
        up = np.where(distance != 0, distance > 0, self.signs.departure > 0)
        at, witness = np.full(n, NEVER, np.int64), np.full(n, -1, np.int64)
        rule, rows = np.full(n, -1, np.int64), np.flatnonzero(asked)
        at[rows], witness[rows] = beside.moved(
            beside.group[rows], self.series.device[rows], up[rows].astype(np.int64)
        )
        self._related(rows, up, now, (at, witness, rule))
        quiet = (np.abs(self.signs.departure) < self.settings.near) & (self._held.what != What.FAULT)
        quiet &= (self.signs.last_at >= now - self.settings.together) & (self.signs.readings > 60)
        calm = np.where(self._traits & Trait.FIELD > 0, beside.others(quiet), 0)
        pairs = beside.fault.of(rows)
        counts = np.bincount(beside.group, weights=quiet, minlength=beside.groups).astype(np.int64)
        more = counts[pairs.group] - np.where(pairs.own >= 0, quiet[pairs.own], 0)
        np.add.at(calm, pairs.row, more)
        return _Company(at, witness, rule, calm, beside.size[beside.group] - 1)

    def _related(self, rows: Ints, up: Bools, now: int, found: tuple[Ints, Ints, Ints]) -> None:
        """Moves of related metrics, by rule; a rule's lag counts as being together."""
        at, witness, rule = found
        pairs, device = self.beside.event.of(rows), self.series.device
        for direction in (0, 1):
            fits = (pairs.sign == 2) | ((up[pairs.row] ^ (pairs.sign == 1)) == direction)
            mine = np.flatnonzero(fits)
            since, who = self.beside.moved(pairs.group[mine], device[pairs.row[mine]], direction)
            fresh = since >= now - pairs.lag[mine]
            row = pairs.row[mine][fresh]
            at[row], witness[row], rule[row] = now, who[fresh], pairs.rule[mine][fresh]

    # -- kinds of faults -----------------------------------------------------------------------------

    def _kinds(self, suspect: Bools, verdicts: Verdicts, company: _Company, now: int) -> NDArray[np.uint8]:
        """The kind of fault that each suspect shows, 0 for none."""
        signs, to = self.signs, self.settings
        kind = np.zeros(len(self.series), np.uint8)
        alone = suspect & (self._held.event_at < now - to.together)
        begun = np.where(self._held.what > What.NOTHING, self._held.since, now)
        alone &= self._held.event_at < begun
        kind[alone & self._drifts(company, now)] = FaultKind.DRIFT
        lasting = signs.calm_at <= now - to.noise
        impulsive = self._traits & Trait.IMPULSIVE > 0
        kind[alone & signs.noisy() & lasting & ~impulsive] = FaultKind.NOISE
        spiky = (signs.spikes >= to.spikes) & (signs.last_spike == now) & ~impulsive & alone
        kind[spiky | (signs.impossible_at == now)] = FaultKind.SPIKE
        kind[self._stuck(verdicts)] = FaultKind.STUCK
        kind[self._silent(verdicts)] = FaultKind.SILENT
        return kind

    def _drifts(self, company: _Company, now: int) -> Bools:
        """Who has left its baseline without a leap while enough others stay at theirs."""
        signs, to = self.signs, self.settings
        away = (
            (np.abs(signs.departure) >= to.drift) & (signs.leapt_at <= signs.near_at) & (signs.near_at < now)
        )
        slow: Bools = away & (company.calm >= to.agreeing)
        return slow

    def _stuck(self, verdicts: Verdicts) -> Bools:
        """Equal readings at a usual value that is no end of the range, of one sensor of the tile alone."""
        flat = (verdicts.kind == Kind.FLAT_LINE) & (verdicts.probability <= self.settings.stuck)
        last = self.signs.last
        resting = (last == 0) | (last <= self.series.low) | (last >= self.series.high)
        still: Bools = (
            flat & self.signs.run_usual & ~resting & (self._traits & (Trait.STATE | Trait.HEARTBEAT) == 0)
        )
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
        found: Bools = alone & (self._traits & Trait.HEARTBEAT == 0)
        return found

    # -- what becomes of it --------------------------------------------------------------------------

    def _looks(self, verdicts: Verdicts, suspect: Bools, now: int) -> NDArray[np.uint8]:
        """The kind of fault each suspect looks like by itself, 0 for none: no proof, a hint."""
        signs = self.signs
        away = (np.abs(signs.departure) >= self.settings.drift) & (signs.leapt_at <= signs.near_at)
        looks = np.zeros(suspect.size, np.uint8)
        for one, like in (
            (FaultKind.DRIFT, (verdicts.kind == Kind.DRIFT) | away),
            (FaultKind.NOISE, (verdicts.kind == Kind.NOISE_BURST) | signs.noisy()),
            (FaultKind.SPIKE, signs.last_spike == now),
            (FaultKind.STUCK, verdicts.kind == Kind.FLAT_LINE),
            (FaultKind.SILENT, verdicts.kind == Kind.SILENCE),
        ):
            looks[suspect & like] = one
        return looks

    def _settle(  # noqa: PLR0913, PLR0917 - what a step brought
        self,
        kind: NDArray[np.uint8],
        looks: NDArray[np.uint8],
        suspect: Bools,
        company: _Company,
        present: Bools,
        now: int,
    ) -> Judgements:
        held = self._held
        faulty = held.what == What.FAULT
        lifted, until = self._lifted(faulty, suspect, present, now)
        before = held.what.copy()
        told_kind, told_since = held.kind.copy(), held.since.copy()
        new = (kind > 0) & ~faulty
        event = suspect & ~faulty & ~new & (held.event_at == now)
        opened = suspect & (held.what == What.NOTHING)
        held.what[opened], held.since[opened] = What.UNCLEAR, now
        held.what[event], held.kind[event] = What.EVENT, FaultKind.NONE
        still = (looks == FaultKind.STUCK) | (looks == FaultKind.SILENT)
        hint = (held.what == What.UNCLEAR) & (still | ((held.kind == 0) & (looks > 0)))
        held.kind[hint] = looks[hint]
        over = (held.what > What.NOTHING) & ~faulty & (held.seen < now - self.settings.forget)
        held.what[over | lifted], held.kind[over | lifted] = What.NOTHING, FaultKind.NONE
        since = self._began(kind, now)
        held.what[new], held.kind[new], held.since[new] = What.FAULT, kind[new], since[new]
        held.good[new] = 0
        changed = np.flatnonzero(
            lifted | (((held.what != before) | (held.kind != told_kind)) & (held.what > 0))
        )
        gone = lifted[changed]
        what = np.where(gone, np.uint8(What.FAULT), held.what[changed]).astype(np.uint8)
        shown = np.where(gone, told_kind[changed], held.kind[changed]).astype(np.uint8)
        begun = np.where(gone, told_since[changed], held.since[changed])
        return Judgements(
            changed, what, shown, begun, gone, until[changed], company.neighbours[changed],
            company.calm[changed], company.witness[changed], company.rule[changed],
            self._measure(changed, shown, now),
        )  # fmt: skip

    def _began(self, kind: NDArray[np.uint8], now: int) -> Ints:
        """When each fault began: no earlier than its evidence."""
        signs = self.signs
        began = np.full(kind.size, now, np.int64)
        for one, since in (
            (FaultKind.STUCK, signs.run_since),
            (FaultKind.SILENT, signs.last_at + 1),
            (FaultKind.SPIKE, signs.first_spike),
            (FaultKind.DRIFT, signs.near_at + 1),
            (FaultKind.NOISE, signs.calm_at + 1),
        ):
            np.copyto(began, since, where=kind == one)
        return began

    def _lifted(self, faulty: Bools, suspect: Bools, present: Bools, now: int) -> tuple[Bools, Ints]:
        """Which faults end, and from when on readings are good."""
        held, signs, to = self._held, self.signs, self.settings
        until = np.full(faulty.size, -1, np.int64)
        agrees = np.ones(faulty.size, np.bool_)
        agrees[held.kind == FaultKind.SPIKE] = False
        spiky = held.kind == FaultKind.SPIKE
        agrees[spiky] = signs.last_spike[spiky] < now
        for one, fine in (
            (FaultKind.DRIFT, np.abs(signs.departure) < to.near),
            (FaultKind.NOISE, signs.calm_at == now),
        ):
            rows = held.kind == one
            agrees[rows] = fine[rows]
        fresh = faulty & present & agrees & (held.good == 0)
        held.good_at[fresh] = now
        held.good += faulty & present & agrees
        held.good[faulty & ~agrees] = 0
        needed = np.where(spiky, 3 * to.calm, to.calm)
        lifted = faulty & (held.good >= needed)
        until[lifted] = held.good_at[lifted]
        for one, count, since in (
            (FaultKind.STUCK, signs.changes, signs.change_at),
            (FaultKind.SILENT, signs.back, signs.back_at),
        ):
            rows = faulty & (held.kind == one)
            lifted[rows] = count[rows] >= to.alive
            until[rows & lifted] = since[rows & lifted]
        # Others do the same after all, or it jumped and stays: no fault to be hidden.
        doubted = faulty & np.isin(held.kind, (FaultKind.DRIFT, FaultKind.NOISE, FaultKind.SPIKE))
        doubted &= suspect & (held.event_at == now)
        until[doubted] = held.since[doubted]
        return lifted | doubted, until

    def _measure(self, rows: Ints, kind: NDArray[np.uint8], now: int) -> Floats:
        signs = self.signs
        measure = signs.departure[rows].astype(np.float64)
        hours = 3_600_000.0
        for one, values in (
            (FaultKind.STUCK, (now - signs.run_since[rows]) / hours),
            (FaultKind.SILENT, (now - signs.last_at[rows]) / hours),
            (FaultKind.SPIKE, signs.spikes[rows].astype(np.float64)),
            (FaultKind.NOISE, signs.unrest[rows].astype(np.float64)),
        ):
            np.copyto(measure, values, where=kind == one)
        return measure

    # -- state ---------------------------------------------------------------------------------------

    def standing(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Ints]:
        """What is held of every series now: what, kind, since, copies [S]."""
        return self._held.what.copy(), self._held.kind.copy(), self._held.since.copy()

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The whole state as plain arrays, copied; :meth:`restore` goes on with equal judgements."""
        held = {f"held_{f.name}": getattr(self._held, f.name).copy() for f in fields(self._held)}
        return {
            "version": np.array([VERSION], np.int64),
            **self.signs.arrays(),
            **held,
            **self.beside.arrays(),
        }

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
        self._held = _Standing(**{f.name: np.array(arrays[f"held_{f.name}"]) for f in fields(_Standing)})
        self.beside.recall(arrays)


def _moved(kind: NDArray[np.int8]) -> Bools:
    """Who shows something that a city may do: anything but standing still and silence."""
    found: Bools = (kind >= Kind.SPIKE) & (kind != Kind.FLAT_LINE) & (kind != Kind.SILENCE)
    return found
