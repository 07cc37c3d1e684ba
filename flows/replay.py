"""A replay: recorded files through the same flow as the live engine, into the files of C-2.5."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from flows.city_flow import Ends, build
from flows.profile import SECONDS
from flows.progress import reading_bar
from flows.records import PART, Input, ReplaySource
from flows.registry import Registry, read_registry
from flows.router import Lanes
from flows.shard_lane import City
from flows.steps import CITY, NoControl, Run
from geo.areas import Areas
from geo.cells import BeidouGrid, CellSystem, PolygonGrid
from indicators.calendar import Calendar
from indicators.catalogue import Catalogue
from indicators.metrics import Metrics
from indicators.plan import Plan
from sinks.line_files import LineFiles, plain_line, reject_line
from sinks.outputs import finalise, prepare
from sinks.table_file import PARTS, ValueTable

RECOVERY_PARTITIONS = 4
"""Files of the engine's recovery store; fixed for the life of a recovery folder."""
RECOVERY_LANES = 8
"""Lanes of a run that can be resumed: 1, 2, 4 or 8 processes balance."""
_FIRST_PORT = 21_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What ``yiwang replay`` was asked for; the fields are its options (C-2.5)."""

    readings: list[Path] = field(default_factory=list)
    events: list[Path] = field(default_factory=list)
    feedback: list[Path] = field(default_factory=list)
    sensors: Path | None = None
    areas: Path | None = None
    catalogue: Path | None = None
    out: Path
    speed: float | None = None
    redis: str = "none"
    recovery: Path | None = None
    snapshot_every: float = 5.0
    batch_size: int = 10_000
    workers: int = 1
    lanes: int | None = None
    all_revisions: bool = False
    stop_after: str | None = None
    tz: str = "Asia/Shanghai"
    grid_level: int = 5
    grid: Path | None = None
    grid_code_field: str | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    progress: bool = False


class Summary(msgspec.Struct, kw_only=True):
    """``summary.json`` (C-2.5)."""

    received: int = 0
    accepted: int = 0
    rejected: dict[str, int] = {}
    duplicates: int = 0
    late: int = 0
    revisions: int = 0
    readings: int = 0
    events: int = 0
    feedback: int = 0
    windows: int = 0
    alerts: int = 0
    seconds: float = 0.0
    decode_seconds: float = 0.0
    readings_per_second: float = 0.0
    peak_rss_mb: float = 0.0
    watermark: int = -1
    catalogue_hash: str = ""
    profile: dict[str, float] = {}


def city_of(options: ReplayOptions) -> City:
    """The catalogue, calendar, grid and areas that the options name.

    Raises:
        ValueError: one of them cannot be used.
    """
    paths = [options.catalogue] if options.catalogue else []
    plan = Plan(Catalogue.load(paths, dict(options.settings)), Metrics.load())
    grid: CellSystem = BeidouGrid(options.grid_level)
    if options.grid is not None:
        grid = PolygonGrid.from_geojson(options.grid, options.grid_code_field or "code")
    areas = Areas.from_codes(grid) if options.areas is None else Areas.from_geojson(options.areas, grid)
    return City(plan, Calendar(options.tz), grid, areas)


def flow_of(options: ReplayOptions, progress: Callable[[int], None]) -> Dataflow:
    """The dataflow of a replay: the same graph in every process."""
    city = city_of(options)
    lanes = Lanes(lane_count(options), city.grid)
    run = Run(city, lanes, options.recovery)
    durable = options.recovery is not None
    ends = Ends(
        records=ReplaySource(
            _inputs(options),
            city,
            lanes,
            _registry(options),
            options.batch_size,
            options.out / PARTS / "totals.json",
            progress,
            options.stop_after,
        ),
        control=NoControl(),
        rejects=LineFiles(options.out, "rejects", [PART], reject_line, durable=durable),
        values=ValueTable(options.out, [*lanes.shards, "areas"], durable=durable),
        alerts=LineFiles(options.out, "alerts", [CITY], plain_line, durable=durable),
        incidents=LineFiles(options.out, "incidents", [CITY], plain_line, durable=durable),
    )
    return build(ends, run.steps())


def lane_count(options: ReplayOptions) -> int:
    """How many lanes: as given, else eight where the run can be resumed, else one per process."""
    if options.lanes:
        return options.lanes
    return max(RECOVERY_LANES, options.workers) if options.recovery else options.workers


def _inputs(options: ReplayOptions) -> tuple[Input, ...]:
    named = (("readings", options.readings), ("events", options.events), ("feedback", options.feedback))
    return tuple(Input(path, kind) for kind, paths in named for path in paths)


def _registry(options: ReplayOptions) -> Registry | None:
    if options.sensors is None:
        return None
    registry, problems = read_registry(options.sensors, options.tz)
    for problem in problems:
        print(f"{options.sensors}: {problem}", file=sys.stderr)  # noqa: T201
    return registry


def replay(options: ReplayOptions) -> Summary:
    """Run a replay to its end and write its files.

    Raises:
        ValueError: an input cannot be used. OSError: a file cannot be read or written.
        RuntimeError: a process of the run failed.
    """
    begin = time.time()
    resume = _prepare_recovery(options)
    prepare(options.out, resume=resume)
    SECONDS.clear()
    if options.workers > 1:
        _run_processes(options)
    else:
        total = sum(i.path.stat().st_size for i in _inputs(options))
        with reading_bar(total, shown=options.progress) as advance:
            run_flow(flow_of(options, advance), options)
    return _summary(options, begin)


def run_flow(flow: Dataflow, options: ReplayOptions, process: int | None = None, ports: list[int] | None = None) -> None:
    """Run the flow in this process, alone or as one of several."""
    recovery = None
    if options.recovery is not None:
        recovery = RecoveryConfig(str(options.recovery / "engine"))
    cli_main(
        flow,
        process_id=process,
        addresses=None if ports is None else [f"127.0.0.1:{port}" for port in ports],
        epoch_interval=timedelta(seconds=options.snapshot_every),
        recovery_config=recovery,
    )


def _prepare_recovery(options: ReplayOptions) -> bool:
    """Whether there is a run to go on with; makes the recovery folder if there is none."""
    folder = options.recovery
    if folder is None:
        return False
    meta = folder / "run.json"
    wanted = {"lanes": lane_count(options), "inputs": [str(i.path) for i in _inputs(options)]}
    if meta.exists():
        found = json.loads(meta.read_text())
        if found != wanted:
            raise ValueError(
                f"{folder} belongs to another run: it has {found}, this run has {wanted}; "
                f"give the same inputs and lanes, or an empty folder"
            )
        return True
    engine = folder / "engine"
    engine.mkdir(parents=True, exist_ok=True)
    init_db_dir(engine, RECOVERY_PARTITIONS)
    meta.write_text(json.dumps(wanted))
    return False


def _run_processes(options: ReplayOptions) -> None:
    spec = options.out / PARTS / "options.json"
    spec.write_text(json.dumps(asdict(options), default=str))
    commands = [[sys.executable, "-m", "flows.worker", str(spec), str(i)] for i in range(options.workers)]
    running = [subprocess.Popen(command) for command in commands]  # noqa: S603
    codes = [process.wait() for process in running]
    if any(codes):
        raise RuntimeError(f"a process of the run failed: exit codes {codes}; its message stands above")


def ports_of(options: ReplayOptions) -> list[int]:
    """A port per process, the same in all of them."""
    first = _FIRST_PORT + hash_of(str(options.out)) % 20_000
    return [first + i for i in range(options.workers)]


def hash_of(text: str) -> int:
    """A small number that is the same in every process."""
    return sum((i + 1) * byte for i, byte in enumerate(text.encode()))


def options_from(path: Path) -> ReplayOptions:
    """The options that a parent process wrote."""
    raw: dict[str, Any] = json.loads(path.read_text())
    for name in ("readings", "events", "feedback"):
        raw[name] = [Path(p) for p in raw[name]]
    for name in ("sensors", "areas", "catalogue", "recovery", "grid", "out"):
        raw[name] = None if raw[name] is None else Path(raw[name])
    return ReplayOptions(**raw)


def _summary(options: ReplayOptions, begin: float) -> Summary:
    totals = json.loads((options.out / PARTS / "totals.json").read_text())
    begin = totals.pop("started", begin)
    found = finalise(
        options.out, all_revisions=options.all_revisions, keep_parts=options.recovery is not None
    )
    seconds = time.time() - begin
    usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    summary = Summary(
        **totals,
        revisions=found.revisions,
        windows=found.windows,
        alerts=found.alerts,
        seconds=seconds,
        readings_per_second=totals["readings"] / seconds if seconds else 0.0,
        peak_rss_mb=usage / 1024,
        catalogue_hash=Catalogue.load(
            [options.catalogue] if options.catalogue else [], dict(options.settings)
        ).hash,
        profile={part: round(s, 4) for part, s in sorted(SECONDS.items())},
    )
    (options.out / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2))
    return summary
