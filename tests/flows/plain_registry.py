"""A registry read row by row with the standard library, and looked up in dictionaries: what must come out."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flows.admission import registry_fields as fields
from flows.admission.registry import Registry
from flows.batches import FINAL

ZONE = ZoneInfo("Asia/Shanghai")
PARSERS: dict[str, Callable[[str], Any]] = {
    "sensor_id": fields.identifier,
    "lon": fields.longitude,
    "lat": fields.latitude,
    "crs": fields.crs,
    "metric": str,
    "period_s": fields.period,
    "department": str,
    "site": str,
    "retired": lambda text: fields.retirement(text, ZONE),
}


def plain_csv(path: Path) -> tuple[list[tuple[Any, ...]], list[tuple[int, str]]]:
    """The rows that are right, and line and column of each problem."""
    found, problems, seen = [], [], set()
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader)]
        for row in filter(None, reader):
            texts = dict(zip(header, [*map(str.strip, row), *[""] * len(header)], strict=False))
            values: list[Any] = []
            for name, parse in PARSERS.items():
                try:
                    values.append(parse(texts.get(name, "")))
                except ValueError:
                    problems.append((reader.line_num, name))
                    break
            else:
                if (values[0], values[4]) in seen:
                    problems.append((reader.line_num, "sensor_id"))
                seen.add((values[0], values[4]))
                found.append(tuple(values))
    return found, problems


def rows_of(registry: Registry) -> list[tuple[Any, ...]]:
    """The rows of a registry in the order of ``PARSERS``."""
    r = registry
    columns = (
        r.sensor.to_list(),
        r.lon.tolist(),
        r.lat.tolist(),
        r.crs.tolist(),
        r.metric.to_list(),
        r.period_ms.tolist(),
        r.department.to_list(),
        r.site.to_list(),
        r.retired_ms.tolist(),
    )
    return list(zip(*columns, strict=True))


@dataclass
class PlainRoll:
    """(sensor, metric, cell, period, retired) rows as dictionaries."""

    rows: list[tuple[str, str, int, int, int]]

    def __post_init__(self) -> None:
        self.entries = {(s, m): (cell, period, retired) for s, m, cell, period, retired in self.rows}
        # A dictionary keeps a key where it first came, so the last new (sensor, metric) lends its place.
        self.places = {s: cell for (s, _), (cell, _, _) in self.entries.items()}

    def entry(self, sensor: str, metric: str) -> tuple[int, int, int, bool]:
        """Cell, period, retirement, and whether a row names the metric."""
        for asked in (metric, ""):
            if (sensor, asked) in self.entries:
                return (*self.entries[sensor, asked], bool(asked))
        return self.places.get(sensor, -2), 0, FINAL, False
