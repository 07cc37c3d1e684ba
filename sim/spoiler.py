"""Sensors that err and gateways that dawdle: blocks as they should be → blocks as they are sent.

values ─▶ drift, noise, stuck, error codes ─┐
stamps ─▶ skewed clocks                     ├─▶ less the silent, more the duplicates
arrival ─▶ out of order, kept by a gateway ─┘
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.faults import ERROR_CODE, Fault, FaultPlan
from sim.readings import Block, Readings

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_HOUR = 3_600_000.0

DISORDER_MS = (15_000.0, 120_000.0)
"""Delay of a reading out of order: more than the disorder the engine allows for (R4)."""

_STREAM = 0xFA017
"""Sets the random numbers of faults apart from all others of the same seed."""


class Spoiler:
    """Applies a plan of faults to block after block; remembers what stuck sensors repeat.

    >>> spoiler = Spoiler(FaultPlan.of(Fault.CLOCK, [1], begin=0, end=100, size=-5000.0), devices=2, seed=1)
    >>> block = Block(0, 100, 0, Readings.of([0, 1], [0, 0], [1.0, 2.0], [50, 50]))
    >>> spoiler(block).readings.ts.tolist()
    [50, -4950]
    """

    def __init__(self, plan: FaultPlan, devices: int, seed: int) -> None:
        """``devices``: how many there are in the city; the same ``seed``, the same outcome."""
        self.plan = plan
        self.devices = devices
        self.seed = seed
        self._stuck: dict[tuple[int, int], float] = {}

    def __call__(self, block: Block, /) -> Block:
        """The block as it is sent. Its readings' ``ts`` are true; those that stay keep their order."""
        readings = block.readings
        if not len(self.plan) or not len(readings):
            return block
        rng = np.random.default_rng((self.seed, _STREAM, block.number))
        value, arrival = self._values(readings, rng), self._arrivals(readings, rng)
        sent = replace(readings, value=value, ts=self._clocks(readings), arrival=arrival)
        silent = self._silent(readings, rng)
        again, _ = self._chosen(Fault.DUPLICATES, readings, rng)
        twice = _second_copies(sent.take(again[~silent[again]]), rng)
        return replace(block, readings=Readings.joined([sent.take(~silent), twice]))

    def _values(self, readings: Readings, rng: np.random.Generator) -> Floats:
        value = readings.value.copy()
        rows, fault = self._hits(Fault.DRIFT, readings)
        hours = (readings.ts[rows] - self.plan.begin[fault]) / _HOUR
        value[rows] *= 1.0 + self.plan.size[fault] * hours
        rows, fault = self._hits(Fault.NOISE, readings)
        value[rows] *= 1.0 + self.plan.size[fault] * rng.standard_normal(rows.size)
        rows, fault = self._hits(Fault.STUCK, readings)
        value[rows] = self._held(readings, rows, fault)
        value[self._chosen(Fault.SPIKE, readings, rng)[0]] = ERROR_CODE
        return value

    def _held(self, readings: Readings, rows: Ints, fault: Ints) -> Floats:
        """What stuck sensors repeat: the first value of each fault and metric, also of earlier blocks."""
        key = fault * (1 << 16) + readings.metric[rows]
        keys, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        for number, row in zip(keys.tolist(), first.tolist(), strict=True):
            self._stuck.setdefault(divmod(number, 1 << 16), float(readings.value[rows[row]]))
        held = np.array([self._stuck[divmod(number, 1 << 16)] for number in keys.tolist()], np.float64)
        return held[inverse]

    def _clocks(self, readings: Readings) -> Ints:
        ts = readings.ts.copy()
        rows, fault = self._hits(Fault.CLOCK, readings)
        np.add.at(ts, rows, np.rint(self.plan.size[fault]).astype(np.int64))
        return ts

    def _arrivals(self, readings: Readings, rng: np.random.Generator) -> Ints:
        arrival = readings.arrival.copy()
        rows, _ = self._chosen(Fault.DISORDER, readings, rng)
        low, high = DISORDER_MS
        arrival[rows] += (low + (high - low) * rng.random(rows.size)).astype(np.int64)
        rows, fault = self._hits(Fault.BUFFER, readings)
        # Sent off a thousand times faster than they were measured, so that their order stays.
        arrival[rows] = self.plan.end[fault] + (readings.ts[rows] - self.plan.begin[fault]) // 1000
        return arrival

    def _silent(self, readings: Readings, rng: np.random.Generator) -> NDArray[np.bool_]:
        silent = np.zeros(len(readings), np.bool_)
        silent[self._chosen(Fault.SILENCE, readings, rng)[0]] = True
        return silent

    def _chosen(self, kind: Fault, readings: Readings, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Hits of a kind whose size is the share of readings that suffer, those that do."""
        rows, fault = self._hits(kind, readings)
        chosen = rng.random(rows.size) < self.plan.size[fault]
        return rows[chosen], fault[chosen]

    def _hits(self, kind: Fault, readings: Readings) -> tuple[Ints, Ints]:
        return hits(self.plan, kind, readings, self.devices)


def _second_copies(readings: Readings, rng: np.random.Generator) -> Readings:
    """The readings again, half a second to three seconds later."""
    pause = 500 + (2500 * rng.random(len(readings))).astype(np.int64)
    return replace(readings, arrival=readings.arrival + pause)


def hits(plan: FaultPlan, kind: Fault, readings: Readings, devices: int) -> tuple[Ints, Ints]:
    """Return which readings a kind of fault touches: (rows, positions in ``plan``), int64 [m].

    A reading two faults of the kind touch comes twice.

    >>> plan = FaultPlan.of(Fault.SPIKE, [5, 5], begin=[0, 100], end=[50, 200])
    >>> readings = Readings.of([5, 5, 4], [0, 0, 0], [1, 1, 1], [10, 110, 10])
    >>> rows, fault = hits(plan, Fault.SPIKE, readings, devices=6)
    >>> rows.tolist(), fault.tolist()
    ([0, 1], [0, 1])
    """
    none = np.empty(0, np.int64)
    mine = np.flatnonzero(plan.kind == kind)
    if len(readings):
        mine = mine[(plan.end[mine] > readings.ts.min()) & (plan.begin[mine] <= readings.ts.max())]
    mine = mine[np.argsort(plan.device[mine], kind="stable")]
    if not mine.size or not len(readings):
        return none, none
    faulty = np.zeros(devices, np.bool_)
    faulty[plan.device[mine]] = True
    rows = np.flatnonzero(faulty[readings.device])
    first = np.searchsorted(plan.device[mine], readings.device[rows], side="left")
    last = np.searchsorted(plan.device[mine], readings.device[rows], side="right")
    layers = [
        _layer(plan, readings, rows, mine, first + n, last) for n in range(int((last - first).max(initial=0)))
    ]
    return np.concatenate([none, *(r for r, _ in layers)]), np.concatenate([none, *(f for _, f in layers)])


def _layer(  # noqa: PLR0913, PLR0917 - the n-th fault of every device at once
    plan: FaultPlan, readings: Readings, rows: Ints, mine: Ints, at: Ints, last: Ints
) -> tuple[Ints, Ints]:
    there = at < last
    rows, fault = rows[there], mine[at[there]]
    ts, metric = readings.ts[rows], plan.metric[fault]
    touched = (plan.begin[fault] <= ts) & (ts < plan.end[fault])
    touched &= (metric < 0) | (metric == readings.metric[rows])
    return rows[touched], fault[touched]
