"""decoded events and feedback -> (admitted records, rejects): the doors of the slower streams.

Events pass the clock like readings (R6), but none is ever too late: a late transition still moves its case
(R4), unless that has ended and been forgotten. A place is optional. Repeated transitions are no duplicates
here; the case itself knows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from alerts.incidents import Act
from flows.admission.case_roster import CaseRoster
from flows.admission.future_hold import Columns, FutureHold, Passed
from flows.admission.guests import UNLIMITED
from flows.admission.partition_clock import NEVER, PartitionClock, effective
from flows.admission.readings import VERSION, check_version, checked_slices
from flows.admission.roll import wgs84
from flows.admission.stable_key import stable_key
from flows.batches import CaseRecords, Ints, Rejected
from flows.decoding.columns import Events, Feedback, Reject
from flows.decoding.provenance import Admitted, Origin, Tally
from flows.pieces import Filed
from flows.wire import Reason, Status
from geo.cells import CellSystem
from indicators.cases import ENDED
from indicators.metrics import Metrics

STATUS_INDEX: dict[str, int] = {status: number for number, status in enumerate(get_args(Status))}
"""Positions of the statuses in ``flows.wire``."""

CORRECT_WITHIN = 7 * 86_400_000
"""How far ahead of its partition the last event of a file may be, ms (R4's span for events)."""

REMEMBERED = 20_000
"""Feedback records of a partition that a repetition is known by."""

_WAITING = {
    "case": np.int64,
    "type": np.int16,
    "status": np.int8,
    "ts": np.int64,
    "cell": np.int64,
    "lon": np.float64,
    "lat": np.float64,
    "severity": np.int8,
    "channel": np.int64,
    "message": np.int64,
    "index": np.int64,
}


class EventAdmission:
    """Judges the events of one source partition in arrival order.

    Arguments and errors as for ``ReadingAdmission``; ``slice_ms`` is int64[len(metrics.events)], ``most`` how
    many cases there may be: a record that would open another is refused.
    """

    __slots__ = ("_cells", "_hold", "_metrics", "_origin", "_roster", "_slice_ms", "tally")

    def __init__(  # noqa: PLR0913, PLR0917 - the settings of a partition, given once
        self,
        metrics: Metrics,
        slice_ms: Ints,
        cells: CellSystem,
        origin_ms: int,
        max_disorder: int = 10_000,
        max_future: int = 300_000,
        state: Mapping[str, Any] | None = None,
        *,
        most: int = UNLIMITED,
    ) -> None:
        self._metrics, self._cells, self._origin = metrics, cells, origin_ms
        self._slice_ms = checked_slices(slice_ms, len(metrics.events))
        self._roster = CaseRoster(most)
        clock = PartitionClock(max_disorder, max_future)
        if state is None:
            self._hold, self.tally = FutureHold(clock, _WAITING), Tally()
            return
        check_version(state)
        self._roster = CaseRoster.restore(most, state["roster"])
        self._hold = FutureHold.restore(clock, state["hold"])
        self.tally = Tally.restore(state["tally"])

    @property
    def held(self) -> int:
        """Records that wait for the witnesses of a leap ahead."""
        return len(self._hold)

    @property
    def maximum(self) -> int:
        """Running maximum of the partition in ms, -1 before the first record."""
        return self._hold.maximum

    @property
    def clock(self) -> PartitionClock:
        """The partition's sense of time."""
        return self._hold.clock

    def admit(self, events: Events, origin: Origin, refused: Sequence[Reject] = ()) -> Admitted[CaseRecords]:
        """Judge n decoded events; ``refused`` are the rejects of the decoder for the same block."""
        rejects = [origin.refused(reject) for reject in refused]
        fresh = self._columns(events)
        known = fresh["type"] >= 0
        for row in np.flatnonzero(~known).tolist():
            place = int(events.message[row]), int(events.index[row])
            rejects.append(origin.record(*place, Reason.UNKNOWN_METRIC))
        if not known.all():
            fresh = {name: column[known] for name, column in fresh.items()}
        return self._settle(self._hold.take(fresh, origin), rejects, len(events) + len(refused))

    def finish(self) -> Admitted[CaseRecords]:
        """Judge what still waits: the partition has been read to its end."""
        return self._settle(self._hold.release(np.full(self.held, CORRECT_WITHIN)), [], 0)

    def _columns(self, events: Events) -> Columns:
        lon, lat = wgs84(events.lon, events.lat, events.crs)
        cell = np.where(np.isnan(lon), -1, np.maximum(self._cells.cells(lon, lat), -1))
        types = (self._metrics.event_index.get(code, -1) for code in events.type)
        return {
            "case": _keys(events.event_id),
            "type": np.fromiter(types, np.int16, len(events)),
            "status": np.fromiter((STATUS_INDEX[s] for s in events.status), np.int8, len(events)),
            "ts": events.ts,
            "cell": cell,
            "lon": lon,
            "lat": lat,
            "severity": events.severity,
            "channel": _keys(events.channel),
            "message": events.message,
            "index": events.index,
        }

    def _settle(self, passed: Passed, rejects: list[Rejected], received: int) -> Admitted[CaseRecords]:
        rejects += passed.future
        passed = self._enlisted(passed, rejects)
        c, disorder = passed.columns, self._hold.clock.max_disorder
        since = self.clock.since(passed.before)
        taken = effective(c["ts"], since, self._slice_ms[c["type"]], self._origin, disorder)
        late = int((c["ts"] < passed.before - disorder).sum())
        rejects.sort(key=attrgetter("offset", "index"))
        fields = {name: c[name] for name in _WAITING if name not in {"message", "index"}}
        batch = CaseRecords(effective=taken, **fields)
        self.tally.received += received
        self.tally.accepted += len(batch)
        self.tally.late += late
        self.tally.reject(reject.reason for reject in rejects)
        return Admitted(batch, rejects, self.maximum, received, 0, late)

    def _enlisted(self, passed: Passed, rejects: list[Rejected]) -> Passed:
        """Those of known cases, and those for whose cases there is room."""
        c = passed.columns
        fits = self._roster.admit(c["case"], np.isin(c["status"], ENDED), c["ts"], passed.before)
        rejects += passed.rejected(np.flatnonzero(~fits).tolist(), Reason.TOO_MANY_CASES)
        return passed.kept(fits)

    def state(self) -> dict[str, Any]:
        """All that the judgement of later records depends on, as plain copied data."""
        return {
            "version": VERSION,
            "hold": self._hold.state(),
            "tally": self.tally.state(),
            "roster": self._roster.state(),
        }


@dataclass(frozen=True, slots=True)
class Acts:
    """Admitted feedback in arrival order, n rows: ``effective`` int64[n] ms says when each takes effect."""

    feedback: Feedback
    effective: Ints
    origins: list[Rejected]

    def __len__(self) -> int:
        return len(self.feedback)

    def filed(self, sender: str) -> list[Filed]:
        """The rows one by one, for the incidents."""
        f = self.feedback
        columns = zip(f.incident_id, f.action, f.actor, f.ts.tolist(), f.note, strict=True)
        # The decoder has let no other word through as an action.
        acts = (Act(name, action, actor, ts, note) for name, action, actor, ts, note in columns)  # type: ignore[arg-type]
        rows = zip(acts, self.effective.tolist(), self.origins, strict=True)
        return [Filed(sender, act, at, origin) for act, at, origin in rows]


class FeedbackAdmission:
    """Judges the feedback of one source partition in arrival order: drops what was sent twice.

    A record takes effect at its own time, or where its partition's watermark was when it came, if that is
    later. Whether an action is legal is for the incident to say.
    """

    __slots__ = ("_clock", "_recent", "tally")

    held: Literal[0] = 0

    def __init__(self, max_disorder: int = 10_000, state: Mapping[str, Any] | None = None) -> None:
        self._clock, self.tally = PartitionClock(max_disorder), Tally()
        self._recent: dict[int, None] = {}
        if state is not None:
            check_version(state)
            self._clock.maximum, self.tally = int(state["maximum"]), Tally.restore(state["tally"])
            self._recent = dict.fromkeys(state["recent"].tolist())

    @property
    def maximum(self) -> int:
        """Running maximum of the partition in ms, -1 before the first record."""
        return self._clock.maximum if self._clock.maximum != NEVER else -1

    @property
    def clock(self) -> PartitionClock:
        """The partition's sense of time."""
        return self._clock

    def admit(self, feedback: Feedback, origin: Origin, refused: Sequence[Reject] = ()) -> Admitted[Acts]:
        """Judge n decoded records; ``refused`` are the rejects of the decoder for the same block."""
        received = len(feedback) + len(refused)
        running = np.maximum.accumulate(np.concatenate(([self._clock.maximum], feedback.ts)))
        watermark = running[:-1] - self._clock.max_disorder
        fresh = self._fresh(feedback)
        late = int((feedback.ts < watermark)[fresh].sum())
        self._clock.maximum = int(running[-1])
        rejects = [origin.refused(reject) for reject in refused]
        taken = feedback.take(fresh)
        places = zip(taken.message.tolist(), taken.index.tolist(), strict=True)
        acts = Acts(taken, np.maximum(feedback.ts, watermark)[fresh], [origin.record(*at) for at in places])
        duplicates = len(feedback) - len(taken)
        self.tally.received += received
        self.tally.accepted += len(taken)
        self.tally.duplicates += duplicates
        self.tally.late += late
        self.tally.reject(reject.reason for reject in rejects)
        return Admitted(acts, rejects, self.maximum, received, duplicates, late)

    def _fresh(self, feedback: Feedback) -> Ints:
        """The rows that are not word for word one of the latest records."""
        rows = []
        fields = (feedback.incident_id, feedback.action, feedback.actor, feedback.ts.tolist(), feedback.note)
        for row, record in enumerate(zip(*fields, strict=True)):
            key = stable_key(repr(record))
            if key not in self._recent:
                self._recent[key] = None
                rows.append(row)
        for key in list(self._recent)[: max(len(self._recent) - REMEMBERED, 0)]:
            del self._recent[key]
        return np.array(rows, np.int64)

    def state(self) -> dict[str, Any]:
        """The running maximum, the latest records and the counts."""
        recent = np.fromiter(self._recent, np.int64, len(self._recent))
        return {
            "version": VERSION,
            "maximum": self._clock.maximum,
            "recent": recent,
            "tally": self.tally.state(),
        }


def _keys(texts: Sequence[str | None]) -> NDArray[np.int64]:
    """Stable keys of n texts, 0 for None."""
    known = {text: 0 if text is None else stable_key(text) for text in set(texts)}
    return np.fromiter((known[text] for text in texts), np.int64, len(texts))
