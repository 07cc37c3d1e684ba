"""One shard lane: pieces in, values of cells and partials of areas out.

A lane holds the tiles whose number is its own modulo the number of lanes. It acts on the least clock of its
senders: readings and cases in time go to the slices first, then, in order of event time, windows are closed
and late records published at the slice end at which they take effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.local_ladders import LocalLadders
from flows.batches import FINAL, Ints
from flows.city import City
from flows.control.change import Change
from flows.control.editions import Editions
from flows.explain.watch import Watch
from flows.pieces import (
    BEFORE,
    MAX_DISORDER,
    AreaFrame,
    AreaPiece,
    Clock,
    Clocks,
    ControlPiece,
    OrdersPiece,
    PlacedCases,
    ShardPiece,
)
from flows.stages.early_judge import EarlyJudge, merged_values
from flows.stages.intake import Intake
from flows.stages.late_windows import LateWindows, cell_windows
from flows.stages.publisher import Early, Published, Publisher, Windows
from flows.stages.recent_frames import RecentFrames
from flows.stages.sensor_readings import SensorReadings
from geo.areas import AreaKind
from indicators.attic import Attic
from indicators.evaluate import Evaluation, Frame
from indicators.indicator import Indicator
from indicators.latest import NEVER
from indicators.layout import Cells, Layout
from indicators.plan import IndicatorPlan
from indicators.shard import Shard
from indicators.stocks import Stocks

CHUNK = 4_000_000
"""Rows (window ends times cells) evaluated at once, to bound memory."""

_HOUR = 3_600_000

Piece = ShardPiece | PlacedCases | ControlPiece | OrdersPiece


class ShardLane:
    """The logic of one lane, free of the engine: ``take`` pieces, get what goes out."""

    def __init__(
        self, city: City, name: str, sources: Sequence[str], cases: Sequence[str], attic: Attic | None = None
    ) -> None:
        """An empty lane that waits for all ``sources`` and all lanes of ``cases``."""
        self.city = city
        self.plan = city.plan
        self.name = name
        self.clocks = Clocks([*sources, *cases])
        self.shard = Shard(
            city.plan,
            city.calendar,
            Cells(city.areas.locate, city.grid.tile, city.grid.center),
            attic=attic,
        )
        self.early = EarlyJudge(city.plan, self.shard, city.thresholds.mildest)
        self.intake = Intake(city.plan, self.shard, self.early.readings)
        self.early.held = self.intake.quarantine.held_early
        self.recent = [RecentFrames(p, self.shard) for p in city.plan.indicators]
        self.publisher = Publisher(city.plan, self._describe, None, self._ladders)
        self._alone = len(cases) == 1
        self.late = LateWindows(city, self.shard, self.intake, self.recent, {}, self._alone)
        self.editions: Editions | None = None
        self.change: Change | None = None
        self.ahead: list[Change] = []
        self.watch: Watch | None = None
        self.sensing: SensorReadings | None = None
        self.closed = BEFORE
        self.begin = FINAL
        self._due = BEFORE
        self._text = np.empty(0, "S1")
        self._trimmed = BEFORE

    def start(self, begin: int, since: int = NEVER) -> None:
        """Begin the windows at an instant, the same in all lanes; nothing is taken before.

        ``since`` is the flow's first watermark, before which no case is known.
        """
        self.begin, self.closed = begin, begin - 1
        self.shard.since = since

    def take(self, pieces: Iterable[Piece]) -> list[tuple[Published, AreaPiece]]:
        """Take pieces in order of arrival; act as far as the clocks allow, once for each edition."""
        pieces = list(pieces)
        self.intake.readings(piece for piece in pieces if isinstance(piece, ShardPiece))
        for piece in pieces:
            self._hear(piece)
        clock = self.clocks.least
        if clock.maximum == BEFORE:
            return []
        done, begun = list[tuple[Published, AreaPiece]](), None
        while self.ahead and self.ahead[0].effective <= min(clock.watermark, clock.limit):
            change = self.ahead[0]
            # Windows up to its effective time are closed before; nothing tells that from the end of a batch.
            done.append(self._act(Clock(change.effective + MAX_DISORDER), begun))
            begun = change, self._become(change)
        return [*done, self._act(clock, begun)]

    def _hear(self, piece: Piece) -> None:
        if isinstance(piece, PlacedCases):
            self.intake.placed(piece)
        elif isinstance(piece, OrdersPiece):
            self.intake.orders(piece.orders)
        elif isinstance(piece, ControlPiece):
            self.ahead += piece.changes
        elif self.sensing is not None and piece.new is not None:
            self.sensing.introduce(piece.new, self.intake.series[piece.sender, piece.partition])
        self.clocks.hear(piece.sender, piece.clock)

    def _act(self, clock: Clock, begun: tuple[Change, Published] | None) -> tuple[Published, AreaPiece]:
        """Act up to a clock; ``begun``: the change that has just taken effect, and what it brought."""
        change, out = begun or (None, Published())
        final = clock.maximum == FINAL
        until = min(clock.watermark, clock.limit)
        early = self._judged_early(until, clock.maximum)
        above = self.early.areas(early)
        frames: list[AreaFrame] = []
        if until < self.begin and not final:
            # No window can have ended.
            self._close(until, early, clock.maximum + 1, out)
            return out, replace(self._piece(clock, change), early=above)
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
        return out, replace(self._piece(clock, change), frames=frames, early=above)

    def _judged_early(self, until: int, maximum: int) -> dict[int, Early]:
        """Early values of all seconds up to ``maximum``, each by the orders in force before it."""
        found: dict[int, Early] = {}
        for at in self.intake.quarantine.early_boundaries(until):
            found = merged_values(found, self.early.judge(at + MAX_DISORDER))
            self.intake.quarantine.apply_early(at)
        return merged_values(found, self.early.judge(maximum))

    def _piece(self, clock: Clock, change: Change | None) -> AreaPiece:
        births, since = self.intake.births(), self.shard.since
        return AreaPiece(self.name, clock, self.begin, births, [], [], since, self.city.edition, change)

    # -- changes ---------------------------------------------------------------------------------------

    def _edition(self, change: Change) -> City:
        if self.editions is None:
            raise RuntimeError(f"{self.name}: change {change.number} came to a run without control")
        return self.editions.city(change)

    def _become(self, change: Change) -> Published:
        """Go on with what a change has put in force."""
        plan, before = self._edition(change).plan, self.plan.catalogue
        changed = plan.catalogue.changed(before)
        same = {i.id for i in plan.catalogue.indicators} - changed
        begun = {name: at for name, at in self.late.begun.items() if name in same}
        begun |= dict.fromkeys(changed, change.effective)
        self.ahead.pop(0)
        old = self.early
        self.renew(change, self.shard.stocks.changed(plan, same), begun)
        self.early.take_over(old, self.intake.parked)
        return self.publisher.become(plan, change.effective, self._ladders)

    def renew(self, change: Change, stocks: Stocks, begun: dict[str, int]) -> None:
        """Build what depends on the catalogue anew; the state of series, cells and cases stays.

        ``begun`` tells since when the indicators are computed that were not there from the beginning.
        """
        city = self._edition(change)
        if self.editions is not None:
            self.editions.enforce(change)
        self.change, self.city, self.plan, self._due = change, city, city.plan, BEFORE
        self.shard.adopt(city.plan, stocks)
        self.early = EarlyJudge(city.plan, self.shard, city.thresholds.mildest)
        self.early.held = self.intake.quarantine.held_early
        self.intake.early = self.early.readings
        self.intake.corrections.plan = city.plan
        self.recent = [RecentFrames(p, self.shard.view(p)) for p in city.plan.indicators]
        self.late = LateWindows(city, self.shard, self.intake, self.recent, begun, self._alone)

    def _close(
        self, until: int, early: dict[int, Early], early_before: int, out: Published
    ) -> list[AreaFrame]:
        """Close windows up to an instant, and judge the early values with a grid before another."""
        frames = []
        # Most turns of a live engine lie between two window ends.
        idle = until < self._due
        for plan in self.plan.indicators:
            if idle and plan.index not in early:
                continue
            now, early[plan.index] = early.get(plan.index, Early.none()).split(early_before)
            ends, shard = np.empty(0, np.int64), self.shard.view(plan)
            if shard.active(plan):
                ends = self._ends(plan, until)
            for part in self._in_memory(plan, ends):
                passed, now = now.split(int(part[-1]) + MAX_DISORDER)
                frame, layout = Evaluation(plan, shard, part).frame(), shard.layout(plan)
                self.recent[plan.index].add(layout, frame, until)
                frames.append(_for_areas(frame, layout))
                if plan.indicator.lowest == "cell":
                    windows = cell_windows(self.city, plan, frame, layout.cells)
                    self.publisher.close(plan.index, windows, passed, out)
            if now.grid.size:
                self.publisher.close(plan.index, Windows.none(), now, out)
        if self.sensing is not None:
            out.sensors += self.sensing.close(self.shard, self.closed, until)
        self.closed = max(self.closed, until)
        self._due = self._due if idle else self.city.due(self.closed)
        return frames

    def _ends(self, plan: IndicatorPlan, until: int) -> Ints:
        """The window ends to close."""
        after = max(self.city.reached(plan, self.closed), self.late.begun.get(plan.indicator.id, BEFORE))
        return self.city.calendar.ends(after, self.city.reached(plan, until), plan.indicator.hop_ms)

    def _in_memory(self, plan: IndicatorPlan, ends: Ints) -> list[Ints]:
        """Window ends in parts that can be evaluated at once."""
        size = max((self.shard.store(code).n for code in plan.metrics), default=0)
        step = max(1, CHUNK // max(size, self.shard.view(plan).layout(plan).size, 1))
        return [ends[i : i + step] for i in range(0, len(ends), step)]

    def restore_publisher(self, state: dict[str, Any]) -> None:
        """Take up the publisher's part of a snapshot."""
        self.publisher = Publisher(self.plan, self._describe, state, self._ladders)

    def _ladders(self, indicator: Indicator) -> LocalLadders | None:
        return LocalLadders.of(indicator, self.city.thresholds, self.city.calendar, self._placed)

    def _placed(self, rows: Ints) -> tuple[NDArray[np.uint8], NDArray[np.bytes_], NDArray[np.bytes_]]:
        """Kind and id of cells, and the id of the district each lies in."""
        district = self.shard.cells.areas[rows, 2]
        known, place = np.unique(district, return_inverse=True)
        names = np.array([text.encode() for text in self.city.areas.ids(AreaKind.DISTRICT, known)] or [b""])
        kind, text = self._describe(rows)
        return kind, text, np.where(district < 0, b"", names[place]).astype("S")

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
        self.intake.quarantine.forget(until)


def _for_areas(frame: Frame, layout: Layout) -> AreaFrame:
    groups = layout.groups
    return AreaFrame(frame.grouped(groups), groups.kind, groups.uid, groups.tile, groups.district)
