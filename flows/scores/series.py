"""Scores of the series whose windows end together: values of closed windows in, verdicts and anomalies out.

A series is an indicator in an area. All that have one hop share a detector, whatever the indicator: a step
costs a fixed overhead per call. A series is a column from its first value on; before that it is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.batches import Floats, Ints
from indicators.detector import Detector, Verdicts
from indicators.detector_kinds import Kind
from indicators.detector_settings import DetectorSettings
from indicators.detector_state import DetectorState
from indicators.detector_tail import REST

Floats32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

_LEAST_ROOM = 256
_GROWTH = 1.5

_TOLD = ("open", "told", "seq", "sure", "changes")

_LASTING = (Kind.FLAT_LINE, Kind.SILENCE)
"""What is told of a run, whatever the values."""

_USUALLY = np.float32(0.5)
"""Share of the values of a series behind which enough must stand for its silence to say anything."""


@dataclass(frozen=True, slots=True)
class Values:
    """Values of consecutive window ends: ``ends`` [E]; of m rows the place in ``ends``, column and value.

    ``sure`` bool [m]: whether enough stands behind a value for anything to be told; None: behind all.
    """

    ends: Ints
    at: Ints
    column: Ints
    value: Floats
    sure: Bools | None = None

    @property
    def surely(self) -> Bools:
        """``sure`` of every row."""
        return np.ones(len(self.value), np.bool_) if self.sure is None else self.sure


@dataclass(frozen=True, slots=True)
class Tuning:
    """How S series are scored.

    ``weights`` float32 [6, S] of the views, None for the same of all; ``least`` float64 [S], how far from
    what was expected a value must be to be told, in its unit.
    """

    weights: Floats32 | None
    least: Floats

    @classmethod
    def plain(cls, n: int) -> Tuning:
        """All alike, and nothing is too little."""
        return cls(None, np.zeros(n))


@dataclass(frozen=True, slots=True)
class Marked:
    """What is told of some series at one window end: their columns, and columns of what is told of each.

    ``step`` 0 raised, 1 changed, 2 cleared; ``seq`` which line of its anomaly it is.
    """

    end: int
    column: Ints
    step: NDArray[np.int8]
    seq: NDArray[np.int32]
    started: Ints
    value: Floats
    verdicts: Verdicts


@dataclass(frozen=True, slots=True)
class Scored:
    """Of the m rows of `Values`: score, low and high end of the band; and what is told."""

    score: Floats32
    low: Floats
    high: Floats
    marked: list[Marked]


@dataclass
class SeriesScores:
    """The series of one hop, in the order of their first values, and their detector.

    Attributes:
        hop_ms: from one window end to the next.
        budget: false alarms per 1,000 series and day.
        slot: window end, epoch ms -> hour of the week.
        last: the window end that was scored last, None before the first.
        open: int64 [S], window end at which the anomaly of a series was raised, -1 for none.
        told: int8 [S], kind that was told of it last.
        seq: int32 [S], lines told of it.
        sure: float32 [S], share of its values of late behind which enough stood.
        changes: int32 [S], values that differed from the one before.
        tune: number of series -> how they are scored; asked whenever there are others than before.
    """

    hop_ms: int
    budget: float
    slot: Callable[[int], int]
    tune: Callable[[int], Tuning] = Tuning.plain
    last: int | None = None
    n: int = 0
    open: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    told: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))
    seq: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    sure: Floats32 = field(default_factory=lambda: np.empty(0, np.float32))
    changes: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        """A detector without series."""
        self._detector = Detector(0, DetectorSettings.for_step(self.hop_ms), self.budget)
        self._room = self._detector.state
        self._over = REST * self._detector.settings.stretch
        self._tuned: Tuning | None = None

    @property
    def nbytes(self) -> int:
        """What the memory of the series takes, bytes."""
        return self._detector.state.nbytes

    def ensure(self, n: int) -> None:
        """Take in series up to a number of them."""
        more = n - self.n
        if more <= 0:
            return
        if n > self._room.series:
            room = max(n, int(self._room.series * _GROWTH), _LEAST_ROOM)
            self._room = self._detector.state.joined(DetectorState.empty(room - self.n))
        self._detector.state = self._room.part(0, n)
        self.open = np.concatenate((self.open, np.full(more, -1, np.int64)))
        self.told = np.concatenate((self.told, np.zeros(more, np.int8)))
        self.seq = np.concatenate((self.seq, np.zeros(more, np.int32)))
        self.sure = np.concatenate((self.sure, np.zeros(more, np.float32)))
        self.changes = np.concatenate((self.changes, np.zeros(more, np.int32)))
        self.n, self._tuned = n, None

    def keep(self, columns: Ints) -> None:
        """Forget all series but these, which are numbered anew in their order."""
        self._detector.state = self._room = self._detector.state.take(columns)
        for name in _TOLD:
            setattr(self, name, getattr(self, name)[columns])
        self.n, self._tuned = len(columns), None

    def advance(self, values: Values) -> Scored:
        """Score the windows of all ends, in their order; the rows may be in any.

        Columns must be known by `ensure`, and ``ends`` follow each other without a gap.
        """
        m = len(values.value)
        scored = Scored(np.zeros(m, np.float32), np.full(m, np.nan), np.full(m, np.nan), [])
        order = np.argsort(values.at, kind="stable")
        cuts = np.searchsorted(values.at[order], np.arange(len(values.ends) + 1))
        readings, surely = np.empty(self.n), values.surely
        if self._tuned is None or len(self._tuned.least) != self.n:
            self._tuned = self.tune(self.n)
        self._detector.weights = self._tuned.weights
        for i, end in enumerate(values.ends.tolist()):
            rows = order[cuts[i] : cuts[i + 1]]
            columns = values.column[rows]
            readings.fill(np.nan)
            readings[columns] = values.value[rows]
            verdicts = self._detector.update(readings, self.slot(end))
            little = np.abs(readings - verdicts.baseline) < self._tuned.least
            telling = self._enough(columns, surely[rows]) & self._lively(columns, verdicts) & ~little
            scored.score[rows] = verdicts.score[columns]
            scored.low[rows], scored.high[rows] = verdicts.low[columns], verdicts.high[columns]
            scored.marked.extend(self._mark(end, readings, verdicts, telling))
        if len(values.ends):
            self.last = int(values.ends[-1])
        return scored

    def _enough(self, columns: Ints, surely: Bools) -> Bools:
        """Of which series what this window shows may be told: bool [S].

        Behind a value enough must stand for a level; a silence is something where that is usually so, for
        windows that a case or two fall into now and then are empty by chance.
        """
        known = self._detector.state.count[columns]
        weight = 1.0 / np.clip(known, 1, self._detector.settings.alarming)
        self.sure[columns] += weight.astype(np.float32) * (surely - self.sure[columns])
        enough: Bools = self.sure >= _USUALLY
        enough[columns] = surely
        return enough

    def _lively(self, columns: Ints, verdicts: Verdicts) -> Bools:
        """Which series have changed often enough for what they show to be told: bool [S].

        As often as a series has to be read before its first alarm: equal values say nothing about how far
        the others go, so of what rests at a value (no call in most hours) any first change looks enormous.
        """
        settings = self._detector.settings
        self.changes[columns] += self._detector.state.run[columns] == 0
        found: Bools = (self.changes >= settings.alarming) | np.isin(verdicts.kind, _LASTING)
        return found

    def _mark(self, end: int, readings: Floats, verdicts: Verdicts, telling: Bools) -> Iterator[Marked]:
        """What is to be told at a window end, of series of which anything may be; remembers it."""
        raised = verdicts.alarm & (self.open < 0) & telling
        going = self.open >= 0
        if not (raised.any() or going.any()):
            return
        over = going & (self._detector.state.rest >= self._over)
        shifted = going & ~over & (verdicts.kind == Kind.LEVEL_SHIFT) & (self.told != Kind.LEVEL_SHIFT)
        column = np.flatnonzero(raised | over | shifted)
        if not column.size:
            return
        self.open[raised], self.seq[raised] = end, 0
        self.told[raised | shifted] = verdicts.kind[raised | shifted]
        step = np.where(raised, 0, np.where(over, 2, 1)).astype(np.int8)[column]
        some = Verdicts(**{f.name: getattr(verdicts, f.name)[column] for f in fields(Verdicts)})
        some.kind[:] = self.told[column]
        yield Marked(end, column, step, self.seq[column], self.open[column], readings[column], some)
        self.seq[column] += 1
        self.open[over] = -1

    def state(self) -> dict[str, Any]:
        """Everything but ``last`` as plain copied arrays."""
        told = {name: getattr(self, name).copy() for name in _TOLD}
        return {"detector": self._detector.arrays(), **told}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self._detector.restore(state["detector"])
        self._room = self._detector.state
        for name in _TOLD:
            setattr(self, name, state[name].copy())
        self.n = len(self.open)
