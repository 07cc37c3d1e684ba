"""Redis as a sink of the flow: what all its parts share, and the parts for values and alerts.

A part keeps what it has told in memory and in its snapshot, so it can tell changes from repetitions, after a
restart too, and can fill a Redis that lost its data. Commands are idempotent by content: after a crash the
rows since the snapshot are told again and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol
from zlib import adler32

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from alerts.incident import Incident, Step
from alerts.transitions import Transition
from geo.areas import AreaInfo
from sinks.redis_keys import Keys
from sinks.redis_link import Argument, Command, RedisLink
from sinks.redis_scripts import scripts
from sinks.redis_state import Describe, StateCommands, area_entry
from sinks.table_file import ValueFrame

ALERTS_KEPT = 100_000
"""About so many entries of the alert stream are kept."""

_SEEN_S = 8 * 86_400
_DAY_MS = 86_400_000

_SEVERAL = 100
"""Transitions of one script, so that it does not hold the server up."""

Snapshot = bytes | None


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """What the Redis sinks of a run share.

    Attributes:
        url: of the server, see `RedisLink`.
        keys: names of the keys.
        freeze: (name, plain state) -> bytes, where the run keeps snapshots, else None.
        thaw: the way back.
        timed: makes a block whose time is counted under a name.
        patience: seconds to wait for a Redis that is away; None for ever.
        waiting: entered while Redis is waited for, with a word that says for whom.
    """

    url: str
    keys: Keys = field(default_factory=Keys)
    freeze: Callable[[str, Any], bytes] | None = None
    thaw: Callable[[bytes], Any] | None = None
    timed: Callable[[str], AbstractContextManager[Any]] = nullcontext
    patience: float | None = None
    waiting: Callable[[str], AbstractContextManager[Any]] = nullcontext


class Content(Protocol):
    """What one part knows: items -> commands, and all of it again."""

    scripts: Mapping[str, str]

    def commands(self, link: RedisLink, items: list[Any]) -> list[Command]:
        """The commands for some items."""

    def everything(self, link: RedisLink) -> list[Command]:
        """The commands that fill an empty Redis."""

    def state(self) -> Any:  # noqa: ANN401 - plain data
        """Plain copied data."""


class RedisPart(StatefulSinkPartition[Any, Snapshot]):
    """One part: items in, one round trip for all of them."""

    def __init__(self, settings: RedisSettings, name: str, content: Content, run_id: str = "") -> None:
        self._settings, self._name, self._content = settings, name, content
        self._link = RedisLink(
            settings.url,
            content.scripts,
            lambda: content.everything(self._link),
            settings.patience,
            run_id,
            settings.waiting,
        )

    def write_batch(self, values: list[Any]) -> None:
        """Send what the items change; returns when Redis has it."""
        with self._settings.timed("redis"):
            self._link.send(self._content.commands(self._link, values))

    def snapshot(self) -> Snapshot:
        """What has been told, and to which server."""
        if self._settings.freeze is None:
            return None
        state = {"run_id": self._link.run_id, "content": self._content.state()}
        return self._settings.freeze(f"redis-{self._name}", state)

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()


class RedisSink(FixedPartitionedSink[Any, Snapshot]):
    """A sink whose parts are named like the keys that go to them."""

    def __init__(
        self, settings: RedisSettings, parts: Sequence[str], make: Callable[[str, Any], Content]
    ) -> None:
        """``make(part, state or None)`` builds what a part knows."""
        self._settings, self._parts, self._make = settings, sorted(parts), make

    def list_parts(self) -> list[str]:
        """All parts: every process reaches the same Redis."""
        return self._parts

    def part_fn(self, item_key: str) -> int:
        """Every key has its own part, for rows are numbered by key."""
        return self._parts.index(item_key) if item_key in self._parts else adler32(item_key.encode())

    def build_part(self, step_id: str, for_part: str, resume_state: Snapshot) -> RedisPart:
        """A new part, or one that goes on from its snapshot."""
        del step_id
        state = None
        if resume_state and self._settings.thaw is not None:
            state = self._settings.thaw(resume_state)
        content = self._make(for_part, state and state["content"])
        return RedisPart(self._settings, for_part, content, state["run_id"] if state else "")


class ValueContent:
    """The state of cells and areas; the part of the areas also keeps ``yw:areas`` and ``yw:meta``."""

    scripts: Mapping[str, str] = {}

    def __init__(
        self,
        keys: Keys,
        describe: Describe,
        *,
        meta: Mapping[str, str] | None = None,
        known: Iterable[AreaInfo] = (),
        state: Any = None,  # noqa: ANN401 - plain data
    ) -> None:
        """``meta`` and ``known`` areas, given to one part only, are told at its first batch."""
        self._keys, self._meta, self._known = keys, meta, list(known)
        self._told: dict[str, str] = dict(state["told"]) if state else {}
        self._state = StateCommands(keys, describe, state)
        self._begun = False

    def commands(self, link: RedisLink, items: list[ValueFrame]) -> list[Command]:
        """The newest values of the frames, as far as they are new."""
        del link
        before = self._state.latest
        found = self._state.take(items)
        if not self._begun:
            found = self._opening() + found
        for news in (frame.news for frame in items if frame.news is not None):
            self._told = {"catalogue_version": news.version, "catalogue_hash": news.hash}
            if self._meta is not None:
                found.append(("HSET", self._keys.meta, *[x for pair in self._told.items() for x in pair]))
        if self._meta is not None and self._state.latest > before:
            found.append(("HSET", self._keys.meta, "watermark", self._state.latest))
        return found

    def _opening(self) -> list[Command]:
        self._begun = True
        found: list[Command] = []
        if self._known:
            fields = [x for area in self._known for x in (area["id"], area_entry(area))]
            found.append(("HSET", self._keys.areas, *fields))
        if self._meta is not None:
            meta = {**self._meta, **self._told}
            found.append(("HSET", self._keys.meta, *[x for pair in meta.items() for x in pair]))
        return found

    def everything(self, link: RedisLink) -> list[Command]:
        """All newest values."""
        del link
        return self._opening() + self._state.everything()

    def state(self) -> Any:  # noqa: ANN401
        """Plain copied data."""
        return {**self._state.state(), "told": dict(self._told)}


class AlertContent:
    """The stream of transitions, and the live channel."""

    scripts: Mapping[str, str] = scripts("alerts")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def commands(self, link: RedisLink, items: list[list[Transition]]) -> list[Command]:
        """A script for some transitions of one day at a time."""
        by_day: dict[int, list[Argument]] = {}
        for one in chain.from_iterable(items):
            told = by_day.setdefault(one.decided_ts // _DAY_MS, [])
            told += [f"{one.alert_id}:{one.seq}", msgspec.json.encode(one), _live("level", one, one)]
        return [
            link.run("alerts", self._named(day), _SEEN_S, ALERTS_KEPT, *told[i : i + 3 * _SEVERAL])
            for day, told in by_day.items()
            for i in range(0, len(told), 3 * _SEVERAL)
        ]

    def _named(self, day: int) -> list[Argument]:
        return [self._keys.alerts, self._keys.alerts_seen(day), self._keys.live]

    def everything(self, link: RedisLink) -> list[Command]:
        """Nothing: what has passed in a stream has passed."""
        del self, link
        return []

    def state(self) -> None:
        """Nothing is kept."""


class _Live(msgspec.Struct):
    k: str
    i: str
    a: str
    l: int  # noqa: E741 - the contract's name
    p: int
    v: float | None
    t: int


def live_incident(one: Incident, step: Step) -> bytes:
    """The message of ``yw:live`` for a step of an incident."""
    return _live("incident", one, step)


def _live(kind: str, place: Transition | Incident, change: Transition | Step) -> bytes:
    return msgspec.json.encode(
        _Live(
            kind,
            place.indicator,
            place.area,
            change.level,
            change.previous_level,
            change.value,
            change.window_end,
        )
    )
