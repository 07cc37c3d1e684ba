"""What false alerts are counted against: the cells and days of ``indicators.parquet`` → an exposure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Exposure:
    """What false alerts are counted against: cells that were watched, for how many days.

    >>> Exposure(cells=500, days=2.0).rate(3)
    3.0
    """

    cells: int
    days: float

    def rate(self, false_alerts: int) -> float | None:
        """False alerts per 1,000 cells and day; None where nothing was watched."""
        watched = self.cells / 1000 * self.days
        return false_alerts / watched if watched > 0 else None


def watched(table: Path, hops: Mapping[str, int]) -> Exposure:
    """Cells that have rows, and the time from the first window to the last.

    Args:
        table: an ``indicators.parquet``. All rows count, also those without a value: a cell that is silent is
            still watched.
        hops: indicator → hop in ms. The first window began one hop before it ended, the shortest of the
            indicators there; without any, the time counts from its end.

    Raises:
        OSError: the file cannot be read.
        polars.exceptions.PolarsError: it is no such table.
    """
    rows = pl.scan_parquet(table)
    end = pl.col("window_end").dt.epoch("ms")
    cells = rows.filter(kind="cell").select(pl.col("area").n_unique()).collect(engine="streaming").item()
    span = rows.select(first=end.min(), last=end.max(), names=pl.col("indicator").unique().implode())
    first, last, names = span.collect(engine="streaming").row(0)
    if first is None:
        return Exposure(0, 0.0)
    hop = min((hops[name] for name in names if name in hops), default=0)
    return Exposure(int(cells), (last - first + hop) / DAY)
