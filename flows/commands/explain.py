"""``yiwang explain``: why an incident is there: what was measured, the threshold it passed, what followed."""

import json as json_text
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.commands.catalogue_options import Language
from flows.commands.dispatch import COLOURS, LEVELS, PREFIX, URL, Prefix, Url, Zone, client_of, fail
from flows.commands.unit_text import with_unit

if TYPE_CHECKING:
    from alerts.incident import Incident, Step
    from indicators.indicator import Indicator

EPILOG = """Examples:

  yiwang explain I996806b0c75c8376

  yiwang explain I996806b0c75c8376 --incidents out/incidents.jsonl --lang zh

  yiwang explain I996806b0c75c8376 --json"""

_WORDS: Mapping[str, tuple[str, str]] = {
    "indicator": ("indicator", "指标"),
    "where": ("where", "位置"),
    "level": ("level", "等级"),
    "value": ("value", "数值"),
    "window": ("window", "时间窗"),
    "status": ("status", "状态"),
    "due": ("due", "时限"),
    "meaning": ("meaning", "含义"),
    "formula": ("formula", "公式"),
    "source": ("thresholds from", "阈值来源"),
    "time": ("time", "时间"),
    "change": ("change", "变化"),
    "who": ("who, note", "人员、备注"),
    "early": ("judged before the window ended", "窗口结束前研判"),
    "highest": ("highest so far", "曾达到"),
    "threshold": ("threshold", "阈值"),
    "until": ("until", "截至"),
}


def explain(
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Its id, I and 16 hex digits.")],
    url: Url = URL,
    incidents: Annotated[
        Path | None,
        typer.Option(
            metavar="F", help="Read it from an incidents.jsonl instead of Redis.", show_default=False
        ),
    ] = None,
    prefix: Prefix = PREFIX,
    lang: Annotated[Language, typer.Option(help="Language of names and headings.")] = Language.en,
    tz: Zone = "Asia/Shanghai",
    as_json: Annotated[bool, typer.Option("--json", help="Print an object alone.")] = False,
) -> None:
    """Show the evidence of an incident: what was measured, against which threshold, and what became of it."""
    found = _in_redis(incident, url, prefix) if incidents is None else _in_file(incident, incidents)
    indicator = _indicator(found.indicator)
    if as_json:
        about = msgspec.to_builtins(found) | {"definition": indicator.row() if indicator else None}
        typer.echo(json_text.dumps(about, ensure_ascii=False, indent=2))
        return
    page = _Page(found, indicator, lang, ZoneInfo(tz))
    console = Console()
    console.print(page.facts())
    console.print(page.history())


def _in_file(name: str, path: Path) -> "Incident":
    """The last line about an incident."""
    from alerts.incident import Incident

    mark, last = name.encode(), None
    try:
        with path.open("rb") as file:
            for line in file:
                if mark in line:
                    one = msgspec.json.decode(line, type=Incident)
                    last = one if one.incident_id == name else last
    except (OSError, msgspec.DecodeError) as error:
        fail(f"{path} cannot be read as incidents: {error}")
    if last is None:
        fail(f"no incident {name} in {path}; the ids are the field incident_id of its lines")
    return last


def _in_redis(name: str, url: str, prefix: str) -> "Incident":
    from alerts.incident import Incident

    with client_of(url, "explain", "work", prefix) as client:
        fields: dict[str, Any] = dict(client.incident(name))
    if not fields:
        fail(f"no incident {name} in Redis; see yiwang dispatch list, or name a file with --incidents")
    # A hash holds texts: lists as JSON or with commas, what is missing as nothing.
    fields["history"] = json_text.loads(fields["history"])
    fields["alert_ids"] = fields["alert_ids"].split(",")
    fields = {key: None if value == "" and key in _MAYBE else value for key, value in fields.items()}
    return msgspec.convert(fields, Incident, strict=False)


_MAYBE = ("cell", "value", "threshold")


def _indicator(name: str) -> "Indicator | None":
    from indicators.catalogue import Catalogue

    try:
        return Catalogue.load()[name]
    except KeyError:  # one of the city's own
        return None


@dataclass(frozen=True)
class _Page:
    """An incident as people read it."""

    incident: "Incident"
    indicator: "Indicator | None"
    lang: Language
    zone: ZoneInfo

    def facts(self) -> Table:
        """What it is about, on which evidence."""
        one, row = self.incident, self.indicator.row() if self.indicator else {}
        table = Table(box=None, show_header=False, title=one.incident_id, title_justify="left")
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        name = one.name_zh if self.lang is Language.zh else one.name_en
        highest = f", {self._word('highest')} {LEVELS[one.peak_level]}" if one.peak_level > one.level else ""
        early = f" ({self._word('early')})" if one.early else ""
        facts = {
            "indicator": f"{name}  {one.indicator}",
            "where": " · ".join(dict.fromkeys(x for x in (one.kind, one.area, one.cell, one.district) if x)),
            "level": f"[{COLOURS[one.level]}]{LEVELS[one.level]}[/]{highest}",
            "value": f"{self._value(one.value)}, {self._word('threshold')} {self._value(one.threshold)}",
            "window": f"{row.get('window', '')} {self._word('until')} {self._time(one.window_end)}{early}",
            "status": f"{one.status}, {one.alarm}; {one.department}",
            "due": self._time(one.due_ms),
            "meaning": escape(str(row.get("meaning") or "")),
            "formula": escape(str(row.get("formula") or "")),
            "source": escape(str(row.get("threshold_source") or "")),
        }
        for word, text in facts.items():
            if text:
                table.add_row(self._word(word), text)
        return table

    def history(self) -> Table:
        """All that happened to it."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for word in ("time", "change", "level", "value", "who"):
            table.add_column(self._word(word), overflow="fold")
        for step in self.incident.history:
            table.add_row(*self._step(step))
        return table

    def _step(self, step: "Step") -> tuple[str, ...]:
        if step.status is not None:
            change = f"{step.change} → {step.status}"
            return self._time(step.ts), change, "", "", escape(f"{step.actor} {step.note or ''}".strip())
        level = f"[{COLOURS[step.level]}]{LEVELS[step.level]}[/]"
        return self._time(step.ts), step.change, level, self._value(step.value), ""

    def _word(self, key: str) -> str:
        return _WORDS[key][self.lang is Language.zh]

    def _value(self, value: float | None) -> str:
        return "-" if value is None else with_unit(f"{value:.6g}", self.incident.unit)

    def _time(self, ms: int) -> str:
        return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone(self.zone):%Y-%m-%d %H:%M:%S}"
