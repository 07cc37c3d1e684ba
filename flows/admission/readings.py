"""decoded readings -> (admitted readings, rejects): the door of one source partition.

    readings ─ metric? ─ clock (R6, R4) ─ place ─ range (R10) ─ repeated? (R7) ─▶ ReadingBatch, NewSeries
                  │            │            │         │ └▶ Strays      └ counted
                  └────────────┴────────────┴─────────┴─────────────────────────▶ rejects

Every record is judged by what its own partition had sent before it, never by what shares its batch: cutting
the same records into other batches gives the same results, and so does a restart from ``state()``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.admission.duplicates import Bools, Recent
from flows.admission.future_hold import Columns, FutureHold, Passed
from flows.admission.guests import TOO_MANY, UNLIMITED
from flows.admission.locations import Locations
from flows.admission.partition_clock import PartitionClock, effective, grid
from flows.admission.roll import Roll
from flows.admission.series_index import SeriesIndex
from flows.admission.spots import Spots
from flows.batches import Ints, NewSeries, ReadingBatch, Rejected, Strays
from flows.decoding.columns import Readings, Reject
from flows.decoding.provenance import Admitted, Origin, Tally
from flows.wire import Reason
from geo.cells import CellSystem
from indicators.metrics import Metrics

Series = NDArray[np.int32]

VERSION = 4
"""Of the layout of ``state()``."""

STRAY_SLICE = 3_600_000
"""Slice of the ``checked`` counter of a cell, ms."""

_WAITING = {
    "pair": np.int64,
    "value": np.float64,
    "ts": np.int64,
    "lon": np.float64,
    "lat": np.float64,
    "crs": np.uint8,
    "message": np.int64,
    "index": np.int64,
}


class ReadingAdmission:
    """Judges the readings of one source partition in arrival order.

    Args:
        metrics: what may be sent.
        slice_ms: int64[len(metrics)], the slice of each metric in ms.
        cells: the grid of the city.
        roll: the sensor registry.
        origin_ms: slice ends are this + k x slice.
        max_disorder: readings up to this many ms behind their partition are in time (R4).
        max_future: readings more than this many ms ahead of it need witnesses (R6).
        state: what ``state()`` returned, to go on from there.
        enrols: whether to announce all that the registry names, so that silent sensors are known.
        most: how many series there may be of sensors that are not registered; what would open another, or a
            pair of sensor and metric beyond as many, is refused.

    Raises:
        ValueError: ``slice_ms`` does not fit the metrics, or the state is of another version.

    >>> from flows.decoding.decode import decode_readings
    >>> from flows.decoding.provenance import json_records
    >>> from geo.cells import BeidouGrid
    >>> metrics = Metrics.load()
    >>> door = ReadingAdmission(metrics, np.full(len(metrics.metrics), 60_000), BeidouGrid(), Roll.empty(), 0)
    >>> lines = [b'{"sensor_id":"s","metric":"bin_fill","value":41.5,"ts":61000,"lon":114.3,"lat":30.6}']
    >>> lines += [b"{"]
    >>> readings, refused = decode_readings(lines)
    >>> waiting = door.admit(readings, Origin("file", 0, np.arange(2), json_records(lines), 0), refused)
    >>> admitted = door.finish()
    >>> admitted.batch.value, admitted.batch.effective, admitted.new.period
    (array([41500000]), array([120000]), array([900000]))
    >>> door.tally
    Tally(received=2, accepted=1, duplicates=0, late=0, rejected={'bad_json': 1})
    """

    __slots__ = (
        "_hold",
        "_index",
        "_locations",
        "_metrics",
        "_origin",
        "_recent",
        "_slice_ms",
        "tally",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - the settings of a partition, given once
        self,
        metrics: Metrics,
        slice_ms: Ints,
        cells: CellSystem,
        roll: Roll,
        origin_ms: int,
        max_disorder: int = 10_000,
        max_future: int = 300_000,
        state: Mapping[str, Any] | None = None,
        *,
        enrols: bool = True,
        most: int = UNLIMITED,
    ) -> None:
        self._metrics, self._origin = metrics, origin_ms
        self._slice_ms = checked_slices(slice_ms, len(metrics.metrics))
        clock = PartitionClock(max_disorder, max_future)
        if state is None:
            self._hold, self._recent, self.tally = FutureHold(clock, _WAITING), Recent(), Tally()
            self._locations, self._index = (
                Locations(cells),
                SeriesIndex(metrics, roll, enrols=enrols, most=most),
            )
            return
        check_version(state)
        self._hold = FutureHold.restore(clock, state["hold"])
        self._recent = Recent.restore(state["recent"])
        self._locations = Locations.restore(cells, state["locations"])
        self._index = SeriesIndex.restore(metrics, roll, state["index"], enrols=enrols, most=most)
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

    def admit(
        self, readings: Readings, origin: Origin, refused: Sequence[Reject] = ()
    ) -> Admitted[ReadingBatch]:
        """Judge n decoded readings; ``refused`` are the rejects of the decoder for the same block."""
        pair = self._index.pairs_of(readings.sensor, readings.metric)
        fresh: Columns = {
            "pair": pair,
            "value": readings.value,
            "ts": readings.ts,
            "lon": readings.lon,
            "lat": readings.lat,
            "crs": readings.crs,
            "message": readings.message,
            "index": readings.index,
        }
        rejects = [origin.refused(reject) for reject in refused]
        known = pair >= 0
        if not known.all():
            for row in np.flatnonzero(~known).tolist():
                place = int(readings.message[row]), int(readings.index[row])
                many = pair[row] == TOO_MANY
                reason = Reason.TOO_MANY_SERIES if many else Reason.UNKNOWN_METRIC
                rejects.append(origin.record(*place, reason))
            fresh = {name: column[known] for name, column in fresh.items()}
        return self._settle(self._hold.take(fresh, origin), rejects, len(readings) + len(refused))

    def finish(self) -> Admitted[ReadingBatch]:
        """Judge what still waits: the partition has been read to its end."""
        metric = self._index.pairs["metric"][self._hold.column("pair")]
        return self._settle(self._hold.release(self._metrics.correct_within_ms[metric]), [], 0)

    def announce(self) -> NewSeries | None:
        """Series not announced yet, such as the registry's before any data; results bring the later ones."""
        return self._index.announce()

    def announce_again(self) -> None:
        """Let the next result announce all series once more: who listens now may not have before."""
        self._index.announce_again()

    def reload(self, roll: Roll) -> None:
        """Take over a changed registry from the next record on; the next result announces what changed."""
        self._index.reload(roll)

    def _settle(self, passed: Passed, rejects: list[Rejected], received: int) -> Admitted[ReadingBatch]:
        rejects += passed.future
        passed = self._timely(passed, rejects)
        passed, cell = self._placed(passed, rejects)
        passed, cell, strays = self._in_range(passed, cell, rejects)
        passed, series = self._enlisted(passed, cell, rejects)
        batch, duplicates, late = self._remembered(passed, series)
        rejects.sort(key=attrgetter("offset", "index"))
        self.tally.received += received
        self.tally.accepted += len(batch)
        self.tally.duplicates += duplicates
        self.tally.late += late
        self.tally.reject(reject.reason for reject in rejects)
        new = self._index.announce()
        return Admitted(batch, rejects, self.maximum, received, duplicates, late, new, strays)

    def _metric(self, passed: Passed) -> Ints:
        metric: Ints = self._index.pairs["metric"][passed.columns["pair"]]
        return metric

    def _behind(self, passed: Passed, before: Ints | None = None) -> Ints:
        """How far each record is behind the watermark its partition had before it, int64[n] ms."""
        before = passed.before if before is None else before
        return before - self._hold.clock.max_disorder - passed.columns["ts"]

    def _timely(self, passed: Passed, rejects: list[Rejected]) -> Passed:
        behind = self._behind(passed, self.clock.since(passed.before))
        if not (behind > 0).any():
            return passed
        in_time = behind <= self._metrics.correct_within_ms[self._metric(passed)]
        return _sifted(passed, in_time, Reason.TOO_LATE, rejects)

    def _placed(self, passed: Passed, rejects: list[Rejected]) -> tuple[Passed, Ints]:
        c = passed.columns
        sensor, fixed = self._index.pairs["sensor"][c["pair"]], self._index.pairs["fixed"][c["pair"]]
        cell = self._locations.cells(sensor, fixed, c["lon"], c["lat"], c["crs"])
        placed = cell >= 0
        passed = _sifted(passed, placed, Reason.UNKNOWN_LOCATION, rejects)
        return passed, cell if placed.all() else cell[placed]

    def _in_range(self, passed: Passed, cell: Ints, rejects: list[Rejected]) -> tuple[Passed, Ints, Strays]:
        metric, value = self._metric(passed), passed.columns["value"]
        fits = (value >= self._metrics.low[metric]) & (value <= self._metrics.high[metric])
        stray = ~fits
        ts = passed.columns["ts"][stray]
        strays = Strays(cell[stray], ts, self._effective(ts, passed.before[stray], STRAY_SLICE))
        rejects += passed.rejected(np.flatnonzero(stray).tolist(), Reason.OUT_OF_RANGE)
        if not self._index.crowded(len(passed.before)):
            passed = passed.only("pair", "value", "ts", "lon", "lat", "crs")
        return passed.kept(fits), cell[fits], strays

    def _enlisted(self, passed: Passed, cell: Ints, rejects: list[Rejected]) -> tuple[Passed, Series]:
        c = passed.columns
        series = self._index.series_of(c["pair"], cell, Spots(c["lon"], c["lat"], c["crs"]))
        fits = series != TOO_MANY
        if fits.all():
            return passed, series
        return _sifted(passed, fits, Reason.TOO_MANY_SERIES, rejects), series[fits]

    def _remembered(self, passed: Passed, series: Series) -> tuple[ReadingBatch, int, int]:
        c, metric = passed.columns, self._metric(passed)
        value = np.rint(c["value"] / self._metrics.resolution[metric]).astype(np.int64)
        repeated = self._recent.duplicates(series, c["ts"], value)
        late = int(((self._behind(passed) > 0) & ~repeated).sum())
        taken = self._effective(c["ts"], passed.before, self._slice_ms[metric])
        seconds = grid(c["ts"], self.clock.since(passed.before))
        batch = ReadingBatch(series, c["ts"], value, taken, seconds)
        duplicates = int(repeated.sum())
        if duplicates:
            batch = _rows(batch, ~repeated)
        return batch, duplicates, late

    def _effective(self, ts: Ints, before: Ints, slice_ms: Ints | int) -> Ints:
        clock = self._hold.clock
        return effective(ts, clock.since(before), slice_ms, self._origin, clock.max_disorder)

    def state(self) -> dict[str, Any]:
        """All that the judgement of later records depends on, as plain copied data."""
        return {
            "version": VERSION,
            "hold": self._hold.state(),
            "recent": self._recent.state(),
            "locations": self._locations.state(),
            "index": self._index.state(),
            "tally": self.tally.state(),
        }


def checked_slices(slice_ms: Ints, count: int) -> Ints:
    """``slice_ms`` as int64, if it has ``count`` positive lengths; ValueError otherwise."""
    slices = np.asarray(slice_ms, np.int64)
    if slices.shape != (count,) or (slices <= 0).any():
        raise ValueError(f"slice_ms needs {count} lengths above 0 ms, got {slices.tolist()}; take the plan's")
    return slices


def check_version(state: Mapping[str, Any]) -> None:
    """ValueError if this state was written by an incompatible release."""
    if state.get("version") != VERSION:
        found = state.get("version")
        raise ValueError(f"admission state must be of version {VERSION}, found {found}; start without it")


def _sifted(passed: Passed, keep: Bools, reason: Reason, rejects: list[Rejected]) -> Passed:
    rejects += passed.rejected(np.flatnonzero(~keep).tolist(), reason)
    return passed.kept(keep)


def _rows(batch: ReadingBatch, keep: Bools) -> ReadingBatch:
    return ReadingBatch(
        batch.series[keep], batch.ts[keep], batch.value[keep], batch.effective[keep], batch.grid[keep]
    )
