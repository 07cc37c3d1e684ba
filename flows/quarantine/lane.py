"""One lane that judges sensors: the pieces of its shard lane in, orders for all shard lanes out.

    readings in time ─▶ last one of each step ─▶ detectors ─▶ sensor or city? ─┬▶ orders: what counts
                                                                              └▶ faults, alerts

Only sensors that the registry places are judged: what moves is silent wherever it is not. What comes late
changes no judgement. Steps are judged in their order, as far as all senders have come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alerts.sensor_faults import SensorFault
from alerts.transitions import Transition
from flows.batches import Floats, Ints, NewSeries, ReadingBatch
from flows.city import City
from flows.pieces import BEFORE, Clock, Clocks, OrdersPiece, ShardPiece
from flows.quarantine.orders import Names, Standing
from flows.quarantine.watched import Columns, WatchedSensors, Watching
from flows.scores.journal import Journal
from flows.scores.series import Values
from flows.scores.settings import ScoreSettings
from flows.stages.parked import ParkedReadings
from flows.stages.sensor_readings import steps_of
from indicators.key_table import KeyTable

_UNSEEN = -1

Pending = tuple[Ints, Ints, Floats]
"""Sensors, times, values of readings whose steps go on."""


@dataclass(slots=True)
class Judged:
    """What a lane has to say: orders for all shard lanes, lines about faults, their alerts."""

    piece: OrdersPiece
    faults: list[SensorFault] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)


class SensorLane:
    """The logic of one lane, free of the engine."""

    def __init__(
        self,
        city: City,
        sender: str,
        sources: Sequence[str],
        settings: ScoreSettings,
        *,
        journal: bool = False,
    ) -> None:
        """Nobody is known; waits for all ``sources``. With a ``journal`` the memory can be recovered."""
        self.city, self.sender = city, sender
        self.clocks = Clocks(sources)
        self.watching = _watching(city, settings)
        self.columns = Columns()
        self.sensors = WatchedSensors(self.watching, self.columns)
        self.journal = Journal(self.sensors) if journal else None
        self.standing = Standing(city)
        self.last: int | None = None
        self._known = KeyTable(np.int64, np.int64, np.int64)
        self._name: list[bytes] = []
        self._owner: list[bytes] = []
        self._fixed = np.empty(0, np.bool_)
        self._column = np.empty(0, np.int64)
        self._series: dict[tuple[str, int], tuple[Ints, Ints]] = {}
        self._parked = ParkedReadings()
        self._pending: list[Pending] = []

    def take(self, pieces: Iterable[ShardPiece]) -> Judged:
        """Take pieces in order of arrival; judge as far as the clocks allow."""
        for piece in pieces:
            source = piece.sender, piece.partition
            if piece.new is not None:
                self._enrol(source, piece.new)
            if piece.batch is not None and len(piece.batch):
                self._park(source, piece.batch)
            self.clocks.hear(piece.sender, piece.clock)
        clock = self.clocks.least
        values = None
        if clock.maximum != BEFORE:
            values = self._due(min(clock.watermark, clock.limit))
        if values is None:
            return Judged(OrdersPiece(self.sender, clock))
        if self.journal is not None:
            self.journal.note(values)
        found = self.standing.take(self.sensors.advance(values), self.columns, self._names())
        return Judged(OrdersPiece(self.sender, clock, found.all_orders()), found.faults, found.transitions)

    # -- arrival -------------------------------------------------------------------------------------

    def _enrol(self, source: tuple[str, int], new: NewSeries) -> None:
        number = self._known.number(new.metric.astype(np.int64), new.sensor_key, new.cell)
        more = len(self._known) - len(self._fixed)
        if more > 0:
            self._fixed = np.concatenate((self._fixed, np.zeros(more, np.bool_)))
            self._column = np.concatenate((self._column, np.full(more, _UNSEEN)))
            self._name += [b""] * more
            self._owner += [b""] * more
        self._fixed[number] |= new.placed & (new.metric >= 0)
        for at, name, owner in zip(number.tolist(), new.name.tolist(), new.owner.tolist(), strict=True):
            self._name[at], self._owner[at] = name or self._name[at], owner
        metric, known = self._series.get(source, (np.empty(0, np.int64), np.empty(0, np.int64)))
        grown = int(new.index.max(initial=-1)) + 1 - len(metric)
        if grown > 0:
            metric = np.concatenate((metric, np.full(grown, -1, np.int64)))
            known = np.concatenate((known, np.zeros(grown, np.int64)))
        metric[new.index], known[new.index] = new.metric, number
        self._series[source] = metric, known

    def _park(self, source: tuple[str, int], batch: ReadingBatch) -> None:
        metrics, numbers = self._series[source]
        metric, known = metrics[batch.series], numbers[batch.series]
        plan, origin = self.city.beginning, self.city.calendar.slice_origin
        length = plan.slice_ms[metric]
        in_time = batch.effective <= origin - (origin - batch.ts) // np.maximum(length, 1) * length
        wanted = in_time & (metric >= 0) & (self.watching.steps[metric] > 0) & self._fixed[known]
        rows = np.flatnonzero(wanted)
        columns = known[rows], batch.ts[rows], batch.value[rows], batch.effective[rows]
        self._parked.add(metric[rows].astype(np.int16), columns, np.zeros(len(rows), np.bool_))

    # -- steps ---------------------------------------------------------------------------------------

    def _due(self, until: int) -> Values | None:
        """The last reading of every step that has ended by an instant, of every sensor; None: no step has."""
        for metric, (who, at, whole, _) in self._parked.take(until):
            self._pending.append((who, at, whole / self.city.beginning.kind(metric).scale))
        if not self._pending and self.last is None:
            return None
        known, ts = (
            np.concatenate([np.empty(0, np.int64), *(part[i] for part in self._pending)]) for i in (0, 1)
        )
        value: Floats = np.concatenate([np.empty(0), *(part[2] for part in self._pending)])
        after = self.last if self.last is not None else int(ts.min()) - 1
        end = self._ends_of(known, ts, after, until)
        ready = end >= 0
        left: Pending = known[~ready], ts[~ready], value[~ready]
        self._pending = [left] if len(left[0]) else []
        steps = np.unique(self.watching.steps[self.watching.steps > 0])
        parts = [self.city.calendar.ends(after, until, step) for step in steps.tolist()]
        ends = np.unique(np.concatenate([np.empty(0, np.int64), *parts]))
        if not len(ends):
            return None
        self.last = int(ends[-1])
        rows = _last_rows(known[ready], end[ready], ts[ready])
        known, end, value = known[ready][rows], end[ready][rows], value[ready][rows]
        return Values(ends, np.searchsorted(ends, end), self._columns(known, end), value)

    def _ends_of(self, known: Ints, ts: Ints, after: int, until: int) -> Ints:
        """The end of the step each reading lies in, -1 where that is later than ``until``."""
        out = np.full(len(ts), -1, np.int64)
        step = self.watching.steps[self._known.column(0)[known]] if len(known) else known
        for one in np.unique(step).tolist():
            own = np.flatnonzero(step == one)
            ends = self.city.calendar.ends(after, until, one)
            place = np.searchsorted(ends, ts[own])
            inside = place < len(ends)
            out[own[inside]] = ends[place[inside]]
        return out

    def _columns(self, known: Ints, end: Ints) -> Ints:
        """The columns of sensors; those without one get theirs in the order of their first readings."""
        new = np.flatnonzero(self._column[known] == _UNSEEN)
        if len(new):
            metric, device, cell = (self._known.column(i)[known[new]] for i in range(3))
            order = np.lexsort((cell, device, metric, end[new]))
            _, first = np.unique(known[new][order], return_index=True)
            order = order[np.sort(first)]
            fresh, born = known[new][order], end[new][order]
            self._column[fresh] = len(self.columns) + np.arange(len(fresh))
            metric, device, cell = (self._known.column(i)[fresh] for i in range(3))
            self.columns.add(device, metric, cell, self.city.grid.tile(cell), born)
        found: Ints = self._column[known]
        return found

    def _names(self) -> Names:
        """The ids of the sensors, and their owners, by column."""
        seen = np.flatnonzero(self._column != _UNSEEN)
        order = seen[np.argsort(self._column[seen])].tolist()
        return Names([self._name[at].decode() for at in order], [self._owner[at].decode() for at in order])

    # -- snapshots -----------------------------------------------------------------------------------

    def journals(self) -> dict[int, Journal]:
        """What goes to the cold store."""
        return {} if self.journal is None else {0: self.journal}

    def turn(self) -> None:
        """Before a snapshot: let the journal lay out what is to be written."""
        if self.journal is not None:
            self.journal.turn()

    def state(self) -> dict[str, Any]:
        """The hot part as plain copied data; the memory of the sensors is in the journal."""
        known = self._known.columns()
        return {
            "clocks": {name: (c.maximum, c.limit) for name, c in self.clocks.by_sender.items()},
            "known": tuple(column.copy() for column in known),
            "name": list(self._name),
            "owner": list(self._owner),
            "fixed": self._fixed.copy(),
            "column": self._column.copy(),
            "columns": self.columns.state(),
            "series": {source: (m.copy(), n.copy()) for source, (m, n) in self._series.items()},
            "parked": self._parked.state(),
            "pending": list(self._pending),
            "last": self.last,
            "standing": self.standing.state(),
            "blobs": 0 if self.journal is None else len(self.journal.kept),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``; `recover` brings the memory there, once the journal is filled."""
        for name, (maximum, limit) in state["clocks"].items():
            if name in self.clocks.by_sender:
                self.clocks.hear(name, Clock(maximum, limit))
        self._known.put(*state["known"])
        self._name, self._fixed = list(state["name"]), state["fixed"].copy()
        self._owner = list(state["owner"])
        self._column = state["column"].copy()
        self.columns.add(*state["columns"])
        self._series = {source: (m.copy(), n.copy()) for source, (m, n) in state["series"].items()}
        self._parked.restore(state["parked"])
        self._pending, self.last = list(state["pending"]), state["last"]
        self.standing.restore(state["standing"])

    def recover(self) -> None:
        """Bring the memory to where it was."""
        if self.journal is not None:
            self.journal.recover(0)


def _last_rows(known: Ints, end: Ints, ts: Ints) -> Ints:
    """The rows of the last reading of each sensor in each step."""
    order = np.lexsort((ts, known, end))
    last = np.ones(len(order), np.bool_)
    last[:-1] = (np.diff(known[order]) != 0) | (np.diff(end[order]) != 0)
    return order[last]


def _watching(city: City, settings: ScoreSettings) -> Watching:
    metrics = city.beginning.metrics
    steps = np.zeros(len(metrics.metrics), np.int64)
    for code, step in steps_of(city).items():
        steps[metrics.index[code]] = step
    codes = tuple(metric.code for metric in metrics.metrics)
    slot = settings.clock(city.calendar.tz).at
    return Watching(steps, codes, metrics.low, metrics.high, city.calendar, slot, settings.budget)
