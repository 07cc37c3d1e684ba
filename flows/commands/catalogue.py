"""`yiwang catalogue`: the indicators, one of them, a check of one's own, the reference of the language."""

import difflib
import json as json_text
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from flows.commands.catalogue_check import EPILOG as CHECK_EXAMPLES
from flows.commands.catalogue_check import check_files
from flows.commands.catalogue_options import Lang, Language, Own, load
from flows.commands.catalogue_test import EPILOG as TEST_EXAMPLES
from flows.commands.catalogue_test import run_cases
from indicators.catalogue import Catalogue
from indicators.entry import LEVELS
from indicators.golden_case import shipped_cases
from indicators.indicator import Indicator
from indicators.pages import pages, section
from indicators.reference import markdown

app = typer.Typer(name="catalogue", help="The indicators and the formula language.", no_args_is_help=True)


_HEADINGS = {
    Language.zh: ("指标", "窗口", "步长", "蓝/黄/橙/红"),
    Language.en: ("indicator", "window", "hop", "levels"),
}

_LIST_EXAMPLES = """Examples:

  yiwang catalogue list --lang zh

  yiwang catalogue list --json | jq '.[].id'

  yiwang catalogue list --catalogue my_city/"""

_SHOW_EXAMPLES = """Examples:

  yiwang catalogue show traffic.congestion_index

  yiwang catalogue show air.aqi --json"""


_DOCS_EXAMPLES = """Examples:

  yiwang catalogue docs > formulas.md

  yiwang catalogue docs --to docs"""


@app.command(name="list", epilog=_LIST_EXAMPLES)
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print a list of objects.")] = False,
    lang: Lang = Language.en,
    catalogue: Own = None,
) -> None:
    """List the indicators."""
    indicators = load(catalogue).indicators
    if json:
        _print_json([i.row() for i in indicators])
        return
    table = Table(box=None)
    for heading in _HEADINGS[lang]:
        table.add_column(heading, no_wrap=True)
    for indicator in indicators:
        row = indicator.row()
        levels = "/".join(_cell(row[level]) or "-" for level in LEVELS)
        table.add_row(
            f"{row['id']}\n  {row[f'name_{lang.value}']}, {row['unit']}",
            row["window"],
            row["hop"],
            "" if levels == "-/-/-/-" else levels,
        )
    Console().print(table)


@app.command(epilog=_SHOW_EXAMPLES)
def show(
    indicator: Annotated[str, typer.Argument(metavar="ID", help="Id of an indicator.")],
    json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
    lang: Lang = Language.en,
    catalogue: Own = None,
) -> None:
    """Show one indicator with its formula, levels and where they come from."""
    found = _find(load(catalogue), indicator)
    if json:
        _print_json(found.row())
        return
    cases = [case for case in shipped_cases() if case.indicator == found.id]
    Console().print(Markdown(section(found, cases, lang.value, level=1, between="; ")))


app.command(name="check", epilog=CHECK_EXAMPLES)(check_files)
app.command(name="test", epilog=TEST_EXAMPLES)(run_cases)


@app.command(epilog=_DOCS_EXAMPLES)
def docs(
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write all pages there instead.", show_default=False)
    ] = None,
) -> None:
    """Print the reference of the formula language as Markdown, or write it and a page of every theme."""
    if to is None:
        typer.echo(markdown(), nl=False)
        return
    found = {"formulas.md": markdown()}
    found |= {f"indicators/{name}": text for name, text in pages(Catalogue.load()).items()}
    for name, text in found.items():
        path = to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    typer.echo(f"{len(found)} pages written to {to}", err=True)


def _find(catalogue: Catalogue, wanted: str) -> Indicator:
    try:
        return catalogue[wanted]
    except KeyError:
        near = difflib.get_close_matches(wanted, [i.id for i in catalogue.indicators], n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "see `yiwang catalogue list`"
        typer.echo(f"no indicator {wanted!r}; {hint}", err=True)
        raise typer.Exit(2) from None


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {inner}" for key, inner in value.items() if inner is not None)
    return str(value)


def _print_json(value: list[dict[str, Any]] | dict[str, Any]) -> None:
    typer.echo(json_text.dumps(value, ensure_ascii=False, indent=2))
