"""Keys are numbered as a dictionary would number them, in whatever batches they come."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indicators.key_table import KeyTable

SMALL = st.integers(-2, 3)
WIDE = st.integers(np.iinfo(np.int64).min, np.iinfo(np.int64).max)
KEYS = st.tuples(st.one_of(SMALL, st.integers(-(2**31), 2**31 - 1)), st.one_of(SMALL, WIDE))


def columns(keys: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([a for a, _ in keys], np.int64), np.array([b for _, b in keys], np.int64)


@settings(max_examples=200, deadline=None)
@given(batches=st.lists(st.lists(KEYS, max_size=40), max_size=8), sought=st.lists(KEYS, max_size=10))
def test_every_batch_gets_the_numbers_a_dictionary_would_give(
    batches: list[list[tuple[int, int]]], sought: list[tuple[int, int]]
) -> None:
    table, plain = KeyTable(np.int32, np.int64), dict[tuple[int, int], int]()
    for batch in batches:
        assert table.find(*columns(sought)).tolist() == [plain.get(key, -1) for key in sought]
        expected = [plain.setdefault(key, len(plain)) for key in batch]
        assert table.number(*columns(batch)).tolist() == expected
        assert list(zip(*(c.tolist() for c in table.columns()), strict=True)) == list(plain)
    again = KeyTable(np.int32, np.int64)
    again.put(*table.columns())
    assert again.find(*columns(list(plain))).tolist() == list(range(len(plain)))


def test_many_keys_in_one_go_and_one_by_one_get_the_same_numbers() -> None:
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 30_000, 100_000)
    whole, pieces = KeyTable(np.int64), KeyTable(np.int64)
    found = whole.number(keys)
    parts = [pieces.number(part) for part in np.array_split(keys, 517)]
    assert np.array_equal(found, np.concatenate(parts))
    assert np.array_equal(whole.column(0)[found], keys)
    assert len(whole) == len(np.unique(keys))


def test_a_table_that_is_widened_knows_its_keys_with_zeros_behind() -> None:
    table = KeyTable(np.uint64)
    keys = np.arange(1_000, dtype=np.uint64)
    table.number(keys)
    table.widen(np.uint64)
    zeros = np.zeros_like(keys)
    assert table.find(keys, zeros).tolist() == list(range(1_000))
    assert (table.find(keys, zeros + np.uint64(1)) == -1).all()
    assert table.number(keys, zeros + np.uint64(1)).tolist() == list(range(1_000, 2_000))
