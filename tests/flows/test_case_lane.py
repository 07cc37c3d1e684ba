"""A case lane: transitions in any batches become the same cases, in the lanes of the cells they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.admission.partition_clock import NEVER, effective
from flows.batches import FINAL, CaseRecords
from flows.pieces import MAX_DISORDER, CasePiece, Clock, PlacedCase, PlacedCases
from flows.stages.case_lane import CaseLane
from indicators.calendar import DAY
from indicators.cases import ENDED
from indicators.shard import CASES_KEPT

SLICE = 60_000
LANES = ["shard-00", "shard-01"]
PART = "records-00"

Drawn = tuple[int, int, int, int, int, int]
"""case, status, step of the running maximum, how far behind it, cell or -1, severity"""


@dataclass(frozen=True)
class Arrival:
    """A record as it arrived; ``maximum`` is the partition's running maximum, this record included."""

    case: int
    status: int
    ts: int
    cell: int
    severity: int
    effective: int
    maximum: int

    @property
    def late(self) -> bool:
        return self.effective > -(-self.ts // SLICE) * SLICE


drawn = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 4),
        st.sampled_from([0, 1_000, 20_000, 60_000]),
        st.sampled_from([0, 0, 0, 5_000, 70_000, 300_000]),
        st.integers(-1, 3),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=15,
)
cuts = st.sets(st.integers(1, 14))


def arrived(drawn: list[Drawn]) -> list[Arrival]:
    found, maximum = [], NEVER
    now = 1_000_000
    for case, status, step, behind, cell, severity in drawn:
        now += step
        ts = now - behind
        end = int(effective(np.array([ts]), np.array([maximum]), SLICE, 0, MAX_DISORDER)[0])
        maximum = max(maximum, ts)
        found.append(Arrival(case, status, ts, cell, severity, end, maximum))
    return found


def records(rows: Sequence[Arrival]) -> CaseRecords:
    def column(name: str) -> Any:  # the wire's own column types
        return np.array([getattr(r, name) for r in rows])

    none = np.zeros(len(rows))
    return CaseRecords(
        case=column("case"),
        type=none.astype(np.int16),
        status=column("status").astype(np.int8),
        ts=column("ts"),
        effective=column("effective"),
        cell=column("cell"),
        lon=none,
        lat=none,
        severity=column("severity").astype(np.int8),
        channel=none.astype(np.int64),
    )


def lane() -> CaseLane:
    return CaseLane("cases-00", [PART], LANES, lambda cell: LANES[cell % 2], np.array([SLICE]), 0)


def plainly(name: str, p: PlacedCase) -> tuple[object, ...]:
    steps = tuple(zip(p.ts.tolist(), p.status.tolist(), p.severity.tolist(), strict=True))
    return name, p.case, p.cell, p.located, p.effective, p.late, steps


class Sent:
    """Everything a lane sent, in order."""

    def __init__(self) -> None:
        self.placed: list[tuple[object, ...]] = []
        self.notices: list[tuple[int, ...]] = []
        self.clocks: list[int] = []

    def take(self, sent: list[tuple[str, PlacedCases]]) -> None:
        if sent:
            assert [name for name, _ in sent] == LANES
            assert len({id(piece.notices) for _, piece in sent}) == 1
            self.clocks.append(sent[0][1].clock.maximum)
            told = sent[0][1].notices
            if told is not None:
                rows = zip(told.type.tolist(), told.ts.tolist(), told.effective.tolist(), strict=True)
                self.notices += rows
        pieces = [
            (p.effective, p.case, i, name, p) for i, (name, piece) in enumerate(sent) for p in piece.cases
        ]
        self.placed += [plainly(name, p) for _, _, _, name, p in sorted(pieces, key=lambda row: row[:3])]


def run(rows: list[Arrival], cuts: set[int], *, restart: bool = False) -> Sent:
    own, sent = lane(), Sent()
    at = [0, *sorted(c for c in cuts if c < len(rows)), len(rows)]
    for begin, end in pairwise(at):
        part = rows[begin:end]
        sent.take(own.take([CasePiece(PART, Clock(part[-1].maximum), records(part))]))
        if restart:
            state, own = own.state(), lane()
            own.restore(state)
    sent.take(own.take([CasePiece(PART, Clock(FINAL, rows[-1].maximum))]))
    return sent


@given(drawn=drawn, cuts=cuts, restart=st.booleans())
def test_what_is_sent_depends_neither_on_batches_nor_on_restarts(
    drawn: list[Drawn], cuts: set[int], *, restart: bool
) -> None:
    rows = arrived(drawn)
    whole, split = run(rows, set()), run(rows, cuts, restart=restart)
    assert split.placed == whole.placed
    assert sorted(split.notices) == sorted(whole.notices)


@given(drawn=drawn, cuts=cuts)
def test_a_case_lies_where_its_earliest_record_with_a_place_lies(drawn: list[Drawn], cuts: set[int]) -> None:
    rows = arrived(drawn)
    latest: dict[tuple[object, object], tuple[object, ...]] = {}
    for placed in run(rows, cuts).placed:
        latest[placed[0], placed[1]] = placed
    for case in {r.case for r in rows}:
        own = [r for r in rows if r.case == case]
        places = sorted((r.ts, r.cell) for r in own if r.cell >= 0)
        here = {name: p for (name, c), p in latest.items() if c == case}
        if not places:
            assert not here
            continue
        ts, cell = places[0]
        found = here[LANES[cell % 2]]
        assert found[2:4] == (cell, ts)
        assert found[6] == tuple(sorted({(r.ts, r.status, r.severity) for r in own}))
        assert all(p[2] == -1 for name, p in here.items() if name != LANES[cell % 2])


@given(drawn=drawn)
def test_late_transitions_are_told_to_all_lanes_with_the_earliest_time_they_change(
    drawn: list[Drawn],
) -> None:
    rows = arrived(drawn)
    told = run(rows, set()).notices
    late = {(r.case, r.effective) for r in rows if r.late}
    assert len(told) == len(late)
    for effective_ in {end for _, end in late}:
        firsts = sorted(ts for _, ts, end in told if end == effective_)
        own = [
            min(r.ts for r in rows if r.late and (r.case, r.effective) == (c, effective_))
            for c, e in late
            if e == effective_
        ]
        assert all(first <= ts for first, ts in zip(firsts, sorted(own), strict=True))


@given(drawn=drawn, cuts=cuts)
def test_clocks_run_forward_and_nothing_is_sent_before_it_takes_effect(
    drawn: list[Drawn], cuts: set[int]
) -> None:
    rows = arrived(drawn)
    sent = run(rows, cuts)
    assert sent.clocks == sorted(set(sent.clocks))
    assert sent.clocks[-1] == FINAL
    own = lane()
    for row in rows:
        for _, piece in own.take([CasePiece(PART, Clock(row.maximum), records([row]))]):
            assert all(p.effective <= row.maximum - MAX_DISORDER for p in piece.cases)


days = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 4),
        st.sampled_from([0, 60_000, 30 * DAY, 61 * DAY]),
        st.sampled_from([0, 0, 70_000, 40 * DAY, 90 * DAY]),
        st.integers(-1, 3),
        st.just(0),
    ),
    min_size=1,
    max_size=15,
)


@given(drawn=days, cuts=cuts, restart=st.booleans())
def test_an_ended_case_is_begun_anew_by_what_takes_effect_long_after(
    drawn: list[Drawn], cuts: set[int], *, restart: bool
) -> None:
    rows = arrived(drawn)
    known, steps = dict[int, list[Arrival]](), dict[tuple[int, int], set[tuple[int, int, int]]]()
    for row in sorted(rows, key=lambda r: r.effective):
        own = known.setdefault(row.case, [])
        # What takes effect together is taken together.
        if own and own[-1].effective < row.effective and gone(own, row.effective):
            own.clear()
        own.append(row)
        steps[row.case, row.effective] = {(r.ts, r.status, r.severity) for r in own}
    whole, split = run(rows, set()), run(rows, cuts, restart=restart)
    assert split.placed == whole.placed
    assert sorted(split.notices) == sorted(whole.notices)
    for _, case, cell, _, effective_, _, told in whole.placed:
        if cell != -1:
            assert set(told) == steps[case, effective_]  # type: ignore[call-overload,index]


def gone(rows: list[Arrival], at: int) -> bool:
    return any(r.status in ENDED for r in rows) and max(r.ts for r in rows) < at - CASES_KEPT


def test_forgotten_cases_free_their_memory() -> None:
    own, sizes = lane(), []
    for week in range(40):
        now = 1_000_000 + week * 7 * DAY
        rows = [
            Arrival(week * 100 + n, status, now, 1, 0, now + 1, now) for n in range(100) for status in ENDED
        ]
        own.take([CasePiece(PART, Clock(now), records(rows))])
        sizes.append(len(own.state()["cases"]))
    assert sizes[:5] == [0, 100, 200, 300, 400]
    assert max(sizes) == sizes[-1] == 100 * (CASES_KEPT // (7 * DAY))


def test_a_case_without_any_place_is_counted_and_sent_nowhere() -> None:
    own = lane()
    row = Arrival(1, 0, 1_000_000, -1, 0, 1_020_000, 1_000_000)
    sent = own.take([CasePiece(PART, Clock(FINAL, row.maximum), records([row]))])
    assert not any(piece.cases for _, piece in sent)
    assert own.unplaced == 1


def test_a_clock_that_does_not_move_says_nothing_new() -> None:
    own = lane()
    assert own.take([CasePiece(PART, Clock(5_000))])
    assert own.take([CasePiece(PART, Clock(5_000))]) == []
    assert own.take([CasePiece(PART, Clock(4_000))]) == []
