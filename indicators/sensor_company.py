"""What others do while a sensor is suspected: who moves, departs or is restless as well, who stays calm.

Others are the sensors of the metric in the same tile, and those of metrics that a rule names. A single move
may be chance; that somebody stays away, or became restless no later, hardly is. Who becomes restless long
after has a reason of its own, for at most times somebody is, unless its readings go back and forth as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indicators.cross_checks import Trait
from indicators.judgements import JudgeSettings
from indicators.neighbours import NEVER, Neighbours, Pairs
from indicators.sensor_signs import SensorSigns

Ints = NDArray[np.int64]
Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]

_ANY = 2
_LEAST_READINGS = 60
"""A sensor with fewer readings is no witness."""


@dataclass(frozen=True, slots=True)
class Company:
    """What others do, by series [S]; 0 and no one for those that were not asked about.

    ``at`` when one last moved the same way, ``witness`` which device, ``rule`` by which; ``calm`` how many
    stay at their baselines, ``away`` how many are away from theirs the same way, ``restless`` bool whether
    one takes large steps for the same reason; ``neighbours`` how many sensors of the metric are in the tile.
    """

    at: Ints
    witness: Ints
    rule: Ints
    calm: Ints
    away: Ints
    restless: Bools
    neighbours: Ints


@dataclass(frozen=True, slots=True)
class Onlookers:
    """All sensors as others see them at a step: signs, neighbours, traits, who is held to be faulty.

    ``began`` is when the fault of each began, or its steps became large: int64 [S], epoch ms.

    Who is ``dead``, stuck or silent, is no witness; others that are faulty are none for being calm, but
    what two show alike is never the fault of one.
    """

    signs: SensorSigns
    beside: Neighbours
    traits: Ints
    faulty: Bools
    dead: Bools
    began: Ints
    settings: JudgeSettings

    def company(self, asked: Bools, distance: Float32s, now: int) -> Company:
        """What others do around the series that are ``asked`` about, whose distances are given."""
        beside, n = self.beside, len(self.beside.series)
        rows = np.flatnonzero(asked)
        up = np.where(distance != 0, distance > 0, self.signs.departure > 0)
        at, witness, rule = np.full(n, NEVER, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64)
        device = beside.series.device[rows]
        at[rows], witness[rows] = beside.moved(beside.group[rows], device, up[rows].astype(np.int64))
        pairs = beside.event.of(rows)
        self._related(pairs, up, now, (at, witness, rule))
        rising = self.signs.departure > 0
        away, restless = self._away(rows, pairs, rising, now), self._restless(rows, pairs, now)
        neighbours = beside.size[beside.group] - 1
        return Company(at, witness, rule, self._calm(rows, now), away, restless, neighbours)

    def _related(self, pairs: Pairs, up: Bools, now: int, found: tuple[Ints, Ints, Ints]) -> None:
        """Moves of related metrics, by rule; a rule's lag counts as being together."""
        at, witness, rule = found
        device = self.beside.series.device
        for direction in (0, 1):
            mine = np.flatnonzero(_fits(pairs, up, direction))
            since, who = self.beside.moved(pairs.group[mine], device[pairs.row[mine]], direction)
            fresh = since >= now - pairs.lag[mine]
            row = pairs.row[mine][fresh]
            at[row], witness[row], rule[row] = now, who[fresh], pairs.rule[mine][fresh]

    def _calm(self, rows: Ints, now: int) -> Ints:
        """Others that ought to move too and do not: neighbours if the metric is a field, those of rules."""
        beside, signs = self.beside, self.signs
        quiet = (np.abs(signs.departure) < self.settings.near) & ~self.faulty
        quiet &= (signs.last_at >= now - self.settings.together) & (signs.readings > _LEAST_READINGS)
        calm = np.where(self.traits & Trait.FIELD > 0, beside.others(quiet), 0)
        _add_related(calm, beside.fault.of(rows), _by_group(beside, quiet), quiet)
        return calm

    def _away(self, rows: Ints, pairs: Pairs, rising: Bools, now: int) -> Ints:
        """Others that are away from their baselines in the direction, or where a rule says so."""
        signs, beside = self.signs, self.beside
        gone = (np.abs(signs.departure) >= self.settings.near) & ~self.dead
        gone &= signs.last_at >= now - self.settings.together
        found = np.zeros(len(rising), np.int64)
        for direction in (0, 1):
            same = gone & (rising == direction)
            mine = rows[rising[rows] == direction]
            found[mine] += beside.others(same)[mine]
            fitting = np.flatnonzero(_fits(pairs, rising, direction))
            _add_related(found, pairs.at(fitting), _by_group(beside, same), same)
        return found

    def _restless(self, rows: Ints, pairs: Pairs, now: int) -> Bools:
        """Whether another, of the metric or one that a rule names, takes large steps for the same reason.

        It does if it began before or soon after, a rule's lag being soon, or goes back and forth likewise.
        """
        signs, beside, soon = self.signs, self.beside, self.settings.together
        some = np.flatnonzero(signs.restless(now, soon) & ~self.dead)
        first = beside.first(some, np.where(signs.noisy(), NEVER, signs.rough_from()))
        found = np.zeros(self.began.size, np.bool_)
        found[rows] = first.but(rows, beside.group[rows]) <= self.began[rows] + soon
        related = first.but(pairs.own, pairs.group) <= self.began[pairs.row] + np.maximum(pairs.lag, soon)
        found[pairs.row[related]] = True
        return found


def _fits(pairs: Pairs, up: Bools, direction: int) -> Bools:
    """Whether a move in a direction is what a rule expects beside a series that goes up, or down."""
    fits: Bools = (pairs.sign == _ANY) | ((up[pairs.row] ^ (pairs.sign == 1)) == direction)
    return fits


def _by_group(beside: Neighbours, flag: Bools) -> Ints:
    return np.bincount(beside.group, weights=flag, minlength=beside.groups).astype(np.int64)


def _add_related(total: Ints, pairs: Pairs, counts: Ints, flag: Bools) -> None:
    """Add how many series of the pairs' groups have a flag, those of the same device left out."""
    if len(pairs.row):
        own = np.where(pairs.own >= 0, flag[pairs.own], 0)
        np.add.at(total, pairs.row, counts[pairs.group] - own)
