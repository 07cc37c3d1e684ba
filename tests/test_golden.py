"""Every golden case through the engine: in one batch, and in random order, bit by bit, over two lanes.

Those that only tell formulas from wrong ones are about formulas, not about the flow: they are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from operator import itemgetter
from random import Random
from typing import TypeVar

import pytest

from tests.oracle.golden import Golden, golden_cases
from tests.oracle.recompute import recompute
from tests.oracle.records import DAY, HOUR, LOCAL, MINUTE, Reading, Transition, grid_code
from tests.oracle.rules import specified
from tests.oracle.settled import settle
from tests.oracle.wire_files import Row, Rows, Wire, replayed

R = TypeVar("R", Reading, Transition)

CASES = [case for case in golden_cases() if not case.located and not case.telling]
FEW = 100
"""Records that are read one by one; of more, some together, to save time."""
MOST = 16
"""Cases of a run: some metrics must be left for its clocks."""
LOOKING_BACK = 30 * DAY
"""How long before its windows the clock of a city begins whose indicator compares with the past."""

DATE = 19_907 * DAY - LOCAL
"""2024-07-03 00:00 local: all cases are moved to this day, so that one run can hold several."""

WAYS = {
    "one batch": (10**6, 1, False),
    "record by record, in random order, over two lanes": (1, 2, True),
}


def ids(case: Golden) -> str:
    return f"{case.indicator}: {case.name}"


def inputs(case: Golden) -> set[str]:
    return set(specified()[case.indicator]["inputs"].split(";"))


def looks_back(case: Golden) -> bool:
    """Does the value depend on when the records began?"""
    past = any(name in specified()[case.indicator]["formula"] for name in ("robust_z", "zscore"))
    return past or case.records.since > 0


def groups() -> list[list[int]]:
    """Case numbers such that no two cases of a group read the same input: each may own a whole city."""
    found: list[list[int]] = []
    for i, case in enumerate(CASES):
        free = (g for g in found if len(g) < MOST and not any(_apart(case, CASES[j]) for j in g))
        group = next(free, None)
        if group is None:
            found.append(group := [])
        group.append(i)
    return found


def is_long(case: Golden) -> bool:
    """Does it take days of windows to come to the one asked for?"""
    stamps = [r.ts for r in case.records.readings] + [t.ts for t in case.records.transitions]
    return looks_back(case) or case.at - min(stamps) > 4 * DAY


def _apart(one: Golden, other: Golden) -> bool:
    return bool(inputs(one) & inputs(other)) or is_long(one) or is_long(other)


GROUPS = groups()
LENGTH = {"cell": 11, "street": 9}
"""Characters of an area's code."""


class Town:
    """One case moved to its own district and to the common day; its cells lie in different streets."""

    def __init__(self, number: int) -> None:
        case = CASES[number]
        self.prefix = f"c{number}-"
        self.shift = DATE - (case.at + LOCAL) // DAY * DAY + LOCAL
        self.at = case.at + self.shift
        self.since = case.records.since + self.shift if case.records.since > 0 else None
        self.looks_back = looks_back(case)
        self.inputs = inputs(case)
        self.lowest = specified()[case.indicator]["lowest"]
        self.codes, self.places = {}, {}
        for i, cell in enumerate(sorted(case.cells)):
            place = 114.0 + number * 0.25 + (2 * i + 1) / 60 + 0.001, 30.501
            self.codes[cell] = grid_code(*place)
            self.places[self.codes[cell]] = place
        self.readings = [self._moved(r) for r in case.records.readings]
        self.listed = [
            replace(row, sensor=self.prefix + row.sensor, cell=self.codes[row.cell])
            for row in case.records.listed
        ]
        self.transitions = self._cases(case.records.transitions)

    def _moved(self, r: Reading) -> Reading:
        return replace(r, sensor=self.prefix + r.sensor, ts=r.ts + self.shift, cell=self.codes[r.cell])

    def _cases(self, transitions: Sequence[Transition]) -> list[Transition]:
        """Coordinates stay on the first record of a case only."""
        seen: set[str] = set()
        moved = []
        for t in transitions:
            cell = None if t.case in seen or t.cell is None else self.codes[t.cell]
            seen.add(t.case)
            moved.append(replace(t, case=self.prefix + t.case, ts=t.ts + self.shift, cell=cell))
        return moved


BEAT = 4 * MINUTE
BURST = 10 * MINUTE

AWAY = grid_code(113.001, 29.001)
"""A cell where unrelated records keep the clocks of both files going (R6)."""


def wire(towns: Sequence[Town], *, shuffled: bool) -> Wire:
    last = max(town.at for town in towns)
    readings = [r for town in towns for r in town.readings]
    transitions = [t for town in towns for t in town.transitions]
    begin = _beginning(towns, [*(r.ts for r in readings), *(t.ts for t in transitions)])
    read = {code for town in towns for code in town.inputs}
    metric, kind = (
        _clock(
            read, "device_heartbeat", "ds_exchange_requests", "metro_load", "hydrant_pressure", "bin_fill"
        ),
        _clock(read, "ev_market_open", "ev_gov_service", "ev_safety_hazard"),
    )
    beats = [Reading("clock", metric, 1.0, ts, AWAY) for ts in begin + _ticks(readings, last)]
    notes = [
        Transition(f"clock-{ts}", kind, "reported", ts, AWAY) for ts in begin + _ticks(transitions, last)
    ]
    return Wire(
        places={AWAY: (113.001, 29.001)} | {k: v for town in towns for k, v in town.places.items()},
        readings=_by_arrival(readings, beats, shuffled=shuffled),
        transitions=_by_arrival(transitions, notes, shuffled=shuffled),
        listed=tuple(row for town in towns for row in town.listed),
    )


def _beginning(towns: Sequence[Town], stamps: Sequence[int]) -> list[int]:
    """When the clocks begin, where that matters; six records, for the first leap must be believed (R6)."""
    if not any(town.looks_back for town in towns):
        return []
    early = min(min(stamps) - 2 * DAY, towns[0].at - LOOKING_BACK)
    since = next((town.since for town in towns if town.since), early)
    return [since + 10_000 + i for i in range(6)]


def _ticks(records: Sequence[Reading] | Sequence[Transition], last: int) -> list[int]:
    """Every 4 min from before each record until it must have come, and beyond the last window end."""
    around = {(r.ts + late) // BEAT for r in records for late in range(-BEAT, HOUR + BEAT, BEAT)}
    return [tick * BEAT for tick in sorted(around | {last // BEAT + 1, last // BEAT + 2})]


def _clock(read: set[str], *codes: str) -> str:
    """A metric or case type that no case reads."""
    return next(code for code in codes if code not in read)


def _by_arrival(records: Sequence[R], clock: Iterable[R], *, shuffled: bool) -> tuple[R, ...]:
    """In time order; or up to 55 min late, which every metric allows (R4), in bursts of random order."""
    r = Random(20_240_703)  # noqa: S311 (not for secrets)

    def arrival(ts: int) -> int:
        return -(-(ts + r.randrange(45 * MINUTE)) // BURST) * BURST if shuffled else ts

    late = [(arrival(x.ts), r.random() if shuffled else i, x) for i, x in enumerate(records, 1)]
    late += [(x.ts, 0, x) for x in clock]
    return tuple(x for _, _, x in sorted(late, key=itemgetter(0, 1)))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, str], Rows]:
    """The engine's table for a group of cases, computed once for each way."""

    @cache
    def rows(group: int, way: str) -> Rows:
        batch_size, lanes, shuffled = WAYS[way]
        towns = [Town(i) for i in GROUPS[group]]
        folder = tmp_path_factory.mktemp("golden")
        records = wire(towns, shuffled=shuffled)
        many = len(records.readings) + len(records.transitions) > FEW
        return replayed(records, folder, 25 * batch_size if many else batch_size, lanes)[0]

    return rows


def check(row: Row | None, value: float | None, level: int | None) -> None:
    if value is None:
        assert row is None or (row.value, row.status in {"no_data", "warming_up"}) == (None, True)
        return
    assert row is not None, "no row"
    assert row.value == pytest.approx(value, abs=1e-6)
    assert level is None or row.level == level


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda i: ids(CASES[i]))
def test_the_engine_passes_the_golden_case(number: int, way: str, table: Callable[[int, str], Rows]) -> None:
    case, town = CASES[number], Town(number)
    rows = table(next(g for g, members in enumerate(GROUPS) if number in members), way)
    for area, cells in case.areas.items():
        codes = [town.codes[cell] for cell in sorted(cells)]
        own = codes[0][: LENGTH[town.lowest]]
        names = [own] if len(codes) == 1 < len(town.codes) else ["city", codes[0][:7]]
        if case.indicator == "data_quality.accuracy_rate":
            names.remove("city")  # where the engine checks the clock's readings, too
        for name in names:
            check(rows.get((case.indicator, name, town.at)), case.value[area], case.level.get(area))


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda i: ids(CASES[i]))
def test_the_oracle_agrees_after_the_move(number: int) -> None:
    case, town = CASES[number], Town(number)
    records = replace(case.records, readings=tuple(town.readings), transitions=tuple(town.transitions))
    since = town.since or records.since
    streets = {c: c[:9] for c in town.places}
    records = replace(records, listed=tuple(town.listed), streets=streets, since=since)
    answer = recompute(case.indicator, town.at, settle(records))
    largest = max(case.areas, key=lambda a: len(case.areas[a]))
    expected = case.value[largest]
    assert answer.value == (None if expected is None else pytest.approx(expected, abs=1e-6))
