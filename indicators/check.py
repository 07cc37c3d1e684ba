"""Catalogue files → every fault at once, each with file, line, column, what was found and what to write.

>>> len(check_files([], Metrics.load()).faults)
0
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indicators.arguments import closest
from indicators.check_entry import EntryFault, check_entry
from indicators.entry import decode
from indicators.golden_case import golden_case
from indicators.golden_notation import NotationError
from indicators.indicator import Indicator, build
from indicators.metrics import Metrics
from indicators.toml_places import TOP, Place, TomlPlaces
from indicators.toml_text import TomlError, read_toml

_TABLES = ("indicator", "case")
_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where it is, the indicator (or case) and key it is of, and what to do about it."""

    file: Path
    line: int
    column: int
    name: str
    key: str
    message: str

    def __str__(self) -> str:
        """One line, as compilers write it."""
        what = ": ".join(part for part in (self.name, self.key, self.message) if part)
        return f"{self.file}:{self.line}:{self.column}: {what}"


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """What was found: all faults by file and place, the indicators without any, how many cases there are."""

    faults: tuple[Fault, ...]
    indicators: tuple[Indicator, ...]
    cases: int


def check_files(paths: Sequence[Path], metrics: Metrics) -> CheckedFiles:
    """Check files that belong together: an id may occur once in all of them.

    The cases of a file are read, not computed.
    """
    check = _Check(metrics)
    for path in paths:
        check.file(path)
    return CheckedFiles(tuple(check.faults), tuple(check.found), check.cases)


def check_texts(files: Sequence[tuple[str, str]], metrics: Metrics) -> CheckedFiles:
    """The same for files that have been read: the name and the text of each.

    >>> check_texts([("rain.toml", "[[indicatr]]")], Metrics.load()).faults[0].message
    'is no table of a catalogue; did you mean indicator?'
    """
    check = _Check(metrics)
    for name, text in files:
        check.text(Path(name), text)
    return CheckedFiles(tuple(check.faults), tuple(check.found), check.cases)


class _Check:
    """The files seen so far."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.faults: list[Fault] = []
        self.found: list[Indicator] = []
        self.cases = 0
        self.ids: dict[str, str] = {}

    def file(self, path: Path) -> None:
        """Check one file."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = f"cannot be read: {error}; a catalogue is TOML text in UTF-8"
            self.faults.append(Fault(path, 1, 1, "", "", message))
            return
        self.text(path, text)

    def text(self, path: Path, text: str) -> None:
        """Check the text of one file."""
        places = TomlPlaces.of(text)
        try:
            content = read_toml(text)
        except TomlError as error:
            self.faults += no_toml(path, places, str(error), text)
            return
        found = sorted(self.content(path, content, places), key=lambda f: (f.line, f.column))
        self.faults += found

    def content(self, path: Path, content: Mapping[str, Any], places: TomlPlaces) -> Iterator[Fault]:
        for key in content:
            if key not in _TABLES:
                hint = closest(key, _TABLES) or f"; write {' or '.join(f'[[{name}]]' for name in _TABLES)}"
                at = places.key((key,))
                yield Fault(path, at.line, at.column, "", key, f"is no table of a catalogue{hint}")
        if not any(key in content for key in _TABLES):
            yield Fault(path, 1, 1, "", "", "no [[indicator]] table; write one per indicator")
        for kind in _TABLES:
            tables = content.get(kind, [])
            if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
                at = places.key((kind,))
                yield Fault(path, at.line, at.column, "", kind, f"write [[{kind}]], with two brackets")
                continue
            for number, table in enumerate(tables):
                read = self.indicator if kind == "indicator" else self.case
                yield from read(path, number, table, places)

    def indicator(
        self, path: Path, number: int, table: Mapping[str, Any], places: TomlPlaces
    ) -> Iterator[Fault]:
        name = str(table.get("id", f"indicator {number + 1}"))
        faults = check_entry(table, self.metrics)
        for fault in faults:
            at = _place(fault, ("indicator", number), places)
            yield Fault(path, at.line, at.column, name, ".".join(map(str, fault.path)), fault.message)
        at = places.value(("indicator", number, "id"))
        if (
            "id" in table
            and (before := self.ids.setdefault(name, f"{path}:{at.line}")) != f"{path}:{at.line}"
        ):
            message = f"occurs twice, first at {before}; an id names one indicator"
            yield Fault(path, at.line, at.column, name, "id", message)
        elif not faults:
            self.found.append(build(decode(table), self.metrics))

    def case(self, path: Path, number: int, table: Mapping[str, Any], places: TomlPlaces) -> Iterator[Fault]:
        self.cases += 1
        try:
            golden_case(table, self.metrics)
        except NotationError as error:
            below = ("case", number, *error.path)
            at = places.value(below) if error.path else places.key(below)
            name = str(table.get("name", f"case {number + 1}"))
            yield Fault(path, at.line, at.column, name, ".".join(map(str, error.path)), str(error))


def _place(fault: EntryFault, table: tuple[str, int], places: TomlPlaces) -> Place:
    below = (*table, *fault.path)
    if fault.at is not None:
        return places.inside(below, *fault.at)
    return places.key(below) if fault.on_key else places.value(below)


def no_toml(path: Path, places: TomlPlaces, message: str, text: str) -> Iterator[Fault]:
    """What is no TOML: the first fault in the words of the reader, further places where it goes wrong."""
    where = _WHERE.search(message)
    words = _WHERE.sub("", message)
    at = TOP
    if where is not None:
        lines = text.split("\n")
        at = Place(int(where[1]), int(where[2])) if where[1] else Place(len(lines), len(lines[-1]) + 1)
    yield Fault(path, at.line, at.column, "", "", f"no TOML: {words}")
    for place in places.broken:
        if place.line != at.line:
            yield Fault(path, place.line, place.column, "", "", "no TOML from here on")
