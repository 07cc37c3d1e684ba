"""Where a run's time goes: seconds per part of the work, for the summary and the benchmarks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

SECONDS: defaultdict[str, float] = defaultdict(float)
"""Seconds of this process by part: read, decode, admit, route, cases, shards, areas, outputs."""

CALLS: defaultdict[str, int] = defaultdict(int)
"""How often each part was at work."""


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Add the block's wall time to a part.

    >>> with timed("doctest"):
    ...     pass
    >>> SECONDS.pop("doctest") >= 0
    True
    """
    begin = perf_counter()
    try:
        yield
    finally:
        SECONDS[part] += perf_counter() - begin
        CALLS[part] += 1
