"""Faulty sensors in Redis: a hash of those that stand, for whoever repairs them or draws a map."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import msgspec

from alerts.sensor_faults import SensorFault
from sinks.redis_keys import Keys
from sinks.redis_link import Command, RedisLink

_DECODE = msgspec.json.Decoder(list[SensorFault]).decode


class FaultContent:
    """What the part for faults knows: those that stand, by id."""

    scripts: Mapping[str, str] = {}

    def __init__(self, keys: Keys, state: bytes | None = None) -> None:
        self._keys = keys
        self._standing = {one.fault_id: one for one in (_DECODE(state) if state else [])}

    def commands(self, link: RedisLink, items: list[list[SensorFault]]) -> list[Command]:
        """The fields of faults that stand now, and those of others removed."""
        del link
        last = {one.fault_id: one for one in chain.from_iterable(items)}
        found: list[Command] = []
        for name, one in last.items():
            if one.transition == "raised":
                self._standing[name] = one
                found.append(("HSET", self._keys.quarantine, name, msgspec.json.encode(one)))
            else:
                self._standing.pop(name, None)
                found.append(("HDEL", self._keys.quarantine, name))
        return found

    def everything(self, link: RedisLink) -> list[Command]:
        """All that stand again."""
        del link
        return [
            ("HSET", self._keys.quarantine, name, msgspec.json.encode(one))
            for name, one in self._standing.items()
        ]

    def state(self) -> Any:  # noqa: ANN401
        """What stands, as JSON."""
        return msgspec.json.encode(list(self._standing.values()))
