"""Incidents, the work that alerts make: (book, transitions and feedback) → (book, incidents that changed).

For now an incident is one alert of one area. People move its ``status`` along its life cycle; the engine says
in ``alarm`` whether the alert behind it still stands. The two never wait for each other: what an incident is
in the end depends on the order of its transitions and on the order of its actions, not on their mixture.

>>> from alerts.transitions import RawTransition, publish
>>> raw = RawTransition("gas.leak_lel_max", 0, 60_000, 1, "raised", 2, 0, 12.3, 10.0, 60_000, 70_000)
>>> book = IncidentBook()
>>> one = book.take([publish(raw, "420106", "district", None, "5f3c")])[0]
>>> one.incident_id == "I" + one.alert_ids[0], one.status, one.alarm
(True, 'raised', 'active')
>>> book.act(Act(one.incident_id, "arrive", "武昌消防", 80_000)).status
'arrived'
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from alerts.desk import Desk, Papers
from alerts.incident import Alarm, Incident, Step, incident_id
from alerts.life_cycle import RETURNS, Action, Status, after
from alerts.transitions import Transition

MOST_STEPS = 500
"""Transitions, and actions, that an incident's history keeps at most: the latest."""

MOST_NOTE = 2_000
"""Characters kept of a note."""

_VERSION = 2


class Act(msgspec.Struct, frozen=True):
    """What somebody did about an incident (C-2.1); ``ts`` in epoch ms."""

    incident_id: str
    action: Action
    actor: str
    ts: int
    note: str | None = None


class _Record(msgspec.Struct):
    """What is kept of one incident."""

    alert: Transition
    raised_ts: int
    opened: int
    peak_level: int
    transitions: list[Step]
    actions: list[Step]
    acted: int = 0
    status: Status = "raised"
    edition: int = 0


class IncidentBook:
    """All incidents by id, as they are after the transitions and actions taken so far."""

    def __init__(self, state: dict[str, Any] | None = None, desk: Desk | None = None) -> None:
        """A book as ``state()`` gave it, or an empty one; ``desk`` files its alerts.

        Raises:
            ValueError: the state is of another version.
            msgspec.ValidationError: the state is no state.
        """
        if state is not None and state.get("version") != _VERSION:
            raise ValueError(
                f"incident state has version {state.get('version')}, not {_VERSION}; "
                f"restore it with the engine that wrote it",
            )
        self._desks = {0: desk or Desk()}
        records = {} if state is None else state["records"]
        self._records = msgspec.convert(records, dict[str, _Record])

    def hire(self, edition: int, desk: Desk) -> None:
        """Have the alerts of an edition of the catalogue filed by a desk of its own."""
        self._desks[edition] = desk

    def desk(self, edition: int) -> Desk:
        """The desk of an edition, or of the last one before that had its own."""
        return self._desks[max(number for number in self._desks if number <= edition)]

    def take(self, transitions: Iterable[Transition], edition: int = 0) -> list[Incident]:
        """The incidents as each transition leaves them, in order; one taken before changes nothing.

        All transitions are of one ``edition`` of the catalogue.
        """
        transitions = list(transitions)
        self.desk(edition).look_up(transitions)
        changed = []
        for transition in transitions:
            name = incident_id(transition.alert_id)
            record = self._records.get(name)
            if record is None:
                record = self._records[name] = _opened(transition)
            elif transition.seq > record.alert.seq:
                _follow(record, transition)
            else:
                continue
            record.edition = edition
            changed.append(self._shown(name, record))
        return changed

    def opened(self, name: str) -> int | None:
        """When an incident was first decided, None if there is no such incident."""
        record = self._records.get(name)
        return None if record is None else record.opened

    def act(self, act: Act) -> Incident | None:
        """The incident as an action leaves it; None where the action is illegal, and changes nothing."""
        record = self._records.get(act.incident_id)
        status = None if record is None else after(record.status, act.action)
        if record is None or status is None:
            return None
        step = Step(
            ts=act.ts,
            change=act.action,
            actor=act.actor,
            note=act.note and act.note[:MOST_NOTE],
            status=status,
            previous_status=record.status,
        )
        record.status = status
        record.acted += 1
        record.actions = [*record.actions, step][-MOST_STEPS:]
        return self._shown(act.incident_id, record)

    @property
    def active(self) -> list[Incident]:
        """Those whose alert stands, oldest first."""
        shown = (self._shown(name, r) for name, r in self._records.items() if _alarm(r.alert) == "active")
        return sorted(shown, key=lambda one: (one.raised_ts, one.incident_id))

    def trim(self, before_ms: int) -> None:
        """Forget incidents whose alert does not stand and that last changed before ``before_ms``."""
        self._records = {
            name: record
            for name, record in self._records.items()
            if _alarm(record.alert) == "active" or _changed(record) >= before_ms
        }

    def state(self) -> dict[str, Any]:
        """Everything as plain data, by incident id."""
        ordered = dict(sorted(self._records.items()))
        return {"version": _VERSION, "records": msgspec.to_builtins(ordered)}

    def _shown(self, name: str, record: _Record) -> Incident:
        alert = record.alert
        papers = self.desk(record.edition).papers(alert)
        history = _dated(_merged(record.transitions, record.actions), papers)
        return Incident(
            incident_id=name,
            seq=alert.seq + record.acted,
            status=record.status,
            alarm=_alarm(alert),
            indicator=alert.indicator,
            name_zh=papers.name_zh,
            name_en=papers.name_en,
            unit=papers.unit,
            theme=papers.subject.theme,
            area=alert.area,
            kind=alert.kind,
            cell=alert.cell,
            district=papers.subject.district,
            department=papers.department,
            level=alert.level,
            peak_level=record.peak_level,
            value=alert.value,
            threshold=alert.threshold,
            raised_ts=record.raised_ts,
            window_end=alert.window_end,
            decided_ts=alert.decided_ts,
            due_ms=history[-1].due_ms,
            changed_ts=_changed(record),
            early=alert.early,
            alert_ids=(alert.alert_id,),
            catalogue_hash=alert.catalogue_hash,
            history=tuple(history),
        )


def _dated(steps: list[Step], papers: Papers) -> list[Step]:
    """Steps with their due times.

    A raise to a new level may shorten the time; what comes back to the queue has all of it again.
    """
    due, level, dated = 0, 1, []
    for step in steps:
        if step.change in {"raised", "escalated"}:
            level = step.level
            time = papers.due(level, step.ts)
            due = min(due, time) if due else time
        elif step.change in RETURNS:
            due = papers.due(level, step.ts)
        dated.append(step if step.due_ms == due else msgspec.structs.replace(step, due_ms=due))
    return dated


def _opened(transition: Transition) -> _Record:
    return _Record(
        alert=transition,
        raised_ts=transition.window_end,
        opened=transition.decided_ts,
        peak_level=max(transition.level, transition.previous_level),
        transitions=[_step(transition)],
        actions=[],
    )


def _follow(record: _Record, transition: Transition) -> None:
    record.alert = transition
    record.peak_level = max(record.peak_level, transition.level, transition.previous_level)
    record.transitions = [*record.transitions, _step(transition)][-MOST_STEPS:]


def _step(transition: Transition) -> Step:
    return Step(
        ts=transition.decided_ts,
        change=transition.transition,
        level=transition.level,
        previous_level=transition.previous_level,
        value=transition.value,
        threshold=transition.threshold,
        window_end=transition.window_end,
        early=transition.early,
        revision=transition.revision,
        seq=transition.seq,
    )


def _merged(transitions: list[Step], actions: list[Step]) -> list[Step]:
    """Both by time, each in its own order; a transition before an action of the same time."""
    if not actions:
        return transitions
    placed = [(at, 0, i, step) for i, (at, step) in enumerate(_timed(transitions))]
    placed += [(at, 1, i, step) for i, (at, step) in enumerate(_timed(actions))]
    return [step for *_, step in sorted(placed, key=lambda one: one[:3])]


def _timed(steps: list[Step]) -> Iterable[tuple[int, Step]]:
    """Each with the latest time so far: a clock that runs back does not change the order of a list."""
    latest = 0
    for step in steps:
        latest = max(latest, step.ts)
        yield latest, step


def _changed(record: _Record) -> int:
    return max(record.alert.decided_ts, *(step.ts for step in record.actions[-1:]), 0)


def _alarm(transition: Transition) -> Alarm:
    if transition.transition == "retracted":
        return "retracted"
    return "active" if transition.level else "cleared"
