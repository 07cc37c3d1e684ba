"""The contestants on the labelled series of the Numenta Anomaly Benchmark, as rows of a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.anomaly.contestants import Contestant, Series
from benchmarks.anomaly.nab_corpus import Labelled, read_corpus
from benchmarks.anomaly.nab_scoring import PROFILES, Marks, sweep
from indicators.hour_of_week import HourOfWeek

THRESHOLD = 0.549
"""Score from which a row of ours is a detection: one window in 1,970. Fixed on half A."""

HEADER = ("detector", "standard", "low FP", "low FN", "threshold", "µs a reading")


def series_of(corpus: Sequence[Labelled]) -> list[Series]:
    """The series with their hours of the week; nobody's holidays."""
    clock = HourOfWeek()
    return [Series(one.values, clock.of_local(one.stamps)) for one in corpus]


def scored(
    contestant: Contestant, corpus: Sequence[Labelled]
) -> tuple[list[tuple[np.ndarray, Marks]], float]:
    """Scores beside the marks of each series, and microseconds of a reading."""
    scores, cost = contestant.timed(series_of(corpus))
    return list(zip(scores, (one.marks for one in corpus), strict=True)), cost


def rows(folder: Path, contestants: Sequence[Contestant]) -> Iterator[tuple[str, ...]]:
    """A row of each with the best threshold for each profile, as published; ours with the fixed one."""
    corpus = list(read_corpus(folder))
    for number, contestant in enumerate(contestants):
        pairs, cost = scored(contestant, corpus)
        sweeps = [sweep(pairs, profile) for profile in PROFILES]
        if number == 0:
            fixed = [s.at(THRESHOLD) for s in sweeps]
            yield row(f"**{contestant.name}, threshold {THRESHOLD}**", fixed, THRESHOLD, cost)
        best = [s.best() for s in sweeps]
        yield row(contestant.name, [score for _, score in best], best[0][0], cost)
    yield row("nothing is ever detected", [0.0] * 3, np.inf, 0.0)


def row(name: str, scores: Sequence[float], threshold: float, cost: float) -> tuple[str, ...]:
    """The cells of one contestant."""
    return (name, *(f"{score:.1f}" for score in scores), f"{threshold:.4g}", f"{cost:.2g}")
