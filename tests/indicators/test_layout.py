"""Who is where in a shard: cells in their areas, and the rows a reduction runs over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geo.areas import AreaKind
from indicators.layout import TILES, Cells, Layout, Universe, tile_number
from indicators.slices import Ints
from indicators.store import FOREVER, MetricStore
from tests.indicators.small_city import AREAS, CELLS, GRID, MINUTE, store_of

places = st.integers(0, len(CELLS) - 1)
members = st.lists(st.tuples(st.integers(0, 6), places), max_size=12)


def at(places: Sequence[int]) -> Ints:
    return CELLS[np.array(places, np.int64)]


def cells() -> Cells:
    return Cells(AREAS.locate, GRID.tile)


def store_in(cells: Cells, members: Sequence[tuple[int, int]]) -> MetricStore:
    """A store of (sensor, place) pairs."""
    store, n = store_of(0), len(members)
    if n:
        sensor, place = np.array(members).T
        one = np.ones(n, np.int64)
        store.add(sensor, cells.number(CELLS[place]), MINUTE * one, FOREVER * one, 0 * one)
    return store


@given(batches=st.lists(st.lists(places, max_size=9), max_size=5))
def test_a_cell_keeps_its_number_and_its_areas(batches: list[list[int]]) -> None:
    found = cells()
    for batch in batches:
        codes = at(batch)
        numbers = found.number(codes)
        assert found.code[numbers].tolist() == codes.tolist()
    assert len(set(found.code.tolist())) == found.n
    assert found.areas.tolist() == AREAS.locate(found.code).tolist()
    other = cells()
    other.restore(found.code)
    assert [a.tolist() for a in (other.code, other.tile, other.areas)] == [
        a.tolist() for a in (found.code, found.tile, found.areas)
    ]


def splitmix(code: int) -> int:
    mask = (1 << 64) - 1
    code = (code ^ (code >> 30)) * 0xBF58476D1CE4E5B9 & mask
    code = (code ^ (code >> 27)) * 0x94D049BB133111EB & mask
    return (code ^ (code >> 31)) % TILES


@given(codes=st.lists(st.integers(0, 2**63 - 1)))
def test_a_tile_has_its_number_for_ever(codes: list[int]) -> None:
    """The state of a running city lies by these numbers: changing them would lose it."""
    assert tile_number(np.array(codes, np.int64)).tolist() == [splitmix(code) for code in codes]


def test_neighbouring_tiles_are_spread_over_all_numbers() -> None:
    share = np.bincount(tile_number(np.arange(100_000)), minlength=TILES) / 100_000
    assert len(share) == TILES
    assert (np.abs(share * TILES - 1) < 0.1).all()


@given(first=members, second=members)
def test_a_universe_has_one_row_for_every_sensor_of_a_cell(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    own = cells()
    stores = [store_in(own, first), store_in(own, second)]
    universe = Universe.of(stores, own)
    codes = own.code[universe.cells]
    row_cell = np.repeat(codes, np.diff(universe.start, append=universe.size))
    rows = sorted({(int(CELLS[place]), sensor) for sensor, place in first + second})
    assert sorted(row_cell.tolist()) == [code for code, _ in rows]
    tiles = tile_number(GRID.tile(codes)).tolist()
    assert list(zip(tiles, codes.tolist(), strict=True)) == sorted(zip(tiles, codes.tolist(), strict=True))
    for i, store in enumerate(stores):
        taken = universe.take(i, store.sensor[None].astype(np.float64))[0]
        found = [(c, int(s)) for c, s in zip(row_cell.tolist(), taken.tolist(), strict=True) if s == s]  # noqa: PLR0124 - NaN is not itself
        pairs = zip(own.code[store.cell].tolist(), store.sensor.tolist(), strict=True)
        assert sorted(found) == sorted(pairs)


@given(first=members, seen=st.lists(st.integers(0, 11), max_size=6))
def test_a_row_is_known_when_any_metric_of_the_sensor_is(
    first: list[tuple[int, int]], seen: list[int]
) -> None:
    own = cells()
    whole, part = store_in(own, first), store_in(own, first[::2])
    for index in (i for i in seen if i < part.n):
        part.insert(np.array([index]), np.array([MINUTE]), np.array([1]))
    universe = Universe.of([whole, part], own)
    ends = np.array([0, MINUTE])
    expected = universe.take(1, part.known(ends).astype(np.float64)) == 1
    assert universe.known(ends).tolist() == expected.tolist()


@given(groups=st.lists(st.lists(places, max_size=6), max_size=3), ask=st.lists(places, max_size=6))
def test_a_layout_is_the_union_of_cells_by_tile_and_code(groups: list[list[int]], ask: list[int]) -> None:
    own = cells()
    layout = Layout.of([own.number(at(g)) for g in groups], own)
    inside = {place for group in groups for place in group}
    codes = sorted(at(sorted(inside)).tolist(), key=lambda c: (tile_number(GRID.tile([c]))[0], c))
    assert layout.code.tolist() == codes
    known = [place for place in ask if place in inside]
    assert layout.code[layout.columns(own.number(at(known)))].tolist() == at(known).tolist()


@given(inside=st.lists(places, min_size=1, unique=True))
def test_every_cell_is_in_each_of_its_areas_once(inside: list[int]) -> None:
    own = cells()
    layout = Layout.of([own.number(at(inside))], own)
    groups = layout.groups
    runs = np.split(groups.perm, groups.start[1:])
    found = []
    for kind, uid, tile, district, run in zip(
        groups.kind.tolist(),
        groups.uid.tolist(),
        groups.tile.tolist(),
        groups.district.tolist(),
        runs,
        strict=True,
    ):
        assert run.tolist() == sorted(run.tolist())
        assert {int(t) for t in layout.tile[run]} == {tile}
        assert kind == AreaKind.CITY or {int(d) for d in layout.areas[run, 2]} == {district}
        found += [(kind, uid, code) for code in layout.code[run].tolist()]
    expected = [
        (kind, uid, code)
        for code in at(inside).tolist()
        for kind, uid in enumerate(AREAS.locate([code])[0].tolist(), 1)
        if uid >= 0
    ]
    assert sorted(found) == sorted(expected)
    keys = list(zip(groups.kind.tolist(), groups.uid.tolist(), groups.tile.tolist(), strict=True))
    assert keys == sorted(set(keys))
