"""What the demo shows, as it stands now: Redis and the engine's metrics → one `DemoState`.

Everything is read as a dashboard would read it: by the keys of the Redis contract and the page of metrics.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

import msgspec

from indicators.indicator import Indicator
from sinks.dispatch_client import DispatchClient, Listed
from sinks.redis_keys import Keys
from sinks.redis_link import Command, RedisAwayError, RedisLink, Reply

WORST = 15
OPEN = 18
_SAMPLE = re.compile(r"^(yiwang_\w+?)(?:\{([^}]*)\})? ([0-9.eE+-]+)$")
_COUNTED = ("yiwang_readings_total", "yiwang_rejected_total", "yiwang_duplicates_total", "yiwang_late_total")


class Value(msgspec.Struct, frozen=True):
    """The newest value of an indicator in an area, as Redis has it (C-2.3)."""

    v: float | None = None
    l: int = 0  # noqa: E741 - the contract's name
    t: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A value and where it is."""

    indicator: str
    area: str
    value: Value


@dataclass(slots=True)
class DemoState:
    """One look at the running demo; ``watermark`` is the city's time, epoch ms, 0 before any."""

    watermark: int = 0
    counts: dict[str, float] = field(default_factory=dict)
    rate: float = 0.0
    lag: float = 0.0
    city: list[Place] = field(default_factory=list)
    districts: dict[str, list[int]] = field(default_factory=dict)
    cells: list[Place] = field(default_factory=list)
    incidents: list[dict[str, str]] = field(default_factory=list)
    open: int = 0
    queue: list[Listed] = field(default_factory=list)


@dataclass(slots=True)
class Watcher:
    """Looks at the demo again and again.

    Args:
        redis: URL of the server, None where there is none.
        metrics: URL of the engine's metrics.
        indicators: those of the catalogue.
        names: area → name.
        city: id of the city's area.
    """

    redis: str | None
    metrics: str
    indicators: Sequence[Indicator]
    names: Mapping[str, str]
    city: str
    keys: Keys = field(default_factory=Keys)
    _link: RedisLink | None = field(default=None, init=False)
    _client: DispatchClient | None = field(default=None, init=False)
    _before: tuple[float, float] | None = field(default=None, init=False)
    _rate: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Connect when first asked."""
        if self.redis is not None:
            self._link = RedisLink(self.redis, patience=2.0)
            self._client = DispatchClient(self.redis, "view", patience=2.0)

    def close(self) -> None:
        """Let go of the connections."""
        if self._link is not None:
            self._link.close()
        if self._client is not None:
            self._client.close()

    def watermark(self) -> int:
        """The city's time now, epoch ms."""
        found = self._send([("HGET", self.keys.meta, "watermark")])
        return int(found[0]) if found and found[0] else 0

    def look(self) -> DemoState:
        """The state now; what cannot be reached for a moment is left out."""
        state = DemoState(counts=self._counts())
        self._measure(state)
        try:
            self._mirror(state)
        except RedisAwayError:
            return state
        return state

    def _send(self, commands: Sequence[Command]) -> list[Reply]:
        return [] if self._link is None else self._link.send(commands)

    def _counts(self) -> dict[str, float]:
        try:
            with urllib.request.urlopen(self.metrics, timeout=2) as page:  # noqa: S310 - our own engine
                return samples(page.read().decode())
        except OSError:
            return {}

    def _measure(self, state: DemoState) -> None:
        now, total = monotonic(), state.counts.get("yiwang_readings_total", 0.0)
        if self._before is not None and now > self._before[0]:
            recent = max(total - self._before[1], 0.0) / (now - self._before[0])
            self._rate = recent if not self._rate else 0.7 * self._rate + 0.3 * recent
        self._before = now, total
        state.rate, state.lag = self._rate, state.counts.get("yiwang_watermark_lag_seconds", 0.0)

    def _mirror(self, state: DemoState) -> None:
        if self._client is None:
            return
        state.watermark = self.watermark()
        state.city = sorted(self._area(self.city), key=lambda place: -place.value.l)
        districts = [name for name in self.names if len(name) == len(self.city) and name != self.city]
        for name in districts:
            levels = [0] * 5
            for place in self._area(name):
                levels[place.value.l] += 1
            state.districts[name] = levels
        state.cells = self._worst()
        ids = self._client.open_incidents(OPEN)
        state.incidents = [self._client.incident(name) for name in ids]
        (total,) = self._send([("ZCARD", self.keys.open)])
        state.open = int(total)
        state.queue = self._client.listed()

    def _area(self, area: str) -> list[Place]:
        (flat,) = self._send([("HGETALL", self.keys.area(area))])
        return [
            Place(name.decode(), area, msgspec.json.decode(value, type=Value))
            for name, value in zip(flat[::2], flat[1::2], strict=True)
        ]

    def _worst(self) -> list[Place]:
        """The cells with the highest levels, one or two of every indicator."""
        own = [i for i in self.indicators if i.lowest == "cell"]
        ranked = self._send(
            [("ZREVRANGE" if i.high_bad else "ZRANGE", self.keys.rank(i.id), 0, 1) for i in own]
        )
        pairs = [(i.id, cell.decode()) for i, cells in zip(own, ranked, strict=True) for cell in cells]
        values = self._send([("HGET", self.keys.cell(cell), name) for name, cell in pairs])
        found = [
            Place(name, cell, msgspec.json.decode(value, type=Value))
            for (name, cell), value in zip(pairs, values, strict=True)
            if value is not None
        ]
        return sorted((p for p in found if p.value.l), key=lambda p: (-p.value.l, p.indicator))[:WORST]


def samples(page: str) -> dict[str, float]:
    r"""The metrics of a page that the demo needs, summed over their labels.

    >>> samples('yiwang_late_total 2.0\nyiwang_rejected_total{reason="bad_json"} 3.0')
    {'yiwang_late_total': 2.0, 'yiwang_rejected_total': 3.0}
    """
    found: dict[str, float] = {}
    for line in page.splitlines():
        match = _SAMPLE.match(line)
        if match and (match[1] in _COUNTED or match[1] == "yiwang_watermark_lag_seconds"):
            found[match[1]] = found.get(match[1], 0.0) + float(match[3])
    return found
