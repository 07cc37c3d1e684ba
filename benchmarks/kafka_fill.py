"""Fill a topic from files of readings: what benchmarks read from a topic that is full already.

    python benchmarks/kafka_fill.py city/readings.parquet --kafka 127.0.0.1:9092 --format json-array

Readings of one sensor go to one partition, in the order of the file. Prints records, messages and speed.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.progress import Progress

from flows.kafka.topic_messages import FORMS, SIZES, Form, messages
from sinks.kafka_link import KafkaAdmin
from sinks.kafka_types import KafkaSettings
from sinks.kafka_writer import KafkaWriter

ROWS = 200_000
"""Readings held at a time."""


def frames(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """The readings of a file, so many at a time."""
    match path.suffix:
        case ".parquet":
            whole = pl.scan_parquet(path)
        case ".arrow" | ".arrows":
            whole = pl.read_ipc_stream(path).lazy()
        case _:
            whole = pl.scan_ndjson(path)
    for start in range(0, whole.select(pl.len()).collect().item(), rows):
        yield whole.slice(start, rows).collect()


def _form(text: str) -> Form:
    for one in FORMS:
        if one == text:
            return one
    raise typer.BadParameter(f"found {text!r}; give one of {', '.join(FORMS)}", param_hint="--format")


def fill(  # noqa: PLR0913, PLR0917 - the options of a command
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="JSON lines, Parquet or Arrow.")],
    kafka: Annotated[str, typer.Option(metavar="HOST:PORT", help="A broker.")],
    topic: Annotated[str, typer.Option(help="The topic; made if need be.")] = "city.readings.v1",
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMS)}.")] = "json-array",
    partitions: Annotated[int, typer.Option(min=1, help="Of a topic that has to be made.")] = 4,
    size: Annotated[int | None, typer.Option(min=1, help="Records in a message.")] = None,
) -> None:
    """Fill a topic."""
    chosen = _form(form)
    settings = KafkaSettings(kafka)
    admin = KafkaAdmin(settings)
    admin.create(topic, partitions, -1)
    count = len(admin.topics()[topic].leaders)
    began, records, sent = time.perf_counter(), 0, 0
    with KafkaWriter(settings, patience=60) as writer, Progress(transient=True) as bar:
        for path in files:
            for frame in bar.track(frames(path, ROWS), description=path.name):
                where = frame["sensor_id"].cast(pl.String).hash().to_numpy() % np.uint64(count)
                batch = list(messages(frame, where.astype(np.int64), topic, chosen, size))
                writer.send(batch)
                records, sent = records + len(frame), sent + len(batch)
    seconds = time.perf_counter() - began
    Console().print(
        f"{records:,} readings in {sent:,} messages of up to {size or SIZES[chosen]} to {topic} "
        f"({count} partitions): {seconds:.1f} s, {records / seconds:,.0f} readings/s",
        highlight=False,
    )


if __name__ == "__main__":
    typer.run(fill)
