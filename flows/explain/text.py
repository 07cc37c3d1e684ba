"""Explanations for reading: one tree per value, in Chinese or English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from flows.commands.catalogue_options import Language
from indicators.functions import FUNCTIONS

SHOWN = 8
"""Rows of a reduction that are shown; ``explain.json`` has all."""

LEVELS = {
    Language.zh: ("无级别", "蓝色", "黄色", "橙色", "红色"),
    Language.en: ("no level", "blue", "yellow", "orange", "red"),
}
WORDS = {
    Language.zh: {
        "value": "值", "nothing": "无数据", "window": "窗口", "readings": "读数与案件", "coverage": "覆盖率",
        "revision": "版本", "sensor": "传感器", "case": "案件", "cell": "网格", "weight": "权重",
        "counter": "引擎计数", "more": "另有 {n} 行，权重合计 {weight}", "silent": "{n} 个已知传感器无值",
        "unpublished": "该时刻没有发布任何值",
        "greatest": "取以下区域中的最大值", "alarm_needs": "告警前提", "level_needs": "分级前提",
        "unnamed": "（无名）",
    },
    Language.en: {
        "value": "value", "nothing": "no data", "window": "window", "readings": "readings and cases",
        "coverage": "coverage", "revision": "revision", "sensor": "sensor", "case": "case", "cell": "cell",
        "weight": "weight", "counter": "the engine's count",
        "more": "{n} more rows, weights {weight} together",
        "silent": "{n} known sensors without a value", "unpublished": "nothing was published for this window",
        "greatest": "the greatest value of these areas",
        "alarm_needs": "needed for a level", "level_needs": "needed for the level", "unnamed": "(unnamed)",
    },
}  # fmt: skip


def explanation_tree(found: Mapping[str, Any], lang: Language) -> Tree:
    """One explanation as a tree to print."""
    words = WORDS[lang]
    name = found["name_zh"] if lang is Language.zh else found["name_en"]
    head = f"{found['indicator']} {name} @ {found['area']} ({found['kind']}) {found['window_end']}"
    tree = Tree(f"[bold]{escape(head)}[/]")
    tree.add(escape(_published(found, lang)))
    tree.add(escape(f"{words['window']}: ({found['window_begin']}, {found['window_end']}]"))
    if found["greatest_of"]:
        above = tree.add(words["greatest"])
        for row in found["greatest_of"][:SHOWN]:
            above.add(escape(f"{row['area']}: {number(row['value'], lang)}"))
    seen: set[str] = set()
    _grow(tree, found["tree"], lang, seen)
    for key, condition in found["conditions"].items():
        kind, _, level = key.partition(".")
        _grow(tree.add(f"{words[kind]} {level}".strip()), condition, lang, seen)
    return tree


def _published(found: Mapping[str, Any], lang: Language) -> str:
    words, row = WORDS[lang], found["published"]
    if row is None:
        return words["unpublished"]
    return (
        f"{words['value']}: {number(row['value'], lang)} {found['unit']}, {LEVELS[lang][row['level'] or 0]}, "
        f"{words['readings']} {row['n']}, {words['coverage']} {row['coverage']:.3g}, "
        f"{words['revision']} {row['revision']}, {row['status']}"
    )


def _grow(tree: Tree, branch: Mapping[str, Any], lang: Language, seen: set[str]) -> None:
    """Add a branch; a named part that was shown before by its value alone."""
    value, name = number(branch["value"], lang), branch["name"]
    if name in seen:
        tree.add(escape(f"{value}  ⟵  {name}"))
        return
    seen |= {name} if name else set()
    named = f"{name} = " if name else ""
    own = tree.add(escape(f"{value}  ⟵  {named}{branch['text']}{_meaning(branch, lang)}"))
    for child in branch.get("children", ()):
        _grow(own, child, lang, seen)
    if "rows" in branch:
        _add_rows(own, branch["rows"], branch["silent"], lang)


def _meaning(branch: Mapping[str, Any], lang: Language) -> str:
    function = FUNCTIONS.get(branch["function"] or "")
    if function is None:
        return ""
    return f"  · {function.zh if lang is Language.zh else function.en}"


def _add_rows(tree: Tree, rows: Sequence[Mapping[str, Any]], silent: int, lang: Language) -> None:
    words = WORDS[lang]
    ranked = sorted(rows, key=lambda row: (-abs(row["weight"] or 0), -abs(row["value"] or 0)))
    for row in ranked[:SHOWN]:
        tree.add(escape(_row(row, lang)))
    rest = ranked[SHOWN:]
    if rest:
        weight = sum(row["weight"] or 0 for row in rest)
        tree.add(words["more"].format(n=len(rest), weight=number(weight, lang)))
    if silent:
        tree.add(words["silent"].format(n=silent))


def _row(row: Mapping[str, Any], lang: Language) -> str:
    words = WORDS[lang]
    kind = "case" if "case" in row else "sensor"
    who = f"{words[kind]} {row[kind] or words['unnamed']}"
    if row.get("counter"):
        who = words["counter"]
    # A single term is the value itself.
    shown = row["terms"].items() if len(row["terms"]) > 1 else ()
    terms = "; ".join(f"{text} = {number(value, lang)}" for text, value in shown)
    return (
        f"{who}, {words['cell']} {row['cell']}: {words['value']} {number(row['value'], lang)}, "
        f"{words['weight']} {number(row['weight'], lang)}{f'  ({terms})' if terms else ''}"
    )


def number(value: float | None, lang: Language) -> str:
    """A number for reading.

    >>> number(0.30000000000000004, Language.en), number(None, Language.en)
    ('0.3', 'no data')
    """
    return WORDS[lang]["nothing"] if value is None else f"{value:.9g}"
