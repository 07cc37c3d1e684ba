"""An incident -> the entries it puts into the dispatch queue of its district (C-2.3).

Every transition of its alert is an entry, also those that say that work may stop; and so is everything that
sends it back to the queue. An entry is what its step says, whenever it is made: same id, same content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import get_args

import msgspec

from alerts.incident import Incident, Step
from alerts.life_cycle import RETURNS, Status
from alerts.transitions import Change

_TRANSITIONS = frozenset(get_args(Change))
_TAKEN_UP: frozenset[str] = frozenset({"acknowledge", "arrive", "resolve", "verify", "close"})


class Payload(msgspec.Struct, frozen=True):
    """What a taker needs to know besides the fields of the entry; JSON in its field ``payload``."""

    change: str
    name_zh: str
    name_en: str
    unit: str
    kind: str
    district: str
    level: int
    previous_level: int
    value: float | None
    threshold: float | None
    window_end: int
    decided_ts: int
    raised_ts: int
    early: bool
    revision: int
    status: Status | None
    actor: str
    note: str | None


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One entry before Redis gives it a revision."""

    transition_id: str
    step: Step
    fields: dict[str, str | int | bytes]


def transition_id(incident_id: str, change: str, before: object, to: object, ts: int) -> str:
    """First 16 hex digits of blake2b over ``incident_id|transition|from|to|decided event time``.

    >>> transition_id("I996806b0c75c8376", "raised", 0, 2, 1_700_000_000_000)
    '9104967c43eac214'
    """
    return blake2b(f"{incident_id}|{change}|{before}|{to}|{ts}".encode()).hexdigest()[:16]


def entries(incident: Incident) -> Iterator[QueueEntry]:
    """All entries of an incident's history, in order."""
    level = 0
    for step in incident.history:
        if step.change in _TRANSITIONS:
            level = step.level
            yield _entry(incident, step, level, step.previous_level, step.level)
        elif step.change in RETURNS and step.status is not None and step.status != step.previous_status:
            yield _entry(incident, step, level, step.previous_status, step.status)


def unfinished(incident: Incident) -> Iterable[QueueEntry]:
    """The entries that nobody has taken up: those after the last acknowledgement or later action."""
    taken_up = [i for i, step in enumerate(incident.history) if step.change in _TAKEN_UP]
    fresh = set(map(id, incident.history[taken_up[-1] + 1 if taken_up else 0 :]))
    return [entry for entry in entries(incident) if id(entry.step) in fresh]


def _entry(incident: Incident, step: Step, level: int, before: object, to: object) -> QueueEntry:
    name = transition_id(incident.incident_id, step.change, before, to, step.ts)
    fields: dict[str, str | int | bytes] = {
        "incident_id": incident.incident_id,
        "level": level,
        "theme": incident.theme,
        "indicator": incident.indicator,
        "cell": incident.cell or "",
        "area": incident.area,
        "department": incident.department,
        "due_ms": step.due_ms,
        "payload": msgspec.json.encode(_payload(incident, step, level)),
    }
    return QueueEntry(name, step, fields)


def _payload(incident: Incident, step: Step, level: int) -> Payload:
    return Payload(
        change=step.change,
        name_zh=incident.name_zh,
        name_en=incident.name_en,
        unit=incident.unit,
        kind=incident.kind,
        district=incident.district,
        level=level,
        previous_level=step.previous_level,
        value=step.value,
        threshold=step.threshold,
        window_end=step.window_end,
        decided_ts=step.ts,
        raised_ts=incident.raised_ts,
        early=step.early,
        revision=step.revision,
        status=step.status,
        actor=step.actor,
        note=step.note,
    )
