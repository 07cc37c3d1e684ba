"""Anomalies in Redis: a stream of what becomes of them, and the live channel."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import msgspec

from alerts.anomalies import Anomaly
from sinks.redis_keys import Keys
from sinks.redis_link import Argument, Command, RedisLink
from sinks.redis_scripts import scripts

KEPT = 100_000
"""About so many entries of the stream are kept."""

_SEEN_S = 8 * 86_400
_DAY_MS = 86_400_000

_SEVERAL = 100
"""Entries of one script, so that it does not hold the server up."""


class _Live(msgspec.Struct):
    k: str
    i: str
    a: str
    x: str
    n: str
    s: float
    v: float | None
    t: int


class AnomalyContent:
    """What the part for anomalies knows: nothing, for what has passed in a stream has passed."""

    scripts: Mapping[str, str] = scripts("alerts")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def commands(self, link: RedisLink, items: list[list[Anomaly]]) -> list[Command]:
        """A script for some lines of one day at a time; each comes into the stream once."""
        by_day: dict[int, list[Argument]] = {}
        for one in chain.from_iterable(items):
            told = by_day.setdefault(one.window_end // _DAY_MS, [])
            told += [f"{one.anomaly_id}:{one.seq}", msgspec.json.encode(one), live_anomaly(one)]
        return [
            link.run("alerts", self._named(day), _SEEN_S, KEPT, *told[i : i + 3 * _SEVERAL])
            for day, told in by_day.items()
            for i in range(0, len(told), 3 * _SEVERAL)
        ]

    def _named(self, day: int) -> list[Argument]:
        return [self._keys.anomalies, self._keys.anomalies_seen(day), self._keys.live]

    def everything(self, link: RedisLink) -> list[Command]:
        """Nothing."""
        del self, link
        return []

    def state(self) -> None:
        """Nothing is kept."""


def live_anomaly(one: Anomaly) -> bytes:
    """The message of ``yw:live``."""
    return msgspec.json.encode(
        _Live(
            "anomaly",
            one.indicator,
            one.area,
            one.transition,
            one.anomaly,
            one.score,
            one.value,
            one.window_end,
        )
    )
