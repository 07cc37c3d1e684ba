"""What a series costs in memory and in a snapshot, by metric; a Markdown table.

    python -m benchmarks.memory --sensors 10000 --hours 24

A simulated city is replayed in this process. When its last window has been closed, the arrays of every
metric are added up: readings, sums kept beside them, closed steps of the past, and what is known of each
series. The snapshot is the hot part alone, as it would be written with ``--recovery``.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import numpy as np
import polars as pl
import typer
from rich import box
from rich.console import Console
from rich.table import Table

import flows.replay.replaying
from benchmarks.scenarios import yiwang
from flows.recovery.snapshots import packed
from flows.replay.replay_summary import Summary
from indicators.shard import Shard
from indicators.slices import Slice
from indicators.store import MetricStore

PARTS = ("readings", "sums", "steps", "series")
COLUMNS = (*PARTS, "all", "hot")


@dataclass
class Probe:
    """Adds up what a lane holds when its last window has been closed."""

    found: dict[str, tuple[int, Counter[str], int]]

    def look(self, shard: Shard, until: int, *, final: bool) -> None:
        """Called by the lane after each of its turns."""
        del until
        if final:
            for store in shard.stores:
                if store.n:
                    hot = len(packed(store.state()))
                    self.found[store.kind.code] = store.n, of_store(store), hot


def of_store(store: MetricStore) -> Counter[str]:
    """Bytes of a metric's arrays by part."""
    ring, seen = store.ring, set[int]()
    sums = [s.sums for s in ring.slices.values() if isinstance(s, Slice)]
    sizes = Counter(
        sums=size([sums, vars(ring)["_coarse"]], seen),
        readings=size(ring.slices, seen),
        steps=0 if ring.tier is None else size(ring.tier.steps, seen),
    )
    sizes["series"] = size({name: part for name, part in vars(store).items() if name != "ring"}, seen)
    return sizes


def size(thing: Any, seen: set[int]) -> int:  # noqa: ANN401 - whatever a store holds
    """Bytes of all arrays not ``seen`` yet."""
    fresh = {id(array): array.nbytes for array in arrays(thing) if id(array) not in seen}
    seen |= fresh.keys()
    return sum(fresh.values())


def arrays(thing: Any) -> Iterator[np.ndarray[Any, Any]]:  # noqa: ANN401
    """All arrays that can be reached; of a view the array it keeps alive."""
    if isinstance(thing, np.ndarray):
        while isinstance(thing.base, np.ndarray):
            thing = thing.base
        yield thing
        return
    if is_dataclass(thing):
        thing = [getattr(thing, field.name) for field in fields(thing)]
    elif isinstance(thing, dict):
        thing = list(thing.values())
    elif not isinstance(thing, list | tuple):
        thing = list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    for part in thing:
        yield from arrays(part)


def main(
    sensors: Annotated[int, typer.Option(help="Devices in the city.")] = 10_000,
    hours: Annotated[float, typer.Option(help="How long it lasts.")] = 24.0,
    top: Annotated[int, typer.Option(help="Metrics to show.")] = 30,
) -> None:
    """Replay a city and say what its series cost."""
    found: dict[str, tuple[int, Counter[str], int]] = {}
    summary = _replayed(found, sensors, hours)
    rows = [{"metric": code, "n": n, **sizes, "hot": hot} for code, (n, sizes, hot) in found.items()]
    frame = pl.DataFrame(rows).with_columns(all=pl.sum_horizontal(PARTS)).sort("all", descending=True)
    table = Table("metric", "series", *COLUMNS, box=box.MARKDOWN)
    for row in frame.head(top).iter_rows(named=True):
        table.add_row(row["metric"], f"{row['n']:,}", *_each(row, row["n"]))
    whole = frame.sum().row(0, named=True)
    table.add_row("all, bytes a series", f"{whole['n']:,}", *_each(whole, whole["n"]))
    table.add_row("all, MB", "", *_each(whole, 1e6))
    console = Console(width=140)
    console.print(table)
    console.print(f"peak of the process: {summary.peak_rss_mb:,.0f} MB; {summary.readings:,} readings")


def _replayed(found: dict[str, tuple[int, Counter[str], int]], sensors: int, hours: float) -> Summary:
    with tempfile.TemporaryDirectory(prefix="yiwang-memory-") as folder:
        city = Path(folder) / "city"
        size_of_it = ("--sensors", str(sensors), "--hours", f"{hours:g}")
        yiwang("simulate", "--seed", "1", *size_of_it, "--format", "arrow", "--to", str(city))
        options = flows.replay.replaying.ReplayOptions(
            readings=[city / "readings.arrow"],
            events=[city / "events.jsonl"],
            sensors=city / "sensors.csv",
            areas=city / "areas.geojson",
            out=Path(folder) / "out",
            progress=True,
        )
        with patch("flows.replay.replaying.watches", lambda *_: lambda _lane: Probe(found)):
            return flows.replay.replaying.replay(options)


def _each(row: dict[str, Any], by: float) -> list[str]:
    return [f"{row[part] / by:,.0f}" for part in COLUMNS]


if __name__ == "__main__":
    typer.run(main)
