"""Alerts and incidents as counters, histograms and gauges: how many, how fast, how many are open.

("city", [Transition]) ─┐
("city", [Incident]) ───┴▶ AlertFigures ─▶ families, when scraped
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from alerts.incident import Incident
from alerts.transitions import Transition
from sinks.prometheus import Family, Histogram, Sample

LATENCY_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
AGE_BOUNDS = (1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
Open = dict[str, tuple[str, int]]
"""Open incidents: id -> district, level."""

_COUNTED = frozenset({"raised", "escalated"})


@dataclass(slots=True)
class AlertFigures:
    """What is counted of alerts and incidents.

    Attributes:
        themes: theme of each indicator.
        decidable: event time (ms) at which a transition was decided, and whether early -> when the record
            that made it so came (seconds since 1970), None where that is not known.
        now: event time that counts as now, seconds.
        wall: the machine's time, seconds.
    """

    themes: Mapping[str, str]
    decidable: Callable[[int, bool], float | None] = lambda _at, _early: None
    now: Callable[[], float] = time.time
    wall: Callable[[], float] = time.time
    alerts: Counter[tuple[str, int]] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=lambda: Histogram(LATENCY_BOUNDS))
    age: Histogram = field(default_factory=lambda: Histogram(AGE_BOUNDS))
    open: Open = field(default_factory=dict)

    def take(self, transitions: Iterable[Transition]) -> None:
        """Count those that raise a level, and how long they took."""
        for one in transitions:
            if one.transition not in _COUNTED:
                continue
            self.alerts[self.themes.get(one.indicator, ""), one.level] += 1
            self.age.observe(max(self.now() - one.window_end / 1000, 0.0))
            came = self.decidable(one.decided_ts, one.early)
            if came is not None:
                self.latency.observe(max(self.wall() - came, 0.0))

    def follow(self, incidents: Iterable[Incident]) -> None:
        """Remember which incidents are open: their alert stands, or work on them has begun and not ended."""
        for one in incidents:
            if one.open and (one.alarm == "active" or one.status != "raised"):
                self.open[one.incident_id] = one.district, one.level
            else:
                self.open.pop(one.incident_id, None)

    def families(self) -> Iterator[Family]:
        """What a scrape gets."""
        raised = [Sample((theme, str(level)), n) for (theme, level), n in list(self.alerts.items())]
        yield Family(
            "yiwang_alerts_total",
            "counter",
            "Alerts raised or escalated to a level, by theme.",
            ("theme", "level"),
            raised,
        )
        yield Family(
            "yiwang_alert_latency_seconds",
            "histogram",
            "From the arrival of the record that made an alert certain to its place in the queue.",
            spreads=[self.latency.spread(())],
        )
        yield Family(
            "yiwang_alert_age_seconds",
            "histogram",
            "From the event time of an alert, the end of its window, to its place in the queue.",
            spreads=[self.age.spread(())],
        )
        counts = Counter(list(self.open.values()))
        yield Family(
            "yiwang_incidents_open",
            "gauge",
            "Incidents that are open, by district and level: their alert stands, or work on them has begun.",
            ("district", "level"),
            [Sample((district, str(level)), n) for (district, level), n in counts.items()],
        )

    def state(self) -> dict[str, Any]:
        """What is counted of alerts, as plain data."""
        return {
            "alerts": dict(self.alerts),
            "latency": (list(self.latency.counts), self.latency.sum),
            "age": (list(self.age.counts), self.age.sum),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a ``state()``."""
        self.alerts = Counter(state["alerts"])
        self.latency = Histogram(LATENCY_BOUNDS, *state["latency"])
        self.age = Histogram(AGE_BOUNDS, *state["age"])


class _AlertPart(StatefulSinkPartition[Sequence[Transition], dict[str, Any]]):
    def __init__(self, figures: AlertFigures) -> None:
        self._figures = figures

    def write_batch(self, values: list[Sequence[Transition]]) -> None:
        for transitions in values:
            self._figures.take(transitions)

    def snapshot(self) -> dict[str, Any]:
        return self._figures.state()


class AlertCounter(FixedPartitionedSink[Sequence[Transition], dict[str, Any]]):
    """Sink of transitions into `AlertFigures`; put it behind the queue, so that it sees what is queued."""

    def __init__(self, figures: AlertFigures) -> None:
        self._figures = figures

    def list_parts(self) -> list[str]:
        """The one part."""
        return ["city"]

    def build_part(self, step_id: str, for_part: str, resume_state: dict[str, Any] | None) -> _AlertPart:
        """The part; a snapshot's counts go on."""
        del step_id, for_part
        if resume_state is not None:
            self._figures.restore(resume_state)
        return _AlertPart(self._figures)


class _IncidentPart(StatefulSinkPartition[Sequence[Incident], Open]):
    def __init__(self, figures: AlertFigures) -> None:
        self._figures = figures

    def write_batch(self, values: list[Sequence[Incident]]) -> None:
        for incidents in values:
            self._figures.follow(incidents)

    def snapshot(self) -> Open:
        return dict(self._figures.open)


class IncidentGauge(FixedPartitionedSink[Sequence[Incident], Open]):
    """Sink of incidents into `AlertFigures`."""

    def __init__(self, figures: AlertFigures) -> None:
        self._figures = figures

    def list_parts(self) -> list[str]:
        """The one part."""
        return ["city"]

    def build_part(self, step_id: str, for_part: str, resume_state: Open | None) -> _IncidentPart:
        """The part, with what a snapshot says is open."""
        del step_id, for_part
        self._figures.open.update(resume_state or {})
        return _IncidentPart(self._figures)


class Refused(Protocol):
    """A record that was refused, where it came from, and why."""

    @property
    def source(self) -> str:
        """Name of the input."""

    @property
    def partition(self) -> int:
        """Its partition."""

    @property
    def reason(self) -> str:
        """Reason of the wire contract."""


Place = tuple[str, int]
"""A source and the number of a partition in it."""

BAD_TRANSITION = "bad_transition"
"""The one reason that no door knows of: feedback that its incident refused."""


@dataclass(slots=True)
class Refusals:
    """Feedback that a door accepted and its incident refused, by source and partition."""

    counts: Counter[tuple[str, int]] = field(default_factory=Counter)


class _RefusalPart(StatefulSinkPartition[Sequence[Refused], dict[Place, int]]):
    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def write_batch(self, values: list[Sequence[Refused]]) -> None:
        refused = (one for records in values for one in records if one.reason == BAD_TRANSITION)
        self._refusals.counts.update((one.source, one.partition) for one in refused)

    def snapshot(self) -> dict[Place, int]:
        return dict(self._refusals.counts)


class RefusalCounter(FixedPartitionedSink[Sequence[Refused], dict[Place, int]]):
    """Sink of rejects into `Refusals`."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def list_parts(self) -> list[str]:
        """The one part."""
        return ["city"]

    def build_part(self, step_id: str, for_part: str, resume_state: dict[Place, int] | None) -> _RefusalPart:
        """The part; a snapshot's counts go on."""
        del step_id, for_part
        self._refusals.counts.update(resume_state or {})
        return _RefusalPart(self._refusals)
