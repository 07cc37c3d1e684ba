"""The shipped indicators as Markdown: a page per theme in Chinese and in English, and an index.

>>> sorted(pages(Catalogue.load()))[:2]
['README.md', 'en/emergency.md']
"""

from __future__ import annotations

import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from indicators.catalogue import Catalogue, Indicator
from indicators.durations import text as duration_text
from indicators.entry import LEVELS, Theme
from indicators.golden_case import GoldenCase, shipped_cases
from indicators.metrics import Metrics
from indicators.page_words import DOMAINS, KINDS, LEVEL_NAMES, PROVENANCES, THEMES, WORDS

Lang = Literal["zh", "en"]
LANGS: tuple[Lang, ...] = ("zh", "en")


def pages(catalogue: Catalogue) -> dict[str, str]:
    """All pages by their path below ``docs/indicators``."""
    cases: dict[str, list[GoldenCase]] = defaultdict(list)
    for case in shipped_cases():
        cases[case.indicator].append(case)
    found = {"README.md": _index(catalogue)}
    for theme in typing.get_args(Theme):
        own = [i for i in catalogue.indicators if i.entry.theme == theme]
        for lang in LANGS:
            found[f"{lang}/{theme}.md"] = _page(theme, own, cases, lang)
    return found


def _index(catalogue: Catalogue) -> str:
    count = len(catalogue.indicators)
    lines = [
        "# The shipped indicators · 内置指标",
        "",
        f"{count} indicators by theme, written from the catalogue by `make docs`. The formulas are in the",
        "[formula language](../formulas.md); how to add one's own: [catalogue.md](../catalogue.md).",
        "",
        f"按主题列出的 {count} 个指标，由 `make docs` 依目录生成。",
    ]
    for theme in typing.get_args(Theme):
        own = [i for i in catalogue.indicators if i.entry.theme == theme]
        zh, en = THEMES[theme]
        lines += [
            "",
            f"## {zh} · {en}",
            "",
            "| 指标 · indicator | 单位 · unit | 窗口 · window | 中文 | English |",
        ]
        lines.append("|---|---|---|---|---|")
        for i in own:
            links = [f"[{i.entry.name_zh}](zh/{theme}.md#{_anchor(i)})"]
            links.append(f"[{i.entry.name_en}](en/{theme}.md#{_anchor(i)})")
            lines.append(
                f"| `{i.id}` | {i.entry.unit} | {i.entry.window} / {i.entry.hop} | {' | '.join(links)} |"
            )
    return "\n".join(lines) + "\n"


def _anchor(indicator: Indicator) -> str:
    return indicator.id.replace(".", "")


def _page(theme: str, own: Sequence[Indicator], cases: Mapping[str, Sequence[GoldenCase]], lang: Lang) -> str:
    title = THEMES[theme][LANGS.index(lang)]
    parts = [f"# {title}\n\n{WORDS[lang]['page']}"]
    domains = dict.fromkeys(i.entry.domain for i in own)
    for domain in sorted(domains):
        parts.append(f"## {DOMAINS.get(domain, (domain, domain))[LANGS.index(lang)]}")
        parts += [section(i, cases.get(i.id, ()), lang) for i in own if i.entry.domain == domain]
    return "\n\n".join(parts) + "\n"


def section(
    indicator: Indicator, cases: Sequence[GoldenCase], lang: Lang, *, level: int = 3, between: str = "<br>"
) -> str:
    """One indicator: meaning, formula, inputs, levels, source, and a golden case as an example.

    ``level`` is that of the heading; ``between`` stands between lines of a cell.

    >>> "highest(sum(rain_1m" in section(Catalogue.load()["weather.rain_1h_max"], (), "en")
    True
    """
    entry, words = indicator.entry, WORDS[lang]
    name = entry.name_zh if lang == "zh" else entry.name_en
    parts = [f"{'#' * level} {indicator.id}", f"**{name}**"]
    if entry.meaning:
        parts.append(f"{words['meaning']}{words['colon']}`{entry.meaning}`")
    parts.append(f"```text\n{_readable(entry.formula)}\n```")
    parts.append("\n".join(_facts(indicator, lang, between)))
    if entry.levels:
        parts.append("\n".join(_levels(indicator, lang)))
    if entry.threshold_source:
        parts.append(f"{words['source']}{words['colon']}{entry.threshold_source}")
    if entry.note:
        parts.append(f"{words['note']}{words['colon']}{entry.note}")
    if cases:
        parts.append(_example(cases[0], entry.unit, lang))
    return "\n\n".join(parts)


def _readable(formula: str) -> str:
    """A formula with each named part on a line of its own."""
    return "\n".join(
        line.strip() for part in formula.strip().split(";") for line in part.strip().splitlines()
    )


def _facts(indicator: Indicator, lang: Lang, between: str) -> Iterator[str]:
    entry, words, kinds = indicator.entry, WORDS[lang], KINDS[lang]
    yield f"| {words['key']} | |\n|---|---|"
    yield f"| {words['unit']} | {entry.unit} |"
    yield f"| {words['window']} | {words['every'].format(window=entry.window, hop=entry.hop)} |"
    yield f"| {words['inputs']} | {between.join(_inputs(indicator, lang))} |"
    areas = (
        words["recompute"] if entry.merge == "recompute" else words["max"].format(kind=kinds[entry.lowest])
    )
    yield f"| {words['areas']} | {words['from'].format(kind=kinds[entry.lowest])}{areas} |"
    if indicator.min_coverage:
        yield f"| {words['coverage']} | {indicator.min_coverage:.0%} |"
    if entry.alarm_needs:
        yield f"| {words['alarm_needs']} | `{entry.alarm_needs}` |"
    if indicator.early:
        yield f"| {words['early']} | {words['early_yes']} |"
    if entry.anomaly != "none":
        yield f"| {words['anomaly']} | `{entry.anomaly}` |"
    if entry.department:
        yield f"| {words['department']} | {entry.department} |"


def _inputs(indicator: Indicator, lang: Lang) -> Iterator[str]:
    metrics = Metrics.load()
    for code in (*indicator.metrics, *indicator.events):
        metric = metrics[code]
        name = metric.name_zh if lang == "zh" else metric.name_en
        unit = f", {metric.unit}" if code in metrics.index else ""
        yield f"`{code}` {name}{unit}"


def _levels(indicator: Indicator, lang: Lang) -> Iterator[str]:
    entry, words = indicator.entry, WORDS[lang]
    sign = "≥" if indicator.high_bad else "≤"
    yield f"| {' | '.join(words[key] for key in ('level', 'raise', 'clear', 'for', 'provenance'))} |"
    yield "|---|---|---|---|---|"
    for i, level in enumerate(LEVELS):
        if level not in entry.levels:
            continue
        held = duration_text(indicator.for_ms[i]) if indicator.for_ms[i] else ""
        needs = entry.level_needs.get(level)
        raised = f"{sign} {indicator.raises[i]:g}" + (f", `{needs}`" if needs else "")
        origin = PROVENANCES[lang].get(entry.provenance.get(level, ""), entry.provenance.get(level, ""))
        name = LEVEL_NAMES[lang][level]
        yield f"| {name} | {raised} | {indicator.clears[i]:g} | {held} | {origin} |"


def _example(case: GoldenCase, unit: str, lang: Lang) -> str:
    words = WORDS[lang]
    lines = [*case.series_lines, *case.case_lines]
    lines += [f"{area}: {cells}" for area, cells in _areas(case)]
    told = "; ".join(_expected(case, area, unit, lang) for area in case.value)
    block = "\n".join(lines)
    return f"{words['example']}{words['colon']}{case.name}\n\n```text\n{block}\n```\n\n→ {told}"


def _areas(case: GoldenCase) -> Iterator[tuple[str, str]]:
    if set(case.areas) != {"all"}:
        yield from ((name, ", ".join(sorted(cells))) for name, cells in case.areas.items())


def _expected(case: GoldenCase, area: str, unit: str, lang: Lang) -> str:
    words, value, level = WORDS[lang], case.value[area], case.level.get(area)
    number = words["nothing"] if value is None else f"{value:g} {unit}"
    named = "" if level is None else f", {LEVEL_NAMES[lang][('none', *LEVELS)[level]]}"
    return (f"{area}: " if area != "all" else "") + number + named
