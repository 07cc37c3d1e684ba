"""Slices on disk: whatever is written, dropped and lost, a snapshot finds the slices it was taken of."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.recovery.cold_store import ColdStore, ColdStoreError
from indicators.slice_ring import SliceRing
from indicators.slices import Slice

LENGTH = 60
METRICS = 2
Content = list[dict[int, list[tuple[int, int, int]]]]

INSERT = st.tuples(
    st.just("insert"),
    st.integers(0, METRICS - 1),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 900), st.integers(-5, 5)), min_size=1, max_size=6),
)
FORGET = st.tuples(st.just("forget"), st.integers(0, METRICS - 1), st.integers(0, 900))
SNAPSHOT = st.just(("snapshot",))
AHEAD = st.just(("ahead",))
CRASH = st.tuples(st.just("crash"), st.booleans())
STEPS = st.lists(st.one_of(INSERT, INSERT, FORGET, AHEAD, AHEAD, SNAPSHOT, SNAPSHOT, CRASH), max_size=40)


def empty() -> list[SliceRing]:
    return [SliceRing(LENGTH, 0) for _ in range(METRICS)]


def content(rings: list[SliceRing]) -> Content:
    return [{k: rows_of(part.awake()) for k, part in ring.slices.items()} for ring in rings]


def rows_of(part: Slice) -> list[tuple[int, int, int]]:
    return list(zip(part.series.tolist(), part.ts.tolist(), part.value.tolist(), strict=True))


def insert(ring: SliceRing, rows: list[tuple[int, int, int]]) -> None:
    series, ts, value = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    ring.insert(series, ts, value, 4)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_after_any_crash_the_rings_are_those_of_the_snapshot(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lane.sqlite")
        store, rings, seq = ColdStore(path), empty(), 0
        taken: dict[int, Content] = {0: content(rings)}
        for step, *arguments in steps:
            if step == "insert":
                insert(rings[arguments[0]], arguments[1])
            elif step == "forget":
                rings[arguments[0]].forget(arguments[1])
            elif step == "ahead":
                store.ahead(seq + 1, dict(enumerate(rings)))
            elif step == "snapshot":
                seq += 1
                store.write(seq, dict(enumerate(rings)))
                taken[seq] = content(rings)
            else:
                # The latest snapshot may not have been committed; the one before it has.
                store.close()
                seq = max(seq - int(arguments[0]), 0)
                taken = {n: t for n, t in taken.items() if n <= seq}
                store, rings = ColdStore(path), empty()
                store.read(seq, dict(enumerate(rings)))
                assert content(rings) == taken[seq]
        store.close()


def test_slices_that_no_snapshot_needs_are_dropped(tmp_path: Path) -> None:
    store, rings = ColdStore(tmp_path / "lane.sqlite"), empty()
    for seq in range(1, 51):
        insert(rings[0], [(0, 60 * seq + i, i) for i in range(1, 60)])
        rings[0].forget(60 * (seq - 5))
        store.write(seq, dict(enumerate(rings)))
    store.close()
    with sqlite3.connect(tmp_path / "lane.sqlite") as db:
        rows = db.execute("SELECT count(*) FROM slices").fetchone()[0]
    db.close()
    assert rows <= len(rings[0].slices) + 6


def test_only_changed_slices_are_written(tmp_path: Path) -> None:
    store, rings = ColdStore(tmp_path / "lane.sqlite"), empty()
    insert(rings[0], [(0, ts, 1) for ts in range(1, 600)])
    assert store.write(1, dict(enumerate(rings))) == 20 * 599
    assert store.write(2, dict(enumerate(rings))) == 0
    insert(rings[0], [(0, 599, 2)])
    assert store.write(3, dict(enumerate(rings))) == 20 * 59
    store.close()


def test_what_is_written_ahead_is_not_written_again_unless_it_changes(tmp_path: Path) -> None:
    store, rings = ColdStore(tmp_path / "lane.sqlite"), empty()
    insert(rings[0], [(0, ts, 1) for ts in range(1, 600)])
    store.ahead(1, dict(enumerate(rings)))
    assert not rings[0].changed
    insert(rings[0], [(0, 599, 2)])
    assert store.write(1, dict(enumerate(rings))) == 20 * (599 + 59)
    assert store.write(2, dict(enumerate(rings))) == 0
    again = empty()
    assert store.read(2, dict(enumerate(again))) == 10
    assert content(again) == content(rings)
    store.close()


def test_what_could_not_be_written_ahead_is_written_with_the_snapshot(tmp_path: Path) -> None:
    store, rings = ColdStore(tmp_path / "lane.sqlite"), empty()
    insert(rings[0], [(0, ts, 1) for ts in range(1, 600)])
    store._db.execute("PRAGMA query_only = ON")
    store.ahead(1, dict(enumerate(rings)))
    assert store._begun is not None
    assert isinstance(store._begun.bytes.exception(), sqlite3.OperationalError)
    store._db.execute("PRAGMA query_only = OFF")
    assert store.write(1, dict(enumerate(rings))) == 20 * 599
    again = empty()
    store.read(1, dict(enumerate(again)))
    assert content(again) == content(rings)
    store.close()


def test_a_damaged_slice_is_refused_by_name(tmp_path: Path) -> None:
    store, rings = ColdStore(tmp_path / "lane.sqlite"), empty()
    insert(rings[1], [(0, 100, 1)])
    store.write(1, dict(enumerate(rings)))
    store._db.execute("UPDATE slices SET data = zeroblob(20)")
    with pytest.raises(ColdStoreError, match=r"lane.sqlite: slice 2 of metric 1, .* is damaged"):
        store.read(1, dict(enumerate(empty())))
    store.close()
