"""What the scores of one hop are recovered from: their memory as it was, and all values since.

The memory of a detector is 1.3 kB a series, too much for every snapshot. It is written down when the values
since the last time have grown to a share of its size; in between, the values of each snapshot are one blob.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from flows.recovery.snapshots import packed, thaw
from flows.scores.series import Values

SHARE = 0.25
"""The memory is written down when the values since take this share of its size."""

_LEAST = 1 << 18
"""Bytes of values below which it is not."""

_MEMORY = 0


class Memory(Protocol):
    """What is recovered: scores of series, or what a judge of sensors remembers."""

    @property
    def nbytes(self) -> int:
        """What it takes, bytes."""

    def state(self) -> dict[str, Any]:
        """Plain copied arrays."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""

    def ensure(self, n: int) -> None:
        """Take in series up to a number of them."""

    def advance(self, values: Values) -> object:
        """Take values of consecutive ends."""


@dataclass
class Journal:
    """A shelf of the cold store: number 0 is the memory, all others are values in their order.

    Attributes:
        changed: numbers that are to be written.
        kept: number -> size, bytes, 0 before it is written.
    """

    scores: Memory
    changed: set[int] = field(default_factory=set)
    kept: Mapping[int, int] = field(default_factory=dict)
    _since: list[Values] = field(default_factory=list)
    _number: int = 0
    _written: int = 0
    _anew: bool = False
    _found: dict[int, Any] = field(default_factory=dict)

    def note(self, values: Values) -> None:
        """Remember values that were scored."""
        self._since.append(values)
        self._written += values.value.nbytes + values.column.nbytes // 2

    def renew(self) -> None:
        """The series are others now, or numbered otherwise: what was noted does not lead to them."""
        self._anew = True

    def turn(self) -> None:
        """Before a snapshot: lay out what has come since the last one, or the memory itself instead."""
        if self._anew or self._written > max(self.scores.nbytes * SHARE, _LEAST):
            self._since, self._written, self._anew = [], 0, False
            self.kept, self.changed = {_MEMORY: 0}, {_MEMORY}
        elif self._since:
            self._number += 1
            self.kept = {**self.kept, self._number: 0}
            self.changed.add(self._number)

    def dump(self, k: int) -> bytes:
        """The memory, or the values since the last snapshot."""
        if k == _MEMORY:
            return packed(self.scores.state())
        joined, self._since = _joined(self._since), []
        numbers = joined.at.astype(np.int32), joined.column.astype(np.int32)
        return packed([joined.ends, *numbers, joined.value, joined.surely])

    def load(self, k: int, data: bytes) -> None:
        """Take up a blob; `recover` puts them to use."""
        self._found[k] = thaw(data)
        self.kept = {**self.kept, k: len(data)}
        self._number = max(self._number, k)
        self._written += 0 if k == _MEMORY else sum(column.nbytes for column in self._found[k])

    def recover(self, series: int) -> None:
        """Bring the scores to where they were at the snapshot, with so many series."""
        memory = self._found.pop(_MEMORY, None)
        if memory is not None:
            self.scores.restore(memory)
        self.scores.ensure(series)
        for k in sorted(self._found):
            ends, at, column, value, sure = self._found.pop(k)
            self.scores.advance(Values(ends, at.astype(np.int64), column.astype(np.int64), value, sure))


def _joined(parts: list[Values]) -> Values:
    """Values of consecutive ends as one."""
    before = np.cumsum([0, *(len(part.ends) for part in parts)])
    return Values(
        np.concatenate([part.ends for part in parts]),
        np.concatenate([part.at + b for part, b in zip(parts, before[:-1], strict=True)]),
        np.concatenate([part.column for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.surely for part in parts]),
    )
