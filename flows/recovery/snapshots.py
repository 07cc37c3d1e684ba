"""State -> bytes -> state: what the engine keeps at a recovery point, and what keeping it costs.

A snapshot is bytes, so it can share nothing with the state it was taken of. States are plain: dicts, lists,
numbers, texts, numpy arrays and frozen records of them. Columns of times and ids compress two to five times.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import zstandard

from flows.replay.profile import timed

FORMAT = b"yw1:"
"""What every snapshot begins with; changes with the layout of any state."""

_LEVEL = 1
"""Compression: several hundred MB/s; higher levels save little and cost pauses."""


@dataclass(slots=True)
class Costs:
    """What the snapshots of this process cost so far.

    Attributes:
        sizes: largest snapshot of every step and key, bytes.
        pauses: seconds for which a snapshot held up reading, one for each.
        cold: bytes of closed slices written beside the snapshots.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    pauses: list[float] = field(default_factory=list)
    cold: int = 0

    def clear(self) -> None:
        """Begin anew."""
        self.sizes.clear()
        self.pauses.clear()
        self.cold = 0

    def add(self, other: Costs) -> None:
        """Take in the costs of another process."""
        self.sizes |= other.sizes
        self.pauses += other.pauses
        self.cold += other.cold

    def summary(self) -> dict[str, float]:
        """For ``summary.json``: count, bytes of all state together, longest and median pause in seconds."""
        return {
            "snapshots": len(self.pauses),
            "snapshot_bytes": sum(self.sizes.values()),
            "snapshot_cold_bytes": self.cold,
            "snapshot_pause_median": round(median(self.pauses), 4) if self.pauses else 0.0,
            "snapshot_pause_max": round(max(self.pauses, default=0.0), 4),
        }


COSTS = Costs()
"""Of this process."""


def freeze(key: str, state: Any) -> bytes:  # noqa: ANN401 - any plain state
    """The snapshot of a step's state; ``key`` names it in the costs.

    >>> thaw(freeze("doctest", {"closed": 7}))
    {'closed': 7}
    >>> COSTS.sizes.pop("doctest") > 0
    True
    """
    with timed("snapshot"):
        data = packed(state)
    COSTS.sizes[key] = max(COSTS.sizes.get(key, 0), len(data))
    return data


def packed(state: Any) -> bytes:  # noqa: ANN401 - any plain state
    """A state as bytes, without a word in the costs.

    >>> thaw(packed([1.5]))
    [1.5]
    """
    return FORMAT + zstandard.compress(pickle.dumps(state, protocol=5), _LEVEL)


def thaw(data: bytes) -> Any:  # noqa: ANN401
    """The state of a snapshot; arrays are new and may be written to.

    Raises:
        ValueError: another release wrote it.
    """
    if not data.startswith(FORMAT):
        raise ValueError(
            f"the recovery folder holds state that begins with {data[:8]!r}, this release reads {FORMAT!r}; "
            f"go on with the release that wrote it, or begin with an empty recovery folder"
        )
    # The folder is the engine's own: whoever can write there can already change every result.
    return pickle.loads(zstandard.decompress(data[len(FORMAT) :]))  # noqa: S301
