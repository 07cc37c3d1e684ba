"""A change of the city while the engine runs: what is in force from an instant on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

Files = tuple[tuple[str, str], ...]
"""Names and texts of some files."""


@dataclass(frozen=True, slots=True)
class Change:
    """The city's own files as they are from ``effective`` on (a slice end, ms), all of them, changed or not.

    Attributes:
        number: how many changes there were, this one included.
        effective: windows that end later follow it.
        catalogue: the city's own indicators.
        thresholds: levels of some areas at some times.
    """

    number: int
    effective: int
    catalogue: Files = ()
    thresholds: Files = ()


def texts_of(path: Path | None) -> Files:
    """Names and texts of the ``*.toml`` files of a folder, or of one file; none where there is no path.

    Raises:
        OSError, UnicodeDecodeError: a file cannot be read.
    """
    if path is None:
        return ()
    found = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    return tuple((str(one), one.read_text(encoding="utf-8")) for one in found)
