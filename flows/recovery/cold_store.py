"""Closed slices on disk: immutable, checksummed rows per lane, durable before the snapshot that names them.

Every snapshot of a lane has a sequence number. A row is one slice (or closed step) of one metric as it was at
a snapshot; the slices a snapshot speaks of are, for each slice, the row with the highest number up to its
own. A row without data says that the slice was dropped. So a snapshot that was never committed leaves rows
behind that nobody reads, and the next one under its number removes them.

Much may change at once, at the end of a minute. It can be written ahead, under the number of the snapshot to
come and in another thread, so that the flow stands still for less when that snapshot is taken.

The engine closes an epoch only when the one before is committed everywhere. While snapshot n is taken, none
before n - 1 can be asked for any more; rows that only those speak of are dropped, with one more in reserve.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_SCHEMA = """
CREATE TABLE IF NOT EXISTS slices (
    metric INTEGER NOT NULL, slice INTEGER NOT NULL, seq INTEGER NOT NULL, digest BLOB, data BLOB,
    PRIMARY KEY (metric, slice, seq)
);
CREATE INDEX IF NOT EXISTS slices_of_seq ON slices (seq);
"""
_NEWEST = """
SELECT metric, slice, max(seq), digest, data FROM slices WHERE seq <= ? GROUP BY metric, slice
"""
_SUPERSEDED = """
DELETE FROM slices WHERE seq < :seq AND (metric, slice) IN (SELECT metric, slice FROM slices WHERE seq = :seq)
"""
_STILL_NEEDED = 2
"""Snapshots before the one being taken whose slices are kept."""

_AHEAD = ThreadPoolExecutor(1, "cold-store")
"""The thread that writes ahead, for all stores of a process."""

Row = tuple[int, int, int, bytes | None, bytes | None]


class ColdStoreError(OSError):
    """A row is not what was written."""


class Shelf(Protocol):
    """Slices, or closed steps, of one metric by number, and which changed since they were last written."""

    changed: set[int]

    @property
    def kept(self) -> Mapping[int, object]:
        """What there is."""

    def dump(self, k: int) -> bytes:
        """One of them as bytes."""

    def load(self, k: int, data: bytes) -> None:
        """Take up one that was dumped."""


class Drafted(Shelf, Protocol):
    """One whose content can become bytes in another thread."""

    def draft(self, k: int) -> Callable[[], bytes]:
        """What dumps one of them as it is now, whenever and wherever it is called."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """What is being written ahead: (shelf, its number, what of it), and how many bytes there were."""

    shelves: list[tuple[Drafted, int, set[int]]]
    bytes: Future[int]


class ColdStore:
    """The slices of one lane in one SQLite file.

    Raises:
        sqlite3.OperationalError: the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._stored: dict[int, set[int]] = {}
        self._begun: _Begun | None = None
        self._ahead = 0
        """Bytes written ahead for the snapshot to come."""
        self._cleared = 0
        """The snapshot under whose number nothing of an earlier run is left."""
        # Two threads use it, never at the same time.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def write(self, seq: int, shelves: Mapping[int, Shelf]) -> int:
        """Store what changed since the last call (or ``read``) under ``seq``; returns the bytes written.

        A shelf that is not there any more leaves nothing.
        """
        self._settle()
        rows = [row for number, shelf in shelves.items() for row in self._changes(seq, number, shelf)]
        for number in self._stored.keys() - shelves.keys():
            rows += [(number, k, seq, None, None) for k in self._stored.pop(number)]
        with _transaction(self._db):
            self._put(seq, rows)
            self._drop(seq - _STILL_NEEDED)
        self._cleared = seq
        written, self._ahead = self._ahead + sum(len(data) for *_, data in rows if data), 0
        return written

    def ahead(self, seq: int, shelves: Mapping[int, Drafted]) -> None:
        """Begin to store what changed under the number of the snapshot to come; nobody waits for it.

        While what was begun before is being written, nothing is begun.
        """
        if self._begun is not None and not self._begun.bytes.done():
            return
        self._settle()
        taken = [(shelf, number, shelf.changed & shelf.kept.keys()) for number, shelf in shelves.items()]
        taken = [one for one in taken if one[-1]]
        if taken:
            drafts = [(number, k, shelf.draft(k)) for shelf, number, keys in taken for k in sorted(keys)]
            for shelf, _, keys in taken:
                shelf.changed -= keys
            self._begun = _Begun(taken, _AHEAD.submit(self._write_ahead, seq, drafts))

    def _write_ahead(self, seq: int, drafts: list[tuple[int, int, Callable[[], bytes]]]) -> int:
        rows = [_row(number, k, seq, draft()) for number, k, draft in drafts]
        with _transaction(self._db):
            self._put(seq, rows)
        self._cleared = seq
        return sum(len(data) for *_, data in rows if data)

    def _settle(self) -> None:
        """Wait for what was begun; what could not be written counts as changed again."""
        begun, self._begun = self._begun, None
        if begun is None:
            return
        failed = begun.bytes.exception() is not None
        for shelf, number, keys in begun.shelves:
            if failed:
                shelf.changed |= keys
            else:
                self._stored.setdefault(number, set()).update(keys)
        self._ahead += 0 if failed else begun.bytes.result()

    def _put(self, seq: int, rows: list[Row]) -> None:
        if self._cleared != seq:
            self._db.execute("DELETE FROM slices WHERE seq >= ?", (seq,))
        self._db.executemany("INSERT OR REPLACE INTO slices VALUES (?, ?, ?, ?, ?)", rows)

    def _changes(self, seq: int, number: int, shelf: Shelf) -> Iterator[Row]:
        stored = self._stored.setdefault(number, set())
        if not shelf.changed and len(stored) == len(shelf.kept):
            return
        for k in sorted(shelf.changed & shelf.kept.keys()):
            yield _row(number, k, seq, shelf.dump(k))
        for k in stored - shelf.kept.keys():
            yield number, k, seq, None, None
        shelf.changed.clear()
        self._stored[number] = set(shelf.kept)

    def _drop(self, seq: int) -> None:
        self._db.execute(_SUPERSEDED, {"seq": seq})
        self._db.execute("DELETE FROM slices WHERE seq = ? AND data IS NULL", (seq,))

    def read(self, seq: int, shelves: Mapping[int, Shelf]) -> int:
        """Fill empty shelves with the slices that snapshot ``seq`` speaks of; returns how many there are.

        Raises:
            ColdStoreError: a row's checksum is wrong.
        """
        for metric, k, number, digest, data in self._db.execute(_NEWEST, (seq,)):
            if data is None:
                continue
            if _digest(data) != digest:
                raise ColdStoreError(
                    f"{self.path}: slice {k} of metric {metric}, written with snapshot {number}, is "
                    f"damaged; restore the recovery folder from a copy, or begin with an empty one"
                )
            shelves[metric].load(k, data)
            self._stored.setdefault(metric, set()).add(k)
        return sum(len(stored) for stored in self._stored.values())

    def refill(self, seq: int, shelves: Mapping[int, Shelf], told: int, what: str) -> None:
        """Fill empty shelves with all that snapshot ``seq`` speaks of: so many, called ``what``.

        Raises:
            ColdStoreError: there are more or fewer here, or a row's checksum is wrong.
        """
        found = self.read(seq, shelves)
        if found != told:
            raise ColdStoreError(
                f"{self.path}: the snapshot speaks of {told} {what}, found {found}; "
                f"restore the whole recovery folder from one copy, or begin with an empty one"
            )

    def close(self) -> None:
        """Close the file, once what was begun is written."""
        self._settle()
        self._db.close()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        yield


def _row(number: int, k: int, seq: int, data: bytes) -> Row:
    return number, k, seq, _digest(data), data


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
