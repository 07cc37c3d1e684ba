"""One incident as others read it: a line of ``incidents.jsonl``, a hash in Redis."""

from __future__ import annotations

from typing import Literal

import msgspec

from alerts.life_cycle import Action, Status
from alerts.transitions import Change

Alarm = Literal["active", "cleared", "retracted"]
"""Whether the alert of an incident stands, was cleared by its values, or should never have been raised."""

_LEVEL_WEIGHT = 10**13
"""More than any time in ms before the year 2286, so that the level comes first."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of an incident's history: a transition of its alert, or an action of governance.

    ``ts`` is the transition's decided time or the action's own. Of a transition: ``level``,
    ``previous_level``, ``value``, ``threshold``, ``window_end``, ``early``, ``revision``, and ``seq`` within
    its alert. Of an action: ``actor``, ``note``, ``status`` after and ``previous_status`` before it.
    ``due_ms`` is when the work was due after the step.
    """

    ts: int
    change: Change | Action
    level: int = 0
    previous_level: int = 0
    value: float | None = None
    threshold: float | None = None
    window_end: int = 0
    early: bool = False
    revision: int = 0
    seq: int = 0
    actor: str = ""
    note: str | None = None
    status: Status | None = None
    previous_status: Status | None = None
    due_ms: int = 0


class Incident(msgspec.Struct, frozen=True):
    """An incident after its change number ``seq``; times in epoch ms.

    ``window_end``, ``value``, ``threshold``, ``decided_ts`` and ``early`` are those of the alert's last
    transition, ``raised_ts`` is the window end of the first raise, ``peak_level`` the highest level so far,
    ``changed_ts`` the time of the last change of any kind.
    """

    incident_id: str
    seq: int
    status: Status
    alarm: Alarm
    indicator: str
    name_zh: str
    name_en: str
    unit: str
    theme: str
    area: str
    kind: str
    cell: str | None
    district: str
    department: str
    level: int
    peak_level: int
    value: float | None
    threshold: float | None
    raised_ts: int
    window_end: int
    decided_ts: int
    due_ms: int
    changed_ts: int
    early: bool
    alert_ids: tuple[str, ...]
    catalogue_hash: str
    history: tuple[Step, ...]

    @property
    def open(self) -> bool:
        """Whether there is still something to do."""
        return self.status != "closed"

    @property
    def priority(self) -> int:
        """The greater, the more urgent: by level, then by the time it is due."""
        return self.level * _LEVEL_WEIGHT - self.due_ms


def incident_id(alert_id: str) -> str:
    """The id of the incident that an alert opens: ``I`` and the alert's 16 hex digits.

    >>> incident_id("996806b0c75c8376")
    'I996806b0c75c8376'
    """
    return f"I{alert_id}"


def json_line(incident: Incident) -> bytes:
    """One JSON object in UTF-8 with a line end; the same incident gives the same bytes."""
    return msgspec.json.encode(incident) + b"\n"
