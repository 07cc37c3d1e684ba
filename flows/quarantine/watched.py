"""The sensors of one lane and what is remembered of them: readings of closed steps in, judgements out.

Sensors that report equally often share a detector; one judge sees all of them, for what one metric shows may
explain another. A sensor is a column from its first reading on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from flows.batches import Floats, Ints
from flows.scores.series import Values
from indicators.calendar import Calendar
from indicators.detector import Detector, Verdicts
from indicators.detector_kinds import Kind
from indicators.detector_settings import DetectorSettings
from indicators.judgements import Judgements
from indicators.neighbours import SensorSeries
from indicators.sensor_or_city import SensorOrCity

_LASTING = (Kind.FLAT_LINE, Kind.SILENCE)
"""What goes on between two readings of a sensor."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What a lane watches with.

    Attributes:
        steps: how often the sensors of each metric report, ms; 0: they are not judged.
        codes: of the metrics, by number.
        low: least valid reading of each metric.
        high: greatest valid reading of each metric.
        calendar: when steps end.
        slot: end of a step, epoch ms -> hour of the week.
        budget: false alarms per 1,000 series and day.
    """

    steps: Ints
    codes: tuple[str, ...]
    low: Floats
    high: Floats
    calendar: Calendar
    slot: Callable[[int], int]
    budget: float


@dataclass
class Columns:
    """Who the columns are: int64[n] sensor key, metric, cell, tile, end of the first step with a reading."""

    device: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    metric: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    cell: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    tile: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    born: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.device)

    def add(self, device: Ints, metric: Ints, cell: Ints, tile: Ints, born: Ints) -> None:
        """Take in further ones."""
        for one, more in zip(fields(self), (device, metric, cell, tile, born), strict=True):
            setattr(self, one.name, np.concatenate((getattr(self, one.name), more)))

    def of_sensor(self, column: int, metrics: Ints, at: int) -> Ints:
        """The columns of a column's sensor in its cell for some metrics, if they were there at an instant."""
        same = (self.device == self.device[column]) & (self.cell == self.cell[column])
        return np.flatnonzero(same & np.isin(self.metric, metrics) & (self.born <= at))

    def state(self) -> tuple[Ints, ...]:
        """Copies of all."""
        return tuple(getattr(self, f.name).copy() for f in fields(self))


@dataclass
class _Group:
    """The sensors that report equally often: their columns, their detector."""

    detector: Detector
    columns: Ints = field(default_factory=lambda: np.empty(0, np.int64))


class WatchedSensors:
    """Detectors and judge of the columns that have had a reading; ``n`` of them."""

    def __init__(self, watching: Watching, columns: Columns) -> None:
        """Nobody has reported; ``columns`` may grow."""
        self.columns = columns
        self.n = 0
        self._to = watching
        self._groups: dict[int, _Group] = {}
        self._judge = SensorOrCity(SensorSeries.none(), watching.codes)
        self._lasting = np.empty(0, np.int8)

    @property
    def nbytes(self) -> int:
        """What the memory of the sensors takes, bytes."""
        judged = sum(array.nbytes for array in self._judge.arrays().values()) if self.n else 0
        return judged + sum(group.detector.state.nbytes for group in self._groups.values())

    def ensure(self, n: int) -> None:
        """Take in columns up to a number of them."""
        if n <= self.n:
            return
        new, steps = np.arange(self.n, n), self._to.steps[self.columns.metric[self.n : n]]
        for step in np.unique(steps).tolist():
            own = new[steps == step]
            group = self._group(step)
            group.columns = np.concatenate((group.columns, own))
            group.detector.extend(len(own))
        self.n = n
        self._lasting = np.concatenate((self._lasting, np.full(len(new), Kind.NORMAL, np.int8)))
        self._judge.arrange(self._series())

    def _group(self, step: int) -> _Group:
        if step not in self._groups:
            settings = DetectorSettings.for_step(step)
            self._groups[step] = _Group(Detector(0, settings, self._to.budget))
        return self._groups[step]

    def _series(self) -> SensorSeries:
        some, metric = self.columns, self.columns.metric[: self.n]
        low, high = self._to.low[metric], self._to.high[metric]
        return SensorSeries(some.device[: self.n], metric, some.tile[: self.n], low, high)

    def advance(self, values: Values) -> list[tuple[int, Judgements]]:
        """Judge the steps that end at each of ``ends``, in their order; what was said at each.

        ``ends`` are all at which any sensor's step ends; columns are numbered in the order of first readings.
        """
        order = np.argsort(values.at, kind="stable")
        cuts = np.searchsorted(values.at[order], np.arange(len(values.ends) + 1))
        due = _Due(self._to.calendar, values.ends)
        told = []
        for i, end in enumerate(values.ends.tolist()):
            rows = order[cuts[i] : cuts[i + 1]]
            self.ensure(int(values.column[rows].max(initial=-1)) + 1)
            readings = np.full(self.n, np.nan)
            readings[values.column[rows]] = values.value[rows]
            judged = self._step(end, readings, due)
            if judged is not None and len(judged):
                told.append((end, judged))
        return told

    def _step(self, end: int, readings: Floats, due: _Due) -> Judgements | None:
        now = np.zeros(self.n, np.bool_)
        verdicts = _nothing(self.n)
        verdicts.kind[:] = self._lasting
        slot = self._to.slot(end - 1)
        for step, group in self._groups.items():
            if due.at(end, step):
                own = group.columns
                now[own] = True
                found = group.detector.update(readings[own], slot)
                for name in (f.name for f in fields(Verdicts)):
                    getattr(verdicts, name)[own] = getattr(found, name)
        if not now.any():
            return None
        self._lasting[now] = np.where(np.isin(verdicts.kind, _LASTING), verdicts.kind, Kind.NORMAL)[now]
        return self._judge.update(readings, verdicts, end, due=now)

    def state(self) -> dict[str, Any]:
        """Everything but who the columns are, as plain copied arrays."""
        return {
            "n": self.n,
            "groups": {
                step: (group.columns.copy(), group.detector.arrays()) for step, group in self._groups.items()
            },
            "judge": self._judge.arrays(),
            "lasting": self._lasting.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``; the columns must be there."""
        self.n, self._groups = state["n"], {}
        for step, (columns, arrays) in state["groups"].items():
            group = self._group(step)
            group.columns = columns.copy()
            group.detector.restore(arrays)
        self._judge = SensorOrCity(self._series(), self._to.codes)
        self._judge.restore(state["judge"])
        self._lasting = state["lasting"].copy()


class _Due:
    """Which steps end when, between the first and the last of some ends."""

    def __init__(self, calendar: Calendar, ends: Ints) -> None:
        self._calendar, self._ends = calendar, ends
        self._by_step: dict[int, set[int]] = {}

    def at(self, end: int, step: int) -> bool:
        """Whether a step of this length ends at an instant."""
        if step not in self._by_step:
            found = self._calendar.ends(int(self._ends[0]) - 1, int(self._ends[-1]), step)
            self._by_step[step] = set(found.tolist())
        return end in self._by_step[step]


def _nothing(n: int) -> Verdicts:
    """What is said of sensors whose step goes on."""
    none: Floats = np.full(n, np.nan)
    score, probability = np.zeros(n, np.float32), np.ones(n, np.float32)
    kind, view = np.full(n, Kind.NORMAL, np.int8), np.full(n, -1, np.int8)
    return Verdicts(score, probability, kind, view, np.zeros(n, np.bool_), none, none.copy(), none.copy())
