"""(message, index) -> ``Rejected``: where records came from, what became of them, and how many there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, Generic, Self, TypeVar

from flows.batches import Ints, NewSeries, Rejected, Strays
from flows.decoding.columns import Reject
from flows.decoding.json_records import elements_of
from flows.wire import Reason

Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class Origin:
    """The block of messages a batch was decoded from.

    ``offset`` gives the offset of each of its messages (int64), ``raw(message, index)`` the bytes of one of
    its records, ``ts_received`` when it came (ms; passed in, never read from a clock here).
    """

    source: str
    partition: int
    offset: Ints
    raw: Callable[[int, int], bytes]
    ts_received: int
    headers: Callable[[int], tuple[tuple[str, str], ...]] = lambda _: ()
    """The CloudEvents attributes of a message."""

    def record(self, message: int, index: int, reason: str = "") -> Rejected:
        """One record of the block with all that a reject has to say; ``reason`` may be filled in later."""
        offset = int(self.offset[message])
        raw = self.raw(message, index)
        received, headers = self.ts_received, self.headers(message)
        return Rejected(self.source, self.partition, offset, index, reason, raw, received, headers)

    def refused(self, reject: Reject) -> Rejected:
        """A record that could not even be decoded."""
        offset, reason = int(self.offset[reject.message]), reject.reason.value
        received, headers = self.ts_received, self.headers(reject.message)
        return Rejected(
            self.source, self.partition, offset, reject.index, reason, reject.raw, received, headers
        )


@dataclass(slots=True)
class Tally:
    """Counts of records; ``received`` = ``accepted`` + ``duplicates`` + all ``rejected`` + ``held``.

    ``late`` are those of the accepted that came more than ``max_disorder`` behind their partition.

    >>> tally = Tally(received=3, accepted=2)
    >>> tally.reject(["too_late"])
    >>> tally.held, tally.rejected
    (0, {'too_late': 1})
    """

    received: int = 0
    accepted: int = 0
    duplicates: int = 0
    late: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    @property
    def held(self) -> int:
        """Records received and not yet judged: a possible future stamp and those that wait behind it."""
        return self.received - self.accepted - self.duplicates - sum(self.rejected.values())

    def reject(self, reasons: Iterable[str]) -> None:
        """Count one rejected record per reason."""
        for reason, count in Counter(reasons).items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count

    def state(self) -> dict[str, Any]:
        """Plain copy, to be given back as ``Tally.restore(state)``."""
        return asdict(self)

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """The tally of ``state()``."""
        return cls(**{**state, "rejected": dict(state["rejected"])})


@dataclass(frozen=True, slots=True)
class Admitted(Generic[Batch]):
    """What one batch of records led to; records held back appear in the result of a later one.

    ``maximum`` is the partition's running maximum in ms, -1 before the first. ``received``, ``duplicates``
    and ``late`` count this call alone. ``new`` and ``strays`` are readings' only. ``rejects``
    are in order of arrival, but a record of an unknown metric never waits and may overtake others.
    """

    batch: Batch
    rejects: list[Rejected]
    maximum: int
    received: int
    duplicates: int
    late: int
    new: NewSeries | None = None
    strays: Strays | None = None


def json_records(messages: Sequence[bytes]) -> Callable[[int, int], bytes]:
    """The ``raw`` of an ``Origin`` whose messages are JSON: an object each, or an array of objects.

    >>> raw = json_records([b'{"a":1}', b'[{"a":2}, {"a":3}]'])
    >>> raw(0, 0), raw(1, 1)
    (b'{"a":1}', b'{"a":3}')
    """

    @lru_cache(maxsize=1)  # rejects of one array come one after the other
    def elements(message: int) -> list[bytes]:
        found = elements_of(messages[message])
        return [] if isinstance(found, Reason) else found

    def raw(message: int, index: int) -> bytes:
        whole = messages[message]
        return elements(message)[index] if whole.lstrip()[:1] == b"[" else whole

    return raw
