"""A day on Kafka through an engine that is killed, frozen and starved, against one that is left alone.

    python -m tests.chaos.chaos --kills 8
    python -m tests.chaos.chaos --kills 40 --seconds 900 --brokers 3 --report chaos.md

Exit code: 0 nothing differs, 1 something does.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from flows.config.configuration import Configuration
from tests.chaos.chaos_compare import Left, differences
from tests.chaos.chaos_day import Feeder, day_end, messages_of, write_day
from tests.chaos.chaos_departments import Departments
from tests.chaos.chaos_stage import Redis, Stage, small_disk
from tests.kafka.broker import real_cluster
from tests.kafka.city_topics import Topics
from tests.kafka.live_engine import LiveEngine

PARTITIONS, OUT_PARTITIONS = 4, 2
IDLE_S, LONG_S = 45.0, 1_200.0
"""Silence after which a partition is left out, longer than brokers hold senders up; the longest wait."""
WATERMARK = "yiwang_watermark_timestamp_seconds"
OTHERS = (
    *("redis_freeze", "redis_empty", "broker_restart", "broker_freeze", "disk_full", "outage", "drain"),
    "kill_worker",
)
"""What is done besides kills, each once for every eight of them."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: how much of what."""

    kills: int = 8
    seconds: float = 150.0
    sensors: int = 60
    hours: float = 24.0
    brokers: int = 1
    seed: int = 1

    @property
    def cases(self) -> int:
        """So many that no partition of events is silent for long: that alone may make a difference (R5)."""
        return int(self.seconds)


def configured(topics: Topics, city: Path, work: Path, redis: str, alerts: str) -> Configuration:
    """The engine's configuration; dead letters of the undisturbed run stay in its file."""
    config = topics.settings(
        city, work, recovery=str(work / "disk" / "state"), idle_after=IDLE_S, snapshot_every=2.0
    )
    raw = msgspec.to_builtins(config)
    raw["redis"] = {"url": redis}
    raw["kafka"] |= {"alerts": alerts, "dead_letters": work.name == "disturbed"}
    return msgspec.convert(raw, Configuration)


def plan(trial: Trial, random: Random) -> list[str]:
    """What is done, in a random order."""
    found = ["kill"] * trial.kills + list(OTHERS) * max(1, trial.kills // 16)
    random.shuffle(found)
    return found


def disturbed(trial: Trial, topics: Topics, city: Path, work: Path, stack: ExitStack) -> Stage:
    """Run the day and everything that happens to it, to its end."""
    redis = Redis()
    stack.callback(redis.kill)
    redis.start()
    disk = stack.enter_context(small_disk(work / "disk"))
    engine = LiveEngine(configured(topics, city, work, redis.url, topics.cluster.topic(OUT_PARTITIONS)), work)
    stack.callback(engine.kill)
    random = Random(trial.seed)  # noqa: S311 - any will do
    stage = Stage(engine, redis, topics.cluster, work / "disk" if disk else None, random)
    feeder = Feeder(topics, messages_of(city, topics), trial.seconds)
    departments = Departments(topics, engine.config.kafka.alerts or "", OUT_PARTITIONS)
    engine.start()
    feeder.start()
    departments.start()
    steps = plan(trial, random)
    for number, what in enumerate(steps):
        due = trial.seconds * (number + 0.5) / len(steps)
        pause = random.uniform(0.2, 1.0) * trial.seconds / len(steps)
        sent = f"{feeder.sent:,} of {len(feeder.messages):,} messages, {departments.sent} reports"
        console.print(f"{due:6.0f} s  {what}  ({sent} sent)")
        time.sleep(pause)
        stage.disturb(what)
    engine.until(lambda: feeder.done, LONG_S)
    finish(engine, stage.workers, day_end(city), departments)
    return stage


def finish(engine: LiveEngine, workers: int, end: float, departments: Departments | None = None) -> None:
    """Wait until all has been read and all partitions have been left out for their silence; stop in order.

    ``end`` is when the day was over, seconds: on a busy machine a watermark may also stand still before that.
    """
    engine.until(lambda: engine.has_read(PARTITIONS * 3, workers), LONG_S)
    time.sleep(IDLE_S)
    # Once all are silent, the watermark comes to the last record and stays there.
    engine.until(lambda: engine.metrics(workers).get(WATERMARK, 0.0) >= end * workers, LONG_S)
    engine.rest(workers)
    if departments is not None:
        departments.stop()
        engine.until(lambda: engine.has_read(PARTITIONS * 3, workers), LONG_S)
        engine.rest(workers)
    assert engine.stop() == 0, engine.said()


def undisturbed(topics: Topics, city: Path, work: Path, stack: ExitStack) -> Left:
    """The same topics through an engine that is left alone."""
    redis = Redis()
    stack.callback(redis.kill)
    redis.start()
    alerts = topics.cluster.topic(OUT_PARTITIONS)
    engine = LiveEngine(configured(topics, city, work, redis.url, alerts), work)
    stack.callback(engine.kill)
    engine.start()
    finish(engine, 1, day_end(city))
    return Left(work, redis.url, alerts)


def hold(trial: Trial) -> tuple[Stage, dict[str, str]]:
    """Run a trial; what was done, and what differs."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yiwang-chaos-")))
        cluster = stack.enter_context(real_cluster(trial.brokers))
        topics = Topics(cluster, PARTITIONS)
        for name in topics.names.values():
            cluster.topic(1, f"{name}.dlq")
        city = write_day(work / "city", trial.sensors, trial.hours, trial.seed, trial.cases)
        stage = disturbed(trial, topics, city, work / "disturbed", stack)
        found = Left(work / "disturbed", stage.redis.url, stage.engine.config.kafka.alerts or "")
        whole = undisturbed(topics, city, work / "undisturbed", stack)
        return stage, differences(cluster, topics.names.values(), found, whole)


def report(trial: Trial, stage: Stage, said: dict[str, str], seconds: float) -> str:
    """The outcome as Markdown."""
    about = (
        f"A simulated day ({trial.hours:g} h, {trial.sensors} sensors, {PARTITIONS} partitions a topic, "
        f"{trial.brokers} broker(s), seed {trial.seed}) replayed in {trial.seconds:g} s while the engine, "
        f"its Redis, its brokers and its disk were disturbed, and departments reported back on its alerts; "
        f"then the same topics through an engine left alone. {seconds:.0f} s in all."
    )
    lines = [
        "# Chaos / 混沌测试",
        "",
        about,
        "",
        "| done | times |",
        "|---|---|",
        *(f"| {what} | {stage.done.count(what)} |" for what in dict.fromkeys(sorted(stage.done))),
        "",
        "| compared | outcome |",
        "|---|---|",
        *(f"| {what} | {differs or 'the same'} |" for what, differs in said.items()),
    ]
    return "\n".join(lines) + "\n"


console = Console(stderr=True)


def main(
    kills: Annotated[int, typer.Option(help="How often all processes are killed.")] = 8,
    seconds: Annotated[float, typer.Option(help="How long the day takes.")] = 150.0,
    sensors: Annotated[int, typer.Option(help="Sensors of the city.")] = 60,
    hours: Annotated[float, typer.Option(help="Length of the day.")] = 24.0,
    brokers: Annotated[int, typer.Option(help="Brokers: 1, or 3 of which one may be away.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 1,
    to: Annotated[Path | None, typer.Option("--report", help="Write the report there too.")] = None,
) -> None:
    """Disturb, compare, report."""
    begun = time.monotonic()
    trial = Trial(kills, seconds, sensors, hours, brokers, seed)
    stage, said = hold(trial)
    text = report(trial, stage, said, time.monotonic() - begun)
    typer.echo(text)
    if to is not None:
        to.write_text(text)
    raise typer.Exit(1 if any(said.values()) else 0)


if __name__ == "__main__":
    typer.run(main)
