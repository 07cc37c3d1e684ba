"""Whose readings are kept apart: faults of a sensor → spans of its series, of all that are read together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flows.batches import FINAL
from flows.pieces import BEFORE
from flows.quarantine.watched import Columns

Order = tuple[int, int, int, int, int, int]
"""A row of `flows.pieces.Orders`: effective, metric, sensor key, cell, begin, end."""


@dataclass(slots=True)
class _Kept:
    """Since when readings of which columns do not count, and the faults that are the reason, by column."""

    begin: int
    begins: dict[int, int]
    reasons: set[int]
    end: int


@dataclass(slots=True)
class Apart:
    """What is kept apart, by the least column of those that are kept apart together.

    >>> import numpy as np
    >>> one = np.array([7])
    >>> columns, apart = Columns(), Apart()
    >>> columns.add(one, one, one, one, one)
    >>> apart.add(0, {0: 0}, 100, 160, columns)
    (100, [(160, 7, 7, 7, 100, 9223372036854775807)])
    >>> apart.remove(0, 400, 460, columns)
    [(460, 7, 7, 7, 100, 400)]
    >>> apart.add(0, {0: 0}, 300, 500, columns)[0]
    400
    """

    kept: dict[int, _Kept] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)

    def add(
        self, column: int, together: dict[int, int], begin: int, at: int, columns: Columns
    ) -> tuple[int, list[Order]]:
        """Keep readings after ``begin`` apart, known ``at``; since when those of the column are; the orders.

        ``together`` are the columns that are read together, ``column`` among them, and by how much earlier
        each has to go, ms. What ended before, ended.
        """
        key = min(together)
        least = self.ended.get(key, BEFORE)
        kept = self.kept.setdefault(key, _Kept(max(begin, least), {}, set(), max(begin, least)))
        kept.reasons.add(column)
        new = {one: max(kept.begin - lead, least) for one, lead in together.items() if one not in kept.begins}
        kept.begins |= new
        return kept.begins[column], [_order(at, one, since, FINAL, columns) for one, since in new.items()]

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
        none = kept.end == kept.begin
        ends = {one: since if none else kept.end for one, since in kept.begins.items()}
        return [_order(at, one, since, ends[one], columns) for one, since in kept.begins.items()]

    def state(self) -> dict[str, Any]:
        """Plain data."""
        rows = {
            k: (one.begin, dict(one.begins), sorted(one.reasons), one.end) for k, one in self.kept.items()
        }
        return {"kept": rows, "ended": dict(self.ended)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self.kept = {k: _Kept(b, dict(c), set(r), e) for k, (b, c, r, e) in state["kept"].items()}
        self.ended = dict(state["ended"])


def _order(at: int, column: int, begin: int, end: int, columns: Columns) -> Order:
    who = (int(getattr(columns, name)[column]) for name in ("metric", "device", "cell"))
    metric, device, cell = who
    return at, metric, device, cell, begin, end
