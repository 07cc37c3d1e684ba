"""The engine's table beside the oracle's for cities with areas of all kinds, and what was compared."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.oracle.area import Cells
from tests.oracle.cities import City
from tests.oracle.comparison import ends, row_is_due
from tests.oracle.recompute import RULES, Answer, recompute
from tests.oracle.rules import specified
from tests.oracle.settled import settle
from tests.oracle.whole_places import AREAS, write_areas
from tests.oracle.wire_files import Row, Rows, replayed

KINDS = ("cell", "community", "street", "district", "city")
Compared = Counter[tuple[str, str]]
"""How many values that are not null were compared, by indicator and kind of area."""

PAST = ("robust_z", "zscore", "same_hour", "running_percentile")
"""Functions that need a history, and may be warming up."""


def kinds_of(indicator: str) -> tuple[str, ...]:
    """The kinds of areas an indicator has values for."""
    return KINDS[2:] if RULES[indicator].lowest == "street" else KINDS


def areas_of(indicator: str) -> Mapping[str, tuple[str, Cells | None]]:
    """The areas an indicator has values for."""
    kinds = kinds_of(indicator)
    return {name: (kind, cells) for name, (kind, cells) in AREAS.items() if kind in kinds}


def _looks_back(indicator: str) -> bool:
    return any(name in specified()[indicator]["formula"] for name in PAST)


def difference(row: Row | None, answer: Answer, kind: str, *, due: bool, may_warm: bool) -> str | None:
    """What is wrong with a row of the engine's, None when nothing is."""
    if row is None:
        return f"no row, expected {answer}" if due and answer.value is not None else None
    if row.kind != kind:
        return f"{row} of a {kind}"
    if answer.value is None:
        status = {"no_data", "warming_up"} if may_warm else {"no_data"}
        # The level stays: silence clears nothing (R14).
        empty = row.value is None and row.status in status and row.n == answer.n
        return None if empty else f"{row} instead of {answer}"
    if row.value is None:
        return f"{row} instead of {answer}" if due else None
    right = (
        row.status == "ok"
        and math.isclose(row.value, answer.value, rel_tol=1e-9, abs_tol=1e-9)
        and row.n == answer.n
        and row.coverage is not None
        and math.isclose(row.coverage, answer.coverage, abs_tol=1e-6)
    )
    return None if right else f"{row} instead of {answer}"


def differences(city: City, rows: Rows, indicators: Iterable[str], compared: Compared) -> Iterator[str]:
    """Every disagreement between the table and the oracle in a city's hours, of some indicators.

    Values that both have are counted in ``compared``.
    """
    settled = settle(city.records)
    for indicator in indicators:
        warm = _looks_back(indicator)
        for end in ends(indicator, city.first, city.last):
            for area, (kind, cells) in areas_of(indicator).items():
                answer = recompute(indicator, end, settled, cells)
                row = rows.get((indicator, area, end))
                due = row_is_due(settled, indicator, cells, end)
                wrong = difference(row, answer, kind, due=due, may_warm=warm)
                compared[indicator, kind] += wrong is None and row is not None and row.value is not None
                yield from [f"{indicator} {area} {end}: {wrong}"] if wrong else []


def strangers(city: City, rows: Rows) -> Iterator[str]:
    """Rows of areas that are none, of kinds an indicator has no values for, or of no window end."""
    for (indicator, area, end), row in rows.items():
        if area not in areas_of(indicator) or end > city.last or end not in ends(indicator, end, end):
            yield f"{indicator} {area} {end}: no such area or window: {row}"


def missing(compared: Compared, indicators: Iterable[str]) -> list[str]:
    """Indicators and kinds of areas of which no value was compared."""
    return [
        f"{name} of a {kind}" for name in indicators for kind in kinds_of(name) if not compared[name, kind]
    ]


def run(city: City, indicators: Iterable[str], batch_size: int, lanes: int) -> tuple[Rows, dict[str, Any]]:
    """The engine's table of some indicators, and its summary."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return replayed(city.wire, folder, batch_size, lanes, write_areas(folder), indicators)
