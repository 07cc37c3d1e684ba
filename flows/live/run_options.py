"""What a configuration asks for: options, inputs and parts of a live run; its folders made ready."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from flows.config.configuration import Configuration
from flows.config.file import missing
from flows.control.change import Change
from flows.control.control_input import base_of
from flows.control.control_watch import begun_with, journal_of
from flows.control.editions import in_force
from flows.decoding.record_files import SUFFIXES
from flows.inputs import Input
from flows.records import PART
from flows.recovery.recovery_folder import RecoveryFolder
from flows.replay.replaying import ReplayOptions, lane_count
from flows.scores.settings import ScoreSettings
from sinks.log import EventLog
from sinks.redis_server import embedded_server

LOG = EventLog("run")


def options_of(config: Configuration) -> ReplayOptions:
    """What a live run has in common with a replay.

    Raises:
        ValueError: a path that must be there is not, or options do not go together.
    """
    city, engine = config.city, config.engine
    for message in missing(config):
        raise ValueError(message)
    if engine.workers > 1 and not is_kafka(config):
        raise ValueError(
            f"engine.workers: one process reads files, found {engine.workers}; give 1, or read from Kafka"
        )
    if config.kafka.control and config.kafka.bootstrap_servers is None:
        raise ValueError(
            "kafka.control: a control topic needs brokers, found none; give kafka.bootstrap_servers"
        )
    return ReplayOptions(
        out=Path(engine.out),
        sensors=_path(city.sensors),
        routing=_path(city.routing),
        sla=_path(city.sla),
        areas=_path(city.areas),
        catalogue=_path(city.catalogue),
        thresholds=_path(city.thresholds),
        speed=engine.pace,
        recovery=_path(engine.recovery),
        snapshot_every=engine.snapshot_every,
        batch_size=engine.batch_size,
        workers=engine.workers,
        lanes=engine.lanes,
        tz=city.tz,
        city_id=city.id,
        grid_level=city.grid_level,
        grid=_path(city.grid),
        grid_code_field=city.grid_code_field,
        settings=city.settings,
        anomaly=scores_of(config),
        quarantine=judges_of(config),
    )


def scores_of(config: Configuration) -> ScoreSettings | None:
    """How anomalies are looked for, None if they are not."""
    wanted = config.anomaly
    return ScoreSettings(wanted.budget, wanted.holidays, wanted.sensors) if wanted.enabled else None


def judges_of(config: Configuration) -> ScoreSettings | None:
    """How faulty sensors are looked for, None if they are not."""
    wanted = config.anomaly
    return ScoreSettings(wanted.budget, wanted.holidays) if wanted.quarantine else None


def is_kafka(config: Configuration) -> bool:
    """Whether records come from Kafka: a cluster is named, and no file is."""
    files = config.files
    named = [*files.readings, *files.events, *files.feedback]
    return config.kafka.bootstrap_servers is not None and not named


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
    if is_kafka(config):
        return ()
    if not found:
        raise ValueError(
            "files: there is no input; name files of readings, e.g. readings = ['readings.jsonl'], or Kafka"
        )
    for one in found:
        if not one.path.name.endswith(SUFFIXES):
            known = ", ".join(SUFFIXES)
            raise ValueError(f"files.{one.kind}: {one.path} is no record file; it must end in one of {known}")
        if not one.path.name.endswith(".jsonl") and not one.path.exists():
            raise ValueError(f"files.{one.kind}: {one.path} does not exist; only .jsonl files are waited for")
    return found


def parts_of(config: Configuration, options: ReplayOptions) -> tuple[str, ...]:
    """The parts of the record source: as many as lanes for Kafka, so that any process finds one to run.

    >>> config = msgspec.convert({"kafka": {"bootstrap_servers": "a:1"}}, Configuration)
    >>> parts_of(config, ReplayOptions(out=Path("out"), lanes=2))
    ('records-00', 'records-01')
    """
    if not is_kafka(config):
        return (PART,)
    return tuple(f"records-{number:02d}" for number in range(lane_count(options)))


def prepared(config: Configuration, stack: ExitStack) -> tuple[Configuration, list[int]]:
    """Make folders and Redis ready, once for all processes of a run.

    Returns:
        The configuration with the URL of the Redis to use, and file descriptors that processes keep open.

    Raises:
        ValueError: the recovery folder belongs to another run.
        OSError: a folder cannot be used.
    """
    options = options_of(config)
    wanted = description(config, options)
    held, resume = list[int](), False
    if options.recovery is not None:
        folder = RecoveryFolder(options.recovery)
        held.append(stack.enter_context(folder.locked()))
        resume = folder.take_up(wanted)
    if not resume:
        _set_aside(options.out)
        begin(options)
    if config.redis.url == "embedded":
        url = stack.enter_context(embedded_server()).url
        LOG.info("run.redis", url=url)
        config = msgspec.structs.replace(config, redis=msgspec.structs.replace(config.redis, url=url))
    return config, held


def begin(options: ReplayOptions) -> None:
    """Check the city's own files, and write down what a run with recovery begins with."""
    base = base_of(options.catalogue, options.thresholds)
    in_force(base, options.settings)
    journal = journal_of(options.recovery)
    if journal is not None:
        journal.begin(base)


def base(options: ReplayOptions) -> Change:
    """What a run began with, before all changes."""
    return begun_with(options.catalogue, options.thresholds, options.recovery)


def description(config: Configuration, options: ReplayOptions) -> dict[str, Any]:
    """What must be the same at every start with one recovery folder."""
    inputs = [[str(i.path.resolve()), i.kind] for i in inputs_of(config)]
    if is_kafka(config):
        inputs = [[f"topic {topic}", kind] for kind, topic in config.kafka.inputs().items()]
    return {
        "run": "live",
        "inputs": inputs,
        "lanes": lane_count(options),
        "settings": dict(options.settings),
        "grid": options.grid_level if options.grid is None else str(options.grid),
        "areas": str(options.areas and options.areas.resolve()),
        "tz": options.tz,
        # None in folders of before there was any.
        "quarantine": True if options.quarantine is not None else None,
    }


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _set_aside(out: Path) -> None:
    """A run that does not go on from a recovery point begins its files anew; earlier lines are kept."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("rejects", "alerts", "incidents", "anomalies", "sensor_faults"):
        path = out / f"{name}.jsonl"
        if path.exists() and path.stat().st_size:
            path.replace(out / f"{name}.before-{path.stat().st_mtime_ns // 1_000_000}.jsonl")
