"""Made-up truths and alerts, and a score that compares every alert with every event, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import polars as pl
from hypothesis import strategies as st

from sim.scoring.exposure import Exposure
from sim.scoring.files import ALERT_COLUMNS, TruthEvent
from sim.scoring.places import places
from sim.scoring.score import Score, score

MINUTE = 60_000
HOPS = {"gas.leak_lel_max": MINUTE, "air.aqi": 60 * MINUTE, "weather.rain_1h_max": 5 * MINUTE}
CELLS = ("N50H0513600", "N50H0513601", "N50H0513700", "N50H0613600")
"""Two in one street, a third in another street of their district, a fourth elsewhere."""


@dataclass(frozen=True)
class Alert:
    """An alert that was raised."""

    id: str
    indicator: str
    kind: str
    area: str
    raised: int
    known: int


def alert(
    cell: str = CELLS[0],
    raised: int = 0,
    indicator: str = "gas.leak_lel_max",
    kind: str = "cell",
    name: str = "a",
) -> Alert:
    """An alert on time, in an area of a cell."""
    return Alert(name, indicator, kind, area_of(cell, kind), raised, raised)


def event(
    start: int = 0,
    end: int = 10 * MINUTE,
    cells: Sequence[str] = CELLS[:1],
    indicators: Sequence[str] = ("gas.leak_lel_max",),
    scenario: str = "gas_leak",
    name: str = "e",
) -> TruthEvent:
    """An event."""
    return TruthEvent(name, scenario, tuple(indicators), tuple(cells), start, end, 3)


def area_of(cell: str, kind: str) -> str:
    """The area of a kind around a cell, without an area file."""
    return {"cell": cell, "street": cell[:9], "district": cell[:7], "city": "city"}[kind]


def table(alerts: Sequence[Alert]) -> pl.DataFrame:
    """Alerts as they are read from a file."""
    rows = [(a.id, a.indicator, a.kind, a.area, a.raised, a.known) for a in alerts]
    return pl.DataFrame(rows, schema=ALERT_COLUMNS, orient="row")


def scored(events: Sequence[TruthEvent], alerts: Sequence[Alert], exposure: Exposure | None = None) -> Score:
    """The score under test."""
    return score(events, places(events, table(alerts)), HOPS, exposure)


def finds(one: Alert, that: TruthEvent, hops: Mapping[str, int] = HOPS) -> bool:
    """The definition of the contract, read aloud."""
    if one.indicator not in that.indicators or not beside(one, that):
        return False
    return that.start <= one.raised <= that.end + 2 * hops[one.indicator]


def beside(one: Alert, that: TruthEvent) -> bool:
    return any(one.area == area_of(cell, one.kind) for cell in that.cells)


def verdict(one: Alert, events: Sequence[TruthEvent]) -> str:
    if any(finds(one, that) for that in events):
        return "true"
    near = (
        beside(one, that)
        and that.start <= one.raised <= that.end + 2 * max(HOPS[name] for name in that.indicators)
        for that in events
    )
    return "related" if any(near) else "false"


def plain(events: Sequence[TruthEvent], alerts: Sequence[Alert]) -> dict[str, object]:
    """The contract's object without the rate, computed pair by pair."""

    def part(some: Sequence[TruthEvent], true: int, false: int) -> dict[str, object]:
        known = {e.event_id: [a.known for a in alerts if finds(a, e)] for e in some}
        seconds = [(min(known[e.event_id]) - e.start) / 1000 for e in some if known[e.event_id]]
        return {
            "recall": len(seconds) / len(some) if some else None,
            "precision": true / (true + false) if true + false else None,
            "median_seconds_to_detect": median(seconds) if seconds else None,
        }

    verdicts = [verdict(a, events) for a in alerts]
    by_scenario = {}
    for name in sorted({e.scenario for e in events}):
        some = [e for e in events if e.scenario == name]
        named = {i for e in some for i in e.indicators}
        true = sum(any(finds(a, e) for e in some) for a in alerts)
        false = sum(v == "false" and a.indicator in named for a, v in zip(alerts, verdicts, strict=True))
        found = sum(any(finds(a, e) for a in alerts) for e in some)
        by_scenario[name] = {"events": len(some), "found": found} | part(some, true, false)
    return part(events, verdicts.count("true"), verdicts.count("false")) | {"by_scenario": by_scenario}


TIMES = st.integers(0, 40).map(lambda n: n * MINUTE)
INDICATORS = st.sampled_from(sorted(HOPS))


@st.composite
def alerts_of_a_day(draw: st.DrawFn, least: int = 0) -> list[Alert]:
    found = []
    for i in range(draw(st.integers(least, 12))):
        kind = draw(st.sampled_from(["cell", "street", "district", "city"]))
        raised = draw(TIMES)
        late = draw(st.sampled_from([0, 0, 7 * MINUTE]))
        area = area_of(draw(st.sampled_from(CELLS)), kind)
        found.append(Alert(f"a{i}", draw(INDICATORS), kind, area, raised, raised + late))
    return found


@st.composite
def events_of_a_day(draw: st.DrawFn) -> list[TruthEvent]:
    found = []
    for i in range(draw(st.integers(0, 5))):
        start = draw(TIMES)
        found.append(
            TruthEvent(
                f"e{i}",
                draw(st.sampled_from(["gas_leak", "rainstorm"])),
                tuple(draw(st.lists(INDICATORS, min_size=1, max_size=3))),
                tuple(draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3))),
                start,
                start + draw(TIMES),
                draw(st.integers(1, 4)),
            )
        )
    return found
