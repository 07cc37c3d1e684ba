"""The sensor registry (C-2.1): where each sensor stands, what it measures, how often, until when.

CSV with a header (UTF-8) or Parquet; columns ``sensor_id, lon, lat`` and, optional, ``crs, metric,
period_s, department, site, retired``; others are ignored. A row that is wrong is reported and left out;
the rest of the file holds.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from flows.arrow_decode import table_rows
from flows.wire import CRS_NAMES, END_OF_TIME, MAX_ID, MAX_LATITUDE, MAX_LONGITUDE, MIN_LONGITUDE, MIN_TIME

NEVER = int(np.iinfo(np.int64).max)
"""``retired_ms`` of a sensor in service."""

NEEDED = ("sensor_id", "lon", "lat")
OPTIONAL = ("crs", "metric", "period_s", "department", "site", "retired")

T = TypeVar("T")

_YES, _NO = ("true", "yes", "1"), ("", "false", "no", "0")
_MAX_PERIOD_S = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Registry:
    """n rows of a registry, each a sensor or a (sensor, metric); "" where a text is not given.

    ``lon`` and ``lat`` are degrees in the coordinate system ``crs`` (a position in ``CRS_NAMES``),
    ``period_ms`` is 0 where none is given, ``retired_ms`` the epoch milliseconds of the retirement.
    """

    sensor: list[str]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    crs: NDArray[np.uint8]
    metric: list[str]
    period_ms: NDArray[np.int64]
    department: list[str]
    site: list[str]
    retired_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sensor)


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
    >>> registry.sensor, str(problems[0])
    (['s1'], "sensors.csv, line 3, column lat: must be a number; got 'north'; give degrees")
    """
    reading = _Reading(path.name, ZoneInfo(tz))
    if path.suffix == ".csv":
        reading.add(_csv_rows(path))
    elif path.suffix == ".parquet":
        reading.add(_parquet_rows(path))
    else:
        raise ValueError(f"a sensor registry must be .csv or .parquet; got {path.name}; convert it")
    return reading.registry(), reading.problems


class _FieldError(ValueError):
    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column


@dataclass(slots=True)
class _Reading:
    file: str
    zone: ZoneInfo
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, rows: Iterable[tuple[int, dict[str, str]]]) -> None:
        for line, row in rows:
            try:
                self.rows.append(self._row(line, row))
            except _FieldError as error:
                self.problems.append(Problem(self.file, line, error.column, str(error)))

    def registry(self) -> Registry:
        columns = [list(column) for column in zip(*self.rows, strict=True)] or [[] for _ in range(9)]
        sensor, lon, lat, crs, metric, period, department, site, retired = columns
        return Registry(
            sensor,
            np.array(lon, np.float64),
            np.array(lat, np.float64),
            np.array(crs, np.uint8),
            metric,
            np.array(period, np.int64),
            department,
            site,
            np.array(retired, np.int64),
        )

    def _row(self, line: int, row: dict[str, str]) -> tuple[Any, ...]:
        sensor = _field(row, "sensor_id", _identifier)
        metric = row.get("metric", "")
        parsed = (
            sensor,
            _field(row, "lon", _longitude),
            _field(row, "lat", _latitude),
            _field(row, "crs", _crs),
            metric,
            _field(row, "period_s", _period),
            row.get("department", ""),
            row.get("site", ""),
            _field(row, "retired", self._retirement),
        )
        earlier = self.seen.get((sensor, metric))
        if earlier is not None:
            repeated = f"{sensor!r} is in line {earlier} too; this row holds; remove one"
            self.problems.append(Problem(self.file, line, "sensor_id", repeated))
        self.seen[sensor, metric] = line
        return parsed

    def _retirement(self, text: str) -> int:
        if text.lower() in _NO:
            return NEVER
        if text.lower() in _YES:
            return MIN_TIME
        advice = f"must be a date, a time, true or false; got {text!r}; write it like 2024-07-03"
        try:
            moment = int(text) if text.isdecimal() else self._milliseconds(text)
        except (ValueError, OverflowError):
            raise ValueError(advice) from None
        if not MIN_TIME <= moment < END_OF_TIME:
            raise ValueError(advice)
        return moment

    def _milliseconds(self, text: str) -> int:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
        return math.floor(aware.astimezone(UTC).timestamp() * 1_000)


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            for row in reader:
                if row:
                    yield reader.line_num, dict(zip(header, map(str.strip, row), strict=False))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} must be UTF-8 ({error}); save it as UTF-8") from error
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num} is no CSV ({error}); mend that line") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    for number, row in enumerate(table_rows(path), 1):
        if number == 1:
            _check_header(path, list(row))
        yield number, {name: _text(value) for name, value in row.items()}


def _text(value: object) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else str(value).strip()


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise ValueError(
            f"{path} needs the columns {', '.join(NEEDED)}; {', '.join(missing)} missing, "
            f"found {', '.join(header) or 'nothing'}; name them in the first line"
        )


def _field(row: dict[str, str], column: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(row.get(column, ""))
    except ValueError as error:
        raise _FieldError(column, str(error)) from None


def _identifier(text: str) -> str:
    if not 0 < len(text) <= MAX_ID:
        raise ValueError(f"must have 1 to {MAX_ID} characters; got {len(text)}; give the sensor an id")
    return text


def _number(text: str, advice: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"must be a number; got {text!r}; {advice}") from None


def _longitude(text: str) -> float:
    lon = _number(text, "give degrees")
    if not MIN_LONGITUDE <= lon <= MAX_LONGITUDE:
        raise ValueError(f"must be within {MIN_LONGITUDE:g} to {MAX_LONGITUDE:g}; got {text}; give degrees")
    return lon


def _latitude(text: str) -> float:
    lat = _number(text, "give degrees")
    if not abs(lat) < MAX_LATITUDE:
        raise ValueError(f"must be between -{MAX_LATITUDE:g} and {MAX_LATITUDE:g}; got {text}; give degrees")
    return lat


def _crs(text: str) -> int:
    name = text or CRS_NAMES[0]
    if name not in CRS_NAMES:
        raise ValueError(f"must be one of {', '.join(CRS_NAMES)}; got {text!r}; leave it empty for wgs84")
    return CRS_NAMES.index(name)


def _period(text: str) -> int:
    if not text:
        return 0
    period = _number(text, "give seconds")
    if not 0.001 <= period <= _MAX_PERIOD_S:
        raise ValueError(f"must be between 0.001 s and a year; got {text}; give seconds")
    return round(period * 1_000)
