"""``yiwang dispatch``: the queue by hand: see what waits, take it, acknowledge it, report on it."""

import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Never
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.commands.unit_text import with_unit

if TYPE_CHECKING:
    from sinks.dispatch_client import DispatchClient, Entry, Listed

LEVELS = ("-", "蓝 blue", "黄 yellow", "橙 orange", "红 red")
COLOURS = ("dim", "blue", "yellow", "dark_orange", "red")

app = typer.Typer(
    help="The dispatch queue in Redis: what waits, who has it, what was done about it.",
    no_args_is_help=True,
)

Url = Annotated[
    str, typer.Option("--redis", metavar="URL", envvar="YIWANG_REDIS", help="The Redis that has the queue.")
]
Prefix = Annotated[str, typer.Option(help="What the names of its keys begin with.")]
Group = Annotated[str, typer.Option(help="The group of takers that share the work.")]
Name = Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are; default: this machine's name.")]
Districts = Annotated[
    list[str] | None,
    typer.Option(
        "--district", metavar="ID", help="A district; repeatable; default: all.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone.")]
Zone = Annotated[str, typer.Option("--tz", metavar="ZONE", help="Time zone of the times shown.")]
Note = Annotated[str | None, typer.Option(help="What else there is to say.", show_default=False)]

_LOOK = "see yiwang dispatch list"

_LIST = """Examples:

  yiwang dispatch list

  yiwang dispatch list --district 420106 --json

  yiwang dispatch list --dead"""

_TAKE = """Examples:

  yiwang dispatch take --as 武昌城管

  yiwang dispatch take --district 420106 --count 5 --lease 10m"""

_ACK = """Example:

  yiwang dispatch ack 420106/1790000000000-0 --as 武昌城管 --note 收到"""

_ACT = """Examples:

  yiwang dispatch act arrive I996806b0c75c8376 --as 武昌城管

  yiwang dispatch act close I996806b0c75c8376 --note 已恢复"""

_SCRIPT = """Example:

  yiwang dispatch script take > take.lua"""

URL, PREFIX, GROUP, ZONE = "redis://127.0.0.1:6379/0", "yw:", "work", "Asia/Shanghai"


class Action(msgspec.Struct):
    """What was reported."""

    incident_id: str
    action: str
    actor: str


@app.command("list", epilog=_LIST)
def list_entries(
    url: Url = URL,
    district: Districts = None,
    group: Group = GROUP,
    dead: Annotated[bool, typer.Option("--dead", help="Those laid aside after too many attempts.")] = False,
    count: Annotated[int, typer.Option(min=1, help="At most so many of each district.")] = 20,
    prefix: Prefix = PREFIX,
    tz: Zone = ZONE,
    as_json: AsJson = False,
) -> None:
    """Show the entries that nobody has acknowledged, the most urgent first."""
    with client_of(url, "list", group, prefix) as client:
        found = client.dead(count) if dead else client.listed(district, count)
    rows = [
        {"state": one.state, "taker": one.taker, "idle_ms": one.idle_ms, **_plain(one.entry)} for one in found
    ]
    show(rows, tz, as_json=as_json)


@app.command(epilog=_TAKE)
def take(
    url: Url = URL,
    name: Name = "",
    district: Districts = None,
    count: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1,
    group: Group = GROUP,
    lease: Annotated[str, typer.Option(metavar="5m", help="How long they are yours.")] = "5m",
    attempts: Annotated[int, typer.Option(min=1, help="Attempts before an entry is laid aside.")] = 5,
    prefix: Prefix = PREFIX,
    tz: Zone = ZONE,
    as_json: AsJson = False,
) -> None:
    """Take the most urgent entries, and report them as dispatched."""
    with client_of(url, name, group, prefix) as client:
        client.lease_ms, client.most_deliveries = _duration(lease), attempts
        entries = client.take(district, count)
    show([_plain(entry) for entry in entries], tz, as_json=as_json)


@app.command(epilog=_ACK)
def ack(
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="DISTRICT/ID, or the id alone.")],
    district: Annotated[
        str | None, typer.Option(metavar="ID", help="Its district; without: looked for.", show_default=False)
    ] = None,
    url: Url = URL,
    name: Name = "",
    note: Note = None,
    group: Group = GROUP,
    prefix: Prefix = PREFIX,
    as_json: AsJson = False,
) -> None:
    """Acknowledge an entry: nobody will be given it again, and its incident is acknowledged."""
    with client_of(url, name, group, prefix) as client:
        found = _found(client, entry, district)
        if not client.ack(found, note):
            fail(f"entry {entry} was acknowledged before, or never taken; {_LOOK}")
        _said(Action(found.incident_id, "acknowledge", client.taker), as_json=as_json)


def _found(client: "DispatchClient", text: str, district: str | None) -> "Entry":
    """The entry that ``DISTRICT/ID`` names, or an id alone: then of several the one this taker has."""
    place, _, name = text.rpartition("/")
    if not re.fullmatch(r"\d+-\d+", name):
        fail(f"{text!r} is no entry; write DISTRICT/ID as yiwang dispatch list shows it", 2)
    districts = [district or place] if district or place else client.districts()
    found = [one for at in districts if (one := client.entry(at, name)) is not None]
    if len(found) > 1:
        mine = [one.entry for one in client.listed(districts) if one.taker == client.taker]
        found = [one for one in mine if one.entry_id == name] or found
    if len(found) != 1:
        among = ", ".join(f"{one.district}/{name}" for one in found)
        fail(f"there is no one entry {text}; " + (f"it is one of {among}" if found else _LOOK))
    return found[0]


@app.command(epilog=_ACT)
def act(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="E.g. arrive, resolve, close, note.")],
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id.")],
    url: Url = URL,
    name: Name = "",
    note: Note = None,
    prefix: Prefix = PREFIX,
    as_json: AsJson = False,
) -> None:
    """Report what was done about an incident; whether it was legal, its history will show."""
    from alerts.life_cycle import ACTIONS

    if action not in ACTIONS:
        raise typer.BadParameter(f"found {action!r}; give one of {', '.join(ACTIONS)}", param_hint="ACTION")
    with client_of(url, name, GROUP, prefix) as client:
        client.act(action, incident, note)
        _said(Action(incident, action, client.taker), as_json=as_json)


@app.command(epilog=_SCRIPT)
def script(
    name: Annotated[str, typer.Argument(metavar="take|ack", help="What it does.")],
) -> None:
    """Print a Lua script that takes, or acknowledges, in one step, for programs of your own."""
    from sinks.redis_scripts import scripts

    if name not in {"take", "ack"}:
        raise typer.BadParameter(f"found {name!r}; give take or ack", param_hint="NAME")
    typer.echo(scripts(name)[name], nl=False)


@contextmanager
def client_of(url: str, name: str, group: str, prefix: str) -> "Iterator[DispatchClient]":
    """A client; what goes wrong ends the command: 2 for wrong use, 1 for a Redis that fails."""
    from sinks.dispatch_client import DispatchClient
    from sinks.redis_keys import Keys
    from sinks.redis_link import RedisAwayError, RedisError

    taker = name or f"{os.environ.get('USER', 'yiwang')}@{socket.gethostname()}"
    try:
        client = DispatchClient(url, taker, group, keys=Keys(prefix), patience=3.0)
    except ValueError as error:
        fail(str(error), 2)
    with client:
        try:
            yield client
        except (RedisAwayError, RedisError) as error:
            fail(str(error))


def show(rows: Sequence[dict[str, Any]], tz: str, *, as_json: bool) -> None:
    """Entries as a table, or as JSON."""
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("level", "what, where", "value, due", "department, state"):
        table.add_column(heading, overflow="fold")
    # Whoever acknowledges copies these two: they are never cut.
    table.add_column("incident, entry", no_wrap=True, min_width=24)
    for row in rows:
        table.add_row(*map(escape, _cells(row, ZoneInfo(tz))), style=COLOURS[row["level"]], end_section=True)
    Console().print(table)
    if not rows:
        Console(stderr=True).print("nothing is waiting")


def _cells(row: dict[str, Any], zone: ZoneInfo) -> list[str]:
    about = row["payload"]
    value = "-" if about["value"] is None else with_unit(f"{about['value']:.4g}", about["unit"])
    due = datetime.fromtimestamp(row["due_ms"] / 1000, UTC).astimezone(zone)
    state = row.get("state", "yours")
    return [
        f"{LEVELS[row['level']]}\n{about['change']}",
        f"{about['name_zh']} {about['name_en']}\n{row['area']}",
        f"{value}\n{due:%m-%d %H:%M}",
        f"{row['department']}\n{state} {row.get('taker', '')}".rstrip(),
        f"{row['incident_id']}\n{row['district']}/{row['entry_id']}",
    ]


def _row(one: "Listed") -> dict[str, Any]:
    return {"state": one.state, "taker": one.taker, "idle_ms": one.idle_ms, **_plain(one.entry)}


def _plain(entry: "Entry") -> dict[str, Any]:
    found: dict[str, Any] = msgspec.structs.asdict(entry)
    return {**found, "payload": msgspec.json.decode(entry.payload)}


def _duration(text: str) -> int:
    from indicators.durations import milliseconds

    try:
        return milliseconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--lease") from error


def _said(action: Action, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(action).decode())
    else:
        Console().print(f"{action.incident_id}: {action.action} by {action.actor}", highlight=False)


def fail(message: str, code: int = 1) -> Never:
    """Say what went wrong and end."""
    Console(stderr=True).print(
        f"Error: {message}", style="red", markup=False, highlight=False, soft_wrap=True
    )
    raise typer.Exit(code)
