"""Names are numbered in the order they come, by whichever of the two tables."""

import string

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.name_table import WIDTH, NameTable

ODD = ["", "\0", "a", "a\0", "温度-1", "x" * WIDTH, "x" * (WIDTH + 1), "é", "12345678", "123456789"]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    odd=st.booleans(),
    sizes=st.lists(st.sampled_from([1, 5, 300, 2000]), max_size=6),
)
def test_every_batch_gets_the_numbers_a_dictionary_would_give(
    seed: int, *, odd: bool, sizes: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    table, plain = NameTable(), dict[str, int]()
    letters = list(string.ascii_letters)
    for size in sizes:
        texts = [
            "".join(rng.choice(letters, rng.integers(1, 4))) * int(rng.integers(1, 9)) for _ in range(size)
        ]
        texts = [t[:WIDTH] for t in texts] if not odd else texts + ODD
        expected = [plain.setdefault(text, len(plain)) for text in texts]
        assert table.numbers(texts).tolist() == expected
        assert table.names == list(plain)


def test_names_that_differ_in_length_or_padding_alone_are_told_apart() -> None:
    texts = ["a" * n + "\0" * m for n in range(12) for m in range(12)] * 4
    table = NameTable()
    assert [table.names[n] for n in table.numbers(texts).tolist()] == texts
    assert [table.names[n] for n in table.numbers(texts).tolist()] == texts


def test_a_table_of_known_names_goes_on_from_there() -> None:
    names = [f"s-{n}" for n in range(5000)]
    table = NameTable(names)
    assert table.numbers(names[::-1]).tolist() == list(range(5000))[::-1]
    assert table.number("new") == 5000
