r"""Where things stand in a TOML file: path of keys → line and column.

The standard library reads TOML without positions, so the text is read a second time as a syntax tree.

>>> places = TomlPlaces.of('[[indicator]]\nid = "a.b"\nlevels = { red = { raise = 3 } }\n')
>>> places.key(("indicator", 0, "levels", "red")), places.value(("indicator", 0, "id"))
(Place(line=3, column=12), Place(line=2, column=6))
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from indicators.toml_text import MAX_TOML, TomlError, read_toml

Path = tuple[str | int, ...]
"""Keys and positions in arrays from the top of a file, ``("indicator", 0, "levels", "red")``."""

_ESCAPE = re.compile(r'\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[bfnrte"\\])')
_CONTINUED = re.compile(r"\\[ \t]*\n\s*")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a text, both from 1, the column in characters."""

    line: int
    column: int


TOP = Place(1, 1)
"""Where a text begins."""

Character = tuple[Place, bool]
"""Where a character of a text value stands, and whether it is a line break."""


@dataclass(frozen=True, slots=True)
class TomlPlaces:
    """The places of a file's keys and values, and of what is no TOML in it (``broken``)."""

    keys: Mapping[Path, Place]
    values: Mapping[Path, Place]
    strings: Mapping[Path, tuple[Character, ...]] = field(repr=False)
    broken: tuple[Place, ...] = ()

    @classmethod
    def of(cls, text: str) -> Self:
        """The places of a text; works as far as possible where the text is no TOML or nests too deeply.

        What is behind ``MAX_TOML`` characters is read by nobody.

        >>> TomlPlaces.of("a = = 1").broken
        (Place(line=1, column=3),)
        """
        walk = _Walk(text[:MAX_TOML].replace("\r\n", "\n"))
        with suppress(RecursionError):
            walk.document()
        return cls(walk.keys, walk.values, walk.strings, tuple(walk.broken))

    def key(self, path: Path) -> Place:
        """Where a key stands; where it does not, the nearest table above it; else the begin of the text."""
        return self._nearest(self.keys, path)

    def value(self, path: Path) -> Place:
        """Where a value begins, or the nearest table above it."""
        return self._nearest(self.values, path)

    def _nearest(self, found: Mapping[Path, Place], path: Path) -> Place:
        while path:
            if path in found:
                return found[path]
            path = path[:-1]
        return TOP

    def inside(self, path: Path, line: int, column: int) -> Place:
        r"""Where a character of a text value stands in the file; line and column count in the value.

        >>> places = TomlPlaces.of('f = \"\"\"\n  a\n  b\"\"\"')
        >>> places.inside(("f",), 2, 3)
        Place(line=3, column=3)
        """
        characters = self.strings.get(path)
        if not characters:
            return self.value(path)
        rows = _rows(characters)
        row = rows[min(line, len(rows)) - 1]
        return row[min(column, len(row)) - 1]


def _rows(characters: tuple[Character, ...]) -> list[list[Place]]:
    """The places of a value's characters, line by line of the value."""
    rows: list[list[Place]] = [[]]
    for place, breaks in characters:
        rows[-1].append(place)
        if breaks:
            rows.append([])
    return [row for row in rows if row]


class _Walk:
    """One walk over the syntax tree of a text."""

    def __init__(self, text: str) -> None:
        self.lines = [line.encode() for line in text.split("\n")]
        self.root = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.strings: dict[Path, tuple[Character, ...]] = {}
        self.broken: list[Place] = []
        self.counts: dict[Path, int] = {}

    def place(self, node: Node) -> Place:
        row, column = node.start_point
        return Place(row + 1, len(self.lines[row][:column].decode(errors="replace")) + 1)

    def document(self) -> None:
        for node in self._bad(self.root):
            self.broken.append(self.place(node))
        for node in self.root.named_children:
            if node.type == "pair":
                self.pair(node, ())
            elif node.type in {"table", "table_array_element"}:
                self.table(node)

    def _bad(self, node: Node) -> Iterator[Node]:
        if node.is_error or node.is_missing:
            yield node
            return
        for child in node.children if node.has_error else ():
            yield from self._bad(child)

    def table(self, node: Node) -> None:
        head, *rest = node.named_children
        path: Path = ()
        parts = [part for part, _ in self.parts(head)]
        for i, part in enumerate(parts):
            path = (*path, part)
            last = i == len(parts) - 1
            if last and node.type == "table_array_element":
                self.counts[path] = self.counts.get(path, -1) + 1
            if path in self.counts:
                path = (*path, self.counts[path])
        self.keys[path] = self.values[path] = self.place(head)
        for child in rest:
            if child.type == "pair":
                self.pair(child, path)

    def parts(self, key: Node) -> list[tuple[str, Node]]:
        if key.type == "dotted_key":
            return [part for child in key.named_children for part in self.parts(child)]
        text = (key.text or b"").decode(errors="replace")
        return [(_unquoted(text) if key.type == "quoted_key" else text, key)]

    def pair(self, node: Node, prefix: Path) -> None:
        named = [child for child in node.named_children if not child.is_error and child.type != "comment"]
        if not named:
            return
        key, *values = named
        path = prefix
        for part, at in self.parts(key):
            path = (*path, part)
            self.keys.setdefault(path, self.place(at))
            self.values.setdefault(path, self.place(at))
        if values:
            self.value(values[-1], path)

    def value(self, node: Node, path: Path) -> None:
        self.values[path] = self.place(node)
        if node.type == "inline_table":
            for child in node.named_children:
                if child.type == "pair":
                    self.pair(child, path)
        elif node.type == "array":
            items = [child for child in node.named_children if child.type != "comment"]
            for i, child in enumerate(items):
                self.value(child, (*path, i))
        elif node.type == "string":
            self.strings[path] = tuple(self.characters(node))

    def characters(self, node: Node) -> Iterator[Character]:
        """The characters of a text value, and its end."""
        raw = (node.text or b"").decode(errors="replace")
        quote = raw[:3] if raw[:3] in {'"""', "'''"} and len(raw) >= 6 else raw[:1]
        at, stop = len(quote), len(raw) - len(quote)
        if len(quote) == 3 and raw[at : at + 1] == "\n":
            at += 1
        place, before = self.place(node), 0
        while at < stop:
            if quote == '"""' and (skipped := _CONTINUED.match(raw, at)):
                at = skipped.end()
                continue
            length = _length(raw, at, quote)
            place, before = _moved(place, raw[before:at]), at
            yield place, raw[at : at + length] in {"\n", "\\n"}
            at += length
        yield _moved(place, raw[before:stop]), False


def _unquoted(text: str) -> str:
    try:
        return next(iter(read_toml(f"{text} = 0")))
    except TomlError:  # of a text that is no TOML elsewhere too
        return text


def _length(raw: str, at: int, quote: str) -> int:
    escape = _ESCAPE.match(raw, at) if quote[0] == '"' else None
    return len(escape[0]) if escape else 1


def _moved(start: Place, text: str) -> Place:
    breaks = text.count("\n")
    if not breaks:
        return Place(start.line, start.column + len(text))
    return Place(start.line + breaks, len(text) - text.rfind("\n"))
