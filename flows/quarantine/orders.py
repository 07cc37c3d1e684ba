"""Judgements → what is to be done about them: orders for the shards, lines for operators, alerts.

A fault is a fault from its event time on, as far back as readings are kept for it. Readings of a silent
sensor are never kept apart: there is nothing wrong with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from alerts.anomalies import digits
from alerts.incident import incident_id
from alerts.sensor_faults import INDICATOR, FaultName, SensorFault, fault_id
from alerts.transitions import Transition, alert_id
from flows.city import City
from flows.pieces import Orders
from flows.quarantine.apart import Apart, Order
from flows.quarantine.watched import Columns
from flows.stages.sensor_readings import steps_of
from indicators.cross_checks import CrossChecks
from indicators.judgements import NAMES_EN, NAMES_ZH, FaultKind, Judgements, What
from indicators.store import HOLD_PERIODS

_KINDS: dict[int, FaultName] = {
    FaultKind.STUCK: "stuck",
    FaultKind.SILENT: "silent",
    FaultKind.SPIKE: "spike",
    FaultKind.DRIFT: "drift",
    FaultKind.NOISE: "noise",
}

LEVEL = 1
"""Of the alerts of faults."""


@dataclass(slots=True)
class Found:
    """What judgements lead to."""

    orders: list[Order] = field(default_factory=list)
    faults: list[SensorFault] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)

    def all_orders(self) -> Orders | None:
        """The orders as columns, None where there are none."""
        if not self.orders:
            return None
        return Orders(*np.array(self.orders, np.int64).T)


@dataclass(frozen=True, slots=True)
class Names:
    """Of each column the id of its sensor, and the department that the registry names for it, or none."""

    sensor: list[str]
    owner: list[str]


class Standing:
    """The faults that stand, by column, and whose readings are kept apart for them."""

    def __init__(self, city: City) -> None:
        """No sensor is faulty."""
        self._city = city
        self._metrics = city.beginning.metrics
        self._checks = CrossChecks.load()
        self.open: dict[int, tuple[SensorFault, Transition]] = {}
        self.apart = Apart()

    def take(self, told: list[tuple[int, Judgements]], columns: Columns, names: Names) -> Found:
        """Take judgements in the order of their steps."""
        found = Found()
        for at, judged in told:
            for i in np.flatnonzero(judged.what == What.FAULT).tolist():
                column = int(judged.series[i])
                if judged.lifted[i]:
                    self._lift(at, judged, i, columns, found)
                else:
                    self._raise(at, judged, i, (columns, names.sensor[column], names.owner[column]), found)
        return found

    def _raise(
        self, at: int, judged: Judgements, i: int, who: tuple[Columns, str, str], found: Found
    ) -> None:
        columns, name, owner = who
        column, kind = int(judged.series[i]), int(judged.kind[i])
        metric, cell = int(columns.metric[column]), int(columns.cell[column])
        code, text = self._metrics.metrics[metric].code, self._city.grid.text(np.array([cell]))[0]
        apart = kind != FaultKind.SILENT
        begin, along = int(judged.since[i]) - 1, tuple[str, ...]()
        if apart:
            begin, along = self._keep(at, column, int(judged.since[i]), columns, found)
        alert = alert_id(f"{INDICATOR}.{code}", f"{name}@{text}", at)
        fault = SensorFault(
            fault_id=fault_id(name, code, text, at),
            seq=0,
            transition="raised",
            sensor=name,
            metric=code,
            cell=text,
            fault=_KINDS[kind],
            name_zh=NAMES_ZH[FaultKind(kind)],
            name_en=NAMES_EN[FaultKind(kind)],
            since=begin,
            until=None,
            quarantined=apart,
            decided_ts=at,
            neighbours=int(judged.neighbours[i]),
            calm=int(judged.calm[i]),
            rule=self._checks.rules[int(judged.rule[i])].id if judged.rule[i] >= 0 else None,
            measure=digits(float(judged.measure[i])),
            incident_id=incident_id(alert),
            department=owner,
            along=along,
            catalogue_hash=self._city.beginning.catalogue.hash,
        )
        move = _alert(alert, fault)
        self.open[column] = fault, move
        found.faults.append(fault)
        found.transitions.append(move)

    def _keep(
        self, at: int, column: int, since: int, columns: Columns, found: Found
    ) -> tuple[int, tuple[str, ...]]:
        """Keep the readings of a sensor apart: after which instant, and which metrics along with its own."""
        metric, codes = int(columns.metric[column]), self._metrics.metrics
        beside = [self._metrics.index[code] for code in self._checks.beside(codes[metric].code)]
        own = columns.of_sensor(column, np.array(beside), at).tolist()
        together = {one: self._lead(int(columns.metric[one])) for one in own}
        begin, orders = self.apart.add(column, together, self._reach(at, metric, since), at, columns)
        found.orders += orders
        return begin, tuple(codes[columns.metric[one]].code for one in together if one != column)

    def _lead(self, metric: int) -> int:
        """By how much earlier readings of a metric have to go, for their last one speaks on, ms."""
        code = self._metrics.metrics[metric].code
        return HOLD_PERIODS * steps_of(self._city)[code] if code in self._checks.held else 0

    def _lift(self, at: int, judged: Judgements, i: int, columns: Columns, found: Found) -> None:
        column = int(judged.series[i])
        fault, move = self.open.pop(column)
        metric = int(columns.metric[column])
        end = max(self._reach(at, metric, int(judged.until[i])), fault.since)
        none = judged.until[i] <= judged.since[i]
        step = "retracted" if none else "cleared"
        found.faults.append(
            msgspec.structs.replace(
                fault,
                seq=1,
                transition=step,
                until=end,
                decided_ts=at,
                measure=digits(float(judged.measure[i])),
            )
        )
        found.transitions.append(
            msgspec.structs.replace(
                move, seq=1, transition=step, level=0, previous_level=LEVEL, window_end=at, decided_ts=at
            )
        )
        if fault.quarantined:
            found.orders += self.apart.remove(column, end, at, columns)

    def _reach(self, at: int, metric: int, since: int) -> int:
        """The end of the last step before an instant, no earlier than readings may be taken back."""
        step = steps_of(self._city)[self._metrics.metrics[metric].code]
        within = int(self._metrics.revise_within_ms[metric])
        ends = self._city.calendar.ends(max(since - 1, at - within) - step, max(since - 1, at - within), step)
        return int(ends[-1])

    def state(self) -> dict[str, Any]:
        """Plain data."""
        return {"open": dict(self.open), "apart": self.apart.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self.open = dict(state["open"])
        self.apart.restore(state["apart"])


def _alert(alert: str, fault: SensorFault) -> Transition:
    return Transition(
        alert_id=alert,
        seq=0,
        transition="raised",
        indicator=f"{INDICATOR}.{fault.metric}",
        area=fault.cell,
        kind="cell",
        cell=fault.cell,
        level=LEVEL,
        previous_level=0,
        value=fault.measure,
        threshold=None,
        window_end=fault.decided_ts,
        decided_ts=fault.decided_ts,
        early=False,
        revision=0,
        catalogue_hash=fault.catalogue_hash,
        owner=fault.department,
    )
