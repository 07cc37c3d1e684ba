"""``yiwang simulate``: a city with ground truth → the files that a replay reads.

options ─▶ sim.simulation ─▶ readings, events, sensors, areas, truth; or a picture
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Never
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from flows.commands.program_name import program
from flows.commands.replay import zone
from flows.kafka.topic_messages import FORMS

if TYPE_CHECKING:
    from flows.config.kafka import KafkaSection
    from flows.kafka.filler import Sent
    from flows.kafka.topic_messages import Form
    from sim.city_writer import Written
    from sim.reading_files import Format
    from sim.simulation import Simulation

EPILOG = """Examples:

  yiwang simulate --seed 1 --hours 24 --sensors 10000 --to city

  yiwang simulate --seed 1 --hours 4 --sensors 10000 --scenario rainstorm:start=90m,intensity=1.5 \
--scenario gas_leak --faults normal --to city

  yiwang simulate --seed 1 --hours 4 --sensors 10000 --scenario rainstorm --draw city.svg

  yiwang simulate --seed 1 --hours 4 --kafka 127.0.0.1:9092 --format json-array --speed 60 --to city

  yiwang simulate --list

A scenario is NAME or NAME:key=value,… with start, duration (90m, 2h, 8d), intensity (0.5 to 3), place (a \
district's code). The same options give the same bytes. Then: yiwang replay --readings city --events city \
--sensors city/sensors.csv --areas city/areas.geojson --out out"""

_FORMATS = ("jsonl", "arrow", "parquet")
_FAULTS = ("none", "normal", "heavy")


def simulate(
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The city's dice.")] = 1,
    hours: Annotated[float, typer.Option(metavar="H", help="How long the city lives.")] = 24.0,
    sensors: Annotated[int, typer.Option(min=1, metavar="N", help="How many devices it has.")] = 10_000,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it begins, e.g. 2026-03-02T08:00.", show_default=False),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:key=value,…]", help="What happens in it; repeatable."),
    ] = None,
    faults: Annotated[str, typer.Option(metavar="|".join(_FAULTS), help="How its sensors err.")] = "none",
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the files.")] = None,
    kafka: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Send the records to Kafka; with --to, all else to files."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="TOML", help="Topics and security of --kafka: its section [kafka]."),
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"Of the readings: {', '.join(_FORMATS)}; with --kafka {', '.join(FORMS)}.",
            show_default=f"{_FORMATS[0]}; {FORMS[0]}",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(metavar="N", help="Write at N times the city's own pace.", show_default="max"),
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="F.svg", help="Draw the city in its wettest hour.")
    ] = None,
    tz: Annotated[str, typer.Option(metavar="ZONE", help="Time zone of the city.")] = "Asia/Shanghai",
    show_list: Annotated[bool, typer.Option("--list", help="List the scenarios.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report or list as JSON alone.")] = False,
) -> None:
    """Simulate a city with ground truth and write its records to files, or to Kafka."""
    if show_list:
        _list(as_json=as_json)
        return
    section = _section(kafka, config)
    if to is None and draw is None and section is None:
        _misused("to", "there is nowhere to write to; give --to DIR, --kafka HOST:PORT, or --draw F.svg")
    if to is not None and to.exists() and not to.is_dir():
        _misused("to", f"{to} is a file; give a folder, which is made if need be")
    if speed is not None and not speed > 0:
        _misused("speed", f"found {speed:g}; give a positive number such as 60, or leave it out")
    _one_of("faults", faults, _FAULTS)
    known = _FORMATS if section is None else FORMS
    chosen = _one_of("format", file_format or known[0], known)
    simulation = _simulation(seed, sensors, start, hours, zone(tz), scenario or [], faults, speed)
    if draw is not None:
        _draw(simulation, draw)
    if section is not None:
        sent = _send(simulation, section, chosen, to, speed)
        _tell(sent, _sent_report(sent, section, to), as_json=as_json)
    elif to is not None:
        written = _write(simulation, to, chosen, speed)
        _tell(written, _report(written, to, chosen), as_json=as_json)


def _section(kafka: str | None, config: Path | None) -> "KafkaSection | None":
    """The section [kafka] if Kafka is asked for."""
    if kafka is None and config is None:
        return None
    from flows.config.file import ConfigurationError, load

    try:
        section = load(config, {"kafka.bootstrap_servers": kafka}).kafka
    except ConfigurationError as error:
        _fail(error, 2)
    if section.bootstrap_servers is None:
        _misused("config", f"{config} names no cluster; write bootstrap_servers in [kafka], or give --kafka")
    return section


def _send(
    simulation: "Simulation", section: "KafkaSection", form: "Form", to: Path | None, speed: float | None
) -> "Sent":
    from flows.kafka.filler import send_city

    try:
        with _bar(shown=sys.stderr.isatty()) as progress:
            return send_city(simulation, section, form, to=to, speed=speed, progress=progress)
    except ValueError as error:
        _fail(error, 2)
    except OSError as error:
        _fail(error, 1)


def _tell(done: "Sent | Written", report: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    Console(stderr=as_json).print(report, soft_wrap=True, highlight=False)


def _sent_report(sent: "Sent", section: "KafkaSection", to: Path | None) -> str:
    made = f"topics made: {', '.join(sent.topics_made)}\n" if sent.topics_made else ""
    next_one = f"--config {to / 'city.toml'}" if to else f"--kafka {section.bootstrap_servers}"
    return (
        f"{sent.readings:,} readings of {sent.sensors:,} sensors to {section.readings}, "
        f"{sent.events:,} records of cases to {section.events}, {sent.messages:,} messages\n"
        f"{made}{sent.seconds:,.1f} s, {sent.readings_per_second:,} readings/s, {sent.bytes:,} bytes\n"
        f"next: {program()} run {next_one}"
    )


def _simulation(
    seed: int,
    sensors: int,
    start: str | None,
    hours: float,
    tz: str,
    scenarios: Sequence[str],
    faults: str,
    speed: float | None,
) -> "Simulation":
    from sim.city import START
    from sim.scenarios.casting import asked
    from sim.simulation import Simulation

    try:
        requests = tuple(asked(text) for text in scenarios)
        began = START if start is None else _moment(start, tz)
        paced = speed is not None
        simulation = Simulation(seed, sensors, began, hours, tz, requests, faults, minute_blocks=paced)
        # Casting the scenarios tells whether the city has a place and the time for them.
        _ = simulation.city
    except ValueError as error:
        _fail(error, 2)
    return simulation


def _moment(text: str, tz: str) -> int:
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _misused("start", f"found {text!r}; give a time such as 2026-03-02T08:00, or epoch milliseconds")
    return round((moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(tz))).timestamp() * 1000)


def _write(simulation: "Simulation", to: Path, file_format: "Format", speed: float | None) -> "Written":
    try:
        with _bar(shown=sys.stderr.isatty()) as progress:
            return simulation.write(to, file_format, speed, progress)
    except OSError as error:
        _fail(error, 1)


@contextmanager
def _bar(*, shown: bool) -> Iterator[Callable[[int, int, int], None]]:
    columns = (
        TextColumn("simulating"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[readings]:,} readings"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=None, readings=0)
        yield lambda done, total, readings: bar.update(task, completed=done, total=total, readings=readings)


def _draw(simulation: "Simulation", path: Path) -> None:
    from sim.city_picture import picture

    try:
        path.write_text(picture(simulation.city), encoding="utf-8")
    except OSError as error:
        _fail(error, 1)
    Console(stderr=True).print(f"drawn: {path}", highlight=False, soft_wrap=True)


def _report(written: "Written", to: Path, file_format: "Format") -> str:
    return (
        f"{written.readings:,} readings of {written.sensors:,} sensors, {written.events:,} records of cases, "
        f"{written.truth:,} events of scenarios, in {to}\n"
        f"{written.seconds:,.1f} s, {written.readings_per_second:,} readings/s, {written.bytes:,} bytes\n"
        f"next: {program()} replay --readings {to / f'readings.{file_format}'} "
        f"--events {to / 'events.jsonl'} --sensors {to / 'sensors.csv'} "
        f"--areas {to / 'areas.geojson'} --out out"
    )


def _list(*, as_json: bool) -> None:
    from sim.scenarios import SCENARIOS

    rows: list[dict[str, Any]] = [
        {
            "name": scenario.name,
            "name_zh": scenario.name_zh,
            "name_en": scenario.name_en,
            "text_zh": scenario.text_zh,
            "text_en": scenario.text_en,
            "start_min": scenario.start_min,
            "duration_min": scenario.minutes,
            "needs_h": scenario.hours,
            "indicators": list(scenario.indicators),
        }
        for scenario in SCENARIOS.values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("场景 scenario", "是什么 what it is", "需时 needs", "指标 indicators")
    for row in rows:
        needs, found_by = f"{row['needs_h']:g} h", "\n".join(row["indicators"])
        what = f"{row['name_zh']}: {row['text_zh']}\n{row['name_en']}: {row['text_en']}"
        table.add_row(row["name"], what, needs, found_by, end_section=True)
    Console().print(table)


def _one_of(option: str, value: str, known: tuple[str, ...]) -> Any:  # noqa: ANN401 - one of the literals
    if value not in known:
        _misused(option, f"found {value!r}; give one of {', '.join(known)}")
    return value


def _fail(error: BaseException, code: int) -> Never:
    Console(stderr=True).print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code) from error


def _misused(option: str, message: str) -> Never:
    raise typer.BadParameter(message, param_hint=f"--{option}")
