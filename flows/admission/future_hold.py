"""(columns of records) -> (columns of those that may pass): the waiting room in front of a partition's clock.

A record that leaps ahead waits for its witnesses and everything behind it waits too (R6), so at most six
records are ever held. They are kept with their raw bytes, because they may end among the rejects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flows.admission.partition_clock import NEVER, PartitionClock
from flows.batches import Ints, Rejected
from flows.decoding.provenance import Origin
from flows.wire import Reason

Columns = dict[str, NDArray[Any]]
"""Columns of n rows each, among them ``ts`` and ``message`` and ``index`` (all int64)."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Records in arrival order that the clock let through, and the ones it refused.

    ``before`` is int64[n]: the running maximum before each record. ``message`` is negative for a record of an
    earlier block: -1 - its place among ``earlier``.
    """

    columns: Columns
    before: Ints
    future: list[Rejected]
    earlier: list[Rejected]
    origin: Origin | None

    def rejected(self, rows: Iterable[int], reason: Reason) -> list[Rejected]:
        """The records of these rows as rejects."""
        message, index = self.columns["message"], self.columns["index"]
        return [_refuse(self.origin, self.earlier, int(message[i]), int(index[i]), reason) for i in rows]

    def only(self, *names: str) -> Passed:
        """The same with some of the columns; without ``message`` and ``index`` nothing can be rejected."""
        return replace(self, columns={name: self.columns[name] for name in names})

    def kept(self, keep: NDArray[np.bool_]) -> Passed:
        """The same without the rows where ``keep`` (bool[n]) is False."""
        if keep.all():
            return self
        return replace(self, columns={k: c[keep] for k, c in self.columns.items()}, before=self.before[keep])


class FutureHold:
    """The clock of a partition and the few records that wait for its judgement."""

    __slots__ = ("_columns", "_slips", "clock")

    def __init__(self, clock: PartitionClock, dtypes: Mapping[str, DTypeLike]) -> None:
        self.clock = clock
        self._columns: Columns = {name: np.zeros(0, dtype) for name, dtype in dtypes.items()}
        self._slips: list[Rejected] = []

    def __len__(self) -> int:
        return len(self._slips)

    @property
    def maximum(self) -> int:
        """The partition's running maximum in ms, -1 before the first record."""
        return self.clock.maximum if self.clock.maximum != NEVER else -1

    def take(self, fresh: Columns, origin: Origin) -> Passed:
        """Let pass what can be judged now that ``fresh`` has come, in arrival order."""
        columns = self._joined(fresh)
        return self._pass(columns, origin, None)

    def release(self, allowance: Ints) -> Passed:
        """Judge all that waits, for the partition has ended.

        ``allowance`` is int64[len(self)] ms: how far ahead of the maximum an unwitnessed record may be.
        """
        return self._pass(self._columns, None, allowance)

    def column(self, name: str) -> NDArray[Any]:
        """A column of the waiting records."""
        return self._columns[name]

    def _joined(self, fresh: Columns) -> Columns:
        if not self._slips:
            return fresh
        return {name: np.concatenate((self._columns[name], column)) for name, column in fresh.items()}

    def _pass(self, columns: Columns, origin: Origin | None, allowance: Ints | None) -> Passed:
        earlier = self._slips
        judged = self.clock.judge(columns["ts"], allowance)
        self._keep({k: c[judged.released :] for k, c in columns.items()}, earlier, origin)
        released = {k: c[: judged.released] for k, c in columns.items()}
        passed = Passed(released, judged.before, [], earlier, origin)
        if judged.honest.all():
            return passed
        future = passed.rejected(np.flatnonzero(~judged.honest).tolist(), Reason.FUTURE_TIME)
        honest = {k: c[judged.honest] for k, c in released.items()}
        return Passed(honest, judged.before, future, earlier, origin)

    def _keep(self, tail: Columns, earlier: list[Rejected], origin: Origin | None) -> None:
        places = zip(tail["message"].tolist(), tail["index"].tolist(), strict=True)
        self._slips = [_slip(origin, earlier, message, index) for message, index in places]
        self._columns = {k: c.copy() for k, c in tail.items()}
        self._columns["message"] = -1 - np.arange(len(self._slips), dtype=np.int64)

    def state(self) -> dict[str, Any]:
        """Plain copy: the clock's maximum, the waiting columns and where their records came from."""
        return {
            "maximum": self.clock.maximum,
            "columns": {k: c.copy() for k, c in self._columns.items()},
            "slips": [astuple(slip) for slip in self._slips],
        }

    @classmethod
    def restore(cls, clock: PartitionClock, state: Mapping[str, Any]) -> Self:
        """The hold of ``state()`` in front of a clock with the same settings."""
        hold = cls(clock, {})
        clock.maximum = int(state["maximum"])
        hold._columns = {k: c.copy() for k, c in state["columns"].items()}
        hold._slips = [Rejected(*slip) for slip in state["slips"]]
        return hold


def _slip(origin: Origin | None, earlier: list[Rejected], message: int, index: int) -> Rejected:
    if message < 0:
        return earlier[-1 - message]
    if origin is None:
        raise ValueError(f"record {message}/{index} waits without an origin; give each batch its Origin")
    return origin.record(message, index)


def _refuse(
    origin: Origin | None, earlier: list[Rejected], message: int, index: int, reason: Reason
) -> Rejected:
    return replace(_slip(origin, earlier, message, index), reason=reason.value)
