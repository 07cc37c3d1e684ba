"""The dispatch queues as gauges: asked of Redis when scraped, for what takers do the engine does not see.

scrape ─▶ one script per district ─▶ entries nobody has acknowledged, and since when
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from sinks.dispatch_client import GROUP
from sinks.prometheus import Family, Sample
from sinks.redis_keys import Keys
from sinks.redis_link import RedisAwayError, RedisError, RedisLink
from sinks.redis_scripts import scripts

PATIENCE = 1.0
"""Seconds to wait for a Redis that is away: a scrape waits ten at most."""


@dataclass(slots=True)
class DispatchQueues:
    """What a scrape gets of the queues of one Redis; nothing while Redis is away.

    Attributes:
        url: of the Redis.
        keys: its key names.
        group: the takers' group whose acknowledgements count.
        wall: the machine's time, seconds.
    """

    url: str
    keys: Keys = field(default_factory=Keys)
    group: str = GROUP
    wall: Callable[[], float] = time.time
    _link: RedisLink | None = field(default=None, init=False, repr=False)
    _asked: Lock = field(default_factory=Lock, init=False, repr=False)

    def families(self) -> Iterator[Family]:
        """Entries not acknowledged, and the age of the oldest, by district."""
        try:
            # One connection for all scrapes, of which there may be several at a time.
            with self._asked:
                if self._link is None:
                    self._link = RedisLink(self.url, scripts("pending"), patience=PATIENCE)
                rows = self._rows(self._link)
        except (RedisAwayError, RedisError):
            return
        yield Family(
            "yiwang_dispatch_pending",
            "gauge",
            "Entries of a district's queue that nobody has acknowledged.",
            ("district",),
            [Sample((district,), count) for district, count, _ in rows],
        )
        yield Family(
            "yiwang_dispatch_oldest_seconds",
            "gauge",
            "How long the oldest of them has been there, 0 for none.",
            ("district",),
            [Sample((district,), age) for district, _, age in rows],
        )

    def close(self) -> None:
        """Let go of the connection; the next scrape makes another."""
        with self._asked:
            if self._link is not None:
                self._link.close()
                self._link = None

    def _rows(self, link: RedisLink) -> list[tuple[str, int, float]]:
        (found,) = link.send([("SMEMBERS", self.keys.queues)])
        districts = sorted(name.decode() for name in found)
        streams = [self.keys.stream(district) for district in districts]
        replies = link.send([link.run("pending", [stream], self.group) for stream in streams])
        return [
            (district, given + left, self._age(oldest))
            for district, (given, left, oldest) in zip(districts, replies, strict=True)
        ]

    def _age(self, entry: bytes) -> float:
        """Seconds since an entry was added: its id begins with the server's time in ms."""
        return max(self.wall() - int(entry.split(b"-")[0]) / 1000, 0.0) if entry else 0.0
