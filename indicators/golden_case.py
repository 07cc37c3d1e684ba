"""Golden cases: ``[[case]]`` tables of TOML files → raw records, and the value and level they must give.

A case names an indicator, a window end, records in the notation of :mod:`indicators.golden_notation`, and per
area what is expected. Cases stand in files of their own or beside the ``[[indicator]]`` they are about.

>>> cases = shipped_cases()
>>> cases[0].indicator, cases[0].value
('traffic.congestion_index', {'all': 5.111111111})
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from indicators.golden_notation import CaseStep, NotationError, SeriesReading, Spot, duration, readings, steps
from indicators.metrics import Metrics
from indicators.toml_places import TOP, Place, TomlPlaces
from indicators.toml_text import TomlError, read_toml

__all__ = ["DEFAULT_CELL", "GoldenCase", "GoldenError", "golden_case", "read_cases", "shipped_cases"]

R = TypeVar("R", SeriesReading, CaseStep)

SHIPPED = Path(__file__).parent / "data" / "cases"
"""The cases of the shipped indicators."""

DEFAULT_CELL = "A"
WHOLE = "all"
"""The area of every cell, where a case names no areas."""

_KEYS = (
    "indicator", "name", "at", "series", "cases", "periods", "retired", "settings", "since", "areas",
    "streets_of", "value", "level", "by_hand",
)  # fmt: skip
_NEEDED = ("indicator", "name", "at", "value")


class GoldenError(ValueError):
    """Files of cases that cannot be read; one message per fault, naming file, line and column.

    Attributes:
        messages: the faults, in the order of the files.
    """

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = tuple(messages)


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor of a case: its cell, its place if one is given, its own period in ms (0: the metric's)."""

    cell: str
    spot: Spot | None = None
    period_ms: int = 0
    retired: bool = False


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One case. ``at`` and ``since`` (None: long ago) in epoch ms.

    ``areas`` maps names to cells; ``streets_of`` maps an area to those whose greatest value it takes.
    ``value`` and ``level`` hold what is expected of areas, None for no value and for no level at all; an area
    that ``level`` does not name may have any.
    """

    indicator: str
    name: str
    at: int
    readings: tuple[SeriesReading, ...]
    transitions: tuple[CaseStep, ...]
    sensors: Mapping[str, Sensor]
    settings: Mapping[str, float]
    since: int | None
    areas: Mapping[str, frozenset[str]]
    streets_of: Mapping[str, tuple[str, ...]]
    value: Mapping[str, float | None]
    level: Mapping[str, int | None]
    by_hand: str | None
    series_lines: tuple[str, ...] = ()
    case_lines: tuple[str, ...] = ()
    file: Path | None = None
    place: Place = TOP

    @property
    def cells(self) -> frozenset[str]:
        """Every cell a record of the case lies in.

        >>> sorted(shipped_cases()[0].cells)
        ['A', 'B']
        """
        placed = {t.cell or DEFAULT_CELL for t in self.transitions}
        return frozenset(placed | {s.cell for s in self.sensors.values()})


def shipped_cases() -> list[GoldenCase]:
    """The cases of the shipped indicators, in the order of the files."""
    return read_cases(sorted(SHIPPED.glob("*.toml")))


def read_cases(paths: Iterable[Path], metrics: Metrics | None = None) -> list[GoldenCase]:
    """All cases of some files, in their order.

    Raises:
        GoldenError: with every fault found.

    >>> len(read_cases([]))
    0
    """
    metrics = metrics or Metrics.load()
    faults: list[str] = []
    found: list[GoldenCase] = []
    for path in paths:
        tables, places = _tables(path, faults)
        for number, fields in enumerate(tables):
            place = places.key(("case", number))
            try:
                found.append(golden_case(fields, metrics, path, place))
            except NotationError as error:
                at = places.value(("case", number, *error.path)) if error.path else place
                faults.append(f"{path}:{at.line}:{at.column}: {fields.get('name', 'a case')}: {error}")
    if faults:
        raise GoldenError(faults)
    return found


def _tables(path: Path, faults: list[str]) -> tuple[list[dict[str, Any]], TomlPlaces]:
    try:
        text = path.read_text(encoding="utf-8")
        tables = read_toml(text).get("case", [])
    except (OSError, UnicodeDecodeError, TomlError) as error:
        faults.append(f"{path}: {error}; cases are TOML text in UTF-8")
        return [], TomlPlaces.of("")
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        faults.append(f"{path}: 'case' is no list of tables; write [[case]], with two brackets")
        return [], TomlPlaces.of("")
    return tables, TomlPlaces.of(text)


def golden_case(
    fields: Mapping[str, Any], metrics: Metrics, file: Path | None = None, place: Place = TOP
) -> GoldenCase:
    """A case from its table.

    Raises:
        NotationError: a key is unknown, missing or cannot be used; names it.

    >>> case = golden_case({"indicator": "weather.rain_1h_max", "name": "dry", "value": 0,
    ...     "at": "2024-07-03T10:00:00+08:00", "series": ["g rain_1m: 0x59"]}, Metrics.load())
    >>> len(case.readings), case.areas
    (60, {'all': frozenset({'A'})})
    """
    _check_keys(fields)
    at = _instant(fields["at"])
    lines, case_lines = _texts(fields, "series"), _texts(fields, "cases")
    found = _read("series", lines, lambda line: readings(line, at, metrics))
    transitions = _read("cases", case_lines, lambda line: steps(line, at, metrics))
    sensors = _sensors(fields, found)
    everything = {s.cell for s in sensors.values()} | {t.cell or DEFAULT_CELL for t in transitions}
    areas = _areas(fields, everything)
    return GoldenCase(
        indicator=fields["indicator"],
        name=fields["name"],
        at=at,
        readings=found,
        transitions=transitions,
        sensors=sensors,
        settings=_settings(fields),
        since=at + duration(str(fields["since"])) if "since" in fields else None,
        areas=areas,
        streets_of={a: tuple(s) for a, s in _table(fields, "streets_of").items()},
        value=_expected(fields, "value", areas, {"null": None}),
        level=_expected(fields, "level", areas, {"none": None}),
        by_hand=fields.get("by_hand"),
        series_lines=lines,
        case_lines=case_lines,
        file=file,
        place=place,
    )


def _read(key: str, lines: Sequence[str], read: Callable[[str], Sequence[R]]) -> tuple[R, ...]:
    """The records of some lines, in order of time; an error names the line."""
    found: list[R] = []
    for i, line in enumerate(lines):
        try:
            found += read(line)
        except NotationError as error:
            error.path = (key, i)
            raise
    return tuple(sorted(found, key=lambda record: record.ts))


def _check_keys(fields: Mapping[str, Any]) -> None:
    for key in fields:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_KEYS)}"
            raise NotationError(f"unknown key {key!r}; {hint}")
    for key in _NEEDED:
        if key not in fields:
            raise NotationError(f"the key {key!r} is missing; a case needs {', '.join(_NEEDED)}")
    for key in ("indicator", "name"):
        if not isinstance(fields[key], str):
            raise NotationError(f"{key}: found {fields[key]!r}; write a text")


def _instant(value: object) -> int:
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise NotationError(f"at: no time: {value!r}; write one like 2024-07-03T10:00:00+08:00") from None
    if found.tzinfo is None:
        raise NotationError(f"at: {value} has no zone; write one like 2024-07-03T10:00:00+08:00")
    return int(found.timestamp() * 1000)


def _texts(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = fields.get(key, [])
    if not isinstance(found, list) or not all(isinstance(line, str) for line in found):
        raise NotationError(f"{key}: found {found!r}; write a list of texts")
    return tuple(found)


def _table(fields: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = fields.get(key, {})
    if not isinstance(found, dict):
        raise NotationError(f"{key}: found {found!r}; write a table, as in {{ a = ... }}")
    return found


def _sensors(fields: Mapping[str, Any], found: Sequence[SeriesReading]) -> dict[str, Sensor]:
    """A sensor's cell and place are those of any of its lines."""
    names = list(dict.fromkeys(r.sensor for r in found))
    cells = {r.sensor: r.cell for r in found if r.cell}
    spots = {r.sensor: r.spot for r in found if r.spot}
    periods, retired = _table(fields, "periods"), fields.get("retired", [])
    for name in (*periods, *retired):
        if name not in names:
            raise NotationError(f"periods, retired: no sensor {name!r} has a reading in the case")
    return {
        name: Sensor(
            cells.get(name) or DEFAULT_CELL,
            spots.get(name),
            duration(str(periods[name])) if name in periods else 0,
            name in retired,
        )
        for name in names
    }


def _areas(fields: Mapping[str, Any], everything: set[str]) -> dict[str, frozenset[str]]:
    if "areas" not in fields:
        return {WHOLE: frozenset(everything)}
    return {name: frozenset(cells) for name, cells in _table(fields, "areas").items()}


def _expected(
    fields: Mapping[str, Any], key: str, areas: Mapping[str, Any], words: Mapping[str, None]
) -> dict[str, Any]:
    """What is expected of each area: a number, or None for a word that says so."""
    if key not in fields:
        return {}
    written = fields[key]
    by_area = written if isinstance(written, dict) else dict.fromkeys(areas, written)
    for name, value in by_area.items():
        if name not in areas:
            raise NotationError(f"{key}: there is no area {name!r}; the case has {', '.join(areas)}")
        if not _is_number(value) and not (isinstance(value, str) and value in words):
            raise NotationError(f"{key}: found {value!r}; write a number or {next(iter(words))!r}")
    convert = int if key == "level" else float
    return {name: None if value in words else convert(value) for name, value in by_area.items()}


def _settings(fields: Mapping[str, Any]) -> dict[str, float]:
    found = _table(fields, "settings")
    for name, value in found.items():
        if not _is_number(value):
            raise NotationError(f"settings: found {name} = {value!r}; write a number")
    return {name: float(value) for name, value in found.items()}


def _is_number(value: object) -> bool:
    """Whether a value of TOML is a finite number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
