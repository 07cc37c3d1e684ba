"""The alerts of one area of one indicator: (standing alert, judgements) → (standing alert, moves).

An alert stands from its first raise until it is cleared. Closed windows move it both ways, early judgements
only up; and a closed window that ends before the last early judgement that bore an alert out does not ease
it. A correction folds the judgements of the recent past anew, early ones included, and compares the alerts
it finds with those published.

>>> area = Timeline()
>>> area.early(60_000, 61_000, 3, 30.0)
Move(start=61000, seq=1, change='raised', level=3, previous=0, raised=3, at=Step(...))
>>> area.close(60_000, 0), area.close(120_000, 0).change
(None, 'cleared')
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from alerts.ladder import NEVER
from alerts.transitions import Change


class Hold(NamedTuple):
    """The standing alert: level (0: none), window end of its first raise, and until when it may not ease."""

    level: int
    start: int
    until: int


QUIET = Hold(0, NEVER, NEVER)

EARLY = -1
"""In place of a window's number: decided by the value of a step, before a window was closed."""

NOWHERE = -2
"""In place of a window's number: no window decided."""


class Mark(NamedTuple):
    """What stood after the window end ``end``."""

    end: int
    hold: Hold


class Step(NamedTuple):
    """A change of level: at ``end``, decided by the closed window number ``window``, or ``EARLY``."""

    level: int
    end: int
    window: int
    value: float


class Move(NamedTuple):
    """A step of an alert that is to be published; ``raised`` is the level of its first raise."""

    start: int
    seq: int
    change: Change
    level: int
    previous: int
    raised: int
    at: Step


@dataclass(slots=True)
class Alert:
    """What has been published of an alert."""

    start: int
    level: int = 0
    seq: int = 0
    raised: int = 0
    early: bool = False
    retracted: bool = False


@dataclass(slots=True)
class Fact:
    """Early judgements of ``level`` from ``first`` to ``last`` while ``after`` was the latest closed end."""

    after: int
    level: int
    first: int
    last: int
    value: float


def judged(hold: Hold, level: int, end: int) -> Hold:
    """What stands after a closed window of ``level``."""
    if level > hold.level:
        return Hold(level, hold.start if hold.level else end, hold.until)
    if level < hold.level and end >= hold.until:
        return Hold(level, hold.start, hold.until) if level else QUIET
    return hold


def warned(hold: Hold, level: int, grid: int) -> Hold:
    """What stands after an early judgement of ``level``."""
    if level < hold.level or not level:
        return hold
    return Hold(level, hold.start if hold.level else grid, max(hold.until, grid))


@dataclass(slots=True)
class Timeline:
    """Standing alert, recent past and published alerts of one area."""

    hold: Hold = QUIET
    marks: list[Mark] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    alerts: dict[int, Alert] = field(default_factory=dict)

    def close(self, end: int, level: int) -> Move | None:
        """A closed window with data gave ``level``."""
        move = self._become(judged(self.hold, level, end), Step(level, end, 0, 0.0))
        if move:
            self.mark(end)
        return move

    def early(self, after: int, grid: int, level: int, value: float) -> Move | None:
        """An early judgement gave ``level`` (not 0) at ``grid``; ``after`` is the latest closed end."""
        last = self.facts[-1] if self.facts and self.facts[-1].after == after else None
        # Below an earlier one of the same interval it can neither raise nor bear out what stands.
        if last is None or level > last.level:
            self.facts.append(Fact(after, level, grid, grid, value))
        elif level == last.level:
            last.last = max(last.last, grid)
        return self._become(warned(self.hold, level, grid), Step(level, grid, EARLY, value))

    def mark(self, end: int) -> None:
        """Note what stands after the window end ``end``; due where early judgements came since."""
        if self.marks and self.marks[-1].end == end:
            self.marks.pop()
        self.marks.append(Mark(end, self.hold))

    def replay(
        self,
        ends: Sequence[int],
        levels: Sequence[int],
        known: Sequence[bool],
        lost_data: Sequence[bool] = (),
    ) -> list[Move]:
        """Fold the window ends anew; ``ends`` ascend to the latest, ``known`` tells which have data.

        ``lost_data`` tells which had data before this correction and have none now; none of them without it.

        Moves: the retracted alerts; then, by alert, all steps of a new one, one of a known one that differs.
        An early judgement whose window has lost all its data was none: its readings have been taken back.
        """
        unfounded = self._unfounded(ends, lost_data) if any(lost_data) else set[int]()
        kept = [mark for mark in self.marks if mark.end < ends[0]]
        fold = _Fold(kept[-1] if kept else Mark(NEVER, QUIET), self.facts, self.alerts)
        for index, end in enumerate(ends):
            fold.close(index, end, levels[index] if known[index] else None)
        fold.warn(until=None)
        self.hold, self.marks = fold.hold, kept + fold.marks
        lost = [a for a in self.alerts.values() if fold.misses(a, ends[0], unfounded)]
        moves = [self._retract(alert, ends) for alert in sorted(lost, key=lambda alert: alert.start)]
        latest = max((index for index, has in enumerate(known) if has), default=NOWHERE)
        for start, steps in sorted(fold.runs.items()):
            moves += self._catch_up(start, steps, Step(0, ends[-1], latest, math.nan))
        return moves

    def _unfounded(self, ends: Sequence[int], lost: Sequence[bool]) -> set[int]:
        """Forget the early judgements whose windows have lost all data; returns when they were made."""
        begin = 2 * ends[0] - ends[1] if len(ends) > 1 else ends[0]
        gone = set[int]()
        for fact in self.facts:
            place = bisect_left(ends, fact.first)
            if fact.first > begin and place < len(ends) and lost[place]:
                gone.add(fact.first)
        if gone:
            self.facts = [fact for fact in self.facts if fact.first not in gone]
            for start in gone & self.alerts.keys():
                self.alerts[start].early = False
        return gone

    def end(self, at: int) -> Move:
        """The standing alert is cleared, whatever the data: its indicator is no more."""
        start, self.hold = self.hold.start, QUIET
        return self._publish(start, Step(0, at, NOWHERE, math.nan))

    def trim(self, before: int) -> None:
        """Forget what no correction at or after ``before`` can touch."""
        past = [mark for mark in self.marks if mark.end < before]
        if past:
            self.marks = self.marks[len(past) - 1 :]
            self.facts = [fact for fact in self.facts if fact.after >= self.marks[0].end]
        alive = {mark.hold.start for mark in self.marks} | {fact.first for fact in self.facts}
        self.alerts = {
            start: alert
            for start, alert in self.alerts.items()
            if alert.level or start >= before or start in alive
        }

    @property
    def idle(self) -> bool:
        """True where a new timeline would do the same from here on."""
        return not self.alerts

    def _become(self, hold: Hold, step: Step) -> Move | None:
        was, self.hold = self.hold, hold
        if hold.level == was.level:
            return None
        if step.level != hold.level:
            step = step._replace(level=hold.level)
        return self._publish(hold.start if hold.level else was.start, step)

    def _publish(self, start: int, step: Step) -> Move:
        alert = self.alerts.setdefault(start, Alert(start))
        if not alert.seq or alert.retracted:
            alert.raised, alert.early, alert.retracted = step.level, step.window == EARLY, False
        previous, alert.level = alert.level, step.level
        alert.seq += 1
        return Move(start, alert.seq, _change(previous, step.level), step.level, previous, alert.raised, step)

    def _retract(self, alert: Alert, ends: Sequence[int]) -> Move:
        index = ends.index(alert.start) if alert.start in ends else NOWHERE
        step = Step(0, alert.start, index, math.nan)
        move = self._publish(alert.start, step)._replace(change="retracted")
        alert.retracted = True
        return move

    def _catch_up(self, start: int, steps: list[Step], latest: Step) -> list[Move]:
        alert = self.alerts.get(start)
        if alert is None or alert.retracted:
            return [self._publish(start, step) for step in steps]
        if not steps or steps[-1].level == alert.level:
            return []
        level = steps[-1].level
        return [self._publish(start, latest._replace(level=level) if level else steps[-1])]


class _Fold:
    """One pass over judgements in the order they were made; ``runs``: steps of each alert by its start."""

    def __init__(self, base: Mark, facts: Sequence[Fact], alerts: dict[int, Alert]) -> None:
        self.hold = base.hold
        self.marks: list[Mark] = []
        self.runs: dict[int, list[Step]] = {}
        self._facts = [fact for fact in facts if fact.after >= base.end]
        self._pinned = {start for start, alert in alerts.items() if alert.early and not alert.retracted}
        self._marked = base.hold
        if base.hold.level:
            self.runs[base.hold.start] = [Step(base.hold.level, base.end, NOWHERE, math.nan)]

    def close(self, window: int, end: int, level: int | None) -> None:
        """A window end; ``level`` None where it has no data."""
        warned_now = self.warn(until=end)
        if level is not None:
            self._become(judged(self.hold, level, end), Step(0, end, window, 0.0))
        if warned_now or self.hold != self._marked:
            self.marks.append(Mark(end, self.hold))
            self._marked = self.hold

    def warn(self, until: int | None) -> bool:
        """The early judgements made before the window end ``until`` was closed; True if there were any."""
        count = sum(until is None or fact.after < until for fact in self._facts)
        for fact in self._facts[:count]:
            if fact.first in self._pinned and self.hold.level and self.hold.start != fact.first:
                self._yield_to(fact.first, fact.value)
            step = Step(0, fact.first, EARLY, fact.value)
            self._become(warned(self.hold, fact.level, fact.first), step)
            self._become(warned(self.hold, fact.level, fact.last), step)
        del self._facts[:count]
        return count > 0

    def misses(self, alert: Alert, from_ms: int, unfounded: Collection[int]) -> bool:
        """Whether an alert published earlier has lost its raise."""
        # An early raise was seen: later closed windows may clear it, never undo it.
        gone = alert.start >= from_ms or alert.start in unfounded
        gone &= alert.start not in self.runs
        return gone and not alert.early and not alert.retracted

    def _become(self, hold: Hold, step: Step) -> None:
        was, self.hold = self.hold, hold
        if hold.level != was.level:
            start = hold.start if hold.level else was.start
            self.runs.setdefault(start, []).append(step._replace(level=hold.level))

    def _yield_to(self, start: int, value: float) -> None:
        """What stands runs into a published early raise, which is never retracted: that alert takes over."""
        was = self.hold
        self.hold = was._replace(start=start)
        self.runs[was.start].append(Step(0, start, NOWHERE, value))
        self.runs[start] = [Step(was.level, start, NOWHERE, value)]


def _change(previous: int, level: int) -> Change:
    if level > previous:
        return "escalated" if previous else "raised"
    return "eased" if level else "cleared"
