"""``yiwang doctor``: what is set up wrongly, in Chinese or English, as a table or JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.config.file import ConfigurationError, load

if TYPE_CHECKING:
    from flows.doctor.findings import Finding, Text

EPILOG = """Examples:

  yiwang doctor --config city.toml

  yiwang doctor --config city.toml --lang zh

  yiwang doctor --kafka 127.0.0.1:9092 --redis redis://127.0.0.1:6379/0 --json

Exit code 1 if anything is wrong; doubts alone give 0. The brokers' clock is asked for by a message to a topic
that is made for it and removed again; --no-probe leaves that out."""

Language = Literal["en", "zh"]

_SIGNS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "wrong": "[red]✗[/]", "skipped": "[dim]-[/]"}
_HEADS: dict[Language, tuple[str, str, str]] = {
    "en": ("check", "found", "what to do"),
    "zh": ("检查项", "发现", "怎么办"),
}


def doctor(
    config: Annotated[Path | None, typer.Option(metavar="TOML", help="The configuration to look at.")] = None,
    kafka: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A broker, instead of the configuration's.")
    ] = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="A Redis, instead of the configuration's.")
    ] = None,
    lang: Annotated[
        Language | None,
        typer.Option(help="Language; default: that of the environment (LANG).", show_default=False),
    ] = None,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Write nothing to Kafka: do not ask for its clock.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON alone.")] = False,
) -> None:
    """Find what is set up wrongly, and say what to do about it; exit code 1 if anything is wrong."""
    if config is None and kafka is None and redis is None:
        message = "there is nothing to look at; give --config city.toml, --kafka HOST:PORT or --redis URL"
        raise typer.BadParameter(message, param_hint="--config")
    from sinks.log import language_of_environment

    findings = list(_findings(config, kafka, redis, probe=not no_probe))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in findings], ensure_ascii=False))
    else:
        Console().print(_table(findings, lang or language_of_environment()))
    if any(one.state == "wrong" for one in findings):
        raise typer.Exit(1)


def _findings(
    config: Path | None, kafka: str | None, redis: str | None, *, probe: bool
) -> "Iterable[Finding]":
    from flows.doctor.examination import examine
    from flows.doctor.findings import unreadable

    try:
        found = load(config, {"kafka.bootstrap_servers": kafka, "redis.url": redis})
    except ConfigurationError as error:
        return unreadable(config, error.faults)
    return examine(found, probe=probe)


def _table(findings: "list[Finding]", lang: Language) -> Table:
    table = Table("", *_HEADS[lang], box=SIMPLE_HEAD)
    for one in findings:
        found, advice = escape(_in(one.found, lang)), escape(_in(one.advice, lang))
        table.add_row(_SIGNS[one.state], one.check, found, advice)
    return table


def _in(text: "Text", lang: Language) -> str:
    return text.zh if lang == "zh" else text.en
