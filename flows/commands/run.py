"""``yiwang run``: a live engine from a configuration, its errors and its last words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Never

import msgspec
import typer
from rich.console import Console

from flows.commands.replay import summary_table
from flows.config.file import ConfigurationError, load
from flows.replay.failures import root
from sinks.log import EventLog, configure

if TYPE_CHECKING:
    from flows.config.configuration import Configuration
    from flows.live.run_totals import RunSummary

LOG = EventLog("run")

EPILOG = """Examples:

  yiwang run --config city.toml

  yiwang run --readings readings.jsonl --sensors sensors.csv --out out --prometheus 9464

  yiwang run --kafka 127.0.0.1:9092 --recovery state --redis embedded --workers 2

  yiwang run --config city.toml --recovery state --history history --clock source

Lines appended to the files are followed. SIGTERM or Ctrl-C stops the engine: it writes a recovery point, lets
its sinks finish and exits with 0. `yiwang config example` prints a configuration with every option."""

Files = Annotated[list[Path] | None, typer.Option(metavar="F", help="Files to follow; repeatable.")]


def run(
    config: Annotated[Path | None, typer.Option(metavar="TOML", help="The configuration.")] = None,
    readings: Files = None,
    events: Files = None,
    feedback: Files = None,
    sensors: Annotated[Path | None, typer.Option(metavar="F", help="Sensor registry.")] = None,
    areas: Annotated[Path | None, typer.Option(metavar="F", help="Areas, GeoJSON.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the line files.")] = None,
    recovery: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder from which a stopped engine goes on.")
    ] = None,
    snapshot_every: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time between two recovery points.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Records decoded at a time.")] = None,
    history: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder that keeps closed windows, by hour.")
    ] = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL|embedded", help="Redis that mirrors the state.")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Kafka that records come from.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes; needs Kafka. May change at every start.")
    ] = None,
    prometheus: Annotated[
        int | None, typer.Option(metavar="PORT", help="Serve metrics on this port.")
    ] = None,
    clock: Annotated[
        Literal["wall", "source"] | None,
        typer.Option(help="Whose time judges the future and silence; default: wall.", show_default=False),
    ] = None,
    pace: Annotated[
        float | None, typer.Option(metavar="N", help="At most N seconds of event time a second.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="On exit, the totals as JSON alone.")] = False,
) -> None:
    """Run the engine on Kafka or growing files until it is stopped; options override the configuration."""
    given = {
        "files.readings": _texts(readings),
        "files.events": _texts(events),
        "files.feedback": _texts(feedback),
        "city.sensors": _text(sensors),
        "city.areas": _text(areas),
        "engine.out": _text(out),
        "engine.recovery": _text(recovery),
        "engine.snapshot_every": snapshot_every,
        "engine.batch_size": batch_size,
        "engine.clock": clock,
        "engine.pace": pace,
        "history.folder": _text(history),
        "redis.url": redis,
        "prometheus.port": prometheus,
        "kafka.bootstrap_servers": kafka,
        "engine.workers": workers,
    }
    try:
        settings = load(config, given)
    except ConfigurationError as error:
        _fail(error, 2)
    summary = perform(settings)
    if as_json:
        typer.echo(msgspec.json.encode(summary))
    if settings.log.format == "console":
        Console(stderr=True).print(summary_table(msgspec.to_builtins(summary), settings.city.tz))


def perform(settings: "Configuration") -> "RunSummary":
    """Run; exit code 2 for a configuration that cannot be used, 1 for failed work."""
    from flows.live.run import Engine
    from flows.live.run_workers import Supervisor

    configure(settings.log.format, settings.log.language, settings.log.level, settings.city.tz)
    several = settings.engine.workers > 1
    try:
        summary = Supervisor(settings).run() if several else Engine(settings).run()
    except ValueError as error:
        _fail(error, 2, settings.log.format)
    except (OSError, RuntimeError) as error:
        cause = root(error)
        if not isinstance(cause, (OSError, ValueError, MemoryError)):
            raise
        _fail(cause, 1, settings.log.format)
    rejected = sum(summary.rejected.values())
    LOG.info(
        "run.stopped",
        received=summary.received,
        accepted=summary.accepted,
        duplicates=summary.duplicates,
        rejected=rejected,
    )
    return summary


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _texts(paths: list[Path] | None) -> list[str] | None:
    return [str(path) for path in paths] if paths else None


def _fail(error: BaseException, code: int, form: str = "console") -> Never:
    if form == "json":
        LOG.error("run.failed", error=error)
        raise typer.Exit(code) from error
    Console(stderr=True).print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code) from error
