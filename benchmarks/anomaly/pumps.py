"""A pump and its valves (SKAB), eight sensors: stretches in which a valve was closed are to be found.

Scored like the labelled series: each stretch of anomalous rows is a window, the score of a row is the largest
of its eight sensors. No sensor is told of the others.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.anomaly.contestants import Contestant, Series
from benchmarks.anomaly.nab_scoring import PROFILES, Marks, marks, sweep

HEADER = ("detector", "standard", "low FP", "low FN", "stretches found", "µs a reading")


def read_files(folder: Path) -> Iterator[tuple[NDArray[np.float64], Marks]]:
    """Yield the sensors [n, 8] and the marks of every labelled file."""
    for path in sorted(p for p in folder.glob("*/*.csv") if p.parent.name != "anomaly-free"):
        table = pl.read_csv(path, separator=";")
        anomalous = table["anomaly"].to_numpy() > 0
        edges = np.flatnonzero(np.diff(anomalous.astype(np.int8), prepend=0, append=0))
        stretches = [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
        sensors = table.drop("datetime", "anomaly", "changepoint").to_numpy()
        yield sensors, marks(len(sensors), stretches)


def rows(folder: Path, contestants: Sequence[Contestant]) -> Iterator[tuple[str, ...]]:
    """A row of each contestant, with the threshold that is best for each profile."""
    files = list(read_files(folder))
    series = [Series(column, np.zeros(len(column), np.int64)) for sensors, _ in files for column in sensors.T]
    for contestant in contestants:
        scores, cost = contestant.timed(series)
        largest = [np.max(scores[8 * n : 8 * n + 8], axis=0) for n in range(len(files))]
        pairs = [(score, mark) for score, (_, mark) in zip(largest, files, strict=True)]
        best = [sweep(pairs, profile).best() for profile in PROFILES]
        found = sum(_found(score, mark, best[0][0]) for score, mark in pairs)
        total = sum(mark.windows for _, mark in pairs)
        shown = (f"{score:.1f}" for _, score in best)
        yield (contestant.name, *shown, f"{found} of {total}", f"{cost:.2g}")


def _found(score: NDArray[np.float64], mark: Marks, threshold: float) -> int:
    hit = mark.counts & (mark.window >= 0) & (score >= threshold)
    return np.unique(mark.window[hit]).size
