"""Golden cases that say where their records are, metre by metre, through the engine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.oracle.golden import Golden, golden_cases
from tests.oracle.places import from_metres
from tests.oracle.records import DAY, HOUR, LOCAL, MINUTE, Listed, Reading, Transition
from tests.oracle.rules import specified
from tests.oracle.wire_files import Wire, replayed

CASES = [case for case in golden_cases() if case.located and not case.telling]
DATE = 19_907 * DAY - LOCAL
BORDER = 250.0
"""Metres east of the origin: cell A lies west of it, B east, as polygons."""


def ring(west: float, east: float) -> list[list[float]]:
    corners = ((west, -400.0), (east, -400.0), (east, 400.0), (west, 400.0), (west, -400.0))
    return [list(from_metres(*corner)) for corner in corners]


def feature(name: str, kind: str, west: float, east: float) -> dict[str, object]:
    geometry = {"type": "Polygon", "coordinates": [ring(west, east)]}
    properties = {"id": name, "kind": kind, "name_zh": name, "name_en": name, "parent": None}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def written(folder: Path) -> Path:
    """Two streets of one district."""
    features = [
        feature("street-a", "street", -500, BORDER),
        feature("street-b", "street", BORDER, 10_000),
        feature("420100", "district", -500, 10_000),
    ]
    path = folder / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def places(case: Golden) -> dict[str, tuple[float, float]]:
    """Where records stand that do not say so themselves: in the middle of their cell."""
    return {"A": from_metres(30, 30), "B": from_metres(600, 30)} if case.cells <= {"A", "B"} else {}


def wire(case: Golden) -> Wire:
    shift = DATE - (case.at + LOCAL) // DAY * DAY + LOCAL
    readings = [replace(r, ts=r.ts + shift) for r in case.records.readings]
    transitions = [replace(t, ts=t.ts + shift) for t in case.records.transitions]
    last = case.at + shift + 8 * MINUTE
    stamps = [*(r.ts for r in readings), *(t.ts for t in transitions)]
    around = {ts // HOUR * HOUR + i * 4 * MINUTE for ts in stamps for i in range(16)}
    ticks = sorted({t for t in around if t <= last} | {last, last - 4 * MINUTE})
    readings += [Reading("clock", "ds_exchange_requests", 1.0, ts, "A") for ts in ticks]
    transitions += [Transition(f"clock-{ts}", "ev_market_open", "reported", ts, "A") for ts in ticks]
    listed = (*case.records.listed, Listed("clock", "A"))
    return Wire(
        places(case),
        tuple(sorted(readings, key=lambda r: r.ts)),
        tuple(sorted(transitions, key=lambda t: t.ts)),
        listed,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.indicator}: {case.name}")
@pytest.mark.parametrize(("batch_size", "lanes"), [(10**6, 1), (1, 1), (50, 2)])
def test_the_engine_passes_the_golden_case_on_the_ground(
    case: Golden, batch_size: int, lanes: int, tmp_path: Path
) -> None:
    table, _ = replayed(wire(case), tmp_path, batch_size, lanes, written(tmp_path))
    at = case.at + DATE - (case.at + LOCAL) // DAY * DAY + LOCAL
    assert specified()[case.indicator]["lowest"] in {"cell", "street"}
    for area, cells in case.areas.items():
        name = "city" if cells == case.cells else f"street-{min(cells).lower()}"
        row = table[case.indicator, name, at]
        assert row.value == pytest.approx(case.value[area])
        assert row.level == case.level[area]
