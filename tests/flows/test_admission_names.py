"""Names are numbered in the order they come, whatever their length and alphabet."""

import string

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.admission.name_table import NameTable
from flows.admission.packed_texts import WIDTH, PackedTexts
from flows.admission.stable_key import stable_key

ODD = ["", "\0", "a", "a\0", "温度-1", "x" * WIDTH, "x" * (WIDTH + 1), "é", "12345678", "123456789"]
ODD += ["温" * 10, "温" * 11, "\ud800", "y" * 256]
TEXTS = st.one_of(st.sampled_from(ODD), st.text(max_size=40), st.text("ab\0", max_size=3))
BATCHES = st.lists(st.lists(TEXTS, max_size=30), max_size=6)


@settings(max_examples=150, deadline=None)
@given(batches=BATCHES, data=st.data())
def test_every_batch_gets_the_numbers_a_dictionary_would_give(
    batches: list[list[str]], data: st.DataObject
) -> None:
    table, plain = NameTable(), dict[str, int]()
    for batch in batches:
        expected = [plain.setdefault(text, len(plain)) for text in batch]
        assert table.numbers(batch).tolist() == expected
        assert table.texts() == list(plain)
        if data.draw(st.booleans()):
            table = NameTable.restore(table.state())


@settings(max_examples=150, deadline=None)
@given(known=st.lists(TEXTS, max_size=30), others=st.lists(TEXTS, max_size=30))
def test_a_table_finds_and_adopts_the_names_of_another(known: list[str], others: list[str]) -> None:
    table, other, plain = NameTable(known), NameTable(others), list(dict.fromkeys(known))
    theirs = other.numbers(others)
    expected = [plain.index(text) if text in plain else -1 for text in others]
    assert table.find(other, theirs).tolist() == expected
    assert table.texts() == plain
    adopted = list(dict.fromkeys(plain + others))
    assert table.adopt(other, theirs).tolist() == [adopted.index(text) for text in others]
    assert table.texts() == adopted
    assert table.keys(table.numbers(others)).tolist() == other.keys(theirs).tolist()


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(st.text(max_size=WIDTH // 4), max_size=20))
def test_packing_loses_nothing(texts: list[str]) -> None:
    packed = PackedTexts.of(texts)
    assert packed.texts() == texts
    one_by_one = [int(PackedTexts.of([text]).hashes()[0]) for text in texts]
    assert packed.hashes().tolist() == one_by_one


def test_keys_are_the_same_in_every_run() -> None:
    names = ["s-1", "segment-000000", "x" * 40]
    assert NameTable(names).keys(np.arange(3)).tolist() == [
        842543874388818286,
        3251028111638273031,
        stable_key("x" * 40),
    ]


def test_keys_do_not_collide_among_many_similar_names() -> None:
    names = [f"{kind}-{n}" for kind in string.ascii_lowercase for n in range(20_000)]
    keys = NameTable(names).keys(np.arange(len(names)))
    assert len(np.unique(keys)) == len(names)
    assert keys.min() >= 0
    halves = np.bincount(keys & 1).tolist()
    assert abs(halves[0] - halves[1]) < 4 * len(names) ** 0.5


def test_names_that_differ_in_length_or_padding_alone_are_told_apart() -> None:
    texts = ["a" * n + "\0" * m for n in range(12) for m in range(12)] * 4
    table = NameTable()
    assert table.texts(table.numbers(texts)) == texts
    assert table.texts(table.numbers(texts)) == texts
