"""``yiwang catalogue check``: every fault of catalogue files, what indicators need and cost."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from alerts.threshold_file import check_thresholds
from flows.commands.catalogue_estimate import assumption, estimate_lines, estimates, series_count
from flows.commands.catalogue_options import Lang, Language, named
from flows.commands.replay import existing
from flows.control.change import texts_of
from indicators import check
from indicators.catalogue import Catalogue
from indicators.check import CheckedFiles, Fault
from indicators.metrics import Metrics

EPILOG = """Examples:

  yiwang catalogue check my_city/*.toml

  yiwang catalogue check my_city/ --json

  yiwang catalogue check my_city/ --sensors sensors.csv

  yiwang catalogue check my_city/ --thresholds thresholds.toml

Then it tells which aggregates the shipped catalogue keeps already (values at once), which have to warm up,
and what every indicator costs.

Exit code: 0 the files can be used, 1 they have faults (file:line:column on stderr), 2 wrong use."""

_WORDS = {
    Language.en: {
        "fine": "{indicators} indicators in {files} files are well-formed",
        "cases": "{cases} golden cases beside them; run `yiwang catalogue test`",
        "faults": "{faults} faults in {files} files",
        "replaces": "{id} replaces the shipped indicator of this id",
    },
    Language.zh: {
        "fine": "{files} 个文件中 {indicators} 个指标书写正确",
        "cases": "另有 {cases} 个用例；运行 `yiwang catalogue test`",
        "faults": "{files} 个文件中有 {faults} 处错误",
        "replaces": "{id} 将替换同编号的内置指标",
    },
}


def check_files(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Catalogue files or folders.")
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Thresholds of some areas at some times, too.", show_default=False),
    ] = None,
    series: Annotated[
        int, typer.Option(min=0, metavar="N", help="Series of every metric that costs are told for.")
    ] = 1000,
    sensors: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Sensor registry whose series count instead.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
    lang: Lang = Language.en,
) -> None:
    """Check catalogue files: every fault at once, with its place, what was found and the nearest name."""
    if not paths and thresholds is None:
        raise typer.BadParameter("name a catalogue file or folder, or --thresholds", param_hint="FILE...")
    found = named(paths or [])
    checked = _with_thresholds(check.check_files(found, Metrics.load()), existing(thresholds, "thresholds"))
    try:
        told = estimates(checked.indicators, series_count(sensors, series)) if not checked.faults else []
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint="--sensors") from error
    if json:
        typer.echo(json_text.dumps(_object(checked) | {"estimates": told}, ensure_ascii=False, indent=2))
    else:
        _print(checked, [*found, *([thresholds] if thresholds else [])], lang)
        if told:
            typer.echo("\n".join(estimate_lines(told, lang)))
            typer.echo(assumption(sensors, series, lang))
    if checked.faults:
        raise typer.Exit(1)


def _with_thresholds(checked: CheckedFiles, path: Path | None) -> CheckedFiles:
    """The same with the faults of a file of thresholds, for the shipped indicators and those checked."""
    if path is None:
        return checked
    shipped = Catalogue.load()
    known = {i.id: i for i in (*shipped.indicators, *checked.indicators)}
    try:
        faults = check_thresholds(texts_of(path), replace(shipped, indicators=tuple(known.values())))
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}", param_hint="--thresholds") from error
    return replace(checked, faults=(*checked.faults, *faults))


def _print(checked: CheckedFiles, found: Sequence[Path], lang: Language) -> None:
    words = _WORDS[lang]
    for fault in checked.faults:
        typer.echo(str(fault), err=True)
    if checked.faults:
        typer.echo(words["faults"].format(faults=len(checked.faults), files=len(found)), err=True)
        return
    typer.echo(words["fine"].format(indicators=len(checked.indicators), files=len(found)))
    if checked.cases:
        typer.echo(words["cases"].format(cases=checked.cases))
    shipped = {i.id: i for i in Catalogue.load().indicators}
    for indicator in checked.indicators:
        if indicator.id in shipped and indicator.entry != shipped[indicator.id].entry:
            typer.echo(words["replaces"].format(id=indicator.id))


def _object(checked: CheckedFiles) -> dict[str, Any]:
    return {
        "faults": [_fault(fault) for fault in checked.faults],
        "indicators": [indicator.id for indicator in checked.indicators],
        "cases": checked.cases,
    }


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "file": str(fault.file),
        "line": fault.line,
        "column": fault.column,
        "name": fault.name or None,
        "key": fault.key or None,
        "message": fault.message,
    }
