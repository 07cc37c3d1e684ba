"""The levels of one indicator over its areas: (state, closed or early values) → (state, levels, transitions).

Areas are rows 0 to n - 1. The *level* of an area follows closed windows only and is what tables show; its
*alert* may be higher where a value was judged early. Corrections replay the past window ends they touch.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from alerts.evidence import Evidence
from alerts.ladder import NEVER, Graded, Ladder, Levels, Rows, Times
from alerts.level_log import LevelLog
from alerts.local_ladders import LocalLadders
from alerts.timeline import EARLY, Move, Timeline
from alerts.timeline_columns import pack, unpack
from alerts.transitions import RawTransition
from indicators.tolerance import Array, Flags

_VERSION = 1


class LevelBank:
    """Levels and alerts of one indicator.

    >>> from types import SimpleNamespace
    >>> nan = float("nan")
    >>> depth = SimpleNamespace(id="depth", raises=(0.1, nan, nan, 0.4), clears=(0.09, nan, nan, 0.38),
    ...                         for_ms=(0, 0, 0, 0), high_bad=True)
    >>> bank = LevelBank(depth, areas=2)
    >>> seen = Evidence(np.array([0.41, 0.0]), allowed=np.full(2, True), decided_ms=70_000)
    >>> found, levels = bank.close(60_000, np.arange(2), seen)
    >>> levels.tolist(), found[0].transition, found[0].threshold
    ([4, 0], 'raised', 0.4)
    """

    def __init__(self, indicator: Graded, areas: int = 0, local: LocalLadders | None = None) -> None:
        """A bank where no area has a level; ``local`` are bounds that depend on area and time.

        Raises:
            ValueError: bounds of the indicator are not four of each (see ``Ladder.of``).
        """
        self.indicator = indicator.id
        self.ladder = Ladder.of(indicator)
        self._local = local
        self.closed_ms = NEVER
        self.trimmed_ms = NEVER
        self._level: Levels = np.empty(0, np.uint8)
        self._since: Times = np.empty((0, len(self.ladder.patient)), np.int64)
        self._standing: Levels = np.empty(0, np.uint8)
        self._log = LevelLog(len(self.ladder.patient))
        self._timelines: dict[int, Timeline] = {}
        self._warned: set[int] = set()
        self.ensure(areas)

    @property
    def mildest(self) -> Ladder:
        """A ladder on which every level is reached that any area can reach."""
        return self.ladder if self._local is None else self._local.mildest

    def _ladder(self, ends: int | Times, rows: Rows) -> Ladder:
        return self.ladder if self._local is None else self._local.at(ends, rows)

    @property
    def levels(self) -> Levels:
        """uint8[n]: the level of each area after its latest closed window."""
        return self._level.copy()

    @property
    def standing(self) -> Levels:
        """uint8[n]: the level of each area's alert, early judgement included."""
        return self._standing.copy()

    def levels_of(self, rows: Rows) -> Levels:
        """uint8[m]: the level of some areas after their latest closed window."""
        return self._level[rows]

    def occupied(self, rows: Rows) -> Flags:
        """bool[m]: areas with a level, a standing alert, or a level whose ``for`` has begun."""
        found = (self._level[rows] > 0) | (self._standing[rows] > 0)
        if self._since.shape[1]:
            found |= (self._since[rows] != NEVER).any(axis=1)
        return found

    def ensure(self, areas: int) -> None:
        """Have at least ``areas`` rows; new ones have no level."""
        more = areas - self._level.size
        if more > 0:
            self._level = np.concatenate((self._level, np.zeros(more, np.uint8)))
            self._standing = np.concatenate((self._standing, np.zeros(more, np.uint8)))
            fresh = np.full((more, self._since.shape[1]), NEVER, np.int64)
            self._since = np.concatenate((self._since, fresh))

    def close(self, end_ms: int, rows: Rows, seen: Evidence) -> tuple[list[RawTransition], Levels]:
        """The window that ends at ``end_ms`` is closed in the areas ``rows`` int64[m], each once.

        Returns the transitions in order of ``rows`` and the levels uint8[m]. Where there is no data, level
        and alert stay.

        Raises:
            ValueError: ``end_ms`` lies before a window end that is closed; corrections go through ``replay``.
        """
        if end_ms < self.closed_ms:
            raise ValueError(
                f"{self.indicator}: window end {end_ms} comes after {self.closed_ms} was closed; "
                f"use replay for corrections",
            )
        was, since = self._level[rows], self._since[rows]
        now, begun = self._ladder(end_ms, rows).step(end_ms, was, since, seen)
        self._move(end_ms, rows, (was, since), (now, begun))
        self._level[rows], self._since[rows], self.closed_ms = now, begun, end_ms
        found = []
        due = np.flatnonzero((now != self._standing[rows]) & seen.known)
        columns = (rows[due], now[due], seen.value[due], np.broadcast_to(seen.revision, rows.shape)[due])
        for row, level, value, revision in zip(*(c.tolist() for c in columns), strict=True):
            move = self._timeline(row).close(end_ms, level)
            if move:
                self._standing[row] = move.level
                found.append(self._raw(row, move, value, seen.decided_ms, revision))
        self._mark_warned(end_ms)
        return found, now

    def early(self, grid_ms: Times, rows: Rows, value: Array) -> list[RawTransition]:
        """Judge ``value`` float64[m] of ``rows`` at the grid times ``grid_ms`` int64[m], ascending.

        None of their windows is closed yet. May raise or escalate an alert, never ease one. While a value
        bears the standing alert out, windows that end before its grid time do not ease it either. The levels
        themselves do not change.
        """
        ladder = self._ladder(grid_ms, rows)
        top = ladder.entered(ladder.reached(value), self._since[rows], grid_ms)
        due = np.flatnonzero(top)
        columns = (grid_ms[due], rows[due], top[due], value[due])
        found = []
        for grid, row, level, reading in zip(*(c.tolist() for c in columns), strict=True):
            move = self._timeline(row).early(self.closed_ms, grid, level, reading)
            self._warned.add(row)
            if move:
                self._standing[row] = move.level
                found.append(self._raw(row, move, move.at.value, grid))
        return found

    def state_at(self, rows: Rows, end_ms: int) -> tuple[Levels, Times]:
        """Level uint8[m] and since int64[m, 4] of ``rows`` after the window end ``end_ms``.

        ``since``: the window end at which a level (or a higher one) began to be reached without a break;
        kept for levels with a ``for``, ``NEVER`` otherwise.

        Raises:
            ValueError: ``end_ms`` is beyond what ``trim`` left.
        """
        level, since = self._before(rows, end_ms + 1)
        wide = np.full((rows.size, 4), NEVER, np.int64)
        wide[:, [k - 1 for k in self.ladder.patient]] = since
        return level, wide

    def replay(
        self, ends: Times, rows: Rows, seen: Evidence, lost: Flags | None = None
    ) -> tuple[list[RawTransition], Levels]:
        """Judge the window ends ``ends`` int64[k] anew for the areas ``rows`` int64[m], each once.

        ``ends`` are all window ends from the first touched one to the latest closed, ascending; the arrays of
        ``seen`` are [k, m], and so is ``lost``, which tells where all data have been taken back: early
        judgements that rested on them were none.

        Returns what has to be published, by area, and the levels uint8[k, m]: ``retracted`` for alerts that
        lost their raise (``window_end``: that of the raise), all steps of alerts nobody knew of, and one step
        for an alert whose level now differs (at the latest end, or where it was cleared).

        Raises:
            ValueError: ``ends`` do not ascend, stop before the latest closed window end, or begin before what
                ``trim`` left.
        """
        if not ends.size or not (np.diff(ends) > 0).all() or ends[-1] < self.closed_ms:
            raise ValueError(
                f"{self.indicator}: a replay needs ascending window ends up to the closed {self.closed_ms}; "
                f"found {ends.size}, last {ends[-1:].tolist()}; pass every end from the first touched one",
            )
        was, since = self._before(rows, int(ends[0]))
        first = was
        self._log.forget(rows, int(ends[0]))
        levels = np.empty(seen.value.shape, np.uint8)
        for i, end in enumerate(ends.tolist()):
            now, begun = self._ladder(end, rows).step(end, was, since, seen.at(i))
            self._move(end, rows, (was, since), (now, begun))
            levels[i], was, since = now, now, begun
        self._level[rows], self._since[rows], self.closed_ms = was, since, int(ends[-1])
        alarming = (first > 0) | levels.any(axis=0) | (self._standing[rows] > 0)
        alarming |= np.isin(rows, np.fromiter(self._timelines, np.int64, len(self._timelines)))
        found = []
        for column in np.flatnonzero(alarming).tolist():
            gone = () if lost is None else lost[:, column].tolist()
            found += self._realign(ends, int(rows[column]), column, (levels[:, column], gone), seen)
        return found, levels

    def calm(self, rows: Rows, from_ms: int, value: Array) -> Flags:
        """bool[m]: areas that ``value`` [k, m] from ``from_ms`` on gives no level, and that had none.

        Replaying them would change nothing.
        """
        reached = self.mildest.reached(value.ravel()).reshape(value.shape).any(axis=0)
        alerted = np.isin(rows, np.fromiter(self._timelines, np.int64, len(self._timelines)))
        return ~(reached | alerted | self.occupied(rows) | self._log.changed(rows, from_ms))

    def end(self, at_ms: int) -> list[RawTransition]:
        """Clear all standing alerts at ``at_ms``: nobody judges these areas any more."""
        found = []
        for row in np.flatnonzero(self._standing).tolist():
            move = self._timelines[row].end(at_ms)
            self._standing[row] = 0
            found.append(self._raw(row, move, math.nan, at_ms))
        self._level[:] = 0
        return found

    def trim(self, before_ms: int) -> None:
        """Forget what only corrections of window ends before ``before_ms`` could need."""
        self.trimmed_ms = max(self.trimmed_ms, before_ms)
        self._log.trim(before_ms)
        for row, timeline in list(self._timelines.items()):
            timeline.trim(before_ms)
            if timeline.idle:
                del self._timelines[row]

    def state(self) -> dict[str, Any]:
        """Everything as a plain dict of numbers and arrays of its own; see ``restore``."""
        return {
            "version": _VERSION,
            "indicator": self.indicator,
            "closed_ms": self.closed_ms,
            "trimmed_ms": self.trimmed_ms,
            "patient": list(self.ladder.patient),
            "level": self._level.copy(),
            "since": self._since.copy(),
            "warned": np.array(sorted(self._warned), np.int64),
            "log": self._log.state(),
            "timelines": pack(self._timelines),
        }

    @classmethod
    def restore(
        cls, indicator: Graded, state: dict[str, Any], local: LocalLadders | None = None
    ) -> "LevelBank":
        """The bank of a ``state()``; bounds may have changed since: they count from the next window on.

        Raises:
            ValueError: the state is of another version or another indicator.
        """
        found = state["version"], state["indicator"]
        if found != (_VERSION, indicator.id):
            raise ValueError(
                f"level state is {found}, not {(_VERSION, indicator.id)}; "
                f"restore it with the engine and the indicator that wrote it",
            )
        bank = cls(indicator, state["level"].size, local)
        patient = bank.ladder.patient
        bank.closed_ms, bank.trimmed_ms = state["closed_ms"], state["trimmed_ms"]
        bank._level = state["level"].copy()
        bank._since = _refit(state["since"], state["patient"], patient)
        log = state["log"] | {"since": _refit(state["log"]["since"], state["patient"], patient)}
        bank._log = LevelLog.restore(len(patient), log)
        bank._timelines = unpack(state["timelines"])
        bank._warned = set(state["warned"].tolist())
        for row, timeline in bank._timelines.items():
            bank._standing[row] = timeline.hold.level
        return bank

    def _before(self, rows: Rows, end_ms: int) -> tuple[Levels, Times]:
        if end_ms < self.trimmed_ms:
            raise ValueError(
                f"{self.indicator}: levels before {end_ms} are forgotten, kept from {self.trimmed_ms} on; "
                f"trim later to correct further back",
            )
        return self._log.before(end_ms, rows, self._level[rows], self._since[rows])

    def _move(self, end: int, rows: Rows, was: tuple[Levels, Times], now: tuple[Levels, Times]) -> None:
        changed = was[0] != now[0]
        if self.ladder.patient:
            changed |= (was[1] != now[1]).any(axis=1)
        self._log.record(end, rows[changed], was[0][changed], was[1][changed])

    def _realign(
        self, ends: Times, row: int, column: int, found_anew: tuple[Levels, Sequence[bool]], seen: Evidence
    ) -> list[RawTransition]:
        timeline, (levels, lost) = self._timeline(row), found_anew
        known: list[bool] = seen.known[:, column].tolist()
        moves = timeline.replay(ends.tolist(), levels.tolist(), known, lost)
        self._standing[row] = timeline.hold.level
        found = []
        for move in moves:
            closed, place = move.at.window >= 0, (max(move.at.window, 0), column)
            value = float(seen.value[place]) if closed else move.at.value
            revision = seen.revision_at(place) if closed else 0
            found.append(self._raw(row, move, value, seen.decided_ms, revision))
        return found

    def _timeline(self, row: int) -> Timeline:
        found = self._timelines.get(row)
        if found is None:
            found = self._timelines[row] = Timeline()
        return found

    def _mark_warned(self, end_ms: int) -> None:
        for row in self._warned:
            self._timelines[row].mark(end_ms)
        self._warned.clear()

    def _raw(self, row: int, move: Move, value: float, decided_ms: int, revision: int = 0) -> RawTransition:
        return RawTransition(
            indicator=self.indicator,
            row=row,
            start=move.start,
            seq=move.seq,
            transition=move.change,
            level=move.level,
            previous_level=move.previous,
            value=value,
            threshold=self._threshold(row, move),
            window_end=move.at.end,
            decided_ts=decided_ms,
            early=move.at.window == EARLY,
            revision=revision,
        )

    def _threshold(self, row: int, move: Move) -> float:
        if move.change == "retracted":
            return self._bound(row, move.start, "raises", move.raised)
        if move.level > move.previous:
            return self._bound(row, move.at.end, "raises", move.level)
        # An edited indicator may have fewer levels than an alert that still stands.
        above = [k for k in self.ladder.used if k > move.level]
        return self._bound(row, move.at.end, "clears", min(above)) if above else math.nan

    def _bound(self, row: int, end: int, side: Literal["raises", "clears"], level: int) -> float:
        found = getattr(self._ladder(end, np.array([row])), side)[level - 1]
        return float(np.ravel(found)[0])


def _refit(since: Times, old: list[int], new: tuple[int, ...]) -> Times:
    """The columns of ``since`` for the levels ``new``; those that had none begin unreached."""
    fitted = np.full((since.shape[0], len(new)), NEVER, np.int64)
    for column, level in enumerate(new):
        if level in old:
            fitted[:, column] = since[:, old.index(level)]
    return fitted
