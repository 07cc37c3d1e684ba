"""Pieces: every reading goes to the lane of its cell and to no other, late ones are told to all."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.batches import FINAL, NewSeries, ReadingBatch, Strays
from flows.pieces import Clock, ShardPiece
from flows.router import Lanes, Router
from geo.cells import BeidouGrid
from indicators.points import nanodegrees

GRID = BeidouGrid()
SLICE = 60_000
PLACES = [(114.0 + i / 60, 30.0 + j / 60) for i in range(8) for j in range(8)]
ROWS = st.lists(
    st.tuples(st.integers(0, len(PLACES) - 1), st.integers(1, 10 * SLICE), st.integers(0, 3)), max_size=60
)


def announced() -> NewSeries:
    lon, lat = np.array(PLACES).T
    n = len(PLACES)
    return NewSeries(
        index=np.arange(n, dtype=np.int32),
        sensor_key=np.arange(n),
        metric=np.zeros(n, np.int16),
        cell=GRID.cells(lon, lat),
        period=np.full(n, SLICE),
        retired=np.full(n, FINAL),
        registered=np.zeros(n, bool),
        lon=nanodegrees(lon),
        lat=nanodegrees(lat),
        name=np.array([f"s-{i}".encode() for i in range(n)]),
        placed=np.arange(n) % 2 == 0,
        owner=np.array([f"o-{i % 3}".encode() for i in range(n)]),
    )


def batch_of(rows: list[tuple[int, int, int]]) -> ReadingBatch:
    series, ts, late = np.array(rows, np.int64).reshape(-1, 3).T
    ends = -(-ts // SLICE) * SLICE
    return ReadingBatch(series.astype(np.int32), ts, ts * 7, ends + late * SLICE, ts)


def pieces_of(rows: list[tuple[int, int, int]], lanes: Lanes) -> list[tuple[str, ShardPiece]]:
    router = Router("part", lanes, np.array([SLICE]), 0)
    strays = Strays(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))
    return router.readings(Clock(5), announced(), batch_of(rows), strays, tell_all=True)


@given(rows=ROWS, count=st.integers(1, 9))
def test_the_lanes_share_out_every_reading(rows: list[tuple[int, int, int]], count: int) -> None:
    lanes = Lanes(count, GRID)
    home = lanes.of_cells(announced().cell)
    found: list[tuple[int, int, int]] = []
    for name, piece in pieces_of(rows, lanes):
        assert piece.batch is not None
        assert all(home[s] == lanes.shards.index(name) for s in piece.batch.series.tolist())
        columns = (piece.batch.series, piece.batch.ts, piece.batch.value)
        found += zip(*(c.tolist() for c in columns), strict=True)
    assert sorted(found) == sorted((s, ts, 7 * ts) for s, ts, _ in rows)


@given(rows=ROWS, count=st.integers(1, 9))
def test_all_lanes_hear_the_same_clock_and_the_same_late_readings(
    rows: list[tuple[int, int, int]], count: int
) -> None:
    lanes = Lanes(count, GRID)
    pieces = pieces_of(rows, lanes)
    assert [name for name, _ in pieces] == lanes.shards
    assert {piece.clock for _, piece in pieces} == {Clock(5)}
    late = sorted({ts for _, ts, late in rows if late})
    for _, piece in pieces:
        assert sorted(set([] if piece.notices is None else piece.notices.ts.tolist())) == late


@given(count=st.integers(1, 9))
def test_each_announced_series_is_announced_in_its_own_lane_only(count: int) -> None:
    lanes = Lanes(count, GRID)
    home = lanes.of_cells(announced().cell)
    told = {name: piece.new.index.tolist() for name, piece in pieces_of([], lanes) if piece.new is not None}
    assert told == {
        name: np.flatnonzero(home == i).tolist() for i, name in enumerate(lanes.shards) if (home == i).any()
    }


def test_a_restored_router_sends_readings_where_they_went_before() -> None:
    lanes = Lanes(4, GRID)
    router = Router("part", lanes, np.array([SLICE]), 0)
    router.enrol(announced())
    again = Router("part", lanes, np.array([SLICE]), 0)
    state = router.state()
    again.restore(state)
    batch = batch_of([(i, 10, 0) for i in range(len(PLACES))])
    before, after = (r.readings(Clock(9), None, batch, None, tell_all=True) for r in (router, again))
    assert [(name, str(piece.batch)) for name, piece in before] == [(name, str(p.batch)) for name, p in after]
