"""Places in TOML text: whatever way it is written, a key and a character are found where they stand."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.toml_places import Path, Place, TomlPlaces

TEXT = '''# comment
title = "中文 \\t tab"   # a tail
[[indicator]]
id = 'a.b'
levels.red.raise = 3
"odd key" = { "blue" = [1, 2] }
formula = """
first \\
   still first
second"""
[[indicator]]
id = "c.d"
[indicator.level_needs]
red = "n"
'''


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("title",), Place(2, 1), Place(2, 9)),
        (("indicator", 0, "id"), Place(4, 1), Place(4, 6)),
        (("indicator", 0, "levels", "red", "raise"), Place(5, 12), Place(5, 20)),
        (("indicator", 0, "odd key", "blue"), Place(6, 15), Place(6, 24)),
        (("indicator", 0, "odd key", "blue", 1), Place(6, 15), Place(6, 28)),
        (("indicator", 1, "level_needs", "red"), Place(14, 1), Place(14, 7)),
        (("indicator", 1, "window"), Place(11, 3), Place(11, 3)),
        (("nothing", 5), Place(1, 1), Place(1, 1)),
    ],
)
def test_keys_and_values_are_found(path: Path, key: Place, value: Place) -> None:
    places = TomlPlaces.of(TEXT)
    assert (places.key(path), places.value(path)) == (key, value)


@pytest.mark.parametrize(
    ("path", "line", "column", "place"),
    [
        (("title",), 1, 4, Place(2, 13)),
        (("title",), 1, 6, Place(2, 16)),
        (("indicator", 0, "formula"), 1, 7, Place(9, 4)),
        (("indicator", 0, "formula"), 2, 3, Place(10, 3)),
        (("indicator", 0, "formula"), 9, 99, Place(10, 7)),
        (("indicator", 0, "levels"), 1, 1, Place(5, 1)),
    ],
)
def test_characters_of_a_text_are_found(path: Path, line: int, column: int, place: Place) -> None:
    assert TomlPlaces.of(TEXT).inside(path, line, column) == place


def test_line_ends_of_windows_do_not_shift_anything() -> None:
    assert TomlPlaces.of(TEXT.replace("\n", "\r\n")) == TomlPlaces.of(TEXT)


QUOTES = st.sampled_from(['"', '"""\n', "'", "'''\n"])


@given(QUOTES, st.text(st.sampled_from("ab中 \n\\"), max_size=12), st.text("xy= ", max_size=5))
def test_every_character_of_a_text_lies_where_it_is_written(quote: str, content: str, before: str) -> None:
    mark = quote.strip()
    if mark[0] == '"':
        content = content.replace("\\", "\\\\")
    elif "\\" in content:
        content = content.replace("\\", "")
    if len(mark) == 1:
        content = content.replace("\n", "\\n" if mark == '"' else "")
    text = f"# {before}\nf = {quote}{content}{mark}\n"
    value: str = tomllib.loads(text)["f"]
    places, lines = TomlPlaces.of(text), text.split("\n")
    for row, line in enumerate(value.split("\n"), start=1):
        for column, character in enumerate(line, start=1):
            place = places.inside(("f",), row, column)
            assert lines[place.line - 1][place.column - 1] == character


@pytest.mark.parametrize("text", ["a = = 1", "a = 1\n[b\nc = 2", 'x = "open', "é = 1", "\x00", "[[a]\nb = 1"])
def test_what_is_no_toml_is_found_without_an_error(text: str) -> None:
    assert TomlPlaces.of(text).broken
