"""What may be written in a formula, and where a fault is said to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicators.syntax import MAX_DEPTH, FormulaError, parse


def test_named_parts_come_before_the_value() -> None:
    assert [s.name for s in parse("a = 1\nb = a; a + b").statements] == ["a", "b", None]


def test_newline_and_semicolon_are_the_same() -> None:
    one, two = parse("a = 1; a"), parse("a = 1\na")
    assert [s.name for s in one.statements] == [s.name for s in two.statements]


def test_an_indented_text_is_allowed() -> None:
    assert len(parse("\n    a = 1\n    a\n").statements) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a.b", "an attribute", id="attribute"),
        pytest.param("a[0]", "a subscript", id="subscript"),
        pytest.param("lambda: 1", "a lambda", id="lambda"),
        pytest.param("[x for x in y]", "comprehension", id="comprehension"),
        pytest.param("f(*a)", "'*'", id="star"),
        pytest.param("f(**a)", "'**' arguments", id="double star"),
        pytest.param("f(1)(2)", "by its name", id="call of a call"),
        pytest.param("f'{a}'", "f-string", id="f-string"),
        pytest.param("(a := 1)", "assignment inside", id="walrus"),
        pytest.param("a // b", "'//'", id="floor division"),
        pytest.param("a % b", "'%'", id="modulo"),
        pytest.param("a & b", "write 'and'", id="bit and"),
        pytest.param("a ^ b", "power", id="caret"),
        pytest.param("~a", "write 'not'", id="invert"),
        pytest.param("a is b", "write '=='", id="is"),
        pytest.param("a in b", "'in'", id="in"),
        pytest.param("[1]", "a list", id="list"),
        pytest.param("{}", "a dictionary", id="dict"),
        pytest.param("True", "True is not allowed", id="boolean"),
        pytest.param("None", "None is not allowed", id="none"),
        pytest.param("1j", "1j is not allowed", id="complex"),
        pytest.param("b'a'", "is not allowed", id="bytes"),
        pytest.param("import os", "not part of the formula language", id="import"),
        pytest.param("del a", "not part of the formula language", id="statement"),
        pytest.param("a += 1; a", "not part of the formula language", id="augmented assignment"),
        pytest.param("a = b = 1; a", "one name at a time", id="chained assignment"),
        pytest.param("a, b = 1, 2; a", "one name at a time", id="unpacking"),
        pytest.param("a = 1", "end with the value", id="no value"),
        pytest.param("1; 2", "before the end", id="two values"),
        pytest.param("", "empty", id="empty"),
        pytest.param("# a remark", "empty", id="only a comment"),
        pytest.param("1 +", "expression", id="unfinished"),
        pytest.param("a\x00b", "null bytes", id="null character"),
    ],
)
def test_everything_else_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("1 + " * 600 + "1", "2000", id="characters"),
        pytest.param("f(" + "1," * 401 + ")", "400 terms", id="nodes"),
        pytest.param("-" * (MAX_DEPTH + 1) + "1", "30 levels", id="depth"),
        pytest.param("(" * 900 + "1" + ")" * 900, "parentheses", id="parentheses"),
    ],
)
def test_the_limits_hold(text: str, words: str) -> None:
    with pytest.raises(FormulaError, match=words):
        parse(text)


def test_a_formula_at_the_limits_is_taken() -> None:
    parse("-" * (MAX_DEPTH - 1) + "1")
    parse("max(" + ",".join(["1"] * 397) + ")")


def test_the_place_is_counted_in_characters_not_bytes() -> None:
    with pytest.raises(FormulaError) as caught:
        parse("总数 = 1\n总数 + a.b")
    assert (caught.value.line, caught.value.column) == (2, 6)


def test_the_place_counts_the_indent() -> None:
    with pytest.raises(FormulaError) as caught:
        parse("  a.b")
    assert (caught.value.line, caught.value.column) == (1, 3)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused_with_a_place(text: str) -> None:
    try:
        parse(text)
    except FormulaError as error:
        assert error.line >= 1  # noqa: PT017 - most texts are refused, some are not
        assert error.column >= 1  # noqa: PT017
