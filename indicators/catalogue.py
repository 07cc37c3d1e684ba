"""The catalogue: the shipped indicators and a city's own, with a hash over what they compute.

>>> catalogue = Catalogue.load()
>>> catalogue["transit.bus_punctuality"].entry.name_en, len(catalogue.hash)
('Bus punctuality', 32)
"""

import difflib
import fnmatch
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from indicators.entry import decode
from indicators.indicator import Indicator, build
from indicators.metrics import Metrics
from indicators.toml_text import TomlError, read_toml

__all__ = ["Catalogue", "CatalogueError", "Indicator", "files", "read"]

SHIPPED = Path(__file__).parent / "data"
"""The folder of the catalogue that comes with the package."""

VERSION = "1.0"
"""Version of the shipped catalogue."""


class CatalogueError(ValueError):
    """Catalogue files that cannot be used; one message per fault, naming file, indicator and key.

    Attributes:
        messages: the faults, in the order of the files.
    """

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = tuple(messages)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All indicators, sorted by id.

    ``hash`` is 32 hex digits over ids, formulas, levels and settings; ``version`` is that of the shipped
    catalogue, with ``+n`` where n indicators are the city's own.
    """

    indicators: tuple[Indicator, ...]
    hash: str
    version: str
    settings: Mapping[str, float] = field(default_factory=dict, hash=False)

    @classmethod
    def load(cls, paths: Sequence[Path] = (), settings: Mapping[str, float] | None = None) -> Self:
        """The shipped indicators, and those of further files or folders of ``*.toml`` files.

        An indicator with the id of an earlier one replaces it. ``settings`` are the city profile's numbers.

        Raises:
            CatalogueError: a file or an indicator cannot be used; nothing is taken then.

        >>> len(Catalogue.load().indicators)
        84
        """
        return cls.of_texts([(path, _text(path)) for path in files(paths)], settings)

    @classmethod
    def of_texts(
        cls, texts: Sequence[tuple[Path, str | Exception]], settings: Mapping[str, float] | None = None
    ) -> Self:
        """The same from files that have been read: the path and the text of each.

        Raises:
            CatalogueError: a file or an indicator cannot be used; nothing is taken then.
        """
        metrics = Metrics.load()
        shipped = read(files([SHIPPED]), metrics)
        own = _built(texts, metrics)
        merged = {i.id: i for i in (*shipped, *own)}
        indicators = tuple(merged[key] for key in sorted(merged))
        version = f"{VERSION}+{len(own)}" if own else VERSION
        numbers = dict(settings or {})
        return cls(indicators, _hash(indicators, numbers), version, numbers)

    def only(self, patterns: Sequence[str]) -> Self:
        """The indicators whose id is among ``patterns`` or matches one (``*``, ``?``); all if there are none.

        Raises:
            CatalogueError: a pattern fits no indicator.

        >>> [i.id for i in Catalogue.load().only(["gas.leak*"]).indicators]
        ['gas.leak_lel_max']
        """
        if not patterns:
            return self
        ids = [i.id for i in self.indicators]
        found = {pattern: fnmatch.filter(ids, pattern) for pattern in patterns}
        faults = [_strange(pattern, ids) for pattern, fits in found.items() if not fits]
        if faults:
            raise CatalogueError(faults)
        wanted = {name for fits in found.values() for name in fits}
        indicators = tuple(i for i in self.indicators if i.id in wanted)
        return replace(self, indicators=indicators, hash=_hash(indicators, self.settings))

    def changed(self, other: Self) -> frozenset[str]:
        """The ids of the indicators that another catalogue has not, or computes or judges otherwise.

        >>> whole = Catalogue.load()
        >>> len(whole.changed(whole)), len(whole.changed(whole.only(["air.aqi"])))
        (0, 83)
        """
        known = {i.id: _canonical(i) for i in other.indicators}
        return frozenset(i.id for i in self.indicators if known.get(i.id) != _canonical(i))

    def __getitem__(self, key: str) -> Indicator:
        for indicator in self.indicators:
            if indicator.id == key:
                return indicator
        raise KeyError(key)


def _strange(pattern: str, ids: Sequence[str]) -> str:
    near = difflib.get_close_matches(pattern, ids, 3)
    hint = f"; near it: {', '.join(near)}" if near else ""
    return f"there is no indicator {pattern!r}{hint}; yiwang catalogue list shows all"


def files(paths: Iterable[Path]) -> list[Path]:
    """The files named, and the ``*.toml`` files of the folders named, sorted.

    Raises:
        CatalogueError: there is no such file or folder, or a folder holds no ``*.toml``.

    >>> [p.name for p in files([SHIPPED])][:2]
    ['air_and_noise.toml', 'cases.toml']
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not inside:
            raise CatalogueError([f"{path}: no *.toml file in this folder; name the catalogue's folder"])
        if not path.exists():
            raise CatalogueError([f"{path}: no such file or folder; name a catalogue file"])
        found.extend(inside)
    return found


def read(paths: Sequence[Path], metrics: Metrics) -> tuple[Indicator, ...]:
    """The indicators of catalogue files, in order.

    Raises:
        CatalogueError: with every fault found in the files.

    >>> read([], Metrics.load())
    ()
    """
    return _built([(path, _text(path)) for path in paths], metrics)


def _text(path: Path) -> str | Exception:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return error


def _built(texts: Sequence[tuple[Path, str | Exception]], metrics: Metrics) -> tuple[Indicator, ...]:
    faults: list[str] = []
    found: dict[str, Indicator] = {}
    for path, text in texts:
        for name, table in _tables(path, text, faults):
            try:
                indicator = build(decode(table), metrics)
            except ValueError as error:
                faults.append(f"{path}: {name}: {error}")
                continue
            if indicator.id in found:
                faults.append(f"{path}: {name}: id: occurs twice; an id names one indicator")
            found[indicator.id] = indicator
    if faults:
        raise CatalogueError(faults)
    return tuple(found.values())


def _tables(path: Path, text: str | Exception, faults: list[str]) -> list[tuple[str, dict[str, Any]]]:
    try:
        if isinstance(text, Exception):
            raise text
        content = read_toml(text)
    except (OSError, UnicodeDecodeError, TomlError) as error:
        faults.append(f"{path}: {error}; a catalogue is TOML text in UTF-8")
        return []
    tables = content.pop("indicator", [])
    # Golden cases may stand beside the indicators they are about, in files of their own too.
    cases = content.pop("case", None)
    if content:
        faults.append(f"{path}: unknown key {next(iter(content))!r}; write [[indicator]] tables only")
    if not tables and cases:
        return []
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables) or not tables:
        faults.append(f"{path}: no [[indicator]] table; write one per indicator, with two brackets")
        return []
    return [(str(t.get("id", f"indicator {i}")), t) for i, t in enumerate(tables, start=1)]


def _hash(indicators: Sequence[Indicator], settings: Mapping[str, float]) -> str:
    content = {
        "settings": {name: float(value) for name, value in settings.items()},
        "indicators": [_canonical(indicator) for indicator in indicators],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _canonical(i: Indicator) -> dict[str, Any]:
    return {
        "id": i.id,
        "window": i.window_ms,
        "hop": i.hop_ms,
        "formula": repr(i.formula.value),
        "alarm_needs": repr(i.alarm_needs),
        "level_needs": {str(level): repr(node) for level, node in i.level_needs.items()},
        "levels": [repr(i.raises), repr(i.clears), repr(i.for_ms), i.high_bad],
        "rules": [i.min_coverage, i.lowest, i.merge, i.early],
        "judged": [i.entry.anomaly, i.entry.department, i.entry.unit, i.entry.theme],
    }
