"""Which alerts lie in which windows: (windows, alerts, key columns) → stretches of sorted alerts.

Sorted by key and time, the alerts of a window are one stretch, found by binary search. So the work grows with
the number of windows and alerts, never with that of their pairs, of which a city-wide alert alone has as many
as there are events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NEVER = int(np.iinfo(np.int64).max)
"""A time later than all."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Windows of events, and the alerts in them as stretches [low, high) of ``row`` and ``known``.

    Attributes:
        event: int64 [windows], the event each window belongs to.
        low: int64 [windows].
        high: int64 [windows].
        row: int64 [n], number of each alert whose key has a window, by key and time.
        known: int64 [n], when each could be known, epoch ms.
        size: alerts in all.
    """

    event: Int64s
    low: Int64s
    high: Int64s
    row: Int64s
    known: Int64s
    size: int

    @classmethod
    def of(cls, windows: pl.DataFrame, alerts: pl.DataFrame, key: Sequence[str]) -> Self:
        """Matches by equal key columns and begin ≤ raised ≤ until.

        Args:
            windows: ``event``, ``begin``, ``until`` and the key columns.
            alerts: ``raised``, ``known`` and the key columns.
            key: names of the key columns.

        >>> window = pl.DataFrame({"event": [0], "area": ["city"], "begin": [10], "until": [20]})
        >>> alerts = pl.DataFrame({"area": ["city"] * 3, "raised": [9, 10, 20], "known": [9, 12, 20]})
        >>> found = Matches.of(window, alerts, ["area"])
        >>> found.alerts().tolist(), found.first_known(1).tolist()
        ([False, True, True], [12])
        """
        keys = windows.select(key).unique(maintain_order=True).with_row_index("key")
        asked = windows.join(keys, on=key).select("event", "begin", "until", pl.col("key").cast(pl.Int64))
        there = alerts.with_row_index("row").join(keys, on=key).sort("key", "raised", "row")
        raised = there["raised"].to_numpy()
        times = np.unique(raised)
        # Ranks instead of times: key and rank in one number cannot overflow.
        span = len(times) + 1
        position = there["key"].to_numpy().astype(np.int64) * span + np.searchsorted(times, raised)
        base = asked["key"].to_numpy() * span
        low = base + np.searchsorted(times, asked["begin"].to_numpy())
        high = base + np.searchsorted(times, asked["until"].to_numpy(), "right")
        return cls(
            event=asked["event"].to_numpy(),
            low=np.searchsorted(position, low),
            high=np.searchsorted(position, high),
            row=there["row"].to_numpy().astype(np.int64),
            known=there["known"].to_numpy(),
            size=alerts.height,
        )

    def alerts(self, events: Int64s | None = None) -> Bools:
        """Whether each alert lies in a window, or in one of these events: bool [size]."""
        used = slice(None) if events is None else np.isin(self.event, events)
        edges = np.bincount(self.low[used], minlength=len(self.row) + 1)
        edges = edges - np.bincount(self.high[used], minlength=len(self.row) + 1)
        out = np.zeros(self.size, dtype=np.bool_)
        out[self.row[np.cumsum(edges)[:-1] > 0]] = True
        return out

    def first_known(self, events: int) -> Int64s:
        """When the first alert of each event's windows could be known: int64 [events], `NEVER` if none."""
        out = np.full(events, NEVER, dtype=np.int64)
        np.minimum.at(out, self.event, least(self.known, self.low, self.high))
        return out


def least(values: Int64s, low: Int64s, high: Int64s) -> Int64s:
    """The least of ``values[low:high]`` for each stretch: int64 [stretches]; `NEVER` for an empty one.

    Two overlapping runs of a power of two cover a stretch; the minima of all runs of one length come from
    those of half of it.

    >>> least(np.array([3, 1, 2]), np.array([0, 2, 1]), np.array([3, 3, 1])).tolist()[:2]
    [1, 2]
    """
    out = np.full(len(low), NEVER, dtype=np.int64)
    longest = int((high - low).max(initial=0))
    minima, width = values, 1
    while width <= longest:
        fits = (high - low >= width) & (high - low < 2 * width)
        out[fits] = np.minimum(minima[low[fits]], minima[high[fits] - width])
        minima = np.minimum(minima[:-width], minima[width:])
        width *= 2
    return out
