"""Incidents, the work that alerts make: (book, transitions) → (book, incidents that changed).

For now an incident is one alert of one area. People move its ``status`` along its life cycle; the engine says
in ``alarm`` whether the alert behind it still stands.

>>> from alerts.transitions import RawTransition, publish
>>> raw = RawTransition("gas.leak_lel_max", 0, 60_000, 1, "raised", 2, 0, 12.3, 10.0, 60_000, 70_000)
>>> book = IncidentBook()
>>> one = book.take([publish(raw, "420106", "district", None, "5f3c")])[0]
>>> one.incident_id == "I" + one.alert_ids[0], one.status, one.alarm
(True, 'raised', 'active')
"""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from alerts.transitions import Transition

Alarm = Literal["active", "cleared", "retracted"]
"""Whether the alert of an incident stands, was cleared by its values, or should never have been raised."""

_VERSION = 1


class Incident(msgspec.Struct, frozen=True):
    """One line of ``incidents.jsonl``: an incident after its change number ``seq``; times in epoch ms.

    ``window_end``, ``value`` and ``threshold`` are those of the change, ``raised_ts`` is the window end of
    the first raise, ``peak_level`` the highest level so far.
    """

    incident_id: str
    seq: int
    status: Literal["raised"]
    alarm: Alarm
    indicator: str
    area: str
    kind: str
    cell: str | None
    level: int
    peak_level: int
    value: float | None
    threshold: float | None
    raised_ts: int
    window_end: int
    decided_ts: int
    early: bool
    alert_ids: tuple[str, ...]
    catalogue_hash: str


def incident_id(alert_id: str) -> str:
    """The id of the incident that an alert opens: ``I`` and the alert's 16 hex digits.

    >>> incident_id("996806b0c75c8376")
    'I996806b0c75c8376'
    """
    return f"I{alert_id}"


class IncidentBook:
    """All incidents by id, as they are after the transitions taken so far."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        """A book as ``state()`` gave it, or an empty one.

        Raises:
            ValueError: the state is of another version.
            msgspec.ValidationError: the state is no state.
        """
        if state is not None and state.get("version") != _VERSION:
            raise ValueError(
                f"incident state has version {state.get('version')}, not {_VERSION}; "
                f"restore it with the engine that wrote it",
            )
        records = [] if state is None else state["incidents"]
        self._incidents = {one.incident_id: one for one in msgspec.convert(records, list[Incident])}

    def take(self, transitions: Iterable[Transition]) -> list[Incident]:
        """The incidents as each transition leaves them, in order; one taken before changes nothing."""
        changed = []
        for transition in transitions:
            name = incident_id(transition.alert_id)
            known = self._incidents.get(name)
            if known is None or transition.seq > known.seq:
                self._incidents[name] = _after(known, transition)
                changed.append(self._incidents[name])
        return changed

    @property
    def active(self) -> list[Incident]:
        """Those whose alert stands, oldest first."""
        standing = (one for one in self._incidents.values() if one.alarm == "active")
        return sorted(standing, key=lambda one: (one.raised_ts, one.incident_id))

    def trim(self, before_ms: int) -> None:
        """Forget incidents whose alert does not stand and that last changed before ``before_ms``."""
        self._incidents = {
            name: one
            for name, one in self._incidents.items()
            if one.alarm == "active" or one.decided_ts >= before_ms
        }

    def state(self) -> dict[str, Any]:
        """Everything as plain data, by incident id."""
        ordered = sorted(self._incidents.values(), key=lambda one: one.incident_id)
        return {"version": _VERSION, "incidents": msgspec.to_builtins(ordered)}


def json_line(incident: Incident) -> bytes:
    """One JSON object in UTF-8 with a line end; the same incident gives the same bytes."""
    return msgspec.json.encode(incident) + b"\n"


def _after(known: Incident | None, transition: Transition) -> Incident:
    return Incident(
        incident_id=incident_id(transition.alert_id),
        seq=transition.seq,
        status="raised",
        alarm=_alarm(transition),
        indicator=transition.indicator,
        area=transition.area,
        kind=transition.kind,
        cell=transition.cell,
        level=transition.level,
        peak_level=max(transition.level, transition.previous_level, known.peak_level if known else 0),
        value=transition.value,
        threshold=transition.threshold,
        raised_ts=known.raised_ts if known else transition.window_end,
        window_end=transition.window_end,
        decided_ts=transition.decided_ts,
        early=transition.early,
        alert_ids=(transition.alert_id,),
        catalogue_hash=transition.catalogue_hash,
    )


def _alarm(transition: Transition) -> Alarm:
    if transition.transition == "retracted":
        return "retracted"
    return "active" if transition.level else "cleared"
