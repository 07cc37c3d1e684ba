"""One shard lane: pieces in, values of cells and partials of areas out.

A lane holds the tiles whose number is its own modulo the number of lanes. It acts on the least clock of its
senders: readings and cases in time go to the slices first, then, in order of event time, windows are closed
and late records published at the slice end at which they take effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.batches import FINAL, Ints
from flows.city import City
from flows.early_judge import EarlyJudge
from flows.explain_watch import Watch
from flows.intake import Intake
from flows.late_windows import LateWindows, cell_windows
from flows.pieces import BEFORE, MAX_DISORDER, AreaFrame, AreaPiece, Clocks, PlacedCases, ShardPiece
from flows.publisher import Early, Published, Publisher, Windows
from flows.recent_frames import RecentFrames
from indicators.evaluate import Evaluation, Frame
from indicators.latest import NEVER
from indicators.layout import Cells, Layout
from indicators.plan import IndicatorPlan
from indicators.shard import Shard

CHUNK = 4_000_000
"""Rows (window ends times cells) evaluated at once, to bound memory."""

_HOUR = 3_600_000


class ShardLane:
    """The logic of one lane, free of the engine: ``take`` pieces, get what goes out."""

    def __init__(self, city: City, name: str, sources: Sequence[str], cases: Sequence[str]) -> None:
        """An empty lane that waits for all ``sources`` and all lanes of ``cases``."""
        self.city = city
        self.plan = city.plan
        self.name = name
        self.clocks = Clocks([*sources, *cases])
        self.shard = Shard(
            city.plan, city.calendar, Cells(city.areas.locate, city.grid.tile, city.grid.center)
        )
        self.early = EarlyJudge(city.plan, self.shard)
        self.intake = Intake(city.plan, self.shard, self.early.readings)
        self.recent = [RecentFrames(p, self.shard) for p in city.plan.indicators]
        self.publisher = Publisher(city.plan, self._describe)
        self.late = LateWindows(city, self.shard, self.intake, self.recent, alone=len(cases) == 1)
        self.watch: Watch | None = None
        self.closed = BEFORE
        self.begin = FINAL
        self._text = np.empty(0, "S1")
        self._trimmed = BEFORE

    def start(self, begin: int, since: int = NEVER) -> None:
        """Begin the windows at an instant, the same in all lanes; nothing is taken before.

        ``since`` is the flow's first watermark, before which no case is known.
        """
        self.begin, self.closed = begin, begin - 1
        self.shard.since = since

    def take(self, pieces: Iterable[ShardPiece | PlacedCases]) -> tuple[Published, list[AreaPiece]]:
        """Take pieces in order of arrival; act as far as the clocks allow."""
        for piece in pieces:
            if isinstance(piece, PlacedCases):
                self.intake.placed(piece)
            else:
                self.intake.readings(piece)
            self.clocks.hear(piece.sender, piece.clock)
        return self._act()

    def _act(self) -> tuple[Published, list[AreaPiece]]:
        clock, out = self.clocks.least, Published()
        if clock.maximum == BEFORE:
            return out, []
        final = clock.maximum == FINAL
        until = min(clock.watermark, clock.limit)
        early = self.early.judge(clock.maximum)
        above = self.early.areas(early)
        frames: list[AreaFrame] = []
        self.intake.take_timely(until)
        for at in self.intake.boundaries(clock.watermark):
            self.intake.take_cases(at - 1)
            frames += self._close(min(at - 1, until), early, at + MAX_DISORDER, out)
            frames += self.late.correct(at, self.closed, self.publisher, out)
        self.intake.take_cases(FINAL if final else until)
        frames += self._close(until, early, FINAL if final else clock.maximum + 1, out)
        if self.watch is not None:
            self.watch.look(self.shard, until, final=final)
        self._forget(until)
        return out, [
            AreaPiece(self.name, clock, self.begin, self.intake.births(), frames, above, self.shard.since)
        ]

    def _close(
        self, until: int, early: dict[int, Early], early_before: int, out: Published
    ) -> list[AreaFrame]:
        """Close windows up to an instant, and judge the early values with a grid before another."""
        frames = []
        for plan in self.plan.indicators:
            now, early[plan.index] = early.get(plan.index, Early.none()).split(early_before)
            ends = np.empty(0, np.int64)
            if self.shard.active(plan):
                ends = self.city.calendar.ends(self.closed, until, plan.indicator.hop_ms)
            for part in self._in_memory(plan, ends):
                passed, now = now.split(int(part[-1]) + MAX_DISORDER)
                frame, layout = Evaluation(plan, self.shard, part).frame(), self.shard.layout(plan)
                self.recent[plan.index].add(layout, frame, until)
                frames.append(_for_areas(frame, layout))
                if plan.indicator.lowest == "cell":
                    windows = cell_windows(self.city, plan, frame, layout.cells)
                    self.publisher.close(plan.index, windows, passed, out)
            if now.grid.size:
                self.publisher.close(plan.index, Windows.none(), now, out)
        self.closed = max(self.closed, until)
        return frames

    def _in_memory(self, plan: IndicatorPlan, ends: Ints) -> list[Ints]:
        """Window ends in parts that can be evaluated at once."""
        size = max((self.shard.store(code).n for code in plan.metrics), default=0)
        step = max(1, CHUNK // max(size, self.shard.layout(plan).size, 1))
        return [ends[i : i + step] for i in range(0, len(ends), step)]

    def restore_publisher(self, state: dict[str, Any]) -> None:
        """Take up the publisher's part of a snapshot."""
        self.publisher = Publisher(self.plan, self._describe, state)

    def _describe(self, rows: Ints) -> tuple[NDArray[np.uint8], NDArray[np.bytes_]]:
        cells = self.shard.cells
        known = len(self._text)
        if known < cells.n:
            fresh = np.array([t.encode() for t in self.city.grid.text(cells.code[known:])])
            self._text = np.concatenate((self._text, fresh)) if known else fresh
        return np.zeros(len(rows), np.uint8), self._text[rows]

    def _forget(self, until: int) -> None:
        """Move on; once an hour forget what only corrections of long past windows could need."""
        self.shard.advance(until)
        for recent in self.recent:
            recent.trim(until)
        if until - self._trimmed < _HOUR:
            return
        self._trimmed = until
        self.shard.forget(until)
        self.publisher.forget(until)


def _for_areas(frame: Frame, layout: Layout) -> AreaFrame:
    groups = layout.groups
    return AreaFrame(frame.grouped(groups), groups.kind, groups.uid, groups.tile, groups.district)
