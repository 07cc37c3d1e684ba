"""Changes of a replay: a file of JSON lines, each a time and the files from then on → the control source.

    {"ts": "2024-07-03T10:00:00+08:00", "catalogue": "my_city"}
    {"ts": 1719974400000, "catalogue": null, "thresholds": "thresholds.toml"}

Paths are relative to the file. What a line does not name stays; null stands for none. Lines in order of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.batches import FINAL
from flows.control.change import Change, Files, texts_of
from flows.control.control_input import CONTROL, Changes
from flows.records import Item
from flows.replay.failures import noted
from flows.wire import parse_time


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a file of changes."""

    ts: int | str
    catalogue: str | msgspec.UnsetType | None = msgspec.UNSET
    thresholds: str | msgspec.UnsetType | None = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Script:
    """The changes of a file that can be used, and the faults of each of the others."""

    changes: tuple[Change, ...] = ()
    refused: tuple[tuple[str, ...], ...] = ()


def read_script(path: Path, base: Change, only: Sequence[str] = ()) -> Script:
    """The changes of a file to a city that begins with ``base``; a set with a fault is left out whole.

    Raises:
        ValueError: a line is no change, or comes before the one above it; names the line.
        OSError: a file cannot be read.
    """
    changes, refused = Changes(base, only), list[tuple[str, ...]]()
    wanted, last, found = base, -1, list[Change]()
    for number, raw in enumerate(path.read_bytes().splitlines(), start=1):
        if not raw.strip():
            continue
        ts, wanted = _read(raw, wanted, path, number)
        if ts < last:
            raise ValueError(
                f"{path}:{number}: ts lies before that of the line above; order the lines by time"
            )
        last = ts
        change, faults = changes.propose(wanted, ts)
        if faults:
            refused.append(tuple(faults))
            wanted = changes.last
        if change is not None:
            found.append(change)
    return Script(tuple(found), tuple(refused))


def _read(raw: bytes, before: Change, path: Path, number: int) -> tuple[int, Change]:
    try:
        line = msgspec.json.decode(raw, type=Line)
        ts = parse_time(line.ts) if isinstance(line.ts, str) else line.ts
        catalogue = _texts(path.parent, line.catalogue, before.catalogue)
        thresholds = _texts(path.parent, line.thresholds, before.thresholds)
    except (ValueError, OSError) as error:
        raise ValueError(f'{path}:{number}: {error}; write {{"ts": TIME, "catalogue": "DIR"}}') from error
    return ts, replace(before, catalogue=catalogue, thresholds=thresholds)


def _texts(folder: Path, name: str | msgspec.UnsetType | None, before: Files) -> Files:
    if name is msgspec.UNSET:
        return before
    return texts_of(folder / name) if isinstance(name, str) else ()


class _Part(StatefulSourcePartition[Item, bool]):
    """Tells all lanes of all changes at once; the snapshot says whether it has."""

    def __init__(self, source: ControlFile, done: bool) -> None:  # noqa: FBT001 - a snapshot
        self._source, self._done = source, done

    @noted()
    def next_batch(self) -> list[Item]:
        if self._done:
            raise StopIteration
        self._done = True
        changes = Changes(Change(0, 0))
        return changes.pieces(self._source.lanes, FINAL, self._source.changes)

    def snapshot(self) -> bool:
        return self._done


@dataclass(frozen=True)
class ControlFile(FixedPartitionedSource[Item, bool]):
    """The control source of a replay: changes that are known from the beginning."""

    changes: tuple[Change, ...]
    lanes: Sequence[str]

    def list_parts(self) -> list[str]:
        """The one part."""
        return [CONTROL]

    def build_part(self, step_id: str, for_part: str, resume_state: bool | None) -> _Part:  # noqa: FBT001
        """The part."""
        del step_id, for_part
        return _Part(self, bool(resume_state))
