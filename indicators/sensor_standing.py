"""What is held of every sensor from one step to the next: which suspicion stands, how it begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indicators.judgements import FaultKind, Judgements, JudgeSettings, What
from indicators.neighbours import NEVER
from indicators.sensor_company import Company
from indicators.sensor_signs import SensorSigns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Kinds = NDArray[np.uint8]
Bools = NDArray[np.bool_]

_HOUR = 3_600_000.0


@dataclass(frozen=True, slots=True)
class Step:
    """What a step showed of S series.

    ``now`` its end, epoch ms; ``suspect`` bool, who shows anything unusual; ``present`` bool, who has a valid
    reading; ``kind`` uint8 the fault each shows, 0 for none; ``looks`` uint8 the one it looks like by itself,
    ``surely`` bool where that outweighs what it looked like before.
    """

    now: int
    suspect: Bools
    present: Bools
    kind: Kinds
    looks: Kinds
    surely: Bools


@dataclass
class SensorStanding:
    """What is held of S series.

    ``what``, ``kind``, ``since``; ``seen`` the last unusual step; ``good`` readings in a row that agree, from
    ``good_at``; ``event_at`` when others last moved too, ``shared_at`` when they were restless too. Times are
    epoch ms.
    """

    what: Kinds
    kind: Kinds
    since: Ints
    seen: Ints
    good: Ints
    good_at: Ints
    event_at: Ints
    shared_at: Ints

    @classmethod
    def empty(cls, n: int) -> Self:
        """Nothing is held of anybody."""
        what, never = np.zeros((2, n), np.uint8), np.full((5, n), NEVER, np.int64)
        since, seen, good_at, event_at, shared_at = never
        good = np.zeros(n, np.int64)
        return cls(what[0], what[1], since, seen, good, good_at, event_at, shared_at)

    def joined(self, more: Self) -> Self:
        """These series and ``more`` behind them."""
        names = [f.name for f in fields(self)]
        return type(self)(**{n: np.concatenate([getattr(self, n), getattr(more, n)]) for n in names})

    @property
    def faulty(self) -> Bools:
        """Who is held to be faulty."""
        found: Bools = self.what == What.FAULT
        return found

    @property
    def dead(self) -> Bools:
        """Who is held to be stuck or silent."""
        found: Bools = self.faulty & np.isin(self.kind, (FaultKind.STUCK, FaultKind.SILENT))
        return found

    def settle(self, step: Step, signs: SensorSigns, company: Company, to: JudgeSettings) -> Judgements:
        """Take in a step; return what changed by it."""
        faulty = self.faulty
        lifted, until = self._lifted(step, signs, company, to)
        what, kind, since = self.what.copy(), self.kind.copy(), self.since.copy()
        new = (step.kind > 0) & ~faulty
        self._suspect(step, faulty | new)
        over = (self.what > What.NOTHING) & ~faulty & (self.seen < step.now - to.forget)
        self.what[over | lifted], self.kind[over | lifted] = What.NOTHING, FaultKind.NONE
        began = _began(step.kind, signs, step.now)
        self.what[new], self.kind[new], self.since[new] = What.FAULT, step.kind[new], began[new]
        self.good[new] = 0
        changed = np.flatnonzero(lifted | (((self.what != what) | (self.kind != kind)) & (self.what > 0)))
        gone = lifted[changed]
        shown = np.where(gone, kind[changed], self.kind[changed]).astype(np.uint8)
        return Judgements(
            changed, np.where(gone, np.uint8(What.FAULT), self.what[changed]).astype(np.uint8), shown,
            np.where(gone, since[changed], self.since[changed]), gone, until[changed],
            company.neighbours[changed], company.calm[changed], company.witness[changed],
            company.rule[changed], _measure(changed, shown, signs, step.now),
        )  # fmt: skip

    def _suspect(self, step: Step, faulty: Bools) -> None:
        """Whom a step makes a suspect or a witness of an event, of those that are not ``faulty``."""
        opened = step.suspect & (self.what == What.NOTHING)
        self.what[opened], self.since[opened] = What.UNCLEAR, step.now
        event = step.suspect & ~faulty & (self.event_at == step.now)
        self.what[event], self.kind[event] = What.EVENT, FaultKind.NONE
        hint = (self.what == What.UNCLEAR) & (step.looks > 0) & (step.surely | (self.kind == 0))
        self.kind[hint] = step.looks[hint]

    def _lifted(
        self, step: Step, signs: SensorSigns, company: Company, to: JudgeSettings
    ) -> tuple[Bools, Ints]:
        """Which faults end, and from when on readings are good."""
        faulty, now = self.faulty, step.now
        until = np.full(faulty.size, -1, np.int64)
        spiky = self.kind == FaultKind.SPIKE
        agrees = np.ones(faulty.size, np.bool_)
        for one, fine in (
            (FaultKind.SPIKE, signs.last_spike < now),
            (FaultKind.DRIFT, np.abs(signs.departure) < to.near),
            (FaultKind.NOISE, signs.calm_at == now),
        ):
            np.copyto(agrees, fine, where=self.kind == one)
        self.good_at[faulty & step.present & agrees & (self.good == 0)] = now
        self.good += faulty & step.present & agrees
        self.good[faulty & ~agrees] = 0
        lifted = faulty & (self.good >= np.where(spiky, 3 * to.calm, to.calm))
        until[lifted] = self.good_at[lifted]
        for one, count, since in (
            (FaultKind.STUCK, signs.changes, signs.change_at),
            (FaultKind.SILENT, signs.back, signs.back_at),
        ):
            rows = faulty & (self.kind == one)
            lifted[rows] = count[rows] >= to.alive
            until[rows & lifted] = since[rows & lifted]
        doubted = faulty & step.suspect & self._shared(company, now)
        until[doubted] = self.since[doubted]
        return lifted | doubted, until

    def _shared(self, company: Company, now: int) -> Bools:
        """Whose fault others show after all, so that it is none: what all share is no fault to be hidden."""
        shared = np.zeros(self.kind.size, np.bool_)
        for one, others in (
            (FaultKind.SPIKE, self.event_at == now),
            (FaultKind.DRIFT, company.away > 0),
            (FaultKind.NOISE, company.restless),
        ):
            np.copyto(shared, others, where=self.kind == one)
        return shared

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Copies of all arrays by name."""
        return {f"held_{f.name}": getattr(self, f.name).copy() for f in fields(self)}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """What :meth:`arrays` was taken of."""
        return cls(**{f.name: np.array(arrays[f"held_{f.name}"]) for f in fields(cls)})


def _began(kind: Kinds, signs: SensorSigns, now: int) -> Ints:
    """When each fault began, by the first of its evidence."""
    began = np.full(kind.size, now, np.int64)
    for one, since in (
        (FaultKind.STUCK, signs.run_since),
        (FaultKind.SILENT, signs.last_at + 1),
        (FaultKind.SPIKE, signs.first_spike),
        (FaultKind.DRIFT, np.minimum(signs.departed_since(), signs.near_at + 1)),
        (FaultKind.NOISE, signs.rough_from()),
    ):
        np.copyto(began, since, where=kind == one)
    return began


def _measure(rows: Ints, kind: Kinds, signs: SensorSigns, now: int) -> Floats:
    measure = signs.departure[rows].astype(np.float64)
    for one, values in (
        (FaultKind.STUCK, (now - signs.run_since[rows]) / _HOUR),
        (FaultKind.SILENT, (now - signs.last_at[rows]) / _HOUR),
        (FaultKind.SPIKE, signs.spikes[rows].astype(np.float64)),
        (FaultKind.NOISE, signs.unrest[rows].astype(np.float64)),
    ):
        np.copyto(measure, values, where=kind == one)
    return measure
