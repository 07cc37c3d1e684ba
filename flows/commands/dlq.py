"""``yiwang dlq``: what was refused, and putting it back corrected, each record once."""

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Never
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from flows.config.kafka import KafkaSection
    from flows.letters.letters import Letter, Wanted
    from flows.letters.redrive import Redriven, Target
    from flows.wire import Kind
    from sinks.kafka_types import KafkaSettings

app = typer.Typer(
    help="Dead letters: records that were refused, in the topics TOPIC.dlq or in a rejects.jsonl.",
    no_args_is_help=True,
)

_LIST = """Examples:

  yiwang dlq list --config city.toml

  yiwang dlq list --kafka 127.0.0.1:9092 --reason bad_field --since 2026-03-02T08:00

  yiwang dlq list --file out/rejects.jsonl --limit 0 --json > letters.json"""

_REDRIVE = """Examples:

  yiwang dlq redrive --config city.toml --reason unknown_location --as-is

  yiwang dlq redrive --config city.toml --reason naive_time --set ts=1772409600000 --dry-run

  yiwang dlq redrive --config city.toml --corrected letters.json

  yiwang dlq redrive --file out/rejects.jsonl --to readings.jsonl --reason unknown_metric --set metric=pm25

--corrected takes what `yiwang dlq list --json` prints, with each `record` as it should have been. A record is
put back once, however often it is asked for. Records that are older than their metric can be corrected (1 h,
48 h for slow metrics, 7 d for events) are refused again as too late: write them to a file with --to, for a
replay."""

_SHOWN = 100

Config = Annotated[
    Path | None, typer.Option(metavar="TOML", help="The configuration, for its section [kafka].")
]
Servers = Annotated[str | None, typer.Option("--kafka", metavar="HOST:PORT", help="A broker.")]
File = Annotated[Path | None, typer.Option("--file", metavar="F", help="A rejects.jsonl instead of Kafka.")]
Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Why it was refused; repeatable.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Topic or file; repeatable.")]
Keys = Annotated[list[str] | None, typer.Option("--key", help="source/partition/offset/index; repeatable.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Received at or after this time.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Received before this time.")]
Zone = Annotated[str, typer.Option("--tz", metavar="ZONE", help="Time zone of the times.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]


@app.command("list", epilog=_LIST)
def list_letters(
    config: Config = None,
    kafka: Servers = None,
    file: File = None,
    reason: Reasons = None,
    source: Sources = None,
    key: Keys = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=0, help="The newest so many; 0: all.")] = 50,
    tz: Zone = "Asia/Shanghai",
    as_json: AsJson = False,
) -> None:
    """List dead letters: where each came from, why it was refused, what it was, whether it went back."""
    from flows.letters.letters import redriven_of_topics

    wanted = _wanted(reason, source, key, since, until, tz)
    try:
        if file is not None:
            found, back = _from_file(file), set[str]()
        else:
            settings, section = _cluster(config, kafka)
            topics, found = _from_topics(settings, section, wanted)
            back = redriven_of_topics(settings, topics)
        counts: Counter[str] = Counter()
        chosen = _counted(filter(wanted.takes, found), counts)
        newest = chosen if limit == 0 else heapq.nlargest(limit, chosen, key=_received)
        kept = sorted(newest, key=_received)
    except ValueError as error:
        _fail(error, 2)
    except OSError as error:
        _fail(error, 1)
    if as_json:
        told = [letter.told(redriven=letter.key in back) for letter in kept]
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    _print(kept, back, counts, ZoneInfo(tz))


@app.command(epilog=_REDRIVE)
def redrive(
    config: Config = None,
    kafka: Servers = None,
    file: File = None,
    to: Annotated[
        Path | None, typer.Option(metavar="F.jsonl", help="Append to this file instead of the topics.")
    ] = None,
    kind: Annotated[
        Literal["readings", "events", "feedback"], typer.Option(help="With --to: what the records are.")
    ] = "readings",
    reason: Reasons = None,
    source: Sources = None,
    key: Keys = None,
    since: Since = None,
    until: Until = None,
    corrected: Annotated[
        Path | None, typer.Option(metavar="F.json", help="Letters with their `record` corrected.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Set a field of every record; repeatable."),
    ] = None,
    as_is: Annotated[bool, typer.Option("--as-is", help="Put the records back as they are.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    tz: Zone = "Asia/Shanghai",
    as_json: AsJson = False,
) -> None:
    """Put refused records back, corrected, each once; exit code 1 if some could not be."""
    from flows.letters.redrive import corrections
    from flows.letters.redrive import redrive as put_back

    wanted = _wanted(reason, source, key, since, until, tz)
    if as_is == bool(corrected or changes):
        _misused("corrected", "say what goes back: --corrected F.json or --set FIELD=VALUE, or --as-is alone")
    try:
        records = _records(corrected) if corrected else {}
        correct = corrections(records, dict(map(_change, changes or [])))
        found, target = _ways(config, kafka, file, to, kind, wanted)
        # With a file of corrections alone, only the letters in it are meant.
        meant = (
            letter
            for letter in found
            if wanted.takes(letter) and (not corrected or changes or letter.key in records)
        )
        done = put_back(meant, correct, target, pretend=dry_run)
    except ValueError as error:
        _fail(error, 2)
    except OSError as error:
        _fail(error, 1)
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps({**asdict(done), "dry_run": dry_run}, ensure_ascii=False))
    _report(done, pretend=dry_run)
    if done.refused:
        raise typer.Exit(1)


def _counted(letters: "Iterable[Letter]", counts: Counter[str]) -> "Iterator[Letter]":
    for letter in letters:
        counts[letter.reason] += 1
        yield letter


def _received(letter: "Letter") -> tuple[int, str]:
    return letter.ts_received, letter.key


def _wanted(
    reason: list[str] | None,
    source: list[str] | None,
    key: list[str] | None,
    since: str | None,
    until: str | None,
    tz: str,
) -> "Wanted":
    from flows.letters.letters import Wanted
    from flows.wire import Reason

    known = {one.value for one in Reason}
    for one in reason or []:
        if one not in known:
            _misused("reason", f"found {one!r}; give one of {', '.join(sorted(known))}")
    begin, end = (None if text is None else _moment(text, tz) for text in (since, until))
    return Wanted(reason or (), source or (), key or (), begin, end)


def _moment(text: str, tz: str) -> int:
    from flows.commands.replay import zone

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _misused("since", f"found {text!r}; give a time such as 2026-03-02T08:00")
    return round((moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone(tz)))).timestamp() * 1000)


def _cluster(config: Path | None, kafka: str | None) -> "tuple[KafkaSettings, KafkaSection]":
    from flows.config.file import load
    from flows.config.kafka import kafka_settings

    if config is None and kafka is None:
        _misused("config", "say where the letters are: --config TOML, --kafka HOST:PORT or --file F")
    section = load(config, {"kafka.bootstrap_servers": kafka}).kafka
    return kafka_settings(section), section


def _from_file(path: Path) -> "Iterable[Letter]":
    from flows.letters.letters import letters_of_file

    return letters_of_file(path)


def _from_topics(
    settings: "KafkaSettings", section: "KafkaSection", wanted: "Wanted"
) -> "tuple[list[str], Iterable[Letter]]":
    from flows.letters.letters import letter_topics, letters_of_topics

    sources = [one for one in section.inputs().values() if not wanted.sources or one in wanted.sources]
    topics = letter_topics(settings, sources)
    return topics, letters_of_topics(settings, topics)


def _ways(
    config: Path | None, kafka: str | None, file: Path | None, to: Path | None, kind: "Kind", wanted: "Wanted"
) -> "tuple[Iterable[Letter], Target]":
    """Where the letters come from, and where they go."""
    from flows.letters.redrive import FileTarget, KafkaTarget

    target: Target
    if file is not None:
        if to is None:
            _misused("to", "letters of a file go to a file: give --to F.jsonl, such as an engine follows")
        return _from_file(file), FileTarget(to, kind)
    settings, section = _cluster(config, kafka)
    topics, found = _from_topics(settings, section, wanted)
    sources = [topic.removesuffix(".dlq") for topic in topics]
    target = FileTarget(to, kind) if to else KafkaTarget(settings, section.inputs(), sources)
    return found, target


def _records(path: Path) -> dict[str, dict[str, Any]]:
    """Corrected records by key, from a JSON list or JSON lines of objects with ``key`` and ``record``."""
    text = path.read_text(encoding="utf-8")
    try:
        rows = json.loads(text) if text.lstrip()[:1] == "[" else map(json.loads, text.splitlines())
        return {str(row["key"]): dict(row["record"]) for row in rows if row["record"] is not None}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected letters as `yiwang dlq list --json` prints them ({error!r}); "
            "each needs key and record"
        ) from error


def _change(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        _misused("set", f"found {text!r}; write FIELD=VALUE, such as crs=gcj02")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _print(kept: "list[Letter]", back: set[str], counts: Counter[str], zone: ZoneInfo) -> None:
    table = Table(
        *("收到 received", "原因 reason", "出处 key", "记录 record", "已重投 redriven"), box=SIMPLE_HEAD
    )
    for letter in kept:
        received = datetime.fromtimestamp(letter.ts_received / 1000, zone).strftime("%m-%d %H:%M:%S")
        raw = letter.raw[:_SHOWN].decode(errors="replace") + ("…" if len(letter.raw) > _SHOWN else "")
        table.add_row(
            received, letter.reason, escape(letter.key), escape(raw), "✓" if letter.key in back else ""
        )
    console = Console()
    if kept:
        console.print(table)
    total = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common()) or "none 无"
    shown = f"; the newest {len(kept):,} are shown" if len(kept) < counts.total() else ""
    Console(stderr=True).print(f"{total}{shown}", highlight=False, markup=False)


def _report(done: "Redriven", *, pretend: bool) -> None:
    console = Console(stderr=True, highlight=False)
    verb = "would go back 将重投" if pretend else "went back 已重投"
    console.print(
        f"{done.chosen:,} chosen 选中, {done.redriven:,} {verb}, "
        f"{done.already:,} had gone before 此前已重投, {len(done.refused):,} not 未重投",
        soft_wrap=True,
    )
    for key, why in list(done.refused.items())[:20]:
        console.print(f"{key}: {why}", markup=False, soft_wrap=True, style="yellow")
    if len(done.refused) > 20:
        console.print(f"and {len(done.refused) - 20:,} more; see --json", soft_wrap=True)


def _fail(error: BaseException, code: int) -> Never:
    Console(stderr=True).print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code) from error


def _misused(option: str, message: str) -> Never:
    raise typer.BadParameter(message, param_hint=f"--{option}")
