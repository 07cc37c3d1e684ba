"""Early judgement of a lane: new readings of the early indicators, by second of event time (R9)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.thresholds import Thresholds
from flows.batches import Ints
from flows.pieces import BEFORE, EarlyValues
from flows.recovery.snapshots import narrow, wide
from flows.stages.intake import Key
from flows.stages.parked import ParkedReadings
from flows.stages.publisher import Early
from indicators.early import EarlyReadings, Limits
from indicators.indicator import Indicator
from indicators.plan import IndicatorPlan, Plan
from indicators.shard import Shard
from indicators.store import REFERENCE_HOLD
from indicators.tolerance import le

Held = Callable[[Ints, Ints], NDArray[np.bool_]]
"""(series, times) of readings of one metric -> which of them do not count."""


def _none(_metric: int) -> Held | None:
    """All readings count."""
    return None


class EarlyJudge:
    """Judges ``readings`` as far as the lane's senders have come."""

    def __init__(self, plan: Plan, shard: Shard, mildest: Callable[[Indicator], float] | None = None) -> None:
        """Nothing judged yet; ``mildest`` tells at which value an indicator may have a level anywhere."""
        self.shard = shard
        self.mildest = mildest or Thresholds().mildest
        self.done = BEFORE
        self.held: Callable[[int], Held | None] = _none
        self.readings: dict[Key, EarlyReadings] = {}
        for indicator in (p for p in plan.indicators if p.indicator.early):
            self._enrol(plan, indicator)

    def _enrol(self, plan: Plan, indicator: IndicatorPlan) -> None:
        limits: dict[str, EarlyReadings] = {}
        for code in indicator.metrics:
            number = plan.metrics.index[code]
            reference = plan.metrics.metrics[number].reference
            readings = EarlyReadings(
                indicator, code, plan.kind(number).scale, REFERENCE_HOLD if reference else 0
            )
            self.readings[indicator.indicator.id, number] = readings
            if reference:
                limits[code] = readings
            else:
                readings.limits = Limits(limits, partial(self._link, code))

    def _link(self, code: str, reference: str, series: Ints) -> Ints:
        """The series of a reference that belong to the same sensors and cells, -1 for none."""
        own, other = self.shard.universe((code, reference)).position
        row = np.full(self.shard.store(code).n, -1, np.int64)
        row[own[own >= 0]] = other[own >= 0]
        return row[series]

    def judge(self, until: int) -> dict[int, Early]:
        """The values of all seconds up to an instant that are high enough for a level, by indicator."""
        found: dict[int, Early] = {}
        for (_, metric), readings in self.readings.items():
            held = self.held(metric)
            if held is not None:
                readings.leave_out(held, until)
            values = readings.judge(self.done, until)
            if values is None:
                continue
            indicator = readings.plan.indicator
            lowest = self.mildest(indicator)
            high = le(lowest, values.value) if indicator.high_bad else le(values.value, lowest)
            if not high.any():
                continue
            cells = self.shard.stores[metric].cell[values.series[high]]
            order = np.argsort(values.grid[high], kind="stable")
            early = Early(values.grid[high][order], cells[order], values.value[high][order])
            found[readings.plan.index] = _merged(found.get(readings.plan.index), early)
        self.done = max(self.done, until)
        return found

    def areas(self, found: dict[int, Early]) -> list[EarlyValues]:
        """The same for the areas above the cells."""
        parts = []
        for index, early in found.items():
            areas = self.shard.cells.areas[early.row]
            for kind in range(4):
                inside = areas[:, kind] >= 0
                count = int(inside.sum())
                parts.append(
                    EarlyValues(
                        np.full(count, index),
                        early.grid[inside],
                        np.full(count, kind + 1),
                        areas[inside, kind],
                        areas[inside, 2],
                        early.value[inside],
                    )
                )
        return parts

    def take_over(self, other: EarlyJudge, parked: ParkedReadings) -> None:
        """Go on from where another judge stopped, with the readings it has for the same indicators.

        What it has not listened for is looked up: when a change was told must not show.
        """
        self.done, self.held = other.done, other.held
        for key, readings in self.readings.items():
            known = other.readings.get(key)
            if known is not None and known.reach == readings.reach:
                readings.restore(known.state())
            else:
                self._recall(key[1], readings, parked)

    def _recall(self, metric: int, readings: EarlyReadings, parked: ParkedReadings) -> None:
        """Readings that may still count: those of the shard came before ``done``, the others are parked."""
        ring, first = self.shard.stores[metric].ring, self.done - readings.reach
        series, ts, value = ring.packed(*ring.number(np.array([first, self.done])).tolist())
        near = ts > first
        readings.add(series[near], ts[near], value[near], ts[near])
        rows = parked.of(metric)
        if rows is not None:
            series, ts, value, _, grid = rows
            readings.add(series, ts, value, grid)

    def state(self) -> dict[str, Any]:
        """Plain data."""
        return {"done": self.done, "readings": {key: _narrow(r.state()) for key, r in self.readings.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self.done = state["done"]
        for key, readings in self.readings.items():
            readings.restore(_wide(state["readings"][key]))


def _narrow(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "rows": [narrow(row) for row in state["rows"]]}


def _wide(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "rows": np.stack([wide(row) for row in state["rows"]])}


def merged_values(old: dict[int, Early], new: dict[int, Early]) -> dict[int, Early]:
    """The values of two spans of time, the later one second."""
    both = {**old, **new}
    return {index: _merged(old.get(index), new[index]) if index in new else both[index] for index in both}


def _merged(old: Early | None, new: Early) -> Early:
    if old is None:
        return new
    grid = np.concatenate((old.grid, new.grid))
    order = np.argsort(grid, kind="stable")
    row = np.concatenate((old.row, new.row))[order]
    return Early(grid[order], row, np.concatenate((old.value, new.value))[order])
