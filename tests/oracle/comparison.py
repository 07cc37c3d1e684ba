"""The engine's table beside the oracle's, row by row, for cities on the cells of ``oracle.cities``."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.oracle.area import Area, Cells
from tests.oracle.cities import CELLS, City
from tests.oracle.recompute import RULES, Answer, recompute
from tests.oracle.records import LOCAL
from tests.oracle.settled import Settled, settle
from tests.oracle.wire_files import Row, Rows, replayed

KIND_BY_LENGTH = {7: "district", 9: "street", 11: "cell"}
AREAS: Mapping[str, Cells | None] = {"city": None} | {
    cell[:size]: frozenset(c for c in CELLS if c.startswith(cell[:size]))
    for cell in CELLS
    for size in KIND_BY_LENGTH
}


def ends(indicator: str, first: int, last: int) -> range:
    """Window ends of an indicator: whole hops since local midnight (R1)."""
    hop = RULES[indicator].hop
    return range(-(-(first + LOCAL) // hop) * hop - LOCAL, last + 1, hop)


def areas_of(indicator: str) -> Iterator[tuple[str, Cells | None]]:
    """Areas in which the indicator has a value."""
    street = RULES[indicator].lowest == "street"
    return ((a, cells) for a, cells in AREAS.items() if not (street and len(a) == 11))


def row_is_due(city: Settled, indicator: str, cells: Cells | None, end: int) -> bool:
    """Has the area had an input of an indicator that is zero, not null, without one (R13)?"""
    rule = RULES[indicator]
    if not rule.zero:
        return True
    area = Area(city, cells, end, rule.window)
    cases = (c for kind in rule.zero for c in area.cases(kind))
    return bool(area.known(*rule.metrics)) or any(c.transitions[0].ts <= end for c in cases)


def difference(row: Row | None, answer: Answer, *, due: bool) -> str | None:
    """What is wrong with a row of the engine's, None when nothing is."""
    if row is None or row.value is None:
        return f"no value, expected {answer}" if due and answer.value is not None else None
    if answer.value is None or not math.isclose(row.value, answer.value, rel_tol=1e-9, abs_tol=1e-9):
        return f"{row} instead of {answer}"
    coverage = row.coverage is not None and math.isclose(row.coverage, answer.coverage, abs_tol=1e-6)
    return None if row.n == answer.n and coverage else f"{row} instead of {answer}"


def differences(city: City, rows: Rows) -> Iterator[str]:
    """Every disagreement between the engine's table and the oracle, both ways."""
    settled = settle(city.records)
    expected = {
        (indicator, area, end): row_is_due(settled, indicator, cells, end)
        for indicator in RULES
        for area, cells in areas_of(indicator)
        for end in ends(indicator, city.first, city.last)
    }
    for key in expected | dict.fromkeys(rows, False):
        indicator, area, end = key
        if area not in AREAS or end > city.last or end not in ends(indicator, end, end):
            yield f"{key}: no such area or window: {rows[key]}"
        else:
            answer = recompute(indicator, end, settled, AREAS[area])
            wrong = difference(rows.get(key), answer, due=expected.get(key, False))
            yield from [f"{key}: {wrong}"] if wrong else []


def table_of(city: City) -> dict[tuple[str, str, int], Row]:
    """The table a perfect engine would write."""
    settled = settle(city.records)
    found = {}
    for indicator in RULES:
        for area, cells in areas_of(indicator):
            for end in ends(indicator, city.first, city.last):
                a = recompute(indicator, end, settled, cells)
                if a.value is not None:
                    kind = KIND_BY_LENGTH.get(len(area), "city")
                    found[indicator, area, end] = Row(kind, a.value, a.level, a.n, a.coverage, "ok")
    return found


def run(city: City, batch_size: int, lanes: int) -> tuple[Rows, dict[str, Any]]:
    """The engine's table and summary."""
    with tempfile.TemporaryDirectory() as folder:
        return replayed(city.wire, Path(folder), batch_size, lanes)
