"""The labelled series of the Numenta Anomaly Benchmark, from a folder: data/GROUP/NAME.csv, windows.json."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.anomaly.nab_scoring import Marks, marks


@dataclass(frozen=True, slots=True)
class Labelled:
    """A series: its name, naive local stamps (datetime64[ms]), values (float64), what its rows are worth."""

    name: str
    stamps: NDArray[np.datetime64]
    values: NDArray[np.float64]
    marks: Marks

    @property
    def group(self) -> str:
        """The group of series it belongs to."""
        return self.name.split("/")[0]


def read_corpus(folder: Path) -> Iterator[Labelled]:
    """Yield the series that ``windows.json`` names, in its order.

    Raises:
        FileNotFoundError: there is no such folder, or it lacks a file that is named.
    """
    named = json.loads((folder / "windows.json").read_text(encoding="utf-8"))
    for name, windows in sorted(named.items()):
        table = pl.read_csv(folder / "data" / name, schema={"timestamp": pl.String, "value": pl.Float64})
        stamps = table["timestamp"].str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms").to_numpy()
        limits = [_rows(stamps, *window) for window in windows]
        yield Labelled(name, stamps, table["value"].to_numpy(), marks(len(stamps), limits))


def _rows(stamps: NDArray[np.datetime64], begin: str, end: str) -> tuple[int, int]:
    """First and last row within a window."""
    inside = np.flatnonzero((stamps >= np.datetime64(begin)) & (stamps <= np.datetime64(end)))
    return int(inside[0]), int(inside[-1])
