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
from alerts.local_ladders import LocalLadders
from alerts.transitions import RawTransition, Transition, publish
from flows.batches import Floats, Ints
from flows.pieces import MAX_DISORDER
from indicators.indicator import Indicator
from indicators.judge import Judged
from indicators.plan import Plan
from sinks.table_file import KINDS, ValueFrame, Withdrawn

Flags = NDArray[np.bool_]
Describe = Callable[[Ints], tuple[NDArray[np.uint8], NDArray[np.bytes_]]]
"""Row numbers -> kind and text id of each area."""
Ladders = Callable[[Indicator], LocalLadders | None]
"""Indicator -> bounds of its levels where they depend on area and time."""


def _the_same(indicator: Indicator) -> None:
    """Levels that are the same everywhere at any time."""
    del indicator


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

    def split(self, before: int) -> tuple[Early, Early]:
        """Those with a grid before an instant, and the rest."""
        cut = int(np.searchsorted(self.grid, before, side="left"))
        return self._part(slice(cut)), self._part(slice(cut, None))

    def _part(self, rows: slice) -> Early:
        return Early(self.grid[rows], self.row[rows], self.value[rows])


@dataclass(frozen=True, slots=True)
class Windows:
    """Judged windows [T, A] of ``areas`` (a row number per column).

    ``always`` [T, A] marks areas that have a row whatever the data (R13).
    """

    judged: Judged
    areas: Ints
    always: Flags

    @classmethod
    def none(cls) -> Windows:
        """No window of no area."""
        flags = np.empty((0, 0), bool)
        empty = np.empty((0, 0))
        judged = Judged(np.empty(0, np.int64), empty, empty.astype(np.int64), empty, flags, None, flags)
        return cls(judged, np.empty(0, np.int64), flags)

    @property
    def live(self) -> Flags:
        """Where there is a value, or will be once there is history, and an area that is due a row."""
        judged = self.judged
        known = ~np.isnan(judged.value)
        if judged.warming is not None:
            known = known | judged.warming
        return known & (judged.recent | self.always)


@dataclass(frozen=True, slots=True)
class Past:
    """Windows evaluated anew, from one before the first touched to the latest closed.

    ``changed`` [T, A] marks what is not as ``before``; ``decided`` is when the late records take effect.
    """

    now: Windows
    before: Windows
    changed: Flags
    decided: int


@dataclass(frozen=True, slots=True)
class _Emitted:
    """Which values [T, A] become rows, with their levels and revisions."""

    rows: Flags
    levels: NDArray[np.uint8]
    revision: NDArray[np.int32]

    @classmethod
    def first(cls, rows: Flags) -> _Emitted:
        """No level yet, no revision."""
        return cls(rows, np.zeros(rows.shape, np.uint8), np.zeros(rows.shape, np.int32))


@dataclass(slots=True)
class Published:
    """What goes out: rows of values, and transitions of alerts; readings of ``sensors`` go to the scores."""

    frames: list[ValueFrame] = field(default_factory=list)
    sensors: list[ValueFrame] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)


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

    def __init__(
        self,
        plan: Plan,
        describe: Describe,
        state: dict[str, Any] | None = None,
        ladders: Ladders = _the_same,
    ) -> None:
        """Start empty, or from a ``state()``."""
        self.plan = plan
        self.describe = describe
        self._ladders = ladders
        found = state["rows"] if state else {}
        self._rows = [self._restored(p.indicator, found.get(p.indicator.id)) for p in plan.indicators]

    def _restored(self, indicator: Indicator, state: dict[str, Any] | None) -> _Rows:
        local = self._ladders(indicator)
        if state is None:
            return _Rows(LevelBank(indicator, local=local))
        rows = _Rows(LevelBank.restore(indicator, state["bank"], local))
        rows.live, rows.started = state["live"].copy(), state["started"].copy()
        rows.revisions = {(int(a), int(b)): int(c) for a, b, c in state["revisions"]}
        return rows

    def become(self, plan: Plan, at: int, ladders: Ladders) -> Published:
        """Go on with another catalogue from an instant on: what is to be published of what is no more.

        Rows, levels and alerts of indicators that stay, changed or not, go on; alerts of those that do not,
        or no longer have values of the same areas, are cleared.
        """
        known = {
            p.indicator.id: (p.indicator, rows)
            for p, rows in zip(self.plan.indicators, self._rows, strict=True)
        }
        kept = {
            p.indicator.id
            for p in plan.indicators
            if p.indicator.id in known and known[p.indicator.id][0].lowest == p.indicator.lowest
        }
        states = {name: _row_state(known[name][1]) for name in kept}
        out, gone = Published(), sorted(known.keys() - kept)
        self.plan, self._ladders = plan, ladders
        for name in gone:
            out.transitions += self._published(known[name][1].bank.end(at))
        self._rows = [self._restored(p.indicator, states.get(p.indicator.id)) for p in plan.indicators]
        out.frames.append(Withdrawn(tuple(gone), plan.catalogue.version, plan.catalogue.hash).frame())
        return out

    def state(self) -> dict[str, Any]:
        """Everything as plain arrays and dicts."""
        return {
            "version": 1,
            "rows": {
                plan.indicator.id: _row_state(rows)
                for plan, rows in zip(self.plan.indicators, self._rows, strict=True)
            },
        }

    def forget(self, until: int) -> None:
        """Forget of every indicator what no record to come can correct any more."""
        for plan in self.plan.indicators:
            keep = plan.correctable(self.plan.metrics) + 2 * plan.indicator.window_ms + MAX_DISORDER
            self.trim(plan.index, until - keep)

    def trim(self, index: int, before: int) -> None:
        """Forget what only corrections of windows before an instant could need."""
        rows = self._rows[index]
        rows.bank.trim(before)
        if len(rows.revisions) > 0:
            rows.revisions = {key: n for key, n in rows.revisions.items() if key[1] >= before}

    def awaits(self, index: int, always: Ints) -> bool:
        """Whether a window without any data brings a row: an area has a value, or (of these) no row yet."""
        rows = self._rows[index]
        rows.ensure(int(always.max(initial=-1)) + 1)
        return bool(rows.live.any() or not rows.started[always].all())

    def close(self, index: int, windows: Windows, early: Early, out: Published) -> None:
        """Publish newly closed windows, and early values in their order.

        An early value is judged before the first window end that is not more than 10 s behind its grid.
        """
        rows = self._rows[index]
        areas = windows.areas
        rows.ensure(int(max(areas.max(initial=-1), early.row.max(initial=-1))) + 1)
        live = windows.live
        emitted = _Emitted.first(_due(windows, live, rows))
        busy = _busy(rows, windows, early)
        ends = windows.judged.ends.tolist() if busy.size or early.row.size else []
        for t, end in enumerate(ends):
            passed, early = early.split(end + MAX_DISORDER)
            self._early(rows, passed, out)
            self._level(rows, windows, t, busy[emitted.rows[t, busy]], out)
            emitted.levels[t, busy] = rows.bank.levels_of(areas[busy])
        self._early(rows, early, out)
        if len(live):
            rows.live[areas] = live[-1]
            rows.started[areas] |= emitted.rows.any(axis=0)
        self._frame(index, windows.judged, areas, emitted, out)

    def _level(self, rows: _Rows, windows: Windows, t: int, due: Ints, out: Published) -> None:
        if due.size:
            judged = windows.judged
            end = int(judged.ends[t])
            ok = None if judged.level_ok is None else judged.level_ok[t, due]
            seen = Evidence(judged.value[t, due], judged.allowed[t, due], ok, decided_ms=end)
            out.transitions += self._published(rows.bank.close(end, windows.areas[due], seen)[0])

    def _early(self, rows: _Rows, early: Early, out: Published) -> None:
        if early.row.size:
            found = _greatest(early)
            out.transitions += self._published(rows.bank.early(found.grid, found.row, found.value))

    def _published(self, found: Sequence[RawTransition]) -> list[Transition]:
        if not found:
            return []
        kinds, texts = self.describe(np.array([raw.row for raw in found], np.int64))
        names = [text.decode() for text in texts.tolist()]
        return [
            publish(raw, name, KINDS[kind], name if kind == 0 else None, self.plan.catalogue.hash)
            for raw, kind, name in zip(found, kinds.tolist(), names, strict=True)
        ]

    def correct(self, index: int, past: Past, out: Published) -> None:
        """Publish windows anew after late records; unchanged rows are not published again."""
        rows, areas, judged = self._rows[index], past.now.areas, past.now.judged
        rows.ensure(int(areas.max(initial=-1)) + 1)
        null, live = np.isnan(judged.value), past.now.live
        first = past.now.always[1:] & ~past.now.always[:-1]
        due = live[1:] | (null[1:] & (live[:-1] | first)) | past.before.live[1:]
        emitted = _Emitted.first(np.zeros(null.shape, bool))
        emitted.rows[1:] = due & (past.changed[1:] | (past.changed[:-1] & null[1:]))
        for t, a in zip(*np.nonzero(emitted.rows), strict=True):
            key = (int(areas[a]), int(judged.ends[t]))
            emitted.revision[t, a] = rows.revisions[key] = rows.revisions.get(key, 0) + 1
        self._replay(rows, past, emitted, out)
        # A value that no valid input stands behind any more takes its row back.
        gone = replace(judged, value=np.where(live, judged.value, np.nan))
        self._frame(index, gone, areas, emitted, out)

    def _replay(self, rows: _Rows, past: Past, emitted: _Emitted, out: Published) -> None:
        judged, areas = past.now.judged, past.now.areas
        touched = np.flatnonzero(past.changed.any(axis=0))
        if not touched.size or len(judged.ends) < 2:
            return
        rows.live[areas[touched]] = past.now.live[-1, touched]
        rows.started[areas[touched]] |= emitted.rows[:, touched].any(axis=0)
        calm = rows.bank.calm(areas[touched], int(judged.ends[1]), judged.value[1:, touched])
        touched = touched[~calm]
        if not touched.size:
            return
        ok = None if judged.level_ok is None else judged.level_ok[1:, touched]
        seen = Evidence(
            judged.value[1:, touched],
            judged.allowed[1:, touched],
            ok,
            past.decided,
            emitted.revision[1:, touched],
        )
        before = past.before.judged.value[1:, touched]
        lost = np.isnan(judged.value[1:, touched]) & ~np.isnan(before)
        found, levels = rows.bank.replay(judged.ends[1:], areas[touched], seen, lost)
        emitted.levels[1:, touched] = levels
        out.transitions += self._published(found)

    def _frame(self, index: int, judged: Judged, areas: Ints, emitted: _Emitted, out: Published) -> None:
        t, a = np.nonzero(emitted.rows)
        if not len(t):
            return
        kind, text = self.describe(areas)
        value = judged.value[t, a]
        out.frames.append(
            ValueFrame(
                indicator=self.plan.indicators[index].indicator.id,
                kind=kind[a],
                names=text,
                place=a,
                window_end=judged.ends[t],
                value=value,
                level=emitted.levels[t, a],
                n=judged.n[t, a],
                coverage=judged.coverage[t, a],
                revision=emitted.revision[t, a],
                status=_status(value, None if judged.warming is None else judged.warming[t, a]),
                row=areas[a],
                sure=judged.allowed[t, a],
            )
        )


def _row_state(rows: _Rows) -> dict[str, Any]:
    revisions = [(*key, n) for key, n in rows.revisions.items()]
    return {
        "bank": rows.bank.state(),
        "live": rows.live.copy(),
        "started": rows.started.copy(),
        "revisions": np.array(revisions, np.int64).reshape(-1, 3),
    }


def _status(value: Floats, warming: Flags | None) -> NDArray[np.uint8]:
    """Index into STATUSES: ok, no data, or none yet for want of history."""
    status = np.isnan(value).astype(np.uint8)
    return status if warming is None else status + (np.isnan(value) & warming)


def _due(windows: Windows, live: Flags, rows: _Rows) -> Flags:
    """Which windows get a row: a value, or the first null after one; always-areas begin with one (R13)."""
    if not len(live):
        return live
    null = np.isnan(windows.judged.value)
    before = np.vstack((rows.live[windows.areas][None], live[:-1]))
    first = windows.always & (np.cumsum(windows.always, axis=0) == 1)
    due: Flags = live | (null & (before | (first & ~rows.started[windows.areas])))
    return due


def _busy(rows: _Rows, windows: Windows, early: Early) -> Ints:
    """The columns that have a level, an alert or a reason for one; all others stay as they are."""
    if not windows.areas.size:
        return np.empty(0, np.int64)
    value = windows.judged.value
    reached = rows.bank.mildest.reached(value.ravel()).reshape(value.shape)
    busy = reached.any(axis=0) | rows.bank.occupied(windows.areas)
    if early.row.size:
        busy |= np.isin(windows.areas, early.row)
    return np.flatnonzero(busy)


def _greatest(early: Early) -> Early:
    """The greatest value of every row at every grid, by grid and row."""
    order = np.lexsort((early.value, early.row, early.grid))
    grid, row = early.grid[order], early.row[order]
    last = np.append((grid[1:] != grid[:-1]) | (row[1:] != row[:-1]), [True])
    return Early(grid[last], row[last], early.value[order[last]])
