"""Scores of what one part of the flow publishes: frames and clocks in, scored frames and anomalies out.

A window's first value is scored when the part has closed all windows up to its end, whether there is a value
or not; what corrections say of it later changes no score. Windows are taken in the order of their ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.anomalies import Anomaly, AnomalyKind, Step, anomaly_id, digits
from flows.batches import Ints
from flows.city import City
from flows.control.change import Change
from flows.control.editions import Editions
from flows.pieces import BEFORE, Moves
from flows.scores.journal import Journal
from flows.scores.roster import Roster
from flows.scores.series import Marked, Scored, SeriesScores, Tuning, Values
from flows.scores.settings import ScoreSettings
from flows.stages.sensor_readings import SENSOR, steps_of
from indicators.detector_kinds import Kind
from indicators.detector_settings import MODELS
from indicators.entry import Entry
from indicators.indicator import Indicator
from sinks.area_names import AreaNames
from sinks.table_file import KINDS, ValueFrame

_STEPS: tuple[Step, ...] = ("raised", "changed", "cleared")
_KINDS: dict[int, AnomalyKind] = {
    Kind.NORMAL: "normal",
    Kind.SPIKE: "spike",
    Kind.LEVEL_SHIFT: "level_shift",
    Kind.DRIFT: "drift",
    Kind.FLAT_LINE: "flat_line",
    Kind.SILENCE: "silence",
    Kind.NOISE_BURST: "noise_burst",
    Kind.SEASONAL: "seasonal",
}

_OF_SENSORS = (-1,)
"""In place of the coarser steps: series are sensors."""

Beat = tuple[int, tuple[int, ...]]
"""When windows end: the hop, and steps at which their records take effect where those are coarser."""


@dataclass
class _Group:
    """The series that end together: who they are, their scores, what those are recovered from."""

    scores: SeriesScores
    roster: Roster = field(default_factory=Roster)
    journal: Journal | None = None


@dataclass(frozen=True, slots=True)
class ScoredPiece:
    """The frames that came, with scores, and the anomalies in them by window end."""

    frames: list[ValueFrame]
    anomalies: list[Anomaly]


class ScoreLane:
    """The logic of one part, free of the engine."""

    def __init__(self, city: City, settings: ScoreSettings, *, journal: bool = False) -> None:
        """No series yet; with a ``journal`` the scores can be recovered."""
        self.city = city
        self.editions: Editions | None = None
        self.change: Change | None = None
        self.groups: dict[Beat, _Group] = {}
        self._settings = settings
        self._journal = journal
        self._slot = settings.clock(city.calendar.tz).at
        self._names = AreaNames()
        self._sensors: dict[str, AreaNames] = {}
        self._steps = steps_of(city) if settings.sensors else {}
        self._queued: list[ValueFrame] = []
        self._due = BEFORE
        """Before this instant no window ends."""

    def take(self, pieces: Iterable[ValueFrame | Moves]) -> list[ScoredPiece]:
        """Take frames in their order; score them when it is said that their windows are closed."""
        done = []
        for piece in pieces:
            if isinstance(piece, ValueFrame):
                self._queued.append(piece)
            else:
                ended = [] if piece.change is None else self._become(piece.change)
                clock = piece.clock
                frames, anomalies = self._score(min(clock.watermark, clock.limit))
                done.append(ScoredPiece(frames, ended + anomalies))
        return done

    # -- changes -------------------------------------------------------------------------------------

    def _become(self, change: Change) -> list[Anomaly]:
        """Go on with what a change has put in force; series of other indicators than before end."""
        before = self._meanings()
        self._adopt(change)
        now = self._meanings()
        same = {name for name, meaning in now.items() if before.get(name) == meaning}
        ended = []
        for beat, group in self.groups.items():
            if beat[1] == _OF_SENSORS:
                continue
            stays = group.roster.of(same)
            over = np.flatnonzero(~stays & (group.scores.open >= 0))
            ended += [self._ended(group, column, change.effective) for column in over.tolist()]
            if not stays.all():
                kept = np.flatnonzero(stays)
                group.scores.keep(kept)
                group.roster.keep(kept)
                if group.journal is not None:
                    group.journal.renew()
        return ended

    def _adopt(self, change: Change) -> None:
        if self.editions is None:
            raise RuntimeError(f"change {change.number} came to a run without control")
        self.change, self.city, self._due = change, self.editions.city(change), BEFORE

    def _meanings(self) -> dict[str, tuple[Any, ...]]:
        """What the values of each scored indicator mean: series whose meaning changes begin anew."""
        plans = self.city.plan.indicators
        return {
            p.indicator.id: (self.city.beat(p), *_meaning(p.indicator))
            for p in plans
            if p.indicator.entry.anomaly != "none"
        }

    def _ended(self, group: _Group, column: int, at: int) -> Anomaly:
        scores, roster = group.scores, group.roster
        (indicator,), row = roster.who(np.array([column])), int(roster.row[column])
        (area, kind), started = self._place(indicator, row), int(scores.open[column])
        return Anomaly(
            anomaly_id=anomaly_id(indicator, area, started),
            seq=int(scores.seq[column]),
            transition="cleared",
            indicator=indicator,
            area=area,
            kind=kind,
            anomaly=_KINDS[int(scores.told[column])],
            score=0.0,
            p=1.0,
            value=None,
            baseline=None,
            low=None,
            high=None,
            started=started,
            window_end=at,
            catalogue_hash=self.city.plan.catalogue.hash,
        )

    # -- scoring -------------------------------------------------------------------------------------

    def _score(self, until: int) -> tuple[list[ValueFrame], list[Anomaly]]:
        """Score all windows up to an instant."""
        frames, self._queued = self._queued, []
        if not frames and until < self._due:
            return [], []
        self._due = self._next_end(until)
        self._learn(frames)
        by_indicator: dict[str, list[int]] = {}
        for i, frame in enumerate(frames):
            if len(frame):
                by_indicator.setdefault(frame.indicator, []).append(i)
        anomalies: list[Anomaly] = []
        for beat, reached, indicators in self._beats(until):
            own = [i for name in indicators for i in by_indicator.get(name, [])]
            group = self._group(beat)
            found = self._values(group, [frames[i] for i in own], reached)
            if found is None:
                continue
            rows, values = found
            scored = self._advance(group, values)
            for i, frame in _with_scores([frames[i] for i in own], rows, scored, own):
                frames[i] = frame
            anomalies += [one for marked in scored.marked for one in self._told(group, marked)]
        published = [frame for frame in frames if not _of_sensors(frame)]
        return published, sorted(anomalies, key=lambda one: one.window_end)

    def _next_end(self, closed: int) -> int:
        """When the next window ends, once all up to an instant are closed; the instant itself: unknown."""
        due, steps = self.city.due(closed), set(self._steps.values())
        ends = (self.city.calendar.next_end(closed, step) for step in steps)
        return due if due == closed else min([due, *ends])

    def _learn(self, frames: list[ValueFrame]) -> None:
        """Remember what areas and sensors are called."""
        self._names.learn(frame for frame in frames if not _of_sensors(frame))
        for frame in frames:
            if _of_sensors(frame):
                self._sensors.setdefault(frame.indicator, AreaNames()).learn([frame])

    def _place(self, indicator: str, row: int) -> tuple[str, str]:
        """Id and kind of an area, or of the sensor of a series."""
        if indicator in self._sensors:
            return self._sensors[indicator].text(row), "sensor"
        return self._names.text(row), KINDS[self._names.kind[row]]

    def _beats(self, until: int) -> Iterable[tuple[Beat, int, list[str]]]:
        """Which indicators end together, and up to when their windows are closed."""
        together: dict[Beat, tuple[int, list[str]]] = {}
        for plan in self.city.plan.indicators:
            if plan.indicator.entry.anomaly != "none":
                reached = self.city.reached(plan, until)
                together.setdefault(self.city.beat(plan), (reached, []))[1].append(plan.indicator.id)
        for code, step in self._steps.items():
            together.setdefault((step, _OF_SENSORS), (until, []))[1].append(code)
        return [(beat, reached, names) for beat, (reached, names) in together.items()]

    def _group(self, beat: Beat) -> _Group:
        if beat not in self.groups:
            roster = Roster()
            tune = partial(self._tuning, roster)
            scores = SeriesScores(beat[0], self._settings.budget, lambda end: self._slot(end - 1), tune)
            self.groups[beat] = _Group(scores, roster, Journal(scores) if self._journal else None)
        return self.groups[beat]

    def _tuning(self, roster: Roster, n: int) -> Tuning:
        """How the series of a roster are scored, as the catalogue says."""
        entries = [self._entries.get(name) for name in roster.indicators]
        views = np.array(
            [MODELS.get(e.anomaly if e else "", MODELS["seasonal"]) for e in entries], np.float32
        )
        least = np.array([e.anomaly_least if e else 0.0 for e in entries])
        of = roster.indicator[:n]
        return Tuning(np.ascontiguousarray(views[of].T), least[of]) if entries else Tuning.plain(n)

    @property
    def _entries(self) -> dict[str, Entry]:
        return {p.indicator.id: p.indicator.entry for p in self.city.plan.indicators}

    def _values(self, group: _Group, frames: list[ValueFrame], reached: int) -> tuple[Ints, Values] | None:
        """First values of windows; their places in the frames, one after the other. None: nothing to do."""
        value = np.concatenate([np.empty(0), *(f.value for f in frames)])
        ends = _column(frames, "window_end")
        first = np.flatnonzero((_column(frames, "revision") == 0) & np.isfinite(value))
        after = group.scores.last
        if after is None:
            if not first.size:
                return None
            after = int(ends[first].min()) - 1
        first = first[ends[first] > after]
        column = np.full(len(value), -1, np.int64)
        begin = 0
        for frame in frames:
            own = first[(first >= begin) & (first < begin + len(frame))]
            if frame.row is None:
                raise ValueError(f"a frame of {frame.indicator} does not number its areas")
            column[own] = group.roster.columns(frame.indicator, frame.row[own - begin])
            begin += len(frame)
        due = self.city.calendar.ends(after, reached, group.scores.hop_ms)
        at = np.searchsorted(due, ends[first])
        sure = np.concatenate([np.empty(0, np.bool_), *map(_sure, frames)])
        return first, Values(due, at, column[first], value[first], sure[first])

    def _advance(self, group: _Group, values: Values) -> Scored:
        group.scores.ensure(len(group.roster))
        if group.journal is not None and len(values.ends):
            group.journal.note(values)
        return group.scores.advance(values)

    def _told(self, group: _Group, marked: Marked) -> Iterable[Anomaly]:
        verdicts, rows = marked.verdicts, group.roster.row[marked.column]
        catalogue = self.city.plan.catalogue.hash
        for i, indicator in enumerate(group.roster.who(marked.column)):
            (area, kind), started = self._place(indicator, int(rows[i])), int(marked.started[i])
            yield Anomaly(
                anomaly_id=anomaly_id(indicator, area, started),
                seq=int(marked.seq[i]),
                transition=_STEPS[marked.step[i]],
                indicator=indicator,
                area=area,
                kind=kind,
                anomaly=_KINDS.get(int(verdicts.kind[i]), "normal"),
                score=digits(verdicts.score[i]) or 0.0,
                p=digits(verdicts.probability[i]) or 0.0,
                value=digits(marked.value[i], 12),
                baseline=digits(verdicts.baseline[i]),
                low=digits(verdicts.low[i]),
                high=digits(verdicts.high[i]),
                started=started,
                window_end=marked.end,
                catalogue_hash=catalogue,
            )

    # -- snapshots -----------------------------------------------------------------------------------

    def journals(self) -> dict[int, Journal]:
        """What goes to the cold store, by lasting numbers."""
        found = (group.journal for group in self.groups.values())
        return {number: journal for number, journal in enumerate(found) if journal is not None}

    def turn(self) -> None:
        """Before a snapshot: let every journal lay out what is to be written."""
        for journal in self.journals().values():
            journal.turn()

    def state(self) -> dict[str, Any]:
        """The hot part as plain copied data; the memory of the series is in the journals."""
        return {
            "change": self.change,
            "names": self._names.state(),
            "sensors": {code: names.state() for code, names in self._sensors.items()},
            "queued": list(self._queued),
            "groups": [
                (beat, group.scores.last, group.roster.state()) for beat, group in self.groups.items()
            ],
            "blobs": sum(len(journal.kept) for journal in self.journals().values()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``; `recover` brings the scores there, once the journals are filled."""
        if state["change"] is not None:
            self._adopt(state["change"])
        self._names.restore(state["names"])
        for code, names in state.get("sensors", {}).items():
            self._sensors.setdefault(code, AreaNames()).restore(names)
        self._queued = list(state["queued"])
        for beat, last, roster in state["groups"]:
            group = self._group(beat)
            group.scores.last = last
            group.roster.restore(roster)

    def recover(self) -> None:
        """Bring all scores to where they were."""
        for group in self.groups.values():
            if group.journal is not None:
                group.journal.recover(len(group.roster))


def _of_sensors(frame: ValueFrame) -> bool:
    return isinstance(frame.kind, int) and frame.kind == SENSOR


def _meaning(indicator: Indicator) -> tuple[Any, ...]:
    entry = indicator.entry
    rules: tuple[Any, ...] = (indicator.lowest, indicator.merge, indicator.min_coverage, entry.unit)
    rules += (entry.anomaly, entry.anomaly_least)
    return repr(indicator.formula.value), indicator.window_ms, indicator.hop_ms, rules


def _sure(frame: ValueFrame) -> NDArray[np.bool_]:
    return np.ones(len(frame), np.bool_) if frame.sure is None else frame.sure


def _column(frames: list[ValueFrame], name: str) -> Ints:
    parts = [np.broadcast_to(np.asarray(getattr(f, name), np.int64), len(f)) for f in frames]
    return np.concatenate([np.empty(0, np.int64), *parts])


def _with_scores(
    frames: list[ValueFrame], rows: Ints, scored: Scored, numbers: list[int]
) -> Iterable[tuple[int, ValueFrame]]:
    """The frames, by their numbers, with the scores of some of their rows, NaN for the others."""
    size = sum(len(f) for f in frames)
    columns = [np.full(size, np.nan) for _ in range(3)]
    for column, found in zip(columns, (scored.score, scored.low, scored.high), strict=True):
        column[rows] = found
    begin = 0
    for number, frame in zip(numbers, frames, strict=True):
        score, low, high = (column[begin : begin + len(frame)] for column in columns)
        yield number, replace(frame, score=score, low=low, high=high)
        begin += len(frame)
