"""Files of thresholds: TOML → overrides, or every fault at once with its line and column.

    [[override]]
    indicator = "noise.night_exceedance"
    districts = ["420106"]
    hours = "22:00-06:00"
    days = ["weekend", "holiday"]
    levels = { yellow = { raise = 25, clear = 20 }, red = { raise = 50 } }

>>> read_thresholds((), Catalogue.load()).overrides
()
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from alerts.thresholds import DAYS, Bound, Day, Override, Thresholds
from indicators.arguments import closest
from indicators.catalogue import Catalogue
from indicators.check import Fault, no_toml
from indicators.entry import LEVELS, Level
from indicators.indicator import Indicator
from indicators.toml_places import Path as Keys
from indicators.toml_places import TomlPlaces
from indicators.toml_text import TomlError, read_toml

Files = Sequence[tuple[str, str]]
"""Names and texts."""

KEYS = ("indicator", "districts", "cells", "hours", "days", "levels", "note")
_BOUNDS = ("raise", "clear")
_HOURS = re.compile(r"(\d{1,2})(?::(\d\d))?-(\d{1,2})(?::(\d\d))?")
_DAY_MINUTES = 1440


class ThresholdError(ValueError):
    """Files of thresholds that cannot be used; one message per fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.messages = tuple(map(str, faults))


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A fault and the keys that lead to it; ``on_key``: the key is at fault, not its value."""

    path: Keys
    message: str
    on_key: bool = False


def read_thresholds(files: Files, catalogue: Catalogue) -> Thresholds:
    """The overrides of files, in order.

    Raises:
        ThresholdError: with every fault of all files.
    """
    faults = check_thresholds(files, catalogue)
    if faults:
        raise ThresholdError(faults)
    tables = [table for _, text in files for table in read_toml(text).get("override", [])]
    return Thresholds(tuple(_override(table) for table in tables))


def check_thresholds(files: Files, catalogue: Catalogue) -> list[Fault]:
    """Every fault of some files, by file and place."""
    known = {indicator.id: indicator for indicator in catalogue.indicators}
    return [fault for name, text in files for fault in _check_file(Path(name), text, known)]


def _check_file(path: Path, text: str, known: Mapping[str, Indicator]) -> list[Fault]:
    places = TomlPlaces.of(text)
    try:
        content = read_toml(text)
    except TomlError as error:
        return list(no_toml(path, places, str(error), text))
    found = []
    for name, wrong in _content(content, known):
        at = places.key(wrong.path) if wrong.on_key else places.value(wrong.path)
        keys = ".".join(map(str, wrong.path[2:] or wrong.path[:1]))
        found.append(Fault(path, at.line, at.column, name, keys, wrong.message))
    return sorted(found, key=lambda fault: (fault.line, fault.column))


def _content(content: Mapping[str, Any], known: Mapping[str, Indicator]) -> Iterator[tuple[str, _Wrong]]:
    for key in content:
        if key != "override":
            hint = closest(key, ("override",)) or "; write [[override]]"
            path: Keys = (key, 0) if isinstance(content[key], list) else (key,)
            yield "", _Wrong(path, f"is no table of thresholds{hint}", on_key=True)
    tables = content.get("override", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        yield "", _Wrong(("override",), "write [[override]], with two brackets", on_key=True)
        return
    for number, table in enumerate(tables):
        name = table["indicator"] if isinstance(table.get("indicator"), str) else f"override {number + 1}"
        for wrong in _table(table, known):
            yield name, _Wrong(("override", number, *wrong.path), wrong.message, wrong.on_key)


def _table(table: Mapping[str, Any], known: Mapping[str, Indicator]) -> Iterator[_Wrong]:
    for key in table:
        if key not in KEYS:
            hint = closest(key, KEYS) or f"; known are {', '.join(KEYS)}"
            yield _Wrong((key,), f"is no key of an override{hint}", on_key=True)
    for key in ("indicator", "levels"):
        if key not in table:
            yield _Wrong((), f"{key} is missing; an override needs it", on_key=True)
    yield from _where_and_when(table)
    indicator = table.get("indicator")
    if not isinstance(indicator, str) or indicator not in known:
        if "indicator" in table:
            hint = closest(str(indicator), list(known)) or "; yiwang catalogue list shows all"
            yield _Wrong(("indicator",), f"there is no indicator {indicator!r}{hint}")
        return
    if "levels" in table:
        yield from _levels(table["levels"], known[indicator])


def _where_and_when(table: Mapping[str, Any]) -> Iterator[_Wrong]:
    for key in ("districts", "cells", "days"):
        found = table.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            yield _Wrong((key,), f"found {found!r}; write a list of texts")
        elif key in table and not found:
            yield _Wrong((key,), "is an empty list, which holds nowhere; leave the key out for all")
        elif key == "days":
            for i, day in enumerate(found):
                if day not in DAYS:
                    hint = closest(day, list(DAYS)) or f"; one of {', '.join(DAYS)}"
                    yield _Wrong((key, i), f"found {day!r}{hint}")
    if "districts" in table and "cells" in table:
        yield _Wrong(("cells",), "stands beside districts; write two overrides", on_key=True)
    if "hours" in table and _minutes(table["hours"]) is None:
        yield _Wrong(("hours",), f"found {table['hours']!r}; write hours as 22:00-06:00")


def _levels(found: object, indicator: Indicator) -> Iterator[_Wrong]:
    if not isinstance(found, dict) or not found:
        yield _Wrong(("levels",), f"found {found!r}; write {{ red = {{ raise = 10 }} }}")
        return
    wrong = [fault for level in found for fault in _level(level, found[level], indicator)]
    yield from wrong or _order(found, indicator)


def _level(level: str, bound: object, indicator: Indicator) -> Iterator[_Wrong]:
    own = [name for name, at in zip(LEVELS, indicator.raises, strict=True) if not math.isnan(at)]
    path = ("levels", level)
    if level not in own:
        hint = closest(level, own) or (f"; it has {', '.join(own)}" if own else "; it has none")
        yield _Wrong(path, f"{indicator.id} has no level {level!r}{hint}", on_key=True)
        return
    if not isinstance(bound, dict):
        yield _Wrong(path, f"found {bound!r}; write {{ raise = {bound!r} }}")
        return
    for key, value in bound.items():
        if key not in _BOUNDS:
            hint = closest(key, _BOUNDS) or "; known are raise, clear"
            yield _Wrong((*path, key), f"is no key of a level's bounds{hint}", on_key=True)
        elif not _is_threshold(value):
            yield _Wrong((*path, key), f"found {value!r}; a threshold is a finite number")
    if "raise" not in bound:
        yield _Wrong(path, "raise is missing; a level needs the value that raises it", on_key=True)


def _is_threshold(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number greater than any float
        return False


def _order(found: Mapping[str, Any], indicator: Indicator) -> Iterator[_Wrong]:
    raises, clears = _override({"indicator": indicator.id, "levels": found}).bounds(indicator)
    side = -1.0 if indicator.high_bad else 1.0
    used = [(name, at) for name, at in zip(LEVELS, raises, strict=True) if not math.isnan(at)]
    for (mild, a), (severe, b) in pairwise(used):
        if (b - a) * side > 0:
            word = "rise" if indicator.high_bad else "fall"
            blamed = severe if severe in found else mild
            message = f"{severe} {b:g} after {mild} {a:g}; thresholds {word} from blue to red"
            yield _Wrong(("levels", blamed, "raise"), message)
    for name, at, clear in zip(LEVELS, raises, clears, strict=True):
        if name in found and (clear - at) * side < 0:
            message = f"{clear:g} lies on the worse side of raise {at:g}"
            yield _Wrong(("levels", name, "clear"), message)


def _minutes(text: object) -> tuple[int, int] | None:
    """Begin and end of hours such as 22-6 in minutes after midnight, None for no such text.

    >>> _minutes("22:30-6"), _minutes("0-24"), _minutes("7-7")
    ((1350, 360), (0, 1440), None)
    """
    found = _HOURS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    begin, end = (int(found[i]) * 60 + int(found[i + 1] or 0) for i in (1, 3))
    right = begin < _DAY_MINUTES and end <= _DAY_MINUTES and begin != end
    right = right and all(int(found[i] or 0) < 60 for i in (2, 4))
    return (begin, end) if right else None


def _override(table: Mapping[str, Any]) -> Override:
    levels = {
        cast("Level", name): Bound(
            float(bound["raise"]), None if "clear" not in bound else float(bound["clear"])
        )
        for name, bound in table["levels"].items()
    }
    return Override(
        indicator=table["indicator"],
        levels=levels,
        districts=frozenset(table.get("districts", ())),
        cells=frozenset(table.get("cells", ())),
        hours=_minutes(table.get("hours")),
        days=frozenset(cast("list[Day]", table.get("days", []))),
    )
