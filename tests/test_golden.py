"""Every golden case through the engine: in one batch, record by record in random order, over two lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from operator import itemgetter
from random import Random
from typing import TypeVar

import pytest

from tests.oracle.golden import Golden, golden_cases
from tests.oracle.recompute import RULES, recompute
from tests.oracle.records import DAY, HOUR, LOCAL, MINUTE, Reading, Transition, grid_code
from tests.oracle.settled import settle
from tests.oracle.wire_files import Row, Rows, Wire, replayed

R = TypeVar("R", Reading, Transition)

CASES = golden_cases()
EVENTS = {
    "traffic.incident_rate": ("ev_traffic_accident", "ev_road_breakdown"),
    "grid_cases.ontime_closure_rate": ("ev_grid_case",),
    "drainage.waterlogging_risk": ("ev_waterlogging",),
    "gas.leak_lel_max": ("ev_gas_leak",),
}
DATE = 19_907 * DAY - LOCAL
"""2024-07-03 00:00 local: all cases are moved to this day, so that one run can hold several."""

WAYS = {
    "one batch": (10**6, 1, False),
    "one record a batch, in random order": (1, 1, True),
    "two lanes": (1000, 2, False),
}


def ids(case: Golden) -> str:
    return f"{case.indicator}: {case.name}"


def inputs(case: Golden) -> set[str]:
    return {*RULES[case.indicator].metrics, *EVENTS.get(case.indicator, ())}


def groups() -> list[list[int]]:
    """Case numbers such that no two cases of a group read the same input: each may own a whole city."""
    found: list[list[int]] = []
    for i, case in enumerate(CASES):
        free = (g for g in found if not any(inputs(case) & inputs(CASES[j]) for j in g))
        group = next(free, None)
        if group is None:
            found.append(group := [])
        group.append(i)
    return found


GROUPS = groups()


class Town:
    """One case moved to its own district and to the common day; its cells lie in different streets."""

    def __init__(self, number: int) -> None:
        case = CASES[number]
        self.prefix = f"c{number}-"
        self.shift = DATE - (case.at + LOCAL) // DAY * DAY + LOCAL
        self.at = case.at + self.shift
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
    return Wire(
        places={AWAY: (113.001, 29.001)} | {k: v for town in towns for k, v in town.places.items()},
        readings=_by_arrival(readings, map(_beat, _ticks(readings, last)), shuffled=shuffled),
        transitions=_by_arrival(transitions, map(_note, _ticks(transitions, last)), shuffled=shuffled),
        listed=tuple(row for town in towns for row in town.listed),
    )


def _ticks(records: Sequence[Reading] | Sequence[Transition], last: int) -> list[int]:
    """Every 4 min from before each record until it must have come, and beyond the last window end."""
    around = {(r.ts + late) // BEAT for r in records for late in range(-BEAT, HOUR + BEAT, BEAT)}
    return [tick * BEAT for tick in sorted(around | {last // BEAT + 1, last // BEAT + 2})]


def _beat(ts: int) -> Reading:
    return Reading("clock", "device_heartbeat", 1.0, ts, AWAY)


def _note(ts: int) -> Transition:
    return Transition(f"clock-{ts}", "ev_manhole", "reported", ts, AWAY)


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
        return replayed(wire(towns, shuffled=shuffled), folder, batch_size, lanes)[0]

    return rows


def check(row: Row | None, value: float | None, level: int | None) -> None:
    if value is None:
        assert row is None or (row.value, row.status) == (None, "no_data")
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
        names = [codes[0]] if len(codes) == 1 < len(town.codes) else ["city", codes[0][:7]]
        for name in names:
            check(rows.get((case.indicator, name, town.at)), case.value[area], case.level.get(area))


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda i: ids(CASES[i]))
def test_the_oracle_agrees_after_the_move(number: int) -> None:
    case, town = CASES[number], Town(number)
    records = replace(case.records, readings=tuple(town.readings), transitions=tuple(town.transitions))
    records = replace(records, listed=tuple(town.listed), streets={c: c[:9] for c in town.places})
    answer = recompute(case.indicator, town.at, settle(records))
    largest = max(case.areas, key=lambda a: len(case.areas[a]))
    expected = case.value[largest]
    assert answer.value == (None if expected is None else pytest.approx(expected, abs=1e-6))
