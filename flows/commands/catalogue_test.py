"""``yiwang catalogue test``: golden cases of the shipped indicators or of one's own, and what they gave."""

from __future__ import annotations

import json as json_text
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from alerts.golden_run import AreaResult, CaseResult, run_case
from flows.commands.catalogue_options import Lang, Language, Own, fail, load, named
from indicators.golden_case import GoldenError, read_cases, shipped_cases
from indicators.metrics import Metrics
from indicators.toml_text import read_toml

EPILOG = """Examples:

  yiwang catalogue test

  yiwang catalogue test my_city/

  yiwang catalogue test cases.toml --catalogue my_city/ --json

A file may hold tables of indicators and of cases side by side; docs/catalogue.md shows how to write them.

Exit code: 0 all cases passed, 1 some did not or a file cannot be read, 2 wrong use."""

_WORDS = {
    Language.en: {
        "failed": "FAILED",
        "passed": "passed",
        "area": "area",
        "expected": "expected",
        "found": "found",
        "level": "level",
        "nothing": "no value",
        "none": "no level",
        "summary": "{passed} of {cases} cases passed, of {indicators} indicators",
        "empty": "no [[case]] table in {files} files; write one per case, with two brackets",
    },
    Language.zh: {
        "failed": "未通过",
        "passed": "通过",
        "area": "区域",
        "expected": "应为",
        "found": "实为",
        "level": "级别",
        "nothing": "无值",
        "none": "无级别",
        "summary": "{cases} 个用例通过 {passed} 个，涉及 {indicators} 个指标",
        "empty": "{files} 个文件中没有 [[case]] 表；每个用例写一个，用双方括号",
    },
}


def run_cases(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Files or folders; default: the shipped cases."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Name the passed cases too.")] = False,
    lang: Lang = Language.en,
    catalogue: Own = None,
) -> None:
    """Run golden cases: records in a short notation, and the value and level they must give."""
    try:
        found = named(paths or [])
        cases = read_cases(found) if paths else shipped_cases()
        holding = [path for path in found if _holds_indicators(path)]
    except GoldenError as error:
        fail(error)
    indicators = {i.id: i for i in load([*(catalogue or []), *holding]).indicators}
    metrics = Metrics.load()
    results = [run_case(case, indicators, metrics) for case in cases]
    if json:
        typer.echo(json_text.dumps([_object(r) for r in results], ensure_ascii=False, indent=2))
    elif not results:
        typer.echo(_WORDS[lang]["empty"].format(files=len(found)), err=True)
    else:
        _print(results, lang, verbose=verbose)
    if not results or not all(r.passed for r in results):
        raise typer.Exit(1)


def _holds_indicators(path: Path) -> bool:
    """Whether a file, known to be TOML, has indicators beside its cases."""
    return "indicator" in read_toml(path.read_text("utf-8"))


def _print(results: Sequence[CaseResult], lang: Language, *, verbose: bool) -> None:
    words = _WORDS[lang]
    for result in results:
        case = result.case
        if result.passed:
            if verbose:
                typer.echo(f"{words['passed']}  {case.indicator}: {case.name}")
            continue
        typer.echo(f"{words['failed']}  {case.indicator}: {case.name}")
        typer.echo(f"  {case.file}:{case.place.line}")
        if result.problem:
            typer.echo(f"  {result.problem}")
        for area in result.areas:
            if not area.passed:
                typer.echo(f"  {_difference(area, lang)}")
        for line in (*case.series_lines, *case.case_lines):
            typer.echo(f"    {line}")
    passed = sum(r.passed for r in results)
    indicators = len({r.case.indicator for r in results})
    typer.echo(words["summary"].format(passed=passed, cases=len(results), indicators=indicators))


def _difference(area: AreaResult, lang: Language) -> str:
    words = _WORDS[lang]
    pairs = [] if area.value_passed else [("", _number(area.expected, lang), _number(area.found, lang))]
    if not area.any_level and area.expected_level != area.found_level:
        wanted, found = _level(area.expected_level, lang), _level(area.found_level, lang)
        pairs.append((f"{words['level']} ", wanted, found))
    told = "; ".join(f"{what}{words['expected']} {a}, {words['found']} {b}" for what, a, b in pairs)
    return f"{words['area']} {area.area}: {told}"


def _number(value: float, lang: Language) -> str:
    return _WORDS[lang]["nothing"] if math.isnan(value) else f"{value:.10g}"


def _level(level: int | None, lang: Language) -> str:
    return _WORDS[lang]["none"] if level is None else str(level)


def _object(result: CaseResult) -> dict[str, Any]:
    case = result.case
    return {
        "indicator": case.indicator,
        "name": case.name,
        "file": str(case.file),
        "line": case.place.line,
        "passed": result.passed,
        "problem": result.problem or None,
        "areas": [
            {
                "area": a.area,
                "expected": None if math.isnan(a.expected) else a.expected,
                "found": None if math.isnan(a.found) else a.found,
                "expected_level": a.expected_level,
                "found_level": a.found_level,
                "passed": a.passed,
            }
            for a in result.areas
        ],
    }
