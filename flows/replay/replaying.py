"""A replay: recorded files through the same flow as the live engine, into the files of C-2.5."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bytewax.dataflow import Dataflow

from flows.admission.registry import read_registry
from flows.admission.roll import Roll
from flows.city import City
from flows.city_flow import Ends, Tap, build
from flows.control.change import Change
from flows.control.control_file import ControlFile, Script, read_script
from flows.control.control_input import base_of
from flows.control.editions import Editions, in_force
from flows.control.no_control import NoControl
from flows.explain.report import explain_all
from flows.explain.target import targets_of
from flows.explain.watch import watches
from flows.inputs import Input
from flows.pieces import BEFORE
from flows.quarantine.entries import fault_entries
from flows.quarantine.step import judged
from flows.records import PART, ReplaySource
from flows.recovery.recovery_folder import RecoveryFolder
from flows.recovery.snapshots import COSTS, Costs
from flows.redis.ends import redis_settings, redis_taps
from flows.replay.processes import run_processes
from flows.replay.profile import SECONDS
from flows.replay.progress import reading_bar
from flows.replay.replay_summary import RunFigures, Summary, written
from flows.replay.running import run_flow
from flows.replay.warm import first_time, recording
from flows.router import Lanes
from flows.scores.settings import ScoreSettings
from flows.scores.step import scored
from flows.stages.incident_step import desk_of
from flows.stages.quarantine import REACH
from flows.stages.sensor_readings import RAREST
from flows.steps import CITY, Run
from geo.areas import Areas
from geo.cells import BeidouGrid, CellSystem, PolygonGrid
from indicators.calendar import Calendar
from indicators.catalogue import Catalogue
from indicators.metrics import Metrics
from indicators.plan import Plan
from sinks.line_files import LineFiles, plain_line, reject_line
from sinks.log import EventLog
from sinks.outputs import prepare
from sinks.redis_server import embedded_server
from sinks.table_file import PARTS, ValueTable

LOG = EventLog("registry")

RECOVERY_LANES = 4
"""Lanes of a run that can be resumed; more processes than that find no work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What ``yiwang replay`` was asked for; the fields are its options (C-2.5)."""

    readings: list[Path] = field(default_factory=list)
    events: list[Path] = field(default_factory=list)
    feedback: list[Path] = field(default_factory=list)
    sensors: Path | None = None
    areas: Path | None = None
    catalogue: Path | None = None
    indicators: list[str] = field(default_factory=list)
    thresholds: Path | None = None
    control: Path | None = None
    warm: Path | None = None
    out: Path
    speed: float | None = None
    redis: str = "none"
    routing: Path | None = None
    sla: Path | None = None
    recovery: Path | None = None
    snapshot_every: float = 5.0
    batch_size: int = 10_000
    workers: int = 1
    lanes: int | None = None
    all_revisions: bool = False
    stop_after: str | None = None
    tz: str = "Asia/Shanghai"
    city_id: str = "city"
    grid_level: int = 5
    grid: Path | None = None
    grid_code_field: str | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    anomaly: ScoreSettings | None = None
    quarantine: ScoreSettings | None = None
    progress: bool = False
    explain: list[str] = field(default_factory=list)


def city_of(options: ReplayOptions, base: Change | None = None) -> City:
    """The catalogue, thresholds, calendar, grid and areas that the options name.

    ``base`` holds the city's own files instead, where they may have changed since the run began.

    Raises:
        ValueError: one of them cannot be used.
    """
    base = base or base_of(options.catalogue, options.thresholds)
    catalogue, thresholds = in_force(base, options.settings, options.indicators)
    metrics = Metrics.load()
    if options.quarantine is not None:
        metrics = metrics.revisable(REACH, RAREST)
    plan = Plan(catalogue, metrics)
    grid: CellSystem = BeidouGrid(options.grid_level)
    if options.grid is not None:
        grid = PolygonGrid.from_geojson(options.grid, options.grid_code_field or "code")
    areas = Areas.from_codes(grid, options.city_id)
    if options.areas is not None:
        areas = Areas.from_geojson(options.areas, grid, options.city_id)
    return City(plan, Calendar(options.tz), grid, areas, thresholds)


def flow_of(options: ReplayOptions, progress: Callable[[int], None]) -> Dataflow:
    """The dataflow of a replay: the same graph in every process."""
    city = city_of(options)
    lanes = Lanes(lane_count(options), city.grid)
    faults = [] if options.quarantine is None else fault_entries(city)
    desk = desk_of(city, options.routing, options.sla, faults)
    editions = Editions(city, options.indicators) if options.control is not None else None
    run = Run(
        city,
        lanes,
        options.recovery,
        desk,
        watches(city, options.explain, options.out),
        editions=editions,
        attic=options.out / PARTS,
        sensing=options.anomaly is not None and options.anomaly.sensors,
        judging=options.quarantine is not None,
        shown=shown_after(options),
    )
    durable = options.recovery is not None
    taps: tuple[Tap, ...] = ()
    if options.redis != "none":
        mirror, scores = redis_settings(options.redis, durable=durable), options.anomaly is not None
        judges = options.quarantine is not None
        taps = redis_taps(city, lanes.shards, mirror, _now(), scored=scores, judged=judges)
    ends = Ends(
        records=ReplaySource(
            _inputs(options),
            city,
            lanes,
            roll_of(options, city.grid),
            options.batch_size,
            options.out / PARTS / "totals.json",
            progress,
            options.stop_after,
            options.speed,
            durable,
            shown_after(options),
        ),
        control=NoControl() if editions is None else ControlFile(script_of(options).changes, lanes.shards),
        rejects=LineFiles(options.out, "rejects", [PART], reject_line, durable=durable),
        values=ValueTable(options.out, [*lanes.shards, "areas"], durable=durable),
        alerts=LineFiles(options.out, "alerts", [CITY], plain_line, durable=durable),
        incidents=LineFiles(options.out, "incidents", [CITY], plain_line, durable=durable),
        taps=taps,
        anomalies=LineFiles(options.out, "anomalies", [CITY], plain_line, durable=durable),
        faults=LineFiles(options.out, "sensor_faults", [CITY], plain_line, durable=durable),
    )
    return build(ends, judged(run, scored(run, options.anomaly), options.quarantine))


def script_of(options: ReplayOptions) -> Script:
    """The changes that the options ask for.

    Raises:
        ValueError: the file of changes is none. OSError: a file cannot be read.
    """
    if options.control is None:
        return Script()
    return read_script(options.control, base_of(options.catalogue, options.thresholds), options.indicators)


def _now() -> int:
    return time.time_ns() // 1_000_000


def lane_count(options: ReplayOptions) -> int:
    """How many lanes: as given, else four where the run can be resumed, else one per process."""
    if options.lanes:
        return options.lanes
    return RECOVERY_LANES if options.recovery else options.workers


def _inputs(options: ReplayOptions) -> tuple[Input, ...]:
    readings = [*recording(options.warm, "readings"), *options.readings]
    events = [*recording(options.warm, "events"), *options.events]
    return (
        *(Input(path, "readings") for path in readings),
        *(Input(path, "events") for path in events),
        *(Input(path, "feedback") for path in options.feedback),
    )


def shown_after(options: ReplayOptions) -> int:
    """Windows that end after this instant are published: all, or those after a recording that warms up."""
    if options.warm is None:
        return BEFORE
    return first_time(_inputs(replace(options, warm=None)))


def roll_of(options: ReplayOptions, grid: CellSystem) -> Roll:
    """The sensor registry, if one is named; what is wrong in it is said on stderr."""
    if options.sensors is None:
        return Roll.empty()
    registry, problems = read_registry(options.sensors, options.tz)
    for problem in problems:
        LOG.warning("registry.problem", file=options.sensors, problem=problem)
    return Roll.of(registry, grid)


def replay(options: ReplayOptions) -> Summary:
    """Run a replay to its end and write its files.

    With ``recovery``, a replay that was interrupted goes on where its last snapshot was taken, with any
    number of processes; one that had come to its end writes its files again.

    Raises:
        ValueError: an input cannot be used. OSError: a file cannot be read or written, or a process failed.
        RuntimeError: a step of the flow failed.
    """
    begin = time.time()
    SECONDS.clear()
    COSTS.clear()
    options = replace(options, lanes=lane_count(options))
    if options.explain:
        _check_explain(options)
    script = script_of(options)
    for number, faults in enumerate(script.refused, start=1):
        print(*faults, f"refused set {number}; what was in force stays so", sep="\n", file=sys.stderr)  # noqa: T201
    total = sum(i.path.stat().st_size for i in _inputs(options))
    with ExitStack() as stack:
        lock = stack.enter_context(_held(options))
        if options.redis == "embedded":
            options = replace(options, redis=stack.enter_context(embedded_server()).url)
        advance = stack.enter_context(reading_bar(total, shown=options.progress))
        others = 0.0
        if options.workers > 1:
            others = _run_processes(options, advance, lock)
        else:
            run_flow(flow_of(options, advance), options.recovery, options.snapshot_every)
        figures = RunFigures(
            begin, others, catalogue_of(options).hash, len(script.changes), len(script.refused)
        )
        recovery = options.recovery is not None
        summary = written(options.out, figures, all_revisions=options.all_revisions, keep_parts=recovery)
        if options.explain:
            explain_all(city_of(options), options.explain, options.out, _inputs(options))
        return summary


def _check_explain(options: ReplayOptions) -> None:
    """Say before anything flows what cannot be explained."""
    targets_of(options.explain, city_of(options))
    if options.recovery is not None:
        raise ValueError(
            "--explain and --recovery: what has been replayed before may not be there any more; "
            "leave one of them out"
        )
    if options.control is not None:
        raise ValueError(
            "--explain and --control: a value is explained by the one catalogue of the replay; "
            "leave one of them out"
        )


@contextmanager
def _held(options: ReplayOptions) -> Iterator[list[int]]:
    """Make the folders ready; with recovery, hold its folder and yield the lock's file descriptor."""
    if options.recovery is None:
        prepare(options.out, resume=False)
        yield []
        return
    folder = RecoveryFolder(options.recovery)
    with folder.locked() as lock:
        prepare(options.out, resume=folder.take_up(_description(options)))
        yield [lock]


def _description(options: ReplayOptions) -> dict[str, Any]:
    """What must be the same at every start with one recovery folder."""
    return {
        "inputs": [[str(i.path.resolve()), i.kind, i.path.stat().st_size] for i in _inputs(options)],
        "lanes": options.lanes,
        "catalogue": catalogue_of(options).hash,
        "changes": _digest(script_of(options)),
        "grid": options.grid_level if options.grid is None else str(options.grid),
        "areas": str(options.areas and options.areas.resolve()),
        "tz": options.tz,
        "anomaly": None if options.anomaly is None else asdict(options.anomaly),
        # None in folders of before there was any.
        "quarantine": None if options.quarantine is None else asdict(options.quarantine),
    }


def _digest(script: Script) -> str:
    return hashlib.blake2b(repr(script.changes).encode(), digest_size=16).hexdigest()


def catalogue_of(options: ReplayOptions) -> Catalogue:
    """The shipped indicators and those of the options, with the thresholds of the options."""
    base = base_of(options.catalogue, options.thresholds)
    return in_force(base, options.settings, options.indicators)[0]


def _run_processes(options: ReplayOptions, advance: Callable[[int], None], lock: list[int]) -> float:
    """Run the flow in several processes; adds up their figures, returns their peak memory together in MB."""
    reports = run_processes(asdict(options), options.workers, advance, lock)
    for report in reports:
        for part, seconds in report["profile"].items():
            SECONDS[part] += seconds
        COSTS.add(Costs(**report["costs"]))
    return float(sum(report["peak_rss_mb"] for report in reports))


def options_from(raw: dict[str, Any]) -> ReplayOptions:
    """The options that a parent process sent as JSON."""
    for name in ("readings", "events", "feedback"):
        raw[name] = [Path(p) for p in raw[name]]
    for name in (
        "sensors",
        "areas",
        "catalogue",
        "thresholds",
        "control",
        "warm",
        "routing",
        "sla",
        "recovery",
        "grid",
        "out",
    ):
        raw[name] = None if raw[name] is None else Path(raw[name])
    for name in ("anomaly", "quarantine"):
        raw[name] = raw[name] and ScoreSettings(**raw[name])
    return ReplayOptions(**raw)
