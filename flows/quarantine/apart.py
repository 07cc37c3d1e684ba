"""Whose readings are kept apart: faults of a sensor → spans of its series, of all that are read together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flows.batches import FINAL
from flows.quarantine.watched import Columns

Order = tuple[int, int, int, int, int, int]
"""A row of `flows.pieces.Orders`: effective, metric, sensor key, cell, begin, end."""


@dataclass(slots=True)
class _Kept:
    """Columns whose readings after ``begin`` do not count, and the faults that are the reason, by column."""

    begin: int
    columns: tuple[int, ...]
    reasons: set[int]
    end: int


@dataclass(slots=True)
class Apart:
    """What is kept apart, by the least column of those that are kept apart together.

    >>> import numpy as np
    >>> one = np.array([7])
    >>> columns, apart = Columns(), Apart()
    >>> columns.add(one, one, one, one, one)
    >>> apart.add(0, [0], 100, 160, columns)
    (100, [(160, 7, 7, 7, 100, 9223372036854775807)])
    >>> apart.remove(0, 400, 460, columns)
    [(460, 7, 7, 7, 100, 400)]
    >>> apart.add(0, [0], 300, 500, columns)[0]
    400
    """

    kept: dict[int, _Kept] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)

    def add(
        self, column: int, together: list[int], begin: int, at: int, columns: Columns
    ) -> tuple[int, list[Order]]:
        """Keep readings after ``begin`` apart, known ``at``; since when they really are, and the orders.

        ``together`` are the columns that are read together, ``column`` among them. What ended before, ended.
        """
        key = min(together)
        if key in self.kept:
            kept = self.kept[key]
            kept.reasons.add(column)
            late = [one for one in together if one not in kept.columns]
            kept.columns = (*kept.columns, *late)
            return kept.begin, [_order(at, one, kept.begin, FINAL, columns) for one in late]
        begin = max(begin, self.ended.get(key, begin))
        self.kept[key] = _Kept(begin, tuple(together), {column}, begin)
        return begin, [_order(at, one, begin, FINAL, columns) for one in together]

    def remove(self, column: int, end: int, at: int, columns: Columns) -> list[Order]:
        """A fault is over: readings after ``end`` count again, once there is no other reason."""
        key = next(k for k, kept in self.kept.items() if column in kept.reasons)
        kept = self.kept[key]
        kept.reasons.discard(column)
        kept.end = max(kept.end, end)
        if kept.reasons:
            return []
        del self.kept[key]
        self.ended[key] = kept.end
        return [_order(at, one, kept.begin, kept.end, columns) for one in kept.columns]

    def state(self) -> dict[str, Any]:
        """Plain data."""
        rows = {k: (one.begin, one.columns, sorted(one.reasons), one.end) for k, one in self.kept.items()}
        return {"kept": rows, "ended": dict(self.ended)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self.kept = {k: _Kept(b, tuple(c), set(r), e) for k, (b, c, r, e) in state["kept"].items()}
        self.ended = dict(state["ended"])


def _order(at: int, column: int, begin: int, end: int, columns: Columns) -> Order:
    who = (int(getattr(columns, name)[column]) for name in ("metric", "device", "cell"))
    metric, device, cell = who
    return at, metric, device, cell, begin, end
