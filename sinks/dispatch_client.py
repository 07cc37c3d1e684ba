"""The dispatch queue as a department's program sees it: take, extend, acknowledge, report.

An entry belongs to whoever took it until the lease is over; then another may take it. What was taken too
often without success is laid aside as dead. Everything is done by Redis commands and scripts anybody may
use: ``docs/dispatch.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, Self

import msgspec

from alerts.life_cycle import Action
from sinks.redis_keys import Keys
from sinks.redis_link import Command, RedisLink, Reply
from sinks.redis_scripts import scripts

GROUP = "work"
"""The consumer group of those who do the work."""

BACKLOG = "backlog"
"""The name in a group under which entries wait in the order of their urgency."""

FEEDBACK_KEPT = 100_000
_LISTED = 1_000


class Entry(msgspec.Struct, frozen=True):
    """One entry of the queue; ``deliveries`` counts how often it was taken, ``payload`` is JSON."""

    entry_id: str
    district: str
    deliveries: int
    incident_id: str
    transition_id: str
    revision: int
    level: int
    theme: str
    indicator: str
    cell: str
    area: str
    department: str
    due_ms: int
    payload: msgspec.Raw


class Listed(msgspec.Struct, frozen=True):
    """An entry and who has it: ``taker`` is empty while it waits, ``idle_ms`` since it was taken."""

    entry: Entry
    state: Literal["waiting", "taken", "dead"]
    taker: str
    idle_ms: int


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """Feedback as it goes over the wire (C-2.1)."""

    incident_id: str
    action: Action
    actor: str
    ts: int
    note: str | None = None


def wall_clock() -> int:
    """Epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class DispatchClient:
    """One taker.

    Args:
        url: of Redis, see `RedisLink`.
        taker: a name of one's own; two programs with one name are one taker.
        group: takers of one group share the entries, each group has all of them.
        lease_ms: how long an entry belongs to its taker.
        most_deliveries: an entry taken this often without success is dead.
        keys: names of the keys.
        clock: tells the time of feedback, epoch ms.
        patience: seconds to wait for a Redis that is away; None for ever.
    """

    url: str
    taker: str
    group: str = GROUP
    lease_ms: int = 300_000
    most_deliveries: int = 5
    keys: Keys = field(default_factory=Keys)
    clock: Callable[[], int] = wall_clock
    patience: float | None = 10.0
    _link: RedisLink = field(init=False, repr=False)
    _turn: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.taker in {"", BACKLOG}:
            raise ValueError(f"a taker needs a name of its own, found {self.taker!r}")
        self._link = RedisLink(self.url, scripts("take", "ack"), patience=self.patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; what was taken stays taken until its lease is over."""
        self._link.close()

    def districts(self) -> list[str]:
        """The districts that have a queue, sorted."""
        (names,) = self._link.send([("SMEMBERS", self.keys.queues)])
        return sorted(name.decode() for name in names)

    def take(
        self, districts: Sequence[str] | None = None, count: int = 1, *, report: bool = True
    ) -> list[Entry]:
        """Take up to ``count`` entries, in each district the most urgent first; report them as dispatched.

        ``districts``: by default all. Each call begins with another district, so that none starves.
        """
        wanted = list(districts) if districts is not None else self.districts()
        if not wanted:
            return []
        self._turn += 1
        found: list[Entry] = []
        for i in range(len(wanted)):
            if len(found) < count:
                found += self._take(wanted[(self._turn + i) % len(wanted)], count - len(found), report)
        return found

    def _take(self, district: str, count: int, report: bool) -> list[Entry]:  # noqa: FBT001 - as given
        keys = [self.keys.stream(district), self.keys.waiting(district, self.group), self.keys.dead]
        command = self._link.run(
            "take",
            [*keys, self.keys.feedback],
            *(self.group, self.taker, count, self.lease_ms, self.most_deliveries, district),
            *(self.keys.incident(""), self.clock() if report else "", FEEDBACK_KEPT),
        )
        (taken,) = self._link.send([command])
        return [_entry(name.decode(), district, deliveries, fields) for name, deliveries, fields in taken]

    def extend(self, entries: Iterable[Entry]) -> None:
        """Begin the leases anew of what this taker still has."""
        self._link.send(
            [
                (
                    *("XCLAIM", self.keys.stream(one.district), self.group, self.taker, 0, one.entry_id),
                    "JUSTID",
                )
                for one in entries
            ]
        )

    def ack(self, entry: Entry, note: str | None = None, *, report: bool = True) -> bool:
        """Acknowledge an entry: nobody will be given it again. False if somebody had done so before."""
        return self.ack_all([entry], note, report=report)[0]

    def ack_all(
        self, entries: Sequence[Entry], note: str | None = None, *, report: bool = True
    ) -> list[bool]:
        """The same for several entries, in one round trip."""
        return [bool(done) for done in self._link.send([self._ack(one, note, report) for one in entries])]

    def _ack(self, entry: Entry, note: str | None, report: bool) -> Command:  # noqa: FBT001 - as given
        told = b""
        if report:
            record = Record(entry.incident_id, "acknowledge", self.taker, self.clock(), note)
            told = msgspec.json.encode(record)
        keys = [self.keys.stream(entry.district), self.keys.feedback]
        return self._link.run("ack", keys, self.group, entry.entry_id, told, FEEDBACK_KEPT)

    def act(self, action: Action, incident_id: str, note: str | None = None) -> None:
        """Report what was done about an incident."""
        record = msgspec.json.encode(Record(incident_id, action, self.taker, self.clock(), note))
        self._link.send([("XADD", self.keys.feedback, "MAXLEN", "~", FEEDBACK_KEPT, "*", "payload", record)])

    def incident(self, incident_id: str) -> dict[str, str]:
        """The hash of an incident, empty if there is none."""
        (flat,) = self._link.send([("HGETALL", self.keys.incident(incident_id))])
        texts = [text.decode() for text in flat]
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def open_incidents(self, count: int = 100) -> list[str]:
        """Ids of open incidents, the most urgent first."""
        (names,) = self._link.send([("ZREVRANGE", self.keys.open, 0, count - 1)])
        return [name.decode() for name in names]

    def entry(self, district: str, entry_id: str) -> Entry | None:
        """One entry by its id."""
        (found,) = self._link.send([("XRANGE", self.keys.stream(district), entry_id, entry_id)])
        return _entry(entry_id, district, 0, found[0][1]) if found else None

    def listed(self, districts: Sequence[str] | None = None, count: int = _LISTED) -> list[Listed]:
        """Entries not yet acknowledged, the most urgent first: at most ``count`` of each district."""
        wanted = list(districts) if districts is not None else self.districts()
        found = [one for district in wanted for one in islice(self._listed(district, count), count)]
        return sorted(found, key=lambda one: (-one.entry.level, one.entry.due_ms, one.entry.entry_id))

    def _listed(self, district: str, count: int) -> Iterator[Listed]:
        stream = self.keys.stream(district)
        groups = self._groups(stream)
        last = groups.get(self.group.encode(), b"0-0")
        pending: list[Any] = []
        if self.group.encode() in groups:
            (pending,) = self._link.send([("XPENDING", stream, self.group, "-", "+", count)])
        reads: list[Command] = [("XRANGE", stream, one[0], one[0]) for one in pending]
        *owned, fresh = self._link.send([*reads, ("XRANGE", stream, b"(" + last, "+", "COUNT", count)])
        for (name, owner, idle, deliveries), entries in zip(pending, owned, strict=True):
            waits = owner.decode() == BACKLOG
            for _, fields in entries:
                entry = _entry(name.decode(), district, 0 if waits else deliveries, fields)
                yield Listed(entry, *(("waiting", "", 0) if waits else ("taken", owner.decode(), idle)))
        for name, fields in fresh:
            yield Listed(_entry(name.decode(), district, 0, fields), "waiting", "", 0)

    def _groups(self, stream: str) -> dict[bytes, bytes]:
        """Group -> the entry it was given last."""
        (there,) = self._link.send([("EXISTS", stream)])
        groups = self._link.send([("XINFO", "GROUPS", stream)])[0] if there else []
        return {about["name"]: about["last-delivered-id"] for about in map(_pairs, groups)}

    def dead(self, count: int = _LISTED) -> list[Listed]:
        """Entries laid aside, the latest first."""
        (found,) = self._link.send([("XREVRANGE", self.keys.dead, "+", "-", "COUNT", count)])
        out = []
        for _, flat in found:
            about = {name: value.decode() for name, value in _pairs(flat).items()}
            entry = _entry(about["entry"], about["district"], int(about["deliveries"]), flat)
            out.append(Listed(entry, "dead", about["taker"], 0))
        return out


def _pairs(flat: list[Any]) -> dict[str, Any]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _entry(name: str, district: str, deliveries: int, flat: Reply) -> Entry:
    found = {key: value.decode() for key, value in _pairs(flat).items()}
    return Entry(
        entry_id=name,
        district=district,
        deliveries=deliveries,
        incident_id=found["incident_id"],
        transition_id=found["transition_id"],
        revision=int(found["revision"]),
        level=int(found["level"]),
        theme=found["theme"],
        indicator=found["indicator"],
        cell=found["cell"],
        area=found["area"],
        department=found["department"],
        due_ms=int(found["due_ms"]),
        payload=msgspec.Raw(found["payload"].encode()),
    )
