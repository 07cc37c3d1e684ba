"""The check by mutants: what it changes, what it finds, and that its page and its reasons are in step."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

import pytest

from benchmarks.formula_mutants import formula_mutants
from benchmarks.mutants import (
    BAR,
    PAGE,
    Outcome,
    attempts,
    faults,
    page,
    reasons,
    score,
    tried,
)
from indicators.catalogue import Catalogue

SHIPPED = {i.id: i for i in Catalogue.load().indicators}


@pytest.mark.parametrize(
    ("formula", "changes"),
    [
        ("x >= 35", ["x > 35", "x < 35", "x >= 38", "x >= 32"]),
        ("0.5 * x", ["0.55 * x", "0.45 * x", "0.5 / x"]),
        ("x - -2", ["x + -2", "x - 2", "x - -3", "x - -1"]),
        ("not f and g", [" f and g", "not f or g"]),
        (
            "max(m, '15m')",
            ["min(m, '15m')", "mean(m, '15m')", "max(m, '1800s')", "max(m, '450s')"],
        ),
        ("entered(c, 'closed')", ["entered(c, 'rework')", "entered(c, 'feedback_good')"]),
        ("clock('06:00-22:00')", ["clock('07:00-22:00')", "clock('06:00-21:00')"]),
        ("a = 1;\n  a", ["a = 2;\n  a", "a = 0;\n  a"]),
        ("f(m, need=6)", ["f(m, need=7)", "f(m, need=5)"]),
    ],
)
def test_a_mutant_has_one_place_changed(formula: str, changes: list[str]) -> None:
    assert [m.text for m in formula_mutants(formula)] == changes


@pytest.mark.parametrize("name", SHIPPED)
def test_mutants_of_a_shipped_formula_differ_in_one_place_and_have_names_of_their_own(name: str) -> None:
    entry = SHIPPED[name].entry
    found = list(attempts(SHIPPED[name]))
    assert len({a.name for a in found}) == len(found) >= 3
    for mutant in formula_mutants(entry.formula):
        edits = SequenceMatcher(None, entry.formula, mutant.text, autojunk=False).get_opcodes()
        changed = [(i, j) for tag, i, j, _, _ in edits if tag != "equal"]
        old = mutant.change.split(" → ")[0]
        assert mutant.text != entry.formula
        assert all(mutant.at <= i and j <= mutant.at + len(old) for i, j in changed)


def test_a_wrong_formula_is_caught_an_equivalent_one_survives_and_nonsense_is_refused() -> None:
    outcomes = {o.name: o for o in map(tried, attempts(SHIPPED["hazchem.toxic_oel_ratio"]))}
    assert outcomes["highest → lowest"].fate == "caught"
    assert outcomes["/ → * (2)"].fate == "survived"
    churn = {o.name: o.fate for o in map(tried, attempts(SHIPPED["weather.gust_max"]))}
    assert churn["window: 10m → 1200s"] == "caught"


def test_the_score_leaves_out_what_is_refused_or_equivalent() -> None:
    key, reason = next((key, r) for key, r in reasons().items() if r.equivalent)
    found = [
        Outcome("a.b", "1 → 2", "caught", "a case"),
        Outcome("a.b", "2 → 3", "survived", ""),
        Outcome("a.b", "sum → x", "refused", "unknown"),
        Outcome(*key, "survived", ""),
    ]
    counts = score(found)
    assert (counts.mutants, counts.caught, counts.equivalent, counts.refused) == (3, 1, 1, 1)
    assert counts.share == 0.5
    assert faults(found[:3]) == ["a.b: 2 → 3: survived, and has no reason"]
    assert reason.why in page(found)


def test_reasons_are_for_mutants_that_there_are() -> None:
    names = {(name, a.name) for name, indicator in SHIPPED.items() for a in attempts(indicator)}
    assert set(reasons()) <= names
    assert all(len(reason.why) > 20 for reason in reasons().values())


def test_the_page_lists_the_survivors_that_have_a_reason_and_is_above_the_bar() -> None:
    text = PAGE.read_text("utf-8")
    listed = re.findall(r"^\| (\S+) \| `(.+?)` \| (yes|no) \| (.+) \|$", text, re.MULTILINE)
    told = {(name, change.replace("\\|", "|")): (equal == "yes", why) for name, change, equal, why in listed}
    assert told == {key: (reason.equivalent, reason.why) for key, reason in reasons().items()}
    caught, total = map(int, re.findall(r"\*\*(\d+) of (\d+) mutants", text)[0])
    assert caught >= BAR * total
