"""A live engine: the configured inputs through the flow, to files, metrics and history, until it is stopped.

Configuration ─▶ ReplayOptions (city, lanes, recovery) ─▶ dataflow with taps ─▶ runs until SIGTERM or SIGINT
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bytewax.dataflow import Dataflow

from flows.beat import Beat
from flows.city import City
from flows.city_flow import Ends, Tap, build
from flows.config.configuration import Configuration
from flows.config.kafka import kafka_settings
from flows.control.control_topic import ControlTopic, control_reader
from flows.control.control_watch import Hangup, Watched, journal_of
from flows.control.editions import Editions
from flows.control.no_control import NoControl
from flows.kafka.alignment import Alignment
from flows.kafka.ends import kafka_taps
from flows.live.run_metrics import EngineFigures
from flows.live.run_options import base, is_kafka, options_of, parts_of, prepared
from flows.live.run_records import RecordSource
from flows.live.run_source import LivePart
from flows.live.run_stop import Stop
from flows.live.run_totals import RunSummary, summary_of
from flows.pieces import BEFORE
from flows.quarantine.entries import fault_entries
from flows.quarantine.step import judged
from flows.records import PART
from flows.redis.ends import redis_settings, redis_taps
from flows.redis.feedback import RedisFeedback
from flows.replay.profile import timed
from flows.replay.replaying import ReplayOptions, city_of, lane_count
from flows.replay.running import run_flow
from flows.router import Lanes
from flows.scores.step import scored_or_not
from flows.stages.incident_step import desk_of
from flows.steps import CITY, Run
from indicators.durations import milliseconds
from sinks.history import History
from sinks.history_hours import HOUR
from sinks.kafka_link import check
from sinks.kafka_reader import KafkaReader
from sinks.kafka_sink import SinkSettings
from sinks.line_files import LineFiles, plain_line, reject_line
from sinks.log import EventLog
from sinks.nowhere import Nowhere
from sinks.prometheus import Ready, Source, served
from sinks.prometheus_alerts import AlertCounter, AlertFigures, IncidentGauge, RefusalCounter
from sinks.prometheus_anomalies import AnomalyCounter, AnomalyFigures
from sinks.prometheus_dispatch import DispatchQueues
from sinks.prometheus_faults import FaultCounter, FaultFigures
from sinks.prometheus_values import Latest, RevisionCounter, Revisions, ValueGauges
from sinks.prometheus_waiting import Waits
from sinks.redis_keys import Keys

LOG = EventLog("run")


@dataclass(slots=True)
class Engine:
    """One process of a live engine: its configuration, its flow, what it can be asked.

    Attributes:
        process: its number; with ``ports``, of one of several that find each other there.
        ports: of all processes; without, this is the only one and makes folders and Redis ready itself.
        shared: the file of the `Alignment` of all processes.
        parts: the parts of the record source that this process runs.
    """

    config: Configuration
    process: int = 0
    ports: list[int] | None = None
    shared: Path | None = None
    stop: Stop = field(default_factory=Stop)
    wall: Callable[[], float] = time.time
    parts: list[LivePart] = field(default_factory=list)
    figures: EngineFigures | None = None
    waits: Waits = field(default_factory=Waits)
    hangup: Hangup = field(default_factory=Hangup)

    def run(self) -> RunSummary:
        """Run until stopped, or until all inputs that cannot grow have ended.

        Raises:
            ValueError: the configuration cannot be used.
            OSError, RuntimeError: the work failed.
        """
        begin = time.monotonic()
        with ExitStack() as stack:
            if self.ports is None:
                self.config, _ = prepared(self.config, stack)
            options = options_of(self.config)
            redis = self.config.redis.url
            city = city_of(options, base(options))
            figures = self.figures = EngineFigures(self.process, city, self.now, self.parts)
            flow, sources, ready = self._flow(options, city, figures, redis, stack)
            if self.config.prometheus.port is not None:
                port = self.config.prometheus.port + self.process
                stack.enter_context(served(sources, self.config.prometheus.host, port, ready))
                LOG.info("run.metrics", url=f"http://{self.config.prometheus.host}:{port}/metrics")
            self.stop.waits = self.waits
            stack.enter_context(self.stop.by_signals())
            stack.enter_context(self.hangup.by_signal())
            if self.ports is None:
                LOG.info("run.started")
            number = None if self.ports is None else self.process
            beat = self._beat
            interval = options.snapshot_every if beat is None else beat.interval
            run_flow(flow, options.recovery, interval, number, self.ports)
            if not self.parts:
                raise RuntimeError("the engine has stopped before its inputs were opened; see above")
            refused = figures.refusals.counts.total()
            return summary_of(self.parts, figures.heard, refused, time.monotonic() - begin)

    @property
    def _beat(self) -> Beat | None:
        """What keeps several processes together."""
        return Beat(self.config.engine.snapshot_every) if len(self.ports or ()) > 1 else None

    def now(self) -> float:
        """Event time that counts as now, seconds: the wall's, or the latest of the records."""
        if self.config.engine.clock == "source" and self.parts:
            return max(part.greatest for part in self.parts) / 1000
        return self.wall()

    def _flow(
        self, options: ReplayOptions, city: City, figures: EngineFigures, redis: str | None, stack: ExitStack
    ) -> tuple[Dataflow, list[Source], list[Ready]]:
        lanes = Lanes(lane_count(options), city.grid)
        durable = options.recovery is not None
        taps, sources, ready = self._taps(city, figures)
        if redis is not None and self.process == 0:
            sources.append(DispatchQueues(redis, Keys(self.config.redis.prefix)).families)
        if self.config.history.folder is not None:
            taps = (Tap("values_history", "values", self._history(lanes, durable=durable)), *taps)
        if self.config.kafka.bootstrap_servers is not None:
            kafka = kafka_settings(self.config.kafka, waiting=self.waits)
            check(kafka)
            written = SinkSettings(kafka, durable=durable, timed=timed, folder=options.recovery)
            letters = is_kafka(self.config)
            taps = (
                *kafka_taps(self.config.kafka, city, lanes.shards, written, letters=letters),
                *taps,
            )
        if redis is not None:
            settings = redis_settings(redis, durable=durable)
            settings = replace(settings, keys=Keys(self.config.redis.prefix), waiting=self.waits)
            started, scores = int(self.wall() * 1000), options.anomaly is not None
            judges = options.quarantine is not None
            mirror = redis_taps(city, lanes.shards, settings, started, scored=scores, judged=judges)
            taps = (*mirror, *taps)
        editions, control = self._control(options, city, lanes, figures, stack)
        ends = Ends(
            records=self._records(options, city, lanes, figures).source(stack),
            control=control,
            rejects=LineFiles(options.out, "rejects", [PART], reject_line, durable=durable, whole=True),
            values=Nowhere(),
            alerts=LineFiles(options.out, "alerts", [CITY], plain_line, durable=durable, whole=True),
            incidents=LineFiles(options.out, "incidents", [CITY], plain_line, durable=durable, whole=True),
            taps=taps,
            anomalies=LineFiles(options.out, "anomalies", [CITY], plain_line, durable=durable, whole=True),
            faults=LineFiles(options.out, "sensor_faults", [CITY], plain_line, durable=durable, whole=True),
            feedback=self._feedback(redis, figures, durable=durable),
            beat=self._beat,
        )
        faults = [] if options.quarantine is None else fault_entries(city)
        desk = desk_of(city, options.routing, options.sla, faults)
        sources_of = parts_of(self.config, options)
        run = Run(
            city,
            lanes,
            options.recovery,
            desk,
            sources=sources_of,
            editions=editions,
            attic=options.out,
            sensing=self.config.anomaly.enabled and self.config.anomaly.sensors,
            judging=options.quarantine is not None,
        )
        steps = judged(run, scored_or_not(run, options.anomaly), options.quarantine)
        return build(ends, steps), sources, ready

    def _records(
        self, options: ReplayOptions, city: City, lanes: Lanes, figures: EngineFigures
    ) -> RecordSource:
        return RecordSource(
            self.config,
            options,
            city,
            lanes,
            self.wall,
            self.stop,
            figures.note,
            self.parts.append,
            self.waits,
            self.shared,
        )

    def _control(
        self, options: ReplayOptions, city: City, lanes: Lanes, figures: EngineFigures, stack: ExitStack
    ) -> tuple[Editions | None, Watched | NoControl]:
        """The editions of a city that can change, and the source that tells of changes."""
        topic = self.config.kafka.control
        if options.catalogue is None and options.thresholds is None and not topic:
            return None, NoControl()
        told: dict[str, Any] = {
            "base": base(options),
            "lanes": lanes.shards,
            "catalogue": options.catalogue,
            "thresholds": options.thresholds,
            "reached": self._reached(options),
            "stopped": self.stop,
            "finished": lambda: bool(self.parts) and all(part.finished for part in self.parts),
            "wall": self.wall,
            "hangup": self.hangup,
            "journal": journal_of(options.recovery),
            "built": figures.control.append,
        }
        editions = Editions(city, heard=[figures.take_over])
        return editions, self._control_topic(topic, told, stack) if topic else Watched(**told)

    def _control_topic(self, topic: str, told: dict[str, Any], stack: ExitStack) -> ControlTopic:
        section = self.config.kafka

        def connect() -> KafkaReader:
            reader = control_reader(kafka_settings(section, waiting=self.waits), section.group, topic)
            return stack.enter_context(reader)

        return ControlTopic(**told, topic=topic, on_gap=section.on_gap, connect=connect)

    def _reached(self, options: ReplayOptions) -> Callable[[], int]:
        """The greatest event time so far, ms; of all processes where there are several."""
        if self.shared is not None:
            alignment = Alignment(parts_of(self.config, options), self.shared)
            return lambda: alignment.greatest
        return lambda: max((part.greatest for part in self.parts), default=BEFORE)

    def _feedback(self, redis: str | None, figures: EngineFigures, *, durable: bool) -> RedisFeedback | None:
        if redis is None:
            return None
        keys = Keys(self.config.redis.prefix)
        return RedisFeedback(redis, self._over, keys, durable=durable, built=figures.heard.append)

    def _over(self) -> bool:
        """Whether the engine was told to stop, or its records have ended."""
        return self.stop() or (bool(self.parts) and all(part.finished for part in self.parts))

    def _history(self, lanes: Lanes, *, durable: bool) -> History:
        wanted = self.config.history
        keep = None if wanted.keep is None else -(-milliseconds(wanted.keep) // HOUR)
        folder = Path(wanted.folder or "")
        return History(folder, [*lanes.shards, "areas"], wanted.kinds, keep, durable=durable)

    def _taps(self, city: City, figures: EngineFigures) -> tuple[tuple[Tap, ...], list[Source], list[Ready]]:
        """The doors that are configured, the metrics last: an alert counts when it is queued."""
        taps = [Tap("refused_count", "rejects", RefusalCounter(figures.refusals))]
        sources: list[Source] = [figures.families, self.waits.families]
        ready: list[Ready] = []
        if self.config.prometheus.port is not None:
            themes = figures.themes
            alerts = AlertFigures(
                themes,
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
            sources += [revisions.families, alerts.families]
            ready.append(latest)
            if self.config.anomaly.enabled:
                anomalies = AnomalyFigures(themes)
                taps.append(Tap("anomalies_prometheus", "anomalies", AnomalyCounter(anomalies)))
                sources.append(anomalies.families)
            if self.config.anomaly.quarantine:
                faults = FaultFigures()
                taps.append(Tap("faults_prometheus", "faults", FaultCounter(faults)))
                sources.append(faults.families)
        return tuple(taps), sources, ready
