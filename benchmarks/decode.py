"""How fast records are decoded: lines of JSON to columns, beside the standard library; Parquet; files.

Run it with ``python benchmarks/decode.py [--readings N] [--runs N]``; the fastest of the runs counts, on one
core. Figures go into ``benchmarks/README.md``.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from flows.decoding.decode import decode_readings
from flows.decoding.record_files import RecordFile, decode

BLOCK = 10_000
START_MS = 1_719_964_800_000


def plain_lines(count: int) -> list[bytes]:
    """Readings without a place: 20,000 sensors, each once a minute.

    >>> plain_lines(1)
    [b'{"sensor_id":"s-000000","metric":"road_speed","value":30.0,"ts":1719964800000}']
    """
    return [
        b'{"sensor_id":"s-%06d","metric":"road_speed","value":%.1f,"ts":%d}'
        % (i % 20_000, 30 + i % 50 / 2, START_MS + i * 3)
        for i in range(count)
    ]


def placed_lines(count: int) -> list[bytes]:
    """The same readings with lon and lat."""
    return [
        line[:-1] + b',"lon":114.%06d,"lat":30.%06d}' % (i % 1_000_000, i % 500_000)
        for i, line in enumerate(plain_lines(count))
    ]


def stamped_lines(count: int) -> list[bytes]:
    """The same readings with times as RFC 3339 text."""
    return [
        b'{"sensor_id":"s-%06d","metric":"road_speed","value":%.1f,"ts":"2024-07-03T08:%02d:%02d.%03d+08:00"}'
        % (i % 20_000, 30 + i % 50 / 2, i // 20_000 % 60, i * 3 // 1_000 % 60, i * 3 % 1_000)
        for i in range(count)
    ]


def spoiled_lines(count: int) -> list[bytes]:
    """The same readings, every hundredth cut short."""
    return [line[:-3] if i % 100 == 0 else line for i, line in enumerate(plain_lines(count))]


def in_arrays(lines: list[bytes]) -> list[bytes]:
    """Lines as a gateway's batches of 100."""
    return [b"[" + b",".join(lines[i : i + 100]) + b"]" for i in range(0, len(lines), 100)]


def in_blocks(messages: list[bytes], size: int = BLOCK) -> int:
    """Decode messages block by block; return the rows and rejects."""
    found = 0
    for first in range(0, len(messages), size):
        columns, rejects = decode_readings(messages[first : first + size])
        found += len(columns) + len(rejects)
    return found


def by_the_standard_library(lines: list[bytes]) -> int:
    """Parse lines to dictionaries and nothing more."""
    return len([json.loads(line) for line in lines])


def from_file(path: Path, *, decoding: bool) -> int:
    """Read a file, and decode it or not; return the records."""
    found = 0
    with RecordFile(path, "readings") as file:
        while block := file.read(BLOCK):
            found += len(decode(block, "readings")[0]) if decoding else len(block)
    return found


def write_files(lines: list[bytes], place: Path) -> tuple[Path, Path]:
    """Write the readings as JSON lines and as Parquet."""
    text, table = place / "readings.jsonl", place / "readings.parquet"
    text.write_bytes(b"\n".join(lines) + b"\n")
    columns, _ = decode_readings(lines)
    sensor, metric = columns.sensor.to_list(), columns.metric.to_list()
    named = {"sensor_id": sensor, "metric": metric, "value": columns.value, "ts": columns.ts}
    pq.write_table(pa.table(named), table)
    return text, table


def seconds(work: Callable[[], int], runs: int, count: int) -> float:
    """Time the fastest run; every run must account for every record."""
    times = []
    for _ in range(runs):
        started = perf_counter()
        found = work()
        times.append(perf_counter() - started)
        if found != count:
            raise AssertionError(f"{count} records went in, {found} came out")
    return min(times)


def main(
    readings: Annotated[int, typer.Option(help="Readings per run.", min=1)] = 500_000,
    runs: Annotated[int, typer.Option(help="Runs of each; the fastest counts.", min=1)] = 5,
) -> None:
    """Measure and print a table."""
    plain, placed = plain_lines(readings), placed_lines(readings)
    stamped, spoiled, arrays = stamped_lines(readings), spoiled_lines(readings), in_arrays(plain)
    with tempfile.TemporaryDirectory() as folder:
        text, parquet = write_files(plain, Path(folder))
        works: dict[str, Callable[[], int]] = {
            "JSON lines to columns": lambda: in_blocks(plain),
            "with lon and lat": lambda: in_blocks(placed),
            "with times as text": lambda: in_blocks(stamped),
            "one in a hundred broken": lambda: in_blocks(spoiled),
            "arrays of 100": lambda: in_blocks(arrays, BLOCK // 100),
            "json.loads alone": lambda: by_the_standard_library(plain),
            "a file of lines, read only": lambda: from_file(text, decoding=False),
            "a file of lines to columns": lambda: from_file(text, decoding=True),
            "a Parquet file to columns": lambda: from_file(parquet, decoding=True),
        }
        table = Table("what", "ns a reading", "million readings/s")
        for name, work in works.items():
            spent = seconds(work, runs, readings)
            table.add_row(name, f"{spent / readings * 1e9:.0f}", f"{readings / spent / 1e6:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
