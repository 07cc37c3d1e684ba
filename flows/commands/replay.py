"""``yiwang replay``: the command line of a replay, its errors and its summary.

options ─▶ ReplayOptions ─▶ flows.replay.replaying.replay ─▶ files in --out, a summary
"""

import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from flows.commands.catalogue_options import Language
from flows.replay.failures import root

if TYPE_CHECKING:
    from flows.replay.replay_summary import Summary
    from flows.replay.replaying import ReplayOptions

EPILOG = """Examples:

  yiwang replay --readings readings.jsonl --sensors sensors.csv --out out

  yiwang replay --readings day1.parquet --readings day2.parquet --events events.jsonl.gz \
--areas areas.geojson --out out

  yiwang replay --readings recordings/ --recovery state/ --workers 2 --json --out out > summary.json

A folder stands for its record files whose names begin with readings, events or feedback, or for all of its
record files where none does. The outputs are indicators.parquet, alerts.jsonl, incidents.jsonl, rejects.jsonl
and summary.json."""

_MISUSE = (ValueError, FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
"""What the engine raises, before anything flows, for options it cannot use."""

_FINEST, _COARSEST = 6, 3
_UNBOUNDED = 10_000
_SHOWN_LAST = ("rejected", "profile")

Paths = list[Path]


def replay(
    readings: Annotated[
        Paths, typer.Option(metavar="F", help="Readings: a file or a folder; repeatable.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the outputs.", show_default=False)],
    events: Annotated[
        Paths | None, typer.Option(metavar="F", help="Events: a file or a folder; repeatable.")
    ] = None,
    feedback: Annotated[
        Paths | None, typer.Option(metavar="F", help="Feedback: a file or a folder; repeatable.")
    ] = None,
    sensors: Annotated[
        Path | None, typer.Option(metavar="F", help="Sensor registry, CSV or Parquet.")
    ] = None,
    areas: Annotated[
        Path | None, typer.Option(metavar="F", help="Areas, GeoJSON; without: grid codes.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Further indicators, TOML files.")
    ] = None,
    thresholds: Annotated[
        Path | None, typer.Option(metavar="F", help="Levels of some areas at some times, TOML.")
    ] = None,
    control: Annotated[
        Path | None, typer.Option(metavar="F", help="Changes of these files on the way, JSON lines.")
    ] = None,
    warm: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A recording that fills histories before; not shown.")
    ] = None,
    indicator: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Compute only this, or what fits, such as 'air.*'; repeatable."),
    ] = None,
    speed: Annotated[
        str, typer.Option(metavar="max|N", help="As fast as possible, or N times the pace of the records.")
    ] = "max",
    redis: Annotated[
        str, typer.Option(metavar="URL|embedded|none", help="Redis that is to mirror the outputs.")
    ] = "none",
    routing: Annotated[
        Path | None, typer.Option(metavar="F", help="Departments by theme and district, TOML.")
    ] = None,
    sla: Annotated[Path | None, typer.Option(metavar="F", help="Times by level, TOML.")] = None,
    recovery: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder from which an interrupted replay goes on.")
    ] = None,
    snapshot_every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Time between two recovery points.")
    ] = 5.0,
    batch_size: Annotated[int, typer.Option(min=1, metavar="N", help="Records read at a time.")] = 10_000,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Processes.")] = 1,
    lanes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Parts read side by side; default: by workers.")
    ] = None,
    all_revisions: Annotated[
        bool, typer.Option("--all-revisions", help="Write revisions.parquet with every revision too.")
    ] = False,
    stop_after: Annotated[
        str | None, typer.Option(metavar="decode", help="Read and decode only, for measuring.")
    ] = None,
    tz: Annotated[str, typer.Option(metavar="ZONE", help="Time zone of the city.")] = "Asia/Shanghai",
    grid_level: Annotated[
        int, typer.Option(min=_COARSEST, max=_FINEST, metavar="3-6", help="Level of the BeiDou grid.")
    ] = 5,
    grid: Annotated[
        Path | None, typer.Option(metavar="GEOJSON", help="A grid of polygons instead of the BeiDou grid.")
    ] = None,
    grid_code_field: Annotated[
        str | None, typer.Option(metavar="F", help="The property that holds a polygon's code.")
    ] = None,
    anomaly: Annotated[
        bool, typer.Option("--anomaly", help="Also look for anomalies; writes anomalies.jsonl.")
    ] = False,
    budget: Annotated[
        float, typer.Option(metavar="N", min=1e-6, help="False anomalies per 1,000 series and day.")
    ] = 10.0,
    holidays: Annotated[
        str, typer.Option(metavar="none|cn", help="Whose public holidays are like Sundays to it.")
    ] = "none",
    sensor_anomalies: Annotated[
        bool, typer.Option("--sensor-anomalies", help="With --anomaly: of every sensor too.")
    ] = False,
    quarantine: Annotated[
        bool,
        typer.Option("--quarantine", help="Keep readings of faulty sensors out; writes sensor_faults.jsonl."),
    ] = False,
    explain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INDICATOR@AREA@TIME", help="Explain a value, on screen and in explain.json; repeatable."
        ),
    ] = None,
    lang: Annotated[Language, typer.Option(help="Language of explanations.")] = Language.en,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON alone.")] = False,
    progress: Annotated[
        bool | None,
        typer.Option(help="A progress bar on stderr; default: on a terminal.", show_default=False),
    ] = None,
) -> None:
    """Compute all indicators, alerts and incidents from recorded files, as the live engine would."""
    from flows.replay.replaying import ReplayOptions
    from flows.scores.settings import ScoreSettings

    options = ReplayOptions(
        readings=record_files(readings, "readings"),
        events=record_files(events or [], "events"),
        feedback=record_files(feedback or [], "feedback"),
        sensors=existing(sensors, "sensors"),
        areas=existing(areas, "areas"),
        catalogue=existing(catalogue, "catalogue"),
        thresholds=existing(thresholds, "thresholds"),
        control=existing(control, "control"),
        warm=existing(warm, "warm"),
        indicators=indicator or [],
        speed=_pace(speed),
        redis=_redis(redis),
        routing=existing(routing, "routing"),
        sla=existing(sla, "sla"),
        recovery=_folder(recovery, "recovery"),
        snapshot_every=snapshot_every,
        batch_size=batch_size,
        workers=workers,
        lanes=lanes,
        all_revisions=all_revisions,
        stop_after=_stage(stop_after),
        tz=zone(tz),
        grid_level=grid_level,
        grid=existing(grid, "grid"),
        grid_code_field=code_field(grid, grid_code_field),
        out=_folder(out, "out"),
        anomaly=ScoreSettings(budget, _holidays(holidays), sensor_anomalies) if anomaly else None,
        quarantine=ScoreSettings(budget, _holidays(holidays)) if quarantine else None,
        explain=explain or [],
        progress=sys.stderr.isatty() if progress is None else progress,
    )
    summary = perform(options)
    if as_json:
        typer.echo(msgspec.json.encode(summary))
    if explain:
        _show_explanations(options.out, lang, on_stderr=as_json)
    Console(stderr=as_json).print(summary_table(msgspec.to_builtins(summary), tz))


def _show_explanations(out: Path, lang: Language, *, on_stderr: bool) -> None:
    from flows.explain.report import NAME
    from flows.explain.text import explanation_tree

    console = Console(stderr=on_stderr)
    if not console.is_terminal:
        # Off a terminal lines are as long as they are.
        console = Console(stderr=on_stderr, width=_UNBOUNDED)
    for found in msgspec.json.decode((out / NAME).read_bytes()):
        console.print(explanation_tree(found, lang))
        console.print()


def perform(options: "ReplayOptions") -> "Summary":
    """Replay; on failure say what is wrong and exit: 2 for options that cannot be used, 1 for failed work."""
    from flows.replay.replaying import replay as run

    try:
        return run(options)
    except _MISUSE as error:
        _fail(error, 2)
    except (OSError, RuntimeError) as error:
        cause = root(error)
        if not isinstance(cause, (OSError, ValueError, MemoryError)):
            raise
        _fail(cause, 1)


def record_files(paths: Sequence[Path], kind: str) -> list[Path]:
    """The files that ``paths`` stand for: files as they are, folders as their record files by name.

    Raises:
        typer.BadParameter: a path is missing, has an unknown ending, or is a folder without record files.
    """
    return [file for path in paths for file in _expand(path, kind)]


def _expand(path: Path, kind: str) -> list[Path]:
    from flows.decoding.record_files import SUFFIXES

    known = ", ".join(SUFFIXES)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.is_file() and p.name.endswith(SUFFIXES))
        if not found:
            _misused(kind, f"{path} holds no record file; put files ending in {known} there")
        return [p for p in found if p.name.startswith(kind)] or found
    existing(path, kind)
    if not path.name.endswith(SUFFIXES):
        _misused(kind, f"{path} is no record file; give a file ending in {known}, or a folder of such")
    return [path]


def existing(path: Path | None, option: str) -> Path | None:
    """A path of an option that must be there.

    Raises:
        typer.BadParameter: it is not.
    """
    if path is not None and not path.exists():
        near = path.parent if path.parent.is_dir() else None
        hint = f"{near} is there, the name is not" if near else f"not even the folder {path.parent} is there"
        _misused(option, f"{path} does not exist ({hint}); give the path of a file that does")
    return path


def _folder(path: Path | None, option: str) -> Any:  # noqa: ANN401 - as optional as what is given
    if path is not None and path.exists() and not path.is_dir():
        _misused(option, f"{path} is a file; give a folder, which is made if need be")
    return path


def _pace(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        pace = float(speed)
    except ValueError:
        pace = math.nan
    if not 0 < pace < math.inf:
        _misused("speed", f"found {speed!r}; give max, or a positive number such as 60")
    return pace


def _redis(target: str) -> str:
    if target not in {"none", "embedded"} and "://" not in target:
        _misused("redis", f"found {target!r}; give none, embedded, or a URL such as redis://127.0.0.1:6379/0")
    return target


def _holidays(whose: str) -> Any:  # noqa: ANN401 - one of the literals
    if whose not in {"none", "cn"}:
        _misused("holidays", f"found {whose!r}; give none or cn")
    return whose


def _stage(stage: str | None) -> str | None:
    if stage not in {None, "decode"}:
        _misused("stop-after", f"found {stage!r}; the only step to stop after is decode")
    return stage


def zone(name: str) -> str:
    """The name of a time zone.

    Raises:
        typer.BadParameter: there is none of that name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        _misused("tz", f"there is no time zone {name!r}; give a name such as Asia/Shanghai or UTC")
    return name


def code_field(grid: Path | None, field: str | None) -> str | None:
    """The field of a grid's codes.

    Raises:
        typer.BadParameter: there is a grid without it, or it without a grid.
    """
    if (grid is None) != (field is None):
        _misused("grid-code-field", "--grid and --grid-code-field need each other; give both or neither")
    return field


def summary_table(summary: Mapping[str, Any], tz: str) -> Table:
    """The summary of a replay for reading: one row a key, the rejects by reason below.

    >>> summary_table({"received": 1_000, "watermark": 0, "rejected": {"bad_json": 2}}, "UTC").row_count
    3
    """
    table = Table("", "", show_header=False, box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for key, value in summary.items():
        if key not in _SHOWN_LAST:
            table.add_row(key.replace("_", " "), _shown(key, value, tz))
    for key in _SHOWN_LAST:
        for name, value in (summary.get(key) or {}).items():
            table.add_row(f"{key} {name}", _shown(name, value, tz))
    return table


def _shown(key: str, value: object, tz: str) -> str:
    if key == "watermark" and isinstance(value, int):
        moment = datetime.fromtimestamp(value / 1000, UTC).astimezone(ZoneInfo(tz))
        return moment.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value if value is not None else "-")


def _fail(error: BaseException, code: int) -> Never:
    Console(stderr=True).print(f"Error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code) from error


def _misused(option: str, message: str) -> Never:
    raise typer.BadParameter(message, param_hint=f"--{option}")
