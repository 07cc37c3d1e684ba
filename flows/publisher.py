"""Judged values to rows and transitions: which rows are due (R13), their levels, their revisions (R8).

One publisher serves the cells of a shard lane, another the areas of the city; an area is a row number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.evidence import Evidence
from alerts.levels import LevelBank
from alerts.transitions import RawTransition, Transition, publish
from flows.batches import FINAL, Floats, Ints
from flows.pieces import MAX_DISORDER
from indicators.judge import Judged
from indicators.plan import IndicatorPlan, Plan
from sinks.table_file import KINDS, ValueFrame

Flags = NDArray[np.bool_]
Describe = Callable[[Ints], tuple[NDArray[np.uint8], NDArray[np.bytes_]]]
"""Row numbers -> kind and text id of each area."""


@dataclass(frozen=True, slots=True)
class Early:
    """Values judged early, sorted by ``grid``: rows of one indicator."""

    grid: Ints
    row: Ints
    value: Floats

    @classmethod
    def none(cls) -> Early:
        """Nothing."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


@dataclass(slots=True)
class Published:
    """What goes out: rows of values, and transitions of alerts."""

    frames: list[ValueFrame] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Past:
    """Windows evaluated anew, from one before the first touched to the latest closed.

    ``changed`` [T, A] marks what is not as ``before``.
    """

    now: Judged
    before: Judged
    changed: Flags


class _Rows:
    """What is remembered of one indicator's rows."""

    def __init__(self, bank: LevelBank) -> None:
        self.bank = bank
        self.live = np.zeros(0, bool)
        self.started = np.zeros(0, bool)
        self.revisions: dict[tuple[int, int], int] = {}

    def ensure(self, size: int) -> None:
        more = size - len(self.live)
        if more > 0:
            self.live = np.concatenate((self.live, np.zeros(more, bool)))
            self.started = np.concatenate((self.started, np.zeros(more, bool)))
            self.bank.ensure(size)


class Publisher:
    """Rows, levels and alerts of every indicator over one set of areas."""

    def __init__(self, plan: Plan, describe: Describe, state: dict[str, Any] | None = None) -> None:
        """Start empty, or from a ``state()``."""
        self.plan = plan
        self.describe = describe
        found = state["rows"] if state else {}
        self._rows = [self._restored(p, found.get(p.indicator.id)) for p in plan.indicators]

    @staticmethod
    def _restored(plan: IndicatorPlan, state: dict[str, Any] | None) -> _Rows:
        if state is None:
            return _Rows(LevelBank(plan.indicator))
        rows = _Rows(LevelBank.restore(plan.indicator, state["bank"]))
        rows.live, rows.started = state["live"].copy(), state["started"].copy()
        rows.revisions = {(int(a), int(b)): int(c) for a, b, c in state["revisions"]}
        return rows

    def state(self) -> dict[str, Any]:
        """Everything as plain arrays and dicts."""
        return {
            "version": 1,
            "rows": {
                plan.indicator.id: {
                    "bank": rows.bank.state(),
                    "live": rows.live.copy(),
                    "started": rows.started.copy(),
                    "revisions": np.array(
                        [(*key, n) for key, n in rows.revisions.items()], np.int64
                    ).reshape(-1, 3),
                }
                for plan, rows in zip(self.plan.indicators, self._rows, strict=True)
            },
        }

    def trim(self, index: int, before: int) -> None:
        """Forget what only corrections of windows before an instant could need."""
        rows = self._rows[index]
        rows.bank.trim(before)
        if len(rows.revisions) > 0:
            rows.revisions = {key: n for key, n in rows.revisions.items() if key[1] >= before}

    def close(
        self, index: int, judged: Judged, areas: Ints, always: Flags, early: Early, early_before: int, out: Published
    ) -> None:
        """Publish newly closed windows of ``areas`` (one per column), early values in their order.

        ``always`` [T, A] marks areas that get a row whatever the data (R13); early values with a grid before
        ``early_before`` are judged, each before the first window end not more than 10 s behind it.
        """
        rows = self._rows[index]
        rows.ensure(int(areas.max(initial=-1)) + 1)
        if early.row.size:
            rows.ensure(int(early.row.max()) + 1)
        null = np.isnan(judged.value)
        live = ~null & (judged.recent | always)
        before = np.vstack((rows.live[areas][None], live[:-1])) if len(live) else live
        emit = live | (null & before)
        if len(emit):
            first = always & (np.cumsum(always, axis=0) == 1)
            emit |= null & first & ~rows.started[areas]
        levels = np.zeros(emit.shape, np.uint8)
        busy = self._busy(rows, judged, areas, early)
        done = 0
        if busy.size or early.row.size:
            for t, end in enumerate(judged.ends.tolist()):
                done = self._early(index, early, done, min(end + MAX_DISORDER, early_before), out)
                levels[t, busy] = self._level(rows, judged, t, areas, busy[emit[t, busy]], out)[busy]
            self._early(index, early, done, early_before, out)
        if len(live):
            rows.live[areas] = live[-1]
            rows.started[areas] |= emit.any(axis=0)
        self._frame(index, judged, areas, emit, levels, np.zeros(emit.shape, np.int32), out)

    @staticmethod
    def _busy(rows: _Rows, judged: Judged, areas: Ints, early: Early) -> Ints:
        """The columns that have a level, an alert or a reason for one; all others stay as they are."""
        bank = rows.bank
        if not areas.size:
            return np.empty(0, np.int64)
        reached = bank.ladder.reached(judged.value.ravel()).reshape(judged.value.shape)
        busy = reached.any(axis=0) | bank.occupied(areas)
        if early.row.size:
            busy |= np.isin(areas, early.row)
        return np.flatnonzero(busy)

    def _level(
        self, rows: _Rows, judged: Judged, t: int, areas: Ints, due: Ints, out: Published
    ) -> NDArray[np.uint8]:
        levels = rows.bank.levels_of(areas)
        if due.size:
            ok = None if judged.level_ok is None else judged.level_ok[t, due]
            end = int(judged.ends[t])
            seen = Evidence(judged.value[t, due], judged.allowed[t, due], ok, decided_ms=end)
            found, levels[due] = rows.bank.close(end, areas[due], seen)
            out.transitions += self._published(found)
        return levels

    def _early(self, index: int, early: Early, done: int, before: int, out: Published) -> int:
        upto = int(np.searchsorted(early.grid, before, side="left"))
        bank = self._rows[index].bank
        while done < upto:
            grid = int(early.grid[done])
            last = int(np.searchsorted(early.grid, grid, side="right"))
            row, value = _greatest(early.row[done:last], early.value[done:last])
            out.transitions += self._published(bank.early(grid, row, value))
            done = last
        return done

    def _published(self, found: Sequence[RawTransition]) -> list[Transition]:
        if not found:
            return []
        kinds, texts = self.describe(np.array([raw.row for raw in found], np.int64))
        names = [text.decode() for text in texts.tolist()]
        return [
            publish(raw, name, KINDS[kind], name if kind == 0 else None, self.plan.catalogue.hash)
            for raw, kind, name in zip(found, kinds.tolist(), names, strict=True)
        ]

    def correct(
        self, index: int, past: Past, areas: Ints, always: Flags, decided: int, out: Published
    ) -> None:
        """Publish windows of ``areas`` anew after late records; unchanged rows are not published again."""
        rows = self._rows[index]
        rows.ensure(int(areas.max(initial=-1)) + 1)
        judged, changed = past.now, past.changed
        null = np.isnan(judged.value)
        live = ~null & (judged.recent | always)
        was_live = ~np.isnan(past.before.value) & (past.before.recent | always)
        emit = np.zeros(null.shape, bool)
        due = live[1:] | (null[1:] & live[:-1]) | was_live[1:]
        emit[1:] = due & (changed[1:] | (changed[:-1] & null[1:]))
        touched = np.flatnonzero(changed.any(axis=0))
        revision = np.zeros(emit.shape, np.int32)
        for t, a in zip(*np.nonzero(emit), strict=True):
            key = (int(areas[a]), int(judged.ends[t]))
            revision[t, a] = rows.revisions[key] = rows.revisions.get(key, 0) + 1
        levels = np.zeros(emit.shape, np.uint8)
        if touched.size and len(judged.ends) > 1:
            ok = None if judged.level_ok is None else judged.level_ok[1:, touched]
            seen = Evidence(
                judged.value[1:, touched], judged.allowed[1:, touched], ok, decided, revision[1:, touched]
            )
            found, levels[1:, touched] = rows.bank.replay(judged.ends[1:], areas[touched], seen)
            out.transitions += self._published(found)
            rows.live[areas[touched]] = live[-1, touched]
            rows.started[areas[touched]] |= emit[:, touched].any(axis=0)
        # A value that no valid input stands behind any more takes its row back.
        gone = replace(judged, value=np.where(live, judged.value, np.nan))
        self._frame(index, gone, areas, emit, levels, revision, out)

    def _frame(
        self,
        index: int,
        judged: Judged,
        areas: Ints,
        emit: Flags,
        levels: NDArray[np.uint8],
        revision: NDArray[np.int32],
        out: Published,
    ) -> None:
        t, a = np.nonzero(emit)
        if not len(t):
            return
        kind, text = self.describe(areas)
        value = judged.value[t, a]
        out.frames.append(
            ValueFrame(
                indicator=self.plan.indicators[index].indicator.id,
                kind=kind[a],
                area=text[a],
                window_end=judged.ends[t],
                value=value,
                level=levels[t, a],
                n=judged.n[t, a],
                coverage=judged.coverage[t, a],
                revision=revision[t, a],
                status=np.isnan(value).astype(np.uint8),
            )
        )


def _greatest(row: Ints, value: Floats) -> tuple[Ints, Floats]:
    unique, inverse = np.unique(row, return_inverse=True)
    best = np.full(len(unique), -np.inf)
    np.maximum.at(best, inverse, value)
    return unique, best


NO_LIMIT = FINAL
