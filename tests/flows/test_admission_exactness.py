"""Admission against its plain telling: any split into batches, any restart, the same results."""

import copy
import pickle
from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from flows.admission.name_table import CodedTexts, NameTable
from flows.admission.readings import ReadingAdmission
from flows.admission.registry import Registry
from flows.admission.roll import Roll
from flows.batches import FINAL, NewSeries, ReadingBatch
from flows.decoding.columns import Names, Readings, Reject
from flows.decoding.decode import decode_readings
from flows.decoding.provenance import Admitted, Origin
from flows.wire import Reason
from geo.cells import CellSystem
from indicators.metrics import Metrics
from tests.flows.plain_admission import UNIT, PlainAdmission, Record, Row

METRICS = Metrics.load()
TEXTS = ["a", "b", "c", "silent"]
SLICES = np.where(METRICS.period_ms > 0, np.minimum(METRICS.period_ms, 900_000), 60_000)
SENSORS = dict(zip(NameTable(TEXTS).keys(np.arange(len(TEXTS))).tolist(), TEXTS, strict=True))
START = 1_719_964_800_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class Strips:
    """A toy grid: cell k is the strip from k to k + 1 degrees of longitude, for k from 0 to 9."""

    name = "strips"

    def cells(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
        inside = (lon >= 0) & (lon < UNIT) & (lat == 0)
        return np.where(inside, np.floor(lon), -7).astype(np.int64)


GRID: CellSystem = Strips()  # type: ignore[assignment]  # admission asks for cells only


def listed(rows: list[Row]) -> Registry | None:
    """The registry of these rows; none at all where there are none."""
    registry = Registry(
        sensor=CodedTexts.of([r.sensor for r in rows]),
        lon=np.array([r.place for r in rows], np.float64),
        lat=np.zeros(len(rows)),
        crs=np.zeros(len(rows), np.uint8),
        metric=CodedTexts.of([r.metric for r in rows]),
        period_ms=np.array([r.period for r in rows], np.int64),
        department=CodedTexts.of([""] * len(rows)),
        site=CodedTexts.of([""] * len(rows)),
        retired_ms=np.array([r.retired for r in rows], np.int64),
    )
    return registry if rows else None


def door(rows: list[Row], state: dict[str, Any] | None = None, most: int = 99) -> ReadingAdmission:
    return ReadingAdmission(
        METRICS, SLICES, GRID, Roll.of(listed(rows), GRID), origin_ms=-8 * HOUR, state=state, most=most
    )


def names(texts: list[str], *, coded: bool) -> Names:
    if not coded:
        return Names(None, texts)
    values = sorted(set(texts))
    return Names(np.array([values.index(t) for t in texts], np.int32), values)


def offer(admission: ReadingAdmission, records: list[Record], *, coded: bool) -> Admitted[ReadingBatch]:
    lon = np.array([np.nan if r.place is None else r.place for r in records], np.float64)
    readings = Readings(
        sensor=names([r.sensor for r in records], coded=coded),
        metric=names([r.metric for r in records], coded=coded),
        value=np.array([r.value for r in records], np.float64),
        ts=np.array([r.ts for r in records], np.int64),
        lon=lon,
        lat=0 * lon,
        crs=np.zeros(len(records), np.uint8),
        index=np.array([r.offset % 3 for r in records], np.int64),
        message=np.arange(len(records)),
    )
    offsets = np.array([r.offset for r in records], np.int64)
    origin = Origin("s", 4, offsets, lambda m, i: f"{offsets[m]}/{i}".encode(), ts_received=9)
    return admission.admit(readings, origin)


def announced(new: NewSeries | None) -> list[tuple[Any, ...]]:
    if new is None:
        return []
    codes = [METRICS.metrics[m].code for m in new.metric.tolist()]
    columns = new.index, new.sensor_key, new.cell, new.period, new.retired, new.registered
    index, key, cell, period, retired, registered = (c.tolist() for c in columns)
    sensor = [SENSORS[k] for k in key]
    return list(zip(index, sensor, codes, cell, period, retired, registered, strict=True))


class Outputs:
    """All that came out so far, as plain rows."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Any]] = {"new": [], "rows": [], "strays": [], "rejects": []}

    def add(self, a: Admitted[ReadingBatch]) -> None:
        assert a.strays is not None
        b = a.batch
        for name, columns in {
            "rows": (b.series, b.ts, b.value, b.effective, b.grid),
            "strays": (a.strays.cell, a.strays.ts, a.strays.effective),
        }.items():
            self.seen[name] += zip(*(c.tolist() for c in columns), strict=True)
        self.seen["new"] += announced(a.new)
        for r in a.rejects:
            assert r.raw == f"{r.offset}/{r.index}".encode()
            assert (r.source, r.partition, r.index, r.ts_received) == ("s", 4, r.offset % 3, 9)
            self.seen["rejects"].append((r.offset, r.reason))


def agree(admission: ReadingAdmission, got: Outputs, plain: PlainAdmission) -> None:
    for name, rows in plain.seen.items():
        mine = got.seen[name]
        assert sorted(mine) == sorted(rows) if name == "rejects" else mine == rows, name
    tally = admission.tally
    assert (tally.received, tally.duplicates, tally.late) == tuple(plain.counts.values())
    assert tally.accepted == len(plain.seen["rows"])
    assert tally.rejected == Counter(reason for _, reason in plain.seen["rejects"])
    assert tally.held == admission.held == len(plain.waiting)
    assert admission.maximum == (-1 if plain.maximum is None else plain.maximum)


STEPS = [0] * 8 + [500, 1_000, 1_000, 7_000, -3_000, MINUTE, 4 * MINUTE, HOUR]
ASIDE = [0] * 20 + [-9_000, -10_001, -20_000, -HOUR, -HOUR - 10_001, -3 * DAY, 6 * MINUTE, HOUR, 400 * DAY]
CODES = (
    ["road_speed"] * 5 + ["water_do"] * 2 + ["parking_occupied", "bus_arrival_deviation", "no_such_metric"]
)
VALUES = [1.0] * 5 + [2.0, 2.000_000_1, 12.6, -5000.0]
PLACES = [1.5] * 5 + [None] * 5 + [2.5, -3.0]
MOST = [99, 99, 0, 1, 3]
"""How many pairs and series of unregistered sensors there may be."""
ROWS = st.builds(
    Row,
    sensor=st.sampled_from(["a", "b", "silent"]),
    metric=st.sampled_from(["", "road_speed", "water_do", "no_such_metric"]),
    place=st.sampled_from([0.5, 1.5, 2.5, 99.0]),
    period=st.sampled_from([0, 30_000]),
    retired=st.sampled_from([FINAL, START + HOUR]),
)


@st.composite
def arrivals(draw: st.DrawFn) -> list[Record]:
    size = draw(st.sampled_from([3, 12, 60, 100]))
    plan = draw(
        st.lists(
            st.tuples(
                st.sampled_from("aabc"),
                st.sampled_from(CODES),
                st.sampled_from(VALUES),
                st.sampled_from(STEPS),
                st.sampled_from(ASIDE),
                st.sampled_from(PLACES),
            ),
            min_size=size // 2,
            max_size=size,
        )
    )
    clock, records = START, []
    for offset, (sensor, metric, value, step, aside, place) in enumerate(plan):
        clock += step
        records.append(Record(offset, sensor, metric, value, clock + aside, place))
    return records


@settings(max_examples=250, deadline=None)
@given(records=arrivals(), registry=st.lists(ROWS, max_size=4), most=st.sampled_from(MOST), data=st.data())
def test_any_split_and_any_restart_agree_with_one_record_at_a_time(
    records: list[Record], registry: list[Row], most: int, data: st.DataObject
) -> None:
    admission, plain, got = (
        door(registry, most=most),
        PlainAdmission(METRICS, SLICES.tolist(), registry, -8 * HOUR, most),
        Outputs(),
    )
    at = 0
    while at < len(records):
        size = data.draw(st.sampled_from([1, 1, 2, 3, 8, 70]))
        batch, at = records[at : at + size], at + size
        got.add(offer(admission, batch, coded=data.draw(st.booleans())))
        for record in batch:
            plain.push(record)
        agree(admission, got, plain)
        if data.draw(st.booleans()):
            state = pickle.loads(pickle.dumps(admission.state()))  # noqa: S301 - our own bytes
            admission = door(registry, state, most)
    got.add(admission.finish())
    plain.finish()
    agree(admission, got, plain)
    assert admission.held == 0


@settings(max_examples=100, deadline=None)
@given(
    records=arrivals(),
    before=st.lists(ROWS, max_size=4),
    after=st.lists(ROWS, max_size=4),
    most=st.sampled_from(MOST),
    data=st.data(),
)
def test_a_changed_registry_holds_from_the_next_record_on(
    records: list[Record], before: list[Row], after: list[Row], most: int, data: st.DataObject
) -> None:
    admission, plain, got = (
        door(before, most=most),
        PlainAdmission(METRICS, SLICES.tolist(), before, -8 * HOUR, most),
        Outputs(),
    )
    cut = data.draw(st.integers(0, len(records)))
    got.add(offer(admission, records[:cut], coded=False))
    for record in records[:cut]:
        plain.push(record)
    if data.draw(st.booleans()):
        admission.reload(Roll.of(listed(after), GRID))
    else:
        admission = door(after, admission.state(), most)
    plain.load(after)
    got.add(offer(admission, records[cut:], coded=True))
    got.add(admission.finish())
    for record in records[cut:]:
        plain.push(record)
    plain.finish()
    agree(admission, got, plain)


@settings(max_examples=50, deadline=None)
@given(records=arrivals(), cut=st.integers(0, 70))
def test_a_state_is_a_copy_that_later_records_do_not_change(records: list[Record], cut: int) -> None:
    admission = door([])
    offer(admission, records[:cut], coded=False)
    state = admission.state()
    kept = pickle.dumps(copy.deepcopy(state))
    offer(admission, records[cut:], coded=False)
    resumed = door([], state)
    offer(resumed, records[cut:], coded=False)
    assert pickle.dumps(copy.deepcopy(state)) == kept
    np.testing.assert_equal(resumed.state()["hold"], admission.state()["hold"])


def test_the_decoder_s_rejects_are_counted_and_passed_on() -> None:
    admission = door([])
    readings, _ = decode_readings([])
    origin = Origin("f", 0, np.array([70, 71]), lambda _m, _i: b"", ts_received=0)
    admitted = admission.admit(readings, origin, [Reject(1, 2, Reason.BAD_JSON, b"{")])
    assert [(r.offset, r.index, r.reason, r.raw) for r in admitted.rejects] == [(71, 2, "bad_json", b"{")]
    assert (admission.tally.received, admission.tally.rejected, admission.held) == (1, {"bad_json": 1}, 0)
