"""Nodes written as text compile to the same nodes: shipped formulas, examples, and drawn expressions."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indicators.calls import Context
from indicators.catalogue import Catalogue
from indicators.compiler import Compiler, compile_formula
from indicators.expression import Node
from indicators.expression_text import formula_text
from indicators.functions import FUNCTIONS
from indicators.metrics import Metrics
from indicators.syntax import parse

METRICS = Metrics.load()
TEXTS = [f.example for f in FUNCTIONS.values()]
TEXTS += [i.entry.formula for i in Catalogue.load().indicators]
TEXTS += [
    i.entry.alarm_needs for i in Catalogue.load().indicators if i.entry.alarm_needs and not i.formula.parts
]


def compiled(text: str) -> Node:
    return Compiler(parse(text), Context(METRICS, None), {}).run()


@pytest.mark.parametrize("text", TEXTS)
def test_a_formula_reads_back_as_itself(text: str) -> None:
    node = compiled(text)
    # By repr, where NaN equals NaN.
    assert repr(compiled(formula_text(node))) == repr(node)


numbers = st.one_of(
    st.sampled_from(["total(rain_1m)", "highest(max(pm25))", "2", "0.5", "-3", "setting('a', 1)"]),
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    flag = st.tuples(inner, st.sampled_from(["<", "<=", "==", "!="]), inner).map(" ".join)
    flags = st.one_of(
        flag.map("({})".format),
        st.tuples(flag, st.sampled_from(["and", "or"]), flag).map(lambda t: f"({' '.join(t)})"),
        flag.map("(not {})".format),
    )
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("-{}".format),
        st.tuples(inner, flags, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"max_of({t[0]}, {t[1]})"),
    )


@given(st.recursive(numbers, _grown, max_leaves=8))
@example("-(2 - 2)")
def test_drawn_arithmetic_reads_back_as_itself(text: str) -> None:
    node = compiled(text)
    assert repr(compiled(formula_text(node))) == repr(node)


def test_named_nodes_are_shown_by_their_names() -> None:
    formula = compile_formula("n = total(rain_1m); n / 2 + n", METRICS)
    names = {node: name for name, node in formula.parts.items()}
    assert formula_text(formula.value, names) == "n / 2 + n"
    assert formula_text(formula.parts["n"], names) == "total(rain_1m)"
