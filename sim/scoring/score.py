"""How well alerts tell of events: (events, alerts, their places) → recall, precision, seconds to detect.

An event is **found** by an alert of one of its indicators, raised in one of its cells or in an area that
holds one, from its start to its end + 2 hops of that indicator, both included. Every alert is one of three:

- **true**: it finds an event;
- **related**: of another indicator, but in the cells or areas of an event and not later than 2 of the
  longest hops of its indicators after it. Rain that floods a road also slows the buses: such an alert is no
  proof that the event was found, and no error either, so it counts neither for nor against precision;
- **false**: all others.

Recall is found ÷ all events, precision true ÷ (true + false) alerts; a ratio without denominator is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from sim.scoring.exposure import Exposure
from sim.scoring.files import TruthEvent
from sim.scoring.matches import NEVER, Matches
from sim.scoring.places import Places

Int64s = npt.NDArray[np.int64]

GRACE_HOPS = 2
"""Hops after its end in which an event may still be found: the windows that still hold it have to close."""


@dataclass(frozen=True, slots=True)
class Part:
    """The score of one scenario, or of all.

    ``median_seconds`` is from start to the event time at which the first alert could be known, over found
    events. ``false`` of a scenario are the false alerts of the indicators its events name.
    """

    events: int
    found: int
    true: int
    false: int
    median_seconds: float | None

    @property
    def recall(self) -> float | None:
        """Found ÷ all events."""
        return self.found / self.events if self.events else None

    @property
    def precision(self) -> float | None:
        """True ÷ (true + false) alerts."""
        counted = self.true + self.false
        return self.true / counted if counted else None


@dataclass(frozen=True, slots=True)
class Score:
    """What came out, with what each event and alert turned out to be.

    Attributes:
        total: over all events and alerts.
        by_scenario: the same by scenario, sorted.
        found_ms: int64 [events], event time at which each was known; `NEVER` where it was not found.
        alerts: columns of `ALERT_COLUMNS` and ``verdict``: "true", "related" or "false".
        false_rate: false alerts per 1,000 cells and day; None if it is not known what was watched.
    """

    total: Part
    by_scenario: dict[str, Part]
    found_ms: Int64s
    alerts: pl.DataFrame
    false_rate: float | None

    def count(self, verdict: str) -> int:
        """Alerts of a verdict."""
        return self.alerts.filter(verdict=verdict).height

    def as_json(self) -> dict[str, Any]:
        """The contract's object (C-2.5)."""
        return {
            "recall": self.total.recall,
            "precision": self.total.precision,
            "median_seconds_to_detect": self.total.median_seconds,
            "false_per_1000_cells_day": self.false_rate,
            "by_scenario": {name: _scenario_json(part) for name, part in self.by_scenario.items()},
        }


def _scenario_json(part: Part) -> dict[str, Any]:
    return {
        "events": part.events,
        "found": part.found,
        "recall": part.recall,
        "precision": part.precision,
        "median_seconds_to_detect": part.median_seconds,
    }


def score(
    events: Sequence[TruthEvent],
    where: Places,
    hops: Mapping[str, int],
    exposure: Exposure | None = None,
) -> Score:
    """Compare alerts with events.

    Args:
        events: what happened.
        where: the places of these events, and the alerts.
        hops: indicator → hop in ms; needed for every indicator of an event that has alerts.
        exposure: what was watched, if known.

    Raises:
        KeyError: an indicator of an event has alerts but no hop.

    >>> from sim.scoring.files import ALERT_COLUMNS
    >>> from sim.scoring.places import places
    >>> event = TruthEvent("e1", "gas_leak", ("gas.leak_lel_max",), ("N50H0513600",), 0, 60_000)
    >>> raised = [("a1", "gas.leak_lel_max", "cell", "N50H0513600", 30_000, 30_000),
    ...     ("a2", "gas.leak_lel_max", "cell", "N50H0513601", 30_000, 30_000)]
    >>> alerts = pl.DataFrame(raised, schema=ALERT_COLUMNS, orient="row")
    >>> score([event], places([event], alerts), {"gas.leak_lel_max": 60_000}).as_json()["by_scenario"]
    {'gas_leak': {'events': 1, 'found': 1, 'recall': 1.0, 'precision': 0.5, 'median_seconds_to_detect': 30.0}}
    """
    own = _own_windows(events, where, hops)
    found = Matches.of(own, where.alerts, ["indicator", "kind", "area"])
    around = own.group_by("event", "kind", "area").agg(pl.col("begin").min(), pl.col("until").max())
    near = Matches.of(around, where.alerts, ["kind", "area"]).alerts()
    true = found.alerts()
    verdict = np.where(true, "true", np.where(near, "related", "false"))
    alerts = where.alerts.with_columns(verdict=pl.Series(verdict, dtype=pl.String))
    found_ms = found.first_known(len(events))
    false = alerts.filter(verdict="false")
    total = _part(events, found_ms, int(true.sum()), false.height)
    parts = _parts(events, found, found_ms, false["indicator"])
    rate = exposure.rate(false.height) if exposure else None
    return Score(total, parts, found_ms, alerts, rate)


def _parts(
    events: Sequence[TruthEvent], found: Matches, found_ms: Int64s, false: pl.Series
) -> dict[str, Part]:
    parts = {}
    for name in sorted({event.scenario for event in events}):
        rows = np.array([i for i, event in enumerate(events) if event.scenario == name], dtype=np.int64)
        of_it = [events[i] for i in rows.tolist()]
        named = {indicator for event in of_it for indicator in event.indicators}
        wrong = int(false.is_in(list(named)).sum())
        parts[name] = _part(of_it, found_ms[rows], int(found.alerts(rows).sum()), wrong)
    return parts


def _part(events: Sequence[TruthEvent], found_ms: Int64s, true: int, false: int) -> Part:
    starts = np.array([event.start for event in events], dtype=np.int64)
    found = found_ms < NEVER
    median = float(np.median(found_ms[found] - starts[found])) / 1000 if found.any() else None
    return Part(len(events), int(found.sum()), true, false, median)


def _own_windows(events: Sequence[TruthEvent], where: Places, hops: Mapping[str, int]) -> pl.DataFrame:
    """event, indicator, kind, area, begin, until: which alerts find which event."""
    alerting = set(where.alerts["indicator"].unique())
    rows = [
        (
            number,
            name,
            event.start,
            event.end + GRACE_HOPS * (hops[name] if name in alerting else hops.get(name, 0)),
        )
        for number, event in enumerate(events)
        for name in dict.fromkeys(event.indicators)
    ]
    schema = {"event": pl.Int64, "indicator": pl.String, "begin": pl.Int64, "until": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").join(where.of_events, on="event")
