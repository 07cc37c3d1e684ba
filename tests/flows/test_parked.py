"""Readings wait until they take effect: nothing is lost, nothing comes twice, order of arrival is kept."""

from __future__ import annotations

import copy
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.batches import FINAL, Strays
from flows.recovery.cold_store import ColdStore
from flows.stages.parked import ParkedReadings, ParkedStrays, Rows

METRICS = 3

Parked = tuple[int, tuple[int, int, int, int], bool]
"""metric, (series, ts, value, effective), late"""

rows = st.tuples(
    st.integers(0, METRICS - 1),
    st.tuples(st.integers(0, 4), st.integers(0, 99), st.integers(0, 9), st.integers(0, 20)),
    st.booleans(),
)
batches = st.lists(st.lists(rows, min_size=1, max_size=8), max_size=6)


def add(parked: ParkedReadings, batch: list[Parked]) -> None:
    for metric in range(METRICS):
        own = [(row, late) for m, row, late in batch if m == metric]
        if own:
            series, ts, value, effective = np.array([row for row, _ in own]).T
            parked.add(metric, (series, ts, value, effective), np.array([late for _, late in own]))


def listed(rows: Rows) -> list[tuple[int, ...]]:
    return [tuple(row) for row in np.stack(rows).T.tolist()]


@given(batches=batches)
def test_all_of_a_metric_are_found_those_in_time_first(batches: list[list[Parked]]) -> None:
    parked = filled(batches)
    for metric in range(METRICS):
        found = parked.of(metric)
        both = [row for late in (False, True) for row in in_order(batches, metric, late=late)]
        assert (listed(found) if found else []) == both


def filled(batches: list[list[Parked]], every: int = 2) -> ParkedReadings:
    """All parked, those of every so many batches in a bundle, and in order of metrics where they are many."""
    parked = ParkedReadings(together=5)
    for number, batch in enumerate(batches):
        add(parked, batch)
        if number % every == every - 1:
            parked.bundle()
    return parked


def in_order(batches: list[list[Parked]], metric: int, *, late: bool) -> list[tuple[int, ...]]:
    return [row for batch in batches for m, row, was_late in batch if m == metric and was_late == late]


@given(batches=batches, steps=st.lists(st.integers(0, 20), max_size=4))
def test_each_reading_in_time_is_taken_once_when_it_takes_effect(
    batches: list[list[Parked]], steps: list[int]
) -> None:
    parked, before = filled(batches), -1
    for until in [*sorted(steps), FINAL]:
        waiting = [row for m in range(METRICS) for row in in_order(batches, m, late=False) if row[3] > before]
        assert parked.begin() == min((row[3] for row in waiting), default=FINAL)
        taken = {metric: listed(rows) for metric, rows in parked.take(until)}
        for metric in range(METRICS):
            own = [row for row in in_order(batches, metric, late=False) if before < row[3] <= until]
            assert taken.get(metric, []) == own
        before = until


@given(batches=batches)
def test_late_readings_are_taken_at_their_slice_end_in_order_of_arrival(batches: list[list[Parked]]) -> None:
    parked = filled(batches)
    ends = sorted({row[3] for batch in batches for _, row, late in batch if late})
    assert parked.boundaries(FINAL) == ends
    assert parked.boundaries(10) == [e for e in ends if e <= 10]
    for end in ends:
        found: dict[int, list[tuple[int, ...]]] = {}
        for metric, rows in parked.take_late(end):
            found.setdefault(metric, []).extend(listed(rows))
        for metric in range(METRICS):
            own = [row for row in in_order(batches, metric, late=True) if row[3] == end]
            assert found.get(metric, []) == own
        assert parked.take_late(end) == []
    assert parked.boundaries(FINAL) == []


@given(batches=batches, until=st.integers(0, 20))
def test_a_snapshot_holds_what_is_still_parked(batches: list[list[Parked]], until: int) -> None:
    parked = filled(batches, every=9)
    for _ in parked.take(until):
        pass
    other = ParkedReadings()
    other.restore(parked.state())
    assert_same(other, parked)


def assert_same(other: ParkedReadings, parked: ParkedReadings) -> None:
    assert other.begin() == parked.begin()
    assert other.boundaries(FINAL) == parked.boundaries(FINAL)
    for end in parked.boundaries(FINAL):
        assert [(m, listed(r)) for m, r in other.take_late(end)] == [
            (m, listed(r)) for m, r in parked.take_late(end)
        ]
    assert [(m, listed(r)) for m, r in other.take(FINAL)] == [(m, listed(r)) for m, r in parked.take(FINAL)]


@given(
    turns=st.lists(st.tuples(st.lists(rows, max_size=8), st.none() | st.integers(0, 20)), max_size=8),
    lost=st.booleans(),
)
def test_bundles_on_disk_and_a_snapshot_together_hold_what_was_parked(
    turns: list[tuple[list[Parked], int | None]],
    lost: bool,  # noqa: FBT001 - drawn
) -> None:
    """``lost``: the recovery point after the last turn was not committed."""
    parked, then = ParkedReadings(together=5), ParkedReadings()
    state, seq = parked.state(), 0
    with TemporaryDirectory() as folder:
        cold = ColdStore(Path(folder, "lane.sqlite"))
        for number, (batch, until) in enumerate(turns):
            if batch:
                add(parked, batch)
            if until is not None:
                list(parked.take(until))
            parked.bundle()
            cold.write(number + 1, {0: parked})
            assert not parked.changed
            if number < len(turns) - lost:
                state, seq, then = copy.deepcopy((parked.state(), number + 1, parked))
        cold.close()
        other, again = ParkedReadings(), ColdStore(Path(folder, "lane.sqlite"))
        if seq:
            again.refill(seq, {0: other}, len(then.kept), "bundles")
        other.restore(state)
        again.close()
    assert_same(other, then)


def test_a_bundle_is_written_once_while_nothing_of_it_takes_effect() -> None:
    parked = ParkedReadings()
    add(parked, [(0, (1, 5, 7, 60), False), (1, (2, 5, 7, 60), True)])
    parked.bundle()
    assert parked.changed == set(parked.kept) == {0}
    assert [late for *_, late in parked.state()["parts"]] == [True]
    parked.changed.clear()
    add(parked, [(0, (1, 6, 8, 120), False)])
    parked.bundle()
    assert (parked.changed, set(parked.kept)) == ({1}, {0, 1})
    assert [(m, listed(r)) for m, r in parked.take(60)] == [(0, [(1, 5, 7, 60)])]
    parked.bundle()
    assert parked.changed == set(parked.kept) == {2}


stray_batches = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 99), st.integers(0, 20), st.booleans()), max_size=8),
    max_size=6,
)


def strays_listed(strays: Strays | None) -> list[tuple[int, int, int]]:
    if strays is None:
        return []
    return list(zip(strays.cell.tolist(), strays.ts.tolist(), strays.effective.tolist(), strict=True))


@given(batches=stray_batches, steps=st.lists(st.integers(0, 20), max_size=4))
def test_each_stray_is_counted_once_when_it_takes_effect(
    batches: list[list[tuple[int, int, int, bool]]], steps: list[int]
) -> None:
    parked, before = ParkedStrays(), -1
    for batch in batches:
        columns = np.array(batch, np.int64).reshape(-1, 4).T
        parked.add(Strays(*columns[:3]), columns[3].astype(bool))
    rows = [row for batch in batches for row in batch]
    assert sum(len(cell) for cell, _, _ in parked.state()) == len(rows)
    for until in [*sorted(steps), FINAL]:
        due = [row[:3] for row in rows if before < row[2] <= until and not row[3]]
        assert sorted(strays_listed(parked.take(until))) == sorted(due)
        before = until
    for at in range(21):
        assert sorted(strays_listed(parked.take_late(at))) == sorted(
            row[:3] for row in rows if row[2] == at and row[3]
        )
    assert parked.state() == []
