"""The sensor registry (C-2.1): where each sensor stands, what it measures, how often, until when.

CSV with a header (UTF-8) or Parquet; columns ``sensor_id, lon, lat`` and, optional, ``crs, metric,
period_s, department, site, retired``; others are ignored. A row that is wrong is reported and left out;
the rest of the file holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import DTypeLike, NDArray

from flows.admission import registry_fields as fields
from flows.admission.name_table import CodedTexts, NameTable
from flows.admission.registry_fields import NEVER
from flows.admission.registry_file import RegistryBlock, distinct, registry_blocks
from flows.decoding.columns import Flags, Floats, Ints
from indicators.key_table import KeyTable

__all__ = ["NEVER", "Problem", "Registry", "read_registry"]

NEEDED = ("sensor_id", "lon", "lat")
TEXTS = ("sensor_id", "metric", "department", "site")
OPTIONAL = ("crs", "metric", "period_s", "department", "site", "retired")


@dataclass(frozen=True, slots=True)
class Registry:
    """n rows of a registry, each a sensor or a (sensor, metric); "" where a text is not given.

    ``lon`` and ``lat`` are degrees in the coordinate system ``crs`` (a position in ``CRS_NAMES``),
    ``period_ms`` is 0 where none is given, ``retired_ms`` the epoch milliseconds of the retirement.
    """

    sensor: CodedTexts
    lon: Floats
    lat: Floats
    crs: NDArray[np.uint8]
    metric: CodedTexts
    period_ms: Ints
    department: CodedTexts
    site: CodedTexts
    retired_ms: Ints

    def __len__(self) -> int:
        return len(self.lon)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row, and where: 1-based line of a CSV file, row of a Parquet file."""

    file: str
    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}, column {self.column}: {self.text}"


def read_registry(path: Path, tz: str = "Asia/Shanghai") -> tuple[Registry, list[Problem]]:
    r"""Read a registry; dates and naive times of ``retired`` are of the zone ``tz``.

    A row with a field that is wrong is left out; of rows of the same sensor and metric the last one holds.

    Raises:
        ValueError: the file as a whole is of no use: another format, not UTF-8, a needed column missing.
        OSError: it cannot be opened.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "sensors.csv")
    >>> _ = path.write_text("sensor_id,lon,lat\ns1,114.3,30.6\ns2,114.3,north\n")
    >>> registry, problems = read_registry(path)
    >>> registry.sensor.to_list(), str(problems[0])
    (['s1'], "sensors.csv, line 3, column lat: must be a number; got 'north'; give degrees")
    """
    reading = _Reading(path.name, ZoneInfo(tz))
    for block in registry_blocks(path, NEEDED, OPTIONAL):
        reading.add(block)
    return reading.registry(), reading.problems


@dataclass(slots=True)
class _Reading:
    """What has been read so far, block by block."""

    file: str
    zone: ZoneInfo
    problems: list[Problem] = field(default_factory=list)
    _parts: list[dict[str, NDArray[Any]]] = field(default_factory=list)
    _names: dict[str, NameTable] = field(default_factory=lambda: {name: NameTable() for name in TEXTS})
    _keys: KeyTable = field(default_factory=lambda: KeyTable(np.int32, np.int32))
    _line: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, block: RegistryBlock) -> None:
        """Take the rows of a block that are right, report the others."""
        values, good = self._parsed(block)
        part = {name: column[good] for name, column in values.items()}
        part |= {name: _coded(block, name, good, table) for name, table in self._names.items()}
        self._parts.append(part)
        found = [self._problem(block, row) for row in np.flatnonzero(~good).tolist()]
        found += self._repeated(part["sensor_id"], part["metric"], block.line[good])
        self.problems += sorted(found, key=attrgetter("line"))

    def registry(self) -> Registry:
        """The rows of all blocks."""

        def joined(name: str, dtype: Any) -> Any:  # noqa: ANN401 - a column of this type
            return np.concatenate([np.zeros(0, dtype), *(part.pop(name) for part in self._parts)])

        def texts(name: str) -> CodedTexts:
            return CodedTexts(joined(name, np.int32), self._names[name])

        return Registry(
            sensor=texts("sensor_id"),
            lon=joined("lon", np.float64),
            lat=joined("lat", np.float64),
            crs=joined("crs", np.uint8),
            metric=texts("metric"),
            period_ms=joined("period_s", np.int64),
            department=texts("department"),
            site=texts("site"),
            retired_ms=joined("retired", np.int64),
        )

    def _parsed(self, block: RegistryBlock) -> tuple[dict[str, NDArray[Any]], Flags]:
        """The values of the columns that are no mere texts, and which rows are right in every one."""
        columns = block.columns
        lon = fields.degrees(columns["lon"], fields.longitude, fields.lon_inside)
        lat = fields.degrees(columns["lat"], fields.latitude, fields.lat_inside)
        found: dict[str, NDArray[Any]] = {"lon": lon, "lat": lat}
        good = fields.identified(columns["sensor_id"]) & ~np.isnan(lon) & ~np.isnan(lat)
        parsed: tuple[tuple[str, Callable[[str], int], DTypeLike, int], ...] = (
            ("crs", fields.crs, np.uint8, 0),
            ("period_s", fields.period, np.int64, 0),
            ("retired", self._retirement, np.int64, NEVER),
        )
        for name, parse, dtype, usual in parsed:
            if name in columns:
                found[name], bad = fields.each(columns[name], parse, dtype, usual)
                good &= ~bad
            else:
                found[name] = np.full(len(good), usual, dtype)
        return found, good

    def _retirement(self, text: str) -> int:
        return fields.retirement(text, self.zone)

    def _problem(self, block: RegistryBlock, row: int) -> Problem:
        """What is wrong with a row: its first field that is."""
        texts = block.row(row)
        parsers: dict[str, Callable[[str], object]] = {
            "sensor_id": fields.identifier,
            "lon": fields.longitude,
            "lat": fields.latitude,
            "crs": fields.crs,
            "period_s": fields.period,
            "retired": self._retirement,
        }
        for name, parse in parsers.items():
            try:
                parse(texts.get(name, ""))
            except ValueError as error:
                return Problem(self.file, int(block.line[row]), name, str(error))
        raise AssertionError(
            f"{self.file}, line {block.line[row]} was refused, but every field of it is right"
        )

    def _repeated(self, sensor: Ints, metric: Ints, line: Ints) -> list[Problem]:
        """Rows whose sensor and metric were in an earlier row."""
        known = len(self._keys)
        key = self._keys.number(sensor, metric)
        self._line = np.concatenate((self._line, np.zeros(len(self._keys) - known, np.int64)))
        if len(self._keys) - known == len(key):
            self._line[key] = line
            return []
        order = np.argsort(key, kind="stable")
        same = np.concatenate(([False], np.diff(key[order]) == 0))
        earlier = self._line[key]
        earlier[order[same]] = line[order[np.flatnonzero(same) - 1]]
        self._line[key] = line  # of several rows numpy keeps the last assigned
        rows = np.flatnonzero(earlier)
        names = self._names["sensor_id"].texts(sensor[rows])
        return [
            Problem(
                self.file, at, "sensor_id", f"{name!r} is in line {before} too; this row holds; remove one"
            )
            for at, name, before in zip(line[rows].tolist(), names, earlier[rows].tolist(), strict=True)
        ]


def _coded(block: RegistryBlock, name: str, good: Flags, table: NameTable) -> NDArray[np.int32]:
    """The numbers of the texts of the rows that are right, int32; only these enter the table."""
    if name not in block.columns:
        return np.repeat(table.numbers([""]), int(good.sum())).astype(np.int32)
    codes, texts = distinct(block.columns[name])
    used, places = np.unique(codes[good], return_inverse=True)
    return table.numbers([texts[code] for code in used.tolist()])[places].astype(np.int32)
