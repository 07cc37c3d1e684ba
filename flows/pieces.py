"""The messages between the keyed steps of the flow.

Each piece names its sender; a receiver acts up to the least clock of all its senders, so no order of
arrival can change a result (R5, R8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alerts.incidents import Act
from alerts.transitions import Transition
from flows.batches import FINAL, CaseRecords, Floats, Ints, NewSeries, ReadingBatch, Rejected, Strays
from flows.control.change import Change
from indicators.cases import NO_PLACE, Place
from indicators.evaluate import Frame

BEFORE = -FINAL
"""The clock of a sender not heard of yet."""
MAX_DISORDER = 10_000
"""How far behind its partition's running maximum a record may be and still be in time, ms (R4)."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How far a sender has come: the least running maximum of its partitions, ms.

    At the end of all input ``maximum`` is FINAL and ``limit`` the largest event time: windows that end
    later are not emitted (R5).
    """

    maximum: int
    limit: int = FINAL

    @property
    def watermark(self) -> int:
        """No record in time with a time at or before this is still to come."""
        return self.maximum if self.maximum in {FINAL, BEFORE} else self.maximum - MAX_DISORDER


class Clocks:
    """The clocks of all senders of a step; ``least`` is what it may act on."""

    def __init__(self, senders: Iterable[str]) -> None:
        """Every sender is waited for, heard of or not."""
        self.by_sender = dict.fromkeys(senders, Clock(BEFORE))

    def hear(self, sender: str, clock: Clock) -> None:
        """Take a sender's word; clocks never run back."""
        if clock.maximum >= self.by_sender[sender].maximum:
            self.by_sender[sender] = clock

    @property
    def least(self) -> Clock:
        """The slowest sender's clock; once all have ended, the limit is the greatest named."""
        slowest = min(self.by_sender.values(), key=lambda c: c.maximum)
        if slowest.maximum != FINAL:
            return slowest
        return Clock(FINAL, max(c.limit for c in self.by_sender.values()))


@dataclass(frozen=True, slots=True)
class Notices:
    """Late readings, told to every shard: which metric, its time, when published."""

    metric: Ints
    ts: Ints
    effective: Ints


@dataclass(frozen=True, slots=True)
class CaseNotices:
    """Late transitions, told to every shard: event type, the earliest time they change, when published."""

    type: Ints
    ts: Ints
    effective: Ints


@dataclass(frozen=True, slots=True)
class ShardPiece:
    """From a source part to a shard lane; the series' numbers are those of one of its partitions."""

    sender: str
    clock: Clock
    new: NewSeries | None = None
    batch: ReadingBatch | None = None
    strays: Strays | None = None
    notices: Notices | None = None
    partition: int = 0


@dataclass(frozen=True, slots=True)
class CasePiece:
    """From a source part to a case lane."""

    sender: str
    clock: Clock
    records: CaseRecords | None = None


@dataclass(frozen=True, slots=True)
class PlacedCase:
    """A case as known from ``effective`` on, for the shard it lies in; ``cell`` -1: no longer there."""

    case: int
    type: int
    cell: int
    located: int
    effective: int
    late: bool
    status: NDArray[np.int8]
    ts: Ints
    severity: NDArray[np.int8]
    place: Place = NO_PLACE


@dataclass(frozen=True, slots=True)
class PlacedCases:
    """From a case lane to a shard lane."""

    sender: str
    clock: Clock
    cases: list[PlacedCase] = field(default_factory=list)
    notices: CaseNotices | None = None


@dataclass(frozen=True, slots=True)
class AreaFrame:
    """One indicator's partials of one lane for its areas: columns by (kind, uid, tile).

    ``district`` is the district each area lies in; ``correction`` the slice end at which late records
    changed these windows, -1 for windows closed now; ``changed`` [T, A] what a correction touched and
    ``before`` what it was.
    """

    frame: Frame
    kind: Ints
    uid: Ints
    tile: Ints
    district: Ints
    correction: int = -1
    changed: NDArray[np.bool_] | None = None
    before: Frame | None = None


@dataclass(frozen=True, slots=True)
class EarlyValues:
    """Values judged before their window is closed: per row an indicator, a second, an area, a value.

    ``district`` is the district each area lies in.
    """

    index: Ints
    grid: Ints
    kind: Ints
    uid: Ints
    district: Ints
    value: Floats


@dataclass(frozen=True, slots=True)
class AreaPiece:
    """From a shard lane to the area step."""

    sender: str
    clock: Clock
    begin: int
    births: dict[int, int] = field(default_factory=dict)
    """Districts heard of for the first time: uid -> the instant from which they have rows."""
    frames: list[AreaFrame] = field(default_factory=list)
    early: list[EarlyValues] = field(default_factory=list)
    since: int = FINAL
    """The flow's first watermark."""
    edition: int = 0
    """How often the city had changed where these windows were judged."""
    change: Change | None = None
    """The change that made it this edition, in its first piece."""


@dataclass(frozen=True, slots=True)
class ControlPiece:
    """From the control source to a shard lane: changes, and how far no further change takes effect."""

    sender: str
    clock: Clock
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Orders:
    """Which readings are no longer to count, or count again: n orders, int64[n] each.

    From ``effective`` on, readings of a series (``metric``, ``sensor_key``, ``cell``) with ``begin`` < ts <=
    ``end`` do not count; ``end`` is FINAL while its sensor is held to be faulty. A later order about the same
    ``begin`` tells where it ends.
    """

    effective: Ints
    metric: Ints
    sensor_key: Ints
    cell: Ints
    begin: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.effective)


@dataclass(frozen=True, slots=True)
class OrdersPiece:
    """From a lane that judges sensors to a shard lane; every shard lane is told of all orders."""

    sender: str
    clock: Clock
    orders: Orders | None = None


@dataclass(frozen=True, slots=True)
class Moves:
    """From a lane or the area step to the incidents: transitions, and how far the sender has come.

    All are of one ``edition`` of the city; ``change`` is the one that made it.
    """

    sender: str
    clock: Clock
    transitions: list[Transition] = field(default_factory=list)
    edition: int = 0
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Filed:
    """An admitted action: when it takes effect in its partition, and where it came from."""

    sender: str
    act: Act
    effective: int
    origin: Rejected

    @property
    def order(self) -> tuple[int, int, int, int]:
        """The order in which the actions of one sender take effect."""
        return self.effective, self.origin.partition, self.origin.offset, self.origin.index


@dataclass(frozen=True, slots=True)
class FeedbackPiece:
    """From a source part to the incidents; ``clock``: of its feedback partitions alone.

    What comes ``live`` takes effect when it comes, whatever time it carries.
    """

    sender: str
    clock: Clock
    acts: list[Filed] = field(default_factory=list)
    live: bool = False
