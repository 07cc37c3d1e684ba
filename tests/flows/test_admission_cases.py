"""Events and feedback at the door: nothing is too late, places are optional, future stamps wait (R4, R6)."""

import json
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flows.admission.cases import STATUS_INDEX, EventAdmission, FeedbackAdmission
from flows.admission.guests import UNLIMITED
from flows.admission.stable_key import stable_key
from flows.batches import CaseRecords, Rejected
from flows.decoding.decode import decode_events, decode_feedback
from flows.decoding.provenance import Admitted, Origin, Tally, json_records
from geo.cells import BeidouGrid
from indicators.metrics import Metrics
from indicators.shard import CASES_KEPT

METRICS, GRID = Metrics.load(), BeidouGrid()
SLICES = np.full(len(METRICS.events), 60_000)
HOUR, DAY = 3_600_000, 86_400_000
COLUMNS = ("case", "type", "status", "ts", "effective", "cell", "lon", "lat", "severity", "channel")


def event(ts: int, name: str = "e1", kind: str = "ev_gas_leak", **more: object) -> dict[str, Any]:
    return {"event_id": name, "type": kind, "status": "reported", "ts": ts, **more}


def door(state: dict[str, object] | None = None, most: int = UNLIMITED) -> EventAdmission:
    return EventAdmission(METRICS, SLICES, GRID, 0, state=state, most=most)


def offer(
    admission: EventAdmission, records: list[dict[str, object]], first: int = 0
) -> Admitted[CaseRecords]:
    messages = [_line(r) for r in records]
    events, refused = decode_events(messages)
    offsets = np.arange(first, first + len(messages))
    return admission.admit(events, Origin("events", 1, offsets, json_records(messages), 5), refused)


def _line(record: dict[str, object]) -> bytes:
    return json.dumps(record).encode()


def rows(batch: CaseRecords) -> list[tuple[object, ...]]:
    columns = [np.nan_to_num(getattr(batch, name), nan=-999).tolist() for name in COLUMNS]
    return list(zip(*columns, strict=True))


def test_an_event_becomes_a_case_record_with_stable_keys_and_a_place() -> None:
    admission = door()
    offer(admission, [event(0, "e1", lon=114.3, lat=30.6, severity=3, channel="12345"), event(1, "e2")])
    batch = admission.finish().batch
    assert batch.case.tolist() == [stable_key("e1"), stable_key("e2")]
    assert batch.channel.tolist() == [stable_key("12345"), 0]
    assert GRID.text(batch.cell) == ["N50H0513600", ""]
    assert batch.cell[1] == -1
    assert batch.severity.tolist() == [3, 0]
    assert batch.type.tolist() == [METRICS.event_index["ev_gas_leak"]] * 2
    assert batch.status.tolist() == [STATUS_INDEX["reported"]] * 2
    assert batch.effective.tolist() == [0, 60_000]


def test_chinese_coordinates_are_turned_into_wgs84() -> None:
    admission = door()
    offer(admission, [event(0, lon=114.30554, lat=30.59276, crs="gcj02")])
    batch = admission.finish().batch
    np.testing.assert_allclose([batch.lon[0], batch.lat[0]], [114.3, 30.595], atol=1e-3)


def test_a_very_late_transition_still_moves_its_case() -> None:
    admission = door()
    offer(admission, [event(400 * DAY + n) for n in range(6)])
    admitted = offer(admission, [event(0)])
    assert len(admitted.batch) == 1
    assert admission.tally.late == admitted.late == 1
    assert admitted.batch.effective[0] > 400 * DAY - 10_000


def test_unknown_types_are_refused_and_future_stamps_with_their_bytes() -> None:
    admission = door()
    got = offer(
        admission, [event(0), event(1, kind="ev_no_such"), event(400 * DAY), *[event(n) for n in range(5)]]
    )
    assert [(r.offset, r.reason) for r in got.rejects] == [(1, "unknown_metric"), (2, "future_time")]
    assert got.rejects[1].raw == _line(event(400 * DAY))
    assert admission.tally.rejected == {"unknown_metric": 1, "future_time": 1}
    assert admission.tally.received == 8
    assert admission.held == admission.tally.held == 0


def test_the_last_event_of_a_file_may_be_a_week_ahead() -> None:
    for ahead, accepted in ((7 * DAY, 2), (7 * DAY + 1, 1)):
        admission = door()
        offer(admission, [event(0), event(ahead)])
        admission.finish()
        assert admission.tally.accepted == accepted


@settings(max_examples=100, deadline=None)
@given(
    times=st.lists(st.sampled_from([0, 1_000, 90_000, 400_000, HOUR, 9 * HOUR, 30 * DAY]), max_size=30),
    data=st.data(),
)
def test_any_split_and_any_restart_give_the_same_records(times: list[int], data: st.DataObject) -> None:
    kinds = ["ev_gas_leak", "ev_grid_case", "ev_no_such"]
    records = [
        event(ts, f"e{n % 4}", kinds[n % 3 if n % 7 == 0 else n % 2], lon=114.0, lat=30.0 + n)
        for n, ts in enumerate(times)
    ]
    expected = told([len(records)], records)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=12)))
    assert told([*cuts, len(records)], records) == expected


def told(
    cuts: list[int], records: list[dict[str, object]], most: int = UNLIMITED
) -> tuple[list[tuple[object, ...]], list[Rejected], Tally, int]:
    """All that comes out when records are cut there, with a restart after each batch."""
    admission, batches, rejects, at = door(most=most), list[tuple[object, ...]](), list[Rejected](), 0
    for cut in cuts:
        part = offer(admission, records[at:cut], at)
        at = cut
        batches += rows(part.batch)
        rejects += part.rejects
        state = pickle.loads(pickle.dumps(admission.state()))  # noqa: S301 - our own bytes
        admission = door(state, most)
    part = admission.finish()
    batches += rows(part.batch)
    rejects += part.rejects
    return batches, sorted(rejects, key=lambda r: r.offset), admission.tally, admission.maximum


@dataclass
class PlainCase:
    """What a partition knows of one case."""

    heard: int
    ended: bool = False


def let_in(records: list[dict[str, Any]], most: int) -> list[bool]:
    """Which records pass, one at a time: known cases, and new ones while there is room."""
    known, found, maximum, day = dict[object, PlainCase](), list[bool](), 0, 0
    for record in records:
        if maximum // DAY > day:
            day = maximum // DAY
            border = day * DAY - CASES_KEPT
            known = {name: case for name, case in known.items() if not (case.ended and case.heard < border)}
        name, ts = record["event_id"], record["ts"]
        maximum = max(maximum, ts)
        found.append(name in known or len(known) < most)
        if found[-1]:
            case = known.setdefault(name, PlainCase(ts))
            case.heard = max(case.heard, ts)
            case.ended |= record["status"] in {"closed", "rejected"}
    return found


steps = st.tuples(
    st.sampled_from([0, 1, HOUR, 20 * DAY, 59 * DAY, 61 * DAY]),
    st.sampled_from([0, 0, 0, 5_000, 70 * DAY]),
    st.sampled_from(["reported", "accepted", "closed", "rejected", "feedback_good"]),
    st.integers(0, 6),
)


@settings(max_examples=200, deadline=None)
@given(drawn=st.lists(steps, max_size=30), most=st.integers(1, 4), data=st.data())
def test_only_so_many_cases_are_opened_and_ended_ones_make_room(
    drawn: list[tuple[int, int, str, int]], most: int, data: st.DataObject
) -> None:
    records, now = list[dict[str, Any]](), 100 * DAY
    for step, behind, status, name in drawn:
        now += step
        records.append(event(now - behind, f"e{name}", status=status))
    expected = let_in(records, most)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=12)))
    batches, rejects, tally, _ = told([*cuts, len(records)], records, most)
    # Leaps of more than five minutes wait for witnesses: compare where nothing was taken for a stamp ahead.
    assume(all(one.reason != "future_time" for one in rejects))
    assert [one.reason for one in rejects] == ["too_many_cases"] * expected.count(False)
    assert [one.offset for one in rejects] == [n for n, passed in enumerate(expected) if not passed]
    assert [json.loads(one.raw) for one in rejects] == [records[one.offset] for one in rejects]
    assert [row[3] for row in batches] == [r["ts"] for r, ok in zip(records, expected, strict=True) if ok]
    assert tally.received == tally.accepted + len(rejects) == len(records)


def test_a_flood_of_cases_leaves_nothing_behind_and_known_cases_go_on() -> None:
    admission, sizes = door(most=100), []
    offer(admission, [event(n, f"honest-{n}") for n in range(90)])
    for turn in range(5):
        flood = [event(100 + turn, f"made-up-{turn}-{n}") for n in range(1000)]
        own = [event(101 + turn, f"honest-{n}", status="accepted") for n in range(90)]
        got = offer(admission, [*flood, *own])
        assert len(got.rejects) == (990 if turn == 0 else 1000)
        assert got.batch.case[-90:].tolist() == [stable_key(f"honest-{n}") for n in range(90)]
        sizes.append(len(pickle.dumps(admission.state())))
    assert max(sizes) - sizes[0] < 100
    assert admission.tally.received == admission.tally.accepted + admission.tally.rejected["too_many_cases"]


def test_a_limit_that_was_lowered_lets_known_cases_go_on() -> None:
    admission = door(most=10)
    offer(admission, [event(n, f"e{n}") for n in range(10)])
    again = door(admission.state(), most=3)
    got = offer(again, [event(20, "new"), event(21, "e9")])
    assert [one.reason for one in got.rejects] == ["too_many_cases"]
    assert got.batch.case.tolist() == [stable_key("e9")]


def test_feedback_is_counted_and_passed_on_and_repetitions_are_dropped() -> None:
    messages = [
        b'{"incident_id":"I1","action":"arrive","actor":"a","ts":50000}',
        b"{",
        b'{"incident_id":"I1","action":"resolve","actor":"a","ts":1000}',
        b'{"incident_id":"I1","action":"resolve","actor":"b","ts":45000}',
        b'{"ts":50000,"incident_id":"I1","action":"arrive","actor":"a"}',
    ]
    feedback, refused = decode_feedback(messages)
    admission = FeedbackAdmission()
    origin = Origin("f", 0, np.arange(5), json_records(messages), 0)
    admitted = admission.admit(feedback, origin, refused)
    assert admitted.batch.feedback.actor == ["a", "a", "b"]
    assert admitted.batch.effective.tolist() == [50_000, 40_000, 45_000]
    assert [one.origin.raw for one in admitted.batch.filed("s")] == [messages[0], *messages[2:4]]
    assert (admitted.maximum, admitted.late, len(admitted.rejects)) == (50_000, 1, 1)
    assert (admission.tally.accepted, admission.tally.duplicates, admission.tally.held) == (3, 1, 0)
    resumed = FeedbackAdmission(state=admission.state())
    assert (resumed.maximum, resumed.tally) == (50_000, admission.tally)
    again, _ = decode_feedback(messages[2:3])
    assert resumed.admit(again, Origin("f", 0, np.arange(1), json_records(messages[2:3]), 0)).duplicates == 1
