"""The record source of a live engine: growing files as one source part, by the live door's rules (R5, R6).

The watermark waits for every input that has not been read to its end, and for ``idle_after`` after the last
record of one that has. Feedback moves no window and is not waited for: it has a clock of its own, which goes
on as soon as nothing that belongs before the last record can be on its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.admission.readings import ReadingAdmission
from flows.admission.registry import read_registry
from flows.admission.roll import Roll
from flows.batches import FINAL
from flows.config.option_types import ClockMode
from flows.inputs import Door, Input
from flows.live.run_input import GrowingFile
from flows.live.run_turns import Turns
from flows.pieces import BEFORE, MAX_DISORDER, Clock, FeedbackPiece
from flows.records import PART, Item, ReplayPart, ReplaySource
from flows.replay.failures import noted
from sinks.log import EventLog

LOG = EventLog("registry")

POLL = 0.05
"""Seconds between two looks at files without new records."""
AHEAD = 3_600_000
"""How far one input is read ahead of the slowest, ms: what waits for the slowest is kept in memory."""
_BREATH = 5.0
"""Seconds of silence that even a clock of the records' own does not call silence."""


class LivePart(ReplayPart):
    """Reads all files as they grow; the snapshot holds positions, admission state and counts.

    Attributes:
        poll: seconds between two looks where nothing has come.
        kept: when the last recovery point was taken, seconds of ``wall``.
    """

    poll = POLL

    def __init__(self, settings: LiveSource, snapshot: bytes | None, name: str = PART) -> None:
        self._live = settings
        self.kept = settings.wall()
        self._high = self._began = BEFORE
        self._spoke = Clock(BEFORE)
        self._turns = Turns()
        self._registry_read = _written(settings.sensors)
        self._roll = settings.roll
        super().__init__(settings, snapshot, name)

    def _file(self, source: Input, number: int, opened: Door, state: dict[str, Any] | None) -> GrowingFile:
        return GrowingFile(source, number, opened, state, self._live.wall)

    @property
    def files(self) -> list[GrowingFile]:
        """All inputs."""
        return self._files  # type: ignore[return-value]

    @noted()
    def next_batch(self) -> list[Item]:
        """What has come since the last time, at most one turn."""
        self._note_pause()
        if self._finished or self._live.stopped():
            raise StopIteration
        if self._files and all(file.ended for file in self._files):
            return self._finish()
        now, self._began = self._live.wall(), self._high
        self._wait = self._pace.ahead(self._clock().maximum)
        if self._wait:
            return []
        self._reload()
        self._turns.begin()
        items: list[Item] = []
        self._read_on(items, now)
        self._close_silent(items, now)
        if not items:
            self._wait = self.poll
        self._live.reached(self._high, now)
        return items

    def _read_on(self, items: list[Item], now: float) -> None:
        """Records of all files, each time of the one that is furthest behind, for one turn."""
        read, empty = 0, set[int]()
        while self._high < self._most() and (not read or read < self._turn()):
            ready = [f for f in self.files if not f.ended and f.number not in empty and not self._is_ahead(f)]
            if not ready:
                return
            file = min(ready, key=lambda f: (f.clock, f.number))
            file.return_to(self._high, self._ceiling(now))
            admitted = file.next(self._settings.batch_size)
            self._advance()
            if admitted is None:
                empty.add(file.number)
                continue
            file.listen(now, self.greatest)
            items += self._items(file, admitted)
            read += max(admitted.received, 1)
        self._turns.full = self._turn() > 0

    def _turn(self) -> int:
        return self._turns.records if super()._turn() else 0

    def _ceiling(self, now: float) -> int | None:
        """The latest time a record may have now (R6); a clock of the records' own asks for witnesses."""
        return int((now + self._live.max_future) * 1000) if self._live.clock == "wall" else None

    def _is_ahead(self, file: GrowingFile) -> bool:
        start = self._high if self._high != BEFORE else file.begun
        return file.clock not in {BEFORE, FINAL} and file.clock > start + AHEAD

    def _close_silent(self, items: list[Item], now: float) -> None:
        """Leave out of the watermark who is silent, and tell all lanes if that moved it."""
        for file in self.files:
            file.silent = file.silent or self._is_silent(file, now)
        clock = self._clock()
        if clock.maximum // 1000 > self._told // 1000:
            items += [Item("case", key, piece) for key, piece in self._router.events(clock, None)]
            items += self._quiet(clock)
            self._told = clock.maximum
        spoken = self._spoken()
        if self._feedback and spoken != self._spoke:
            items.append(Item("feedback", "city", FeedbackPiece(self.name, spoken)))
            self._spoke = spoken

    def _spoken(self) -> Clock:
        """The clock of the feedback: past its last record when that is older than any disorder (R4).

        An input that is quiet holds nobody up: what belongs together comes from one input.
        """
        files = [f for f in self.files if f.kind == "feedback" and not f.ended]
        speaking = [f.clock for f in files if not self._is_quiet(f)]
        if speaking or not files:
            return Clock(min(speaking, default=FINAL))
        latest = max(f.clock for f in files)
        return Clock(latest if latest == BEFORE else latest + MAX_DISORDER)

    def _is_quiet(self, file: GrowingFile) -> bool:
        real = self._live.wall() - file.heard
        passed = self._live.clock == "source" and self.greatest - file.heard_at >= MAX_DISORDER
        return file.caught_up and (real * 1000 >= MAX_DISORDER or (passed and real >= POLL))

    def _is_silent(self, file: GrowingFile, now: float) -> bool:
        if not file.caught_up:
            return False
        if self._live.clock == "wall":
            return now - file.heard >= self._live.idle_after
        if file.heard_at == BEFORE:
            file.heard_at = self.greatest
        passed = (self.greatest - file.heard_at) / 1000 >= self._live.idle_after
        return passed and now - file.heard >= min(_BREATH, self._live.idle_after)

    def _clock(self) -> Clock:
        """As far as every input that counts has come, but no further than a turn may be; never back."""
        self._high = max(self._high, min(self._come(), self._most()))
        return Clock(self._high)

    def _come(self) -> int:
        counted = [f.clock for f in self.files if not (f.ended or f.silent) and f.kind != "feedback"]
        return min(counted) if counted else self.greatest

    def _most(self) -> int:
        """Where the clock may be at the end of this turn."""
        if self._began != BEFORE:
            return self._began + self._turns.span
        first = self._beginning.since
        return FINAL if first == FINAL else first + MAX_DISORDER + self._turns.span

    @property
    def greatest(self) -> int:
        """The greatest event time of readings and events, ms, BEFORE where there was none."""
        last = self._last()
        return last if last >= 0 else BEFORE

    @property
    def watermark(self) -> int:
        """The flow's watermark, ms."""
        return Clock(self._high).watermark

    @property
    def settled(self) -> bool:
        """Whether all that was read has its effect: the clock is where the inputs are."""
        return all(file.caught_up or file.ended for file in self.files) and self._come() <= self._high

    @property
    def held_by(self) -> GrowingFile | None:
        """The input that holds the watermark: it counts, is behind, and the others have gone on."""
        counted = [f for f in self.files if not (f.ended or f.silent) and f.kind != "feedback"]
        slowest = min(counted, key=lambda f: f.clock, default=None)
        if slowest is None or self.greatest - max(slowest.clock, 0) < self._live.idle_after * 1000:
            return None
        return slowest

    def _note_pause(self) -> None:
        """As a replay does, without the time for which there was nothing to read."""
        if self._held is not None:
            since, busy = self._held
            self._held = since + self._wait, busy
        super()._note_pause()

    def _reload(self) -> None:
        """Take over a registry that has changed; one that cannot be read leaves the old one in force."""
        written = _written(self._live.sensors)
        if self._live.sensors is None or written == self._registry_read:
            return
        self._registry_read = written
        try:
            registry, problems = read_registry(self._live.sensors, self._live.city.calendar.zone.key)
        except (ValueError, OSError) as error:
            LOG.warning("registry.kept", file=self._live.sensors, error=error)
            return
        for problem in problems:
            LOG.warning("registry.problem", file=self._live.sensors, problem=problem)
        roll = self._roll = Roll.of(registry, self._live.city.grid)
        for file in self._files:
            if isinstance(file.door, ReadingAdmission):
                file.door.reload(roll)

    @noted()
    def snapshot(self) -> bytes:
        """Positions, what the doors remember, where series go, and all counts."""
        self.kept = self._live.wall()
        return super().snapshot()

    def _restore(self, resume: dict[str, Any]) -> None:
        super()._restore(resume)
        self._high = resume["high"]

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "high": self._high}

    def _write_totals(self) -> None:
        """Totals are asked for when the run ends."""


def _nothing(high: int, now: float) -> None:
    del high, now


@dataclass(frozen=True)
class LiveSource(ReplaySource):
    """Growing files as a source of one part.

    Attributes:
        clock: whose time judges stamps from the future and silence.
        idle_after: seconds (R5).
        max_future: seconds (R6).
        sensors: the registry's file, read again when it changes.
        stopped: whether the engine has been asked to stop.
        wall: the machine's time, seconds since 1970.
        reached: told after each turn how far the flow's clock (ms) has come, and when.
        built: told the part when it is there.
    """

    clock: ClockMode = "wall"
    idle_after: float = 60.0
    max_future: float = 300.0
    sensors: Path | None = None
    stopped: Callable[[], bool] = bool
    wall: Callable[[], float] = time.time
    reached: Callable[[int, float], None] = _nothing
    built: Callable[[LivePart], None] = field(default=lambda _: None)

    @noted()
    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> LivePart:
        """The part, from a snapshot on or new."""
        del step_id, for_part
        part = LivePart(self, resume_state)
        self.built(part)
        return part


def _written(path: Path | None) -> int:
    """When a file was last written, 0 where there is none."""
    return path.stat().st_mtime_ns if path is not None and path.exists() else 0
