"""Incidents -> Redis: their hashes, the open ones by priority, and the dispatch queues (C-2.3).

What is open is kept in memory and in the snapshot, so that a Redis that lost its data is given the open
incidents again, with the entries nobody has taken up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec

from alerts.incident import Incident
from sinks.dispatch_entries import QueueEntry, entries, unfinished
from sinks.redis_keys import Keys
from sinks.redis_link import Argument, Command, RedisLink
from sinks.redis_parts import live_incident
from sinks.redis_scripts import scripts

KEPT_MS = 7 * 86_400_000
"""Closed incidents, incidents that are over, and finished entries are forgotten after this long."""

_HOUR = 3_600_000
_DECODE = msgspec.json.Decoder(list[Incident]).decode


class IncidentContent:
    """What the incident part knows: all incidents that are not over for long."""

    scripts: Mapping[str, str] = scripts("entry", "tidy")

    def __init__(self, keys: Keys, state: Any = None) -> None:  # noqa: ANN401 - plain data
        self._keys = keys
        known = _DECODE(state["known"]) if state else []
        self._known = {one.incident_id: one for one in known}
        self._sent = {one.incident_id: _names(one) for one in known}
        self._latest: int = state["latest"] if state else 0
        self._tidied: int = state["tidied"] if state else 0

    def commands(self, link: RedisLink, items: list[list[Incident]]) -> list[Command]:
        """The hashes of changed incidents as they are now, then new entries in the order of the changes."""
        changes = list(chain.from_iterable(items))
        now = {one.incident_id: one for one in changes}
        found = [command for one in now.values() for command in self._hash(one)]
        found += [command for one in changes for command in self._entries(link, one)]
        self._known |= now
        self._latest = max([self._latest, *(one.changed_ts for one in now.values())])
        return [*found, *self._tidy(link)]

    def everything(self, link: RedisLink) -> list[Command]:
        """All open incidents again, and the entries that nobody has taken up."""
        found: list[Command] = []
        still = (one for one in self._known.values() if one.open)
        for one in sorted(still, key=lambda one: (one.raised_ts, one.incident_id)):
            found += self._hash(one)
            rest = unfinished(one)
            done = [entry for entry in entries(one) if entry.transition_id not in _ids(rest)]
            if done:
                marks = [x for entry in done for x in (f"entry:{entry.transition_id}", "")]
                key = self._keys.incident(one.incident_id)
                found += [("HSETNX", key, "revision", len(done)), ("HSET", key, *marks)]
            found += [self._entry(link, one, entry) for entry in rest]
        return found

    def state(self) -> Any:  # noqa: ANN401
        """Plain data; the incidents as JSON."""
        known = msgspec.json.encode(list(self._known.values()))
        return {"version": 1, "known": known, "latest": self._latest, "tidied": self._tidied}

    def _hash(self, one: Incident) -> Iterator[Command]:
        key = self._keys.incident(one.incident_id)
        yield ("HSET", key, *_fields(one))
        if one.open:
            yield ("ZADD", self._keys.open, one.priority, one.incident_id)
            if one.history[-1].previous_status == "closed":
                yield ("PERSIST", key)
        else:
            yield ("ZREM", self._keys.open, one.incident_id)
            yield ("EXPIRE", key, KEPT_MS // 1000)

    def _entries(self, link: RedisLink, one: Incident) -> Iterator[Command]:
        sent = self._sent.setdefault(one.incident_id, set())
        for entry in entries(one):
            if entry.transition_id not in sent:
                sent.add(entry.transition_id)
                yield self._entry(link, one, entry)

    def _entry(self, link: RedisLink, one: Incident, entry: QueueEntry) -> Command:
        keys = [
            self._keys.incident(one.incident_id),
            self._keys.stream(one.district),
            self._keys.queues,
            self._keys.live,
        ]
        fields: Iterable[Argument] = chain.from_iterable(entry.fields.items())
        return link.run(
            "entry", keys, entry.transition_id, one.district, live_incident(one, entry.step), *fields
        )

    def _tidy(self, link: RedisLink) -> Iterator[Command]:
        """Once an hour of event time, let go of what is over."""
        if self._latest - self._tidied < _HOUR:
            return
        self._tidied, before = self._latest, self._latest - KEPT_MS
        over = [one for one in self._known.values() if one.changed_ts < before and _is_over(one)]
        for one in over:
            del self._known[one.incident_id], self._sent[one.incident_id]
            yield ("ZREM", self._keys.open, one.incident_id)
            yield ("EXPIRE", self._keys.incident(one.incident_id), KEPT_MS // 1000)
        for district in sorted({one.district for one in self._known.values()}):
            yield link.run("tidy", [self._keys.stream(district)], KEPT_MS)


def _is_over(one: Incident) -> bool:
    return one.alarm != "active" or not one.open


def _fields(one: Incident) -> list[Argument]:
    """The hash: plain fields as they are, ``evidence`` and ``history`` as JSON."""
    plain = msgspec.structs.asdict(one)
    history, alerts = plain.pop("history"), plain.pop("alert_ids")
    fields: list[Argument] = []
    for name, value in plain.items():
        fields += [name, _text(value)]
    evidence = {name: plain[name] for name in _EVIDENCE}
    return [
        *fields,
        *("alert_ids", ",".join(alerts), "priority", one.priority),
        *("evidence", msgspec.json.encode(evidence), "history", msgspec.json.encode(history)),
    ]


_EVIDENCE = (
    *("indicator", "name_zh", "name_en", "unit", "area", "kind", "cell", "level", "peak_level", "value"),
    *("threshold", "raised_ts", "window_end", "decided_ts", "early", "catalogue_hash"),
)


def _text(value: str | float | bool | None) -> Argument:  # noqa: FBT001 - a value, no switch
    if isinstance(value, bool):
        return int(value)
    return "" if value is None else value


def _names(one: Incident) -> set[str]:
    return _ids(entries(one))


def _ids(found: Iterable[QueueEntry]) -> set[str]:
    return {entry.transition_id for entry in found}
