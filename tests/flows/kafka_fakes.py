"""A broker in memory: partitions that grow, lose their past, vanish; and its one consumer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sinks.kafka_types import KafkaAwayError, Message, Place, Topic, Trouble


@dataclass(frozen=True, slots=True)
class FakeMessage:
    """A message as the library gives it."""

    place: Place
    at: int
    content: bytes
    head: tuple[tuple[str, bytes], ...] = ()

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes:
        return self.content

    def headers(self) -> Any:
        return list(self.head) or None

    def timestamp(self) -> tuple[int, int]:
        return 0, 0


@dataclass(slots=True)
class FakeKafka:
    """Topics and the one consumer of them."""

    logs: dict[Place, list[FakeMessage]] = field(default_factory=dict)
    low: dict[Place, int] = field(default_factory=dict)
    away: bool = False
    positions: dict[Place, int] = field(default_factory=dict)
    paused: set[Place] = field(default_factory=set)
    committed: dict[Place, int] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    ended: dict[Place, int] = field(default_factory=dict)

    def put(self, place: Place, *contents: bytes | str | dict[str, Any], head: Any = ()) -> None:
        """Append messages."""
        log = self.logs.setdefault(place, [])
        for one in contents:
            text = json.dumps(one) if isinstance(one, dict) else one
            content = text.encode() if isinstance(text, str) else text
            log.append(FakeMessage(place, len(log), content, tuple(head)))

    def forget(self, place: Place, before: int) -> None:
        """Delete the messages before an offset, as retention does."""
        self.low[place] = before

    # -- as a consumer -------------------------------------------------------------------------------

    def assign(self, offsets: Mapping[Place, int]) -> None:
        self.positions, self.paused = dict(offsets), set()

    def pause(self, places: Sequence[Place]) -> None:
        self.paused |= set(places)

    def resume(self, places: Sequence[Place]) -> None:
        self.paused -= set(places)

    def read(self, number: int, seconds: float = 0.0) -> list[Message]:
        del seconds
        found: list[Message] = []
        for place, position in self.positions.items():
            if self.away or place in self.paused or place not in self.logs:
                continue
            if position < self.low.get(place, 0):
                self.troubles.append(Trouble("out_of_range", place, "Broker: Offset out of range"))
                continue
            new = self.logs[place][position : position + number - len(found)]
            self.positions[place] = position + len(new)
            found += new
        return found

    def range(self, place: Place, *, cached: bool = False) -> tuple[int, int]:
        if self.away and not cached:
            raise KafkaAwayError("the fake is away")
        return self.low.get(place, 0), len(self.logs[place])

    def commit(self, offsets: Mapping[Place, int]) -> None:
        self.committed |= offsets

    def close(self) -> None:
        """Nothing to let go of."""

    # -- as an admin client --------------------------------------------------------------------------

    def topics(self) -> dict[str, Topic]:
        if self.away:
            raise KafkaAwayError("the fake is away")
        found: dict[str, dict[int, int]] = {}
        for topic, number in self.logs:
            found.setdefault(topic, {})[number] = 1
        return {name: Topic(name, leaders, 1) for name, leaders in found.items()}
