"""A live engine: the configured inputs through the flow, to files, metrics and history, until it is stopped.

Configuration ─▶ ReplayOptions (city, lanes, recovery) ─▶ dataflow with taps ─▶ runs until SIGTERM or SIGINT
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from bytewax.dataflow import Dataflow

from flows.city import City
from flows.city_flow import Ends, Tap, build
from flows.config import Configuration
from flows.config_file import missing
from flows.config_kafka import kafka_settings
from flows.incident_step import desk_of
from flows.inputs import Input
from flows.kafka_ends import kafka_taps
from flows.profile import timed
from flows.record_files import SUFFIXES
from flows.records import PART
from flows.recovery_folder import RecoveryFolder
from flows.redis_ends import redis_settings, redis_taps
from flows.redis_feedback import RedisFeedback, add_feedback
from flows.replay import ReplayOptions, catalogue_of, city_of, lane_count, refuse, roll_of, run_flow
from flows.router import Lanes
from flows.run_metrics import EngineFigures
from flows.run_source import LivePart, LiveSource
from flows.steps import CITY, NoControl, Run
from geo.areas import AreaKind
from indicators.durations import milliseconds
from sinks.history import History
from sinks.history_hours import HOUR
from sinks.kafka_link import check
from sinks.kafka_sink import SinkSettings
from sinks.line_files import LineFiles, plain_line, reject_line
from sinks.nowhere import Nowhere
from sinks.prometheus import Source, served
from sinks.prometheus_alerts import AlertCounter, AlertFigures, IncidentGauge, RefusalCounter
from sinks.prometheus_dispatch import DispatchQueues
from sinks.prometheus_values import Latest, RevisionCounter, Revisions, ValueGauges
from sinks.prometheus_waiting import Waits
from sinks.redis_keys import Keys
from sinks.redis_server import embedded_server


class RunSummary(msgspec.Struct, kw_only=True):
    """What ``yiwang run`` says when it has stopped; counts as in ``summary.json`` (C-2.5)."""

    received: int
    accepted: int
    rejected: dict[str, int]
    duplicates: int
    late: int
    held: int
    readings: int
    events: int
    feedback: int
    watermark: int
    seconds: float


@dataclass(slots=True)
class Stop:
    """Whether the engine has been asked to stop: by SIGTERM, by SIGINT, or by its own process."""

    asked: bool = False

    def __call__(self) -> bool:
        """As the source asks."""
        return self.asked

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """The first SIGTERM or SIGINT asks for a stop, a second one does what it does elsewhere."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.getsignal(number) for number in numbers}

        def ask(number: int, frame: FrameType | None) -> None:
            del frame
            self.asked = True
            signal.signal(number, before[signal.Signals(number)])

        for number in numbers:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number in numbers:
                signal.signal(number, before[number])


@dataclass(slots=True)
class Engine:
    """One process of a live engine: its configuration, its flow, what it can be asked.

    ``say`` is told once where things are.
    """

    config: Configuration
    process: int = 0
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr)  # noqa: T201
    stop: Stop = field(default_factory=Stop)
    wall: Callable[[], float] = time.time
    source: LivePart | None = None
    figures: EngineFigures | None = None
    waits: Waits = field(default_factory=Waits)

    def run(self) -> RunSummary:
        """Run until stopped, or until all inputs that cannot grow have ended.

        Raises:
            ValueError: the configuration cannot be used.
            OSError, RuntimeError: the work failed.
        """
        begin = time.monotonic()
        options = options_of(self.config)
        with ExitStack() as stack:
            resume = False
            if options.recovery is not None:
                folder = RecoveryFolder(options.recovery)
                stack.enter_context(folder.locked())
                resume = folder.take_up(_description(options, self.config))
            if not resume:
                _set_aside(options.out)
            redis = self.config.redis.url
            if redis == "embedded":
                redis = stack.enter_context(embedded_server()).url
                self.say(f"redis: {redis}")
            city = city_of(options)
            figures = self.figures = EngineFigures(self.process, city, self.now)
            flow, sources = self._flow(options, city, figures, redis)
            if self.config.prometheus.port is not None:
                port = self.config.prometheus.port + self.process
                stack.enter_context(served(sources, self.config.prometheus.host, port))
                self.say(f"metrics: http://{self.config.prometheus.host}:{port}/metrics")
            stack.enter_context(self.stop.by_signals())
            self.say("running; SIGTERM or Ctrl-C stops it")
            run_flow(flow, options)
        return self._summary(time.monotonic() - begin)

    def now(self) -> float:
        """Event time that counts as now, seconds: the wall's, or the latest of the records."""
        if self.config.engine.clock == "source" and self.source is not None:
            return self.source.greatest / 1000
        return self.wall()

    def _flow(
        self, options: ReplayOptions, city: City, figures: EngineFigures, redis: str | None
    ) -> tuple[Dataflow, list[Source]]:
        lanes = Lanes(lane_count(options), city.grid)
        durable = options.recovery is not None
        taps, sources = self._taps(city, figures)
        if redis is not None:
            sources.append(DispatchQueues(redis, Keys(self.config.redis.prefix)).families)
        if self.config.history.folder is not None:
            taps = (Tap("values_history", "values", self._history(lanes, durable=durable)), *taps)
        if self.config.kafka.bootstrap_servers is not None:
            kafka = kafka_settings(self.config.kafka, waiting=self.waits)
            check(kafka)
            written = SinkSettings(kafka, durable=durable, timed=timed)
            taps = (*kafka_taps(self.config.kafka, city, lanes.shards, written), *taps)
        if redis is not None:
            settings = redis_settings(redis, durable=durable)
            settings = replace(settings, keys=Keys(self.config.redis.prefix), waiting=self.waits)
            taps = (*redis_taps(city, lanes.shards, settings, int(self.wall() * 1000)), *taps)
        ends = Ends(
            records=self._records(options, city, lanes, figures),
            control=NoControl(),
            rejects=LineFiles(options.out, "rejects", [PART], reject_line, durable=durable, whole=True),
            values=Nowhere(),
            alerts=LineFiles(options.out, "alerts", [CITY], plain_line, durable=durable, whole=True),
            incidents=LineFiles(options.out, "incidents", [CITY], plain_line, durable=durable, whole=True),
            taps=taps,
            feedback=self._feedback(redis, figures, durable=durable),
        )
        run = Run(city, lanes, options.recovery, desk_of(city, options.routing, options.sla))
        return build(ends, run.steps()), sources

    def _records(
        self, options: ReplayOptions, city: City, lanes: Lanes, figures: EngineFigures
    ) -> LiveSource:
        engine = self.config.engine
        return LiveSource(
            inputs_of(self.config),
            city,
            lanes,
            roll_of(options, city.grid),
            engine.batch_size,
            options.out / "totals.json",
            lambda _: None,
            speed=engine.pace,
            durable=options.recovery is not None,
            clock=engine.clock,
            idle_after=engine.idle_after,
            max_future=engine.max_future,
            sensors=options.sensors,
            stopped=self.stop,
            wall=self.wall,
            reached=figures.note,
            built=lambda part: self._built(part, figures),
        )

    def _feedback(self, redis: str | None, figures: EngineFigures, *, durable: bool) -> RedisFeedback | None:
        if redis is None:
            return None
        keys = Keys(self.config.redis.prefix)
        return RedisFeedback(redis, self._over, keys, durable=durable, built=figures.heard.append)

    def _over(self) -> bool:
        """Whether the engine was told to stop, or its records have ended."""
        return self.stop() or (self.source is not None and self.source.finished)

    def _history(self, lanes: Lanes, *, durable: bool) -> History:
        wanted = self.config.history
        keep = None if wanted.keep is None else -(-milliseconds(wanted.keep) // HOUR)
        folder = Path(wanted.folder or "")
        return History(folder, [*lanes.shards, "areas"], wanted.kinds, keep, durable=durable)

    def _built(self, part: LivePart, figures: EngineFigures) -> None:
        self.source = figures.source = part

    def _taps(self, city: City, figures: EngineFigures) -> tuple[tuple[Tap, ...], list[Source]]:
        """The doors that are configured, the metrics last: an alert counts when it is queued."""
        taps = [Tap("refused_count", "rejects", RefusalCounter(figures.refusals))]
        sources: list[Source] = [figures.families, self.waits.families]
        if self.config.prometheus.port is not None:
            themes = {i.id: i.entry.theme for i in city.plan.catalogue.indicators}
            district = lru_cache(1 << 16)(lambda kind, area: city.areas.district(AreaKind.of(kind), area))
            alerts = AlertFigures(
                themes,
                lambda one: district(one.kind, one.area),
                figures.trail.decidable,
                self.now,
                self.wall,
            )
            names = {(a["id"], a["kind"]): (a["name_zh"], a["name_en"]) for a in city.areas.info()}
            latest, revisions = Latest(names=names), Revisions()
            taps += [
                Tap("values_prometheus", "area_values", ValueGauges(latest)),
                Tap("revisions_prometheus", "values", RevisionCounter(revisions)),
                Tap("alerts_prometheus", "alerts", AlertCounter(alerts)),
                Tap("incidents_prometheus", "incidents", IncidentGauge(alerts)),
            ]
            sources += [latest.families, revisions.families, alerts.families]
        return tuple(taps), sources

    def _summary(self, seconds: float) -> RunSummary:
        if self.source is None:
            raise RuntimeError("the engine has stopped before its inputs were opened; see the messages above")
        totals = self.source.totals()
        if self.figures is not None:
            for part in self.figures.heard:
                add_feedback(totals, part.tally)
            refuse(totals, self.figures.refusals.counts.total())
        known = {name: totals[name] for name in RunSummary.__struct_fields__ if name in totals}
        held = sum(file.tally.held for file in self.source.files)
        return RunSummary(**known, held=held, seconds=round(seconds, 3))


def options_of(config: Configuration) -> ReplayOptions:
    """What a live run has in common with a replay.

    Raises:
        ValueError: a path that must be there is not.
    """
    city, engine = config.city, config.engine
    for message in missing(config):
        raise ValueError(message)
    return ReplayOptions(
        out=Path(engine.out),
        sensors=_path(city.sensors),
        routing=_path(city.routing),
        sla=_path(city.sla),
        areas=_path(city.areas),
        catalogue=_path(city.catalogue),
        speed=engine.pace,
        recovery=_path(engine.recovery),
        snapshot_every=engine.snapshot_every,
        batch_size=engine.batch_size,
        lanes=engine.lanes,
        tz=city.tz,
        city_id=city.id,
        grid_level=city.grid_level,
        grid=_path(city.grid),
        grid_code_field=city.grid_code_field,
        settings=city.settings,
    )


def inputs_of(config: Configuration) -> tuple[Input, ...]:
    """The files to follow, in the order of the configuration.

    Raises:
        ValueError: there is none, or one that cannot hold records.
    """
    files = config.files
    found = (
        *(Input(Path(path), "readings") for path in files.readings),
        *(Input(Path(path), "events") for path in files.events),
        *(Input(Path(path), "feedback") for path in files.feedback),
    )
    if not found:
        raise ValueError(
            "files: there is no input; name files of readings, e.g. readings = ['readings.jsonl']"
        )
    for one in found:
        if not one.path.name.endswith(SUFFIXES):
            known = ", ".join(SUFFIXES)
            raise ValueError(f"files.{one.kind}: {one.path} is no record file; it must end in one of {known}")
        if not one.path.name.endswith(".jsonl") and not one.path.exists():
            raise ValueError(f"files.{one.kind}: {one.path} does not exist; only .jsonl files are waited for")
    return found


def _description(options: ReplayOptions, config: Configuration) -> dict[str, Any]:
    """What must be the same at every start with one recovery folder."""
    return {
        "run": "live",
        "inputs": [[str(i.path.resolve()), i.kind] for i in inputs_of(config)],
        "lanes": lane_count(options),
        "catalogue": catalogue_of(options).hash,
        "grid": options.grid_level if options.grid is None else str(options.grid),
        "areas": str(options.areas and options.areas.resolve()),
        "tz": options.tz,
    }


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _set_aside(out: Path) -> None:
    """A run that does not go on from a recovery point begins its files anew; earlier lines are kept."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("rejects", "alerts", "incidents"):
        path = out / f"{name}.jsonl"
        if path.exists() and path.stat().st_size:
            path.replace(out / f"{name}.before-{path.stat().st_mtime_ns // 1_000_000}.jsonl")
