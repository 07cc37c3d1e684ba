"""Records to the files a gateway would leave, and what the engine makes of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flows.replay.replaying import ReplayOptions, replay
from tests.oracle.records import Listed, Reading, Transition

Places = Mapping[str, tuple[float, float]]
"""Longitude and latitude of the centre of each cell."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the engine's table."""

    kind: str
    value: float | None
    level: int | None
    n: int
    coverage: float | None
    status: str


Rows = Mapping[tuple[str, str, int], Row]
"""Rows by indicator, area and window end in epoch ms."""


@dataclass(frozen=True, slots=True)
class Wire:
    """All records in order of arrival; unlisted sensors and some cases carry their coordinates."""

    places: Places
    readings: tuple[Reading, ...] = ()
    transitions: tuple[Transition, ...] = ()
    listed: tuple[Listed, ...] = ()

    def write(self, folder: Path) -> None:
        """Write ``readings.jsonl``, ``events.jsonl`` and ``sensors.csv``."""
        registered = {row.sensor for row in self.listed}
        _write_lines(folder / "readings.jsonl", (self._reading(r, registered) for r in self.readings))
        _write_lines(folder / "events.jsonl", map(self._event, self.transitions))
        with (folder / "sensors.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["sensor_id", "lon", "lat", "metric", "period_s", "retired"])
            rows.writerows(map(self._sensor, self.listed))

    def _reading(self, r: Reading, registered: set[str]) -> dict[str, Any]:
        # Every other sensor writes its times as text: both forms are the same instant.
        ts = r.ts if len(r.sensor) % 2 else datetime.fromtimestamp(r.ts / 1000, UTC).isoformat()
        record = {"sensor_id": r.sensor, "metric": r.metric, "value": r.value, "ts": ts}
        return record if r.sensor in registered else record | self._at(r.cell)

    def _event(self, t: Transition) -> dict[str, Any]:
        record = {"event_id": t.case, "type": t.kind, "status": t.status, "ts": t.ts}
        record |= {"severity": t.severity} if t.severity else {}
        record |= {"channel": t.channel} if t.channel else {}
        lon, lat = t.place or (self.places[t.cell] if t.cell else (None, None))
        return record | ({"lon": lon, "lat": lat} if t.cell else {})

    def _sensor(self, row: Listed) -> list[Any]:
        period = row.period // 1000 if row.period else ""
        place = row.place or self.places[row.cell]
        return [row.sensor, *place, row.metric or "", period, "true" if row.retired else ""]

    def _at(self, cell: str) -> dict[str, float]:
        lon, lat = self.places[cell]
        return {"lon": lon, "lat": lat}


def _write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")


def replayed(
    wire: Wire,
    folder: Path,
    batch_size: int,
    lanes: int,
    areas: Path | None = None,
    indicators: Iterable[str] = (),
) -> tuple[Rows, dict[str, Any]]:
    """The engine's table and summary; with areas of a file, and of some indicators only, if given."""
    folder.mkdir(parents=True, exist_ok=True)
    wire.write(folder)
    options = ReplayOptions(
        readings=[folder / "readings.jsonl"],
        events=[folder / "events.jsonl"],
        feedback=[],
        sensors=folder / "sensors.csv",
        areas=areas,
        indicators=list(indicators),
        out=folder / "out",
        batch_size=batch_size,
        workers=1,
        lanes=lanes,
        recovery=None,
        all_revisions=False,
        tz="Asia/Shanghai",
        settings={},
        progress=False,
    )
    replay(options)
    summary: dict[str, Any] = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    return rows(folder / "out" / "indicators.parquet"), summary


def rows(path: Path) -> Rows:
    """The engine's table; a key that occurs twice is an error."""
    table = pl.read_parquet(path).with_columns(pl.col("window_end").dt.epoch("ms"))
    found: dict[tuple[str, str, int], Row] = {}
    columns = ("indicator", "area", "window_end", "kind", "value", "level", "n", "coverage", "status")
    for indicator, area, end, kind, value, level, n, coverage, status in table.select(columns).iter_rows():
        key = (indicator, area, end)
        assert key not in found, f"two rows of {key}"
        found[key] = Row(kind, value, level, n, coverage, status)
    return found
