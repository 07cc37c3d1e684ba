"""Feedback from Redis: the stream ``yw:feedback`` as a source of the flow, for those without Kafka.

Records take effect as they come: whoever acts on an incident has seen it. A Redis that is away holds nobody
up here; what is in the stream waits there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.admission.cases import FeedbackAdmission
from flows.batches import FINAL
from flows.decoding.decode import decode_feedback
from flows.decoding.provenance import Origin, Tally, json_records
from flows.pieces import Clock, FeedbackPiece
from flows.records import PART, Item
from flows.recovery.snapshots import freeze, thaw
from flows.replay.failures import noted
from sinks.redis_keys import Keys
from sinks.redis_link import RedisAwayError, RedisLink

NAME = "feedback-redis"
"""The one part of the source, and its name as a sender."""

PARTITION = -1
"""Its number among the inputs, which count files from 0."""

_AT_ONCE = 5_000
_POLL = 0.05
_AWAY = 1.0
_PATIENCE = 0.2
_SEQUENCE_BITS = 20


class RedisFeedbackPart(StatefulSourcePartition[Item, bytes]):
    """Reads the stream from any entry on; the snapshot holds the last one and the door's state."""

    def __init__(self, settings: RedisFeedback, snapshot: bytes | None) -> None:
        state: dict[str, Any] | None = thaw(snapshot) if snapshot else None
        self._settings = settings
        self._link = RedisLink(settings.url, patience=_PATIENCE)
        self._door = FeedbackAdmission(state=state["door"] if state else None)
        self._last: str = state["last"] if state else "0-0"
        self._wait = 0.0

    @property
    def name(self) -> str:
        """The name of the stream."""
        return self._settings.keys.feedback

    @property
    def tally(self) -> Tally:
        """What became of the records so far."""
        return self._door.tally

    @noted()
    def next_batch(self) -> list[Item]:
        """The records that have come."""
        if self._settings.stopped():
            raise StopIteration
        try:
            (found,) = self._link.send(
                [("XREAD", "COUNT", _AT_ONCE, "STREAMS", self._settings.keys.feedback, self._last)]
            )
        except RedisAwayError:
            self._wait = _AWAY
            return []
        entries = found[0][1] if found else []
        self._wait = 0.0 if len(entries) == _AT_ONCE else _POLL
        return self._items(entries) if entries else []

    def _items(self, entries: list[tuple[bytes, list[bytes]]]) -> list[Item]:
        names = [name.decode() for name, _ in entries]
        messages = [_payload(fields) for _, fields in entries]
        self._last = names[-1]
        columns, refused = decode_feedback(messages)
        origin = Origin(
            source=self._settings.keys.feedback,
            partition=PARTITION,
            offset=np.array([_number(name) for name in names], np.int64),
            raw=json_records(messages),
            ts_received=int(names[-1].partition("-")[0]),
        )
        admitted = self._door.admit(columns, origin, refused)
        items = [Item("reject", PART, admitted.rejects)] if admitted.rejects else []
        piece = FeedbackPiece(NAME, Clock(FINAL), admitted.batch.filed(NAME), live=True)
        return [*items, Item("feedback", "city", piece)]

    def next_awake(self) -> datetime | None:
        """Soon; at once while there is more."""
        return datetime.now(UTC) + timedelta(seconds=self._wait) if self._wait else None

    @noted()
    def snapshot(self) -> bytes:
        """Where the next record is, and what the door remembers."""
        if not self._settings.durable:
            return b""
        return freeze(NAME, {"last": self._last, "door": self._door.state()})

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()


@dataclass(frozen=True)
class RedisFeedback(FixedPartitionedSource[Item, bytes]):
    """The feedback stream as a source of one part.

    Attributes:
        url: of Redis, see `RedisLink`.
        stopped: whether there will be no more records to wait for.
        keys: names of the keys.
        durable: with snapshots.
        built: told the part when it is there.
    """

    url: str
    stopped: Callable[[], bool]
    keys: Keys = field(default_factory=Keys)
    durable: bool = False
    built: Callable[[RedisFeedbackPart], None] = field(default=lambda _: None)

    def list_parts(self) -> list[str]:
        """The one part."""
        return [NAME]

    @noted()
    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> RedisFeedbackPart:
        """The part, from a snapshot on or new."""
        del step_id, for_part
        part = RedisFeedbackPart(self, resume_state)
        self.built(part)
        return part


def _payload(fields: list[bytes]) -> bytes:
    """The record of an entry; what has none is no JSON and will be refused."""
    return dict(zip(fields[::2], fields[1::2], strict=True)).get(b"payload", b"")


def _number(name: str) -> int:
    """An entry's id as one number, in the order of the stream."""
    ms, _, sequence = name.partition("-")
    return int(ms) << _SEQUENCE_BITS | int(sequence)


def add_feedback(totals: dict[str, Any], tally: Tally) -> None:
    """Count the records of this door among those of the others."""
    for name in ("received", "accepted", "duplicates", "late"):
        totals[name] += getattr(tally, name)
    totals["feedback"] += tally.accepted
    for reason, count in tally.rejected.items():
        totals["rejected"][reason] = totals["rejected"].get(reason, 0) + count
