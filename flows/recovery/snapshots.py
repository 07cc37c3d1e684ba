"""State -> bytes -> state: what the engine keeps at a recovery point, and what keeping it costs.

A snapshot is bytes, so it can share nothing with the state it was taken of. States are plain: dicts, lists,
numbers, texts, numpy arrays and frozen records of them. Columns of times and ids compress two to five times.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from flows.replay.profile import timed

FORMAT = b"yw1:"
"""What every snapshot begins with; changes with the layout of any state."""

Narrowed = tuple[int, NDArray[np.integer[Any]]]
"""The least of some integers, and what each is above it."""

_OURS = ("alerts", "flows", "geo", "indicators", "sinks")
_KNOWN = {
    *(("builtins", name) for name in ("set", "frozenset", "bytearray", "complex", "range", "slice")),
    *(("collections", name) for name in ("deque", "Counter", "defaultdict", "OrderedDict")),
    *(("numpy", name) for name in ("ndarray", "dtype")),
    *(("numpy._core.multiarray", name) for name in ("_reconstruct", "scalar")),
    ("numpy._core.numeric", "_frombuffer"),
    ("msgspec._core", "rebuild"),
}
"""What states consist of beside records of our own."""

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
        ValueError: another release wrote it, or something that is no state.
    """
    if not data.startswith(FORMAT):
        raise ValueError(
            f"the recovery folder holds state that begins with {data[:8]!r}, this release reads {FORMAT!r}; "
            f"go on with the release that wrote it, or begin with an empty recovery folder"
        )
    return _States(io.BytesIO(zstandard.decompress(data[len(FORMAT) :]))).load()


def narrow(column: NDArray[np.int64]) -> Narrowed:
    """Integers as the least and what each is above it, in four bytes where that fits: half of what is packed.

    >>> narrow(np.array([1_700_000_000_000, 1_700_000_000_007]))
    (1700000000000, array([0, 7], dtype=uint32))
    """
    if not column.size:
        return 0, column.astype(np.uint32)
    least, most = int(column.min()), int(column.max())
    kind = np.uint32 if most - least <= np.iinfo(np.uint32).max else np.int64
    return least, (column - least).astype(kind)


def wide(narrowed: Narrowed) -> NDArray[np.int64]:
    """The integers that were made narrow."""
    least, above = narrowed
    found: NDArray[np.int64] = above.astype(np.int64) + least
    return found


class _States(pickle.Unpickler):
    """Builds plain values, arrays and our own records; a name of anything else is refused, not called."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401
        """The class or one of the few functions that states are made with.

        Raises:
            ValueError: the name is of something else.
        """
        if (module.replace("numpy.core", "numpy._core"), name) in _KNOWN:
            return super().find_class(module, name)
        if module.split(".", maxsplit=1)[0] in _OURS and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise ValueError(
            f"the recovery folder holds {module}.{name}, which is no part of a state: somebody else wrote "
            "there; keep the folder to the engine's user, and begin with an empty one"
        )
