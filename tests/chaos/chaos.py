"""A day on Kafka through an engine that is killed, frozen and starved, against one that is left alone.

    python -m tests.chaos.chaos --kills 8
    python -m tests.chaos.chaos --kills 40 --seconds 900 --brokers 3 --report docs/chaos.md

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
from tests.chaos.chaos_compare import Left, differences, only_repeats
from tests.chaos.chaos_day import Feeder, messages_of, write_day
from tests.chaos.chaos_stage import Redis, Stage, small_disk
from tests.kafka.broker import real_cluster
from tests.kafka.city_topics import Topics
from tests.kafka.live_engine import LiveEngine

PARTITIONS = 4
IDLE_S = 12.0
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
    engine = LiveEngine(configured(topics, city, work, redis.url, topics.cluster.topic(2)), work)
    stack.callback(engine.kill)
    random = Random(trial.seed)  # noqa: S311 - any will do
    stage = Stage(engine, redis, topics.cluster, work / "disk" if disk else None, random)
    feeder = Feeder(topics, messages_of(city, topics), trial.seconds)
    engine.start()
    feeder.start()
    steps = plan(trial, random)
    for number, what in enumerate(steps):
        due = trial.seconds * (number + 0.5) / len(steps)
        pause = random.uniform(0.2, 1.0) * trial.seconds / len(steps)
        console.print(f"{due:6.0f} s  {what}  ({feeder.sent:,} of {len(feeder.messages):,} messages sent)")
        time.sleep(pause)
        stage.disturb(what)
    engine.until(lambda: feeder.done, 600)
    finish(engine, stage.workers)
    return stage


def finish(engine: LiveEngine, workers: int) -> None:
    """Wait until all has been read and all partitions have been left out for their silence; stop in order."""
    engine.until(lambda: engine.has_read(PARTITIONS * 3, workers), 600)
    time.sleep(IDLE_S)
    # Once all are silent, the watermark comes to the last record and stays there.
    engine.rest(workers)
    assert engine.stop() == 0, engine.said()


def undisturbed(topics: Topics, city: Path, work: Path, stack: ExitStack) -> Left:
    """The same topics through an engine that is left alone."""
    redis = Redis()
    stack.callback(redis.kill)
    redis.start()
    alerts = topics.cluster.topic(2)
    engine = LiveEngine(configured(topics, city, work, redis.url, alerts), work)
    stack.callback(engine.kill)
    engine.start()
    finish(engine, 1)
    return Left(work, redis.url, alerts)


def hold(trial: Trial) -> tuple[Stage, dict[str, str]]:
    """Run a trial; what was done, and what differs."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yiwang-chaos-")))
        cluster = stack.enter_context(real_cluster(trial.brokers))
        topics = Topics(cluster, PARTITIONS)
        for name in topics.names.values():
            cluster.topic(1, f"{name}.dlq")
        city = write_day(work / "city", trial.sensors, trial.hours, trial.seed)
        stage = disturbed(trial, topics, city, work / "disturbed", stack)
        found = Left(work / "disturbed", stage.redis.url, stage.engine.config.kafka.alerts or "")
        whole = undisturbed(topics, city, work / "undisturbed", stack)
        return stage, differences(cluster, topics.names.values(), found, whole)


def report(trial: Trial, stage: Stage, said: dict[str, str], seconds: float) -> str:
    """The outcome as Markdown."""
    about = (
        f"A simulated day ({trial.hours:g} h, {trial.sensors} sensors, {PARTITIONS} partitions a topic, "
        f"{trial.brokers} broker(s), seed {trial.seed}) replayed in {trial.seconds:g} s while the engine, "
        f"its Redis, its brokers and its disk were disturbed; then the same topics through an engine left "
        f"alone. {seconds:.0f} s in all."
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
    allow_repeats: Annotated[  # noqa: FBT002 - an option
        bool,
        typer.Option("--allow-repeats", help="Tell of messages twice in their topic, but end with 0."),
    ] = False,
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
    wrong = [part for part, what in said.items() if what and not (allow_repeats and only_repeats(part, what))]
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
