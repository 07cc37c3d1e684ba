"""Closed slices on disk: immutable, checksummed rows per lane, durable before the snapshot that names them.

Every snapshot of a lane has a sequence number. A row is one slice (or closed step) of one metric as it was at
a snapshot; the slices a snapshot speaks of are, for each slice, the row with the highest number up to its
own. A row without data says that the slice was dropped. So a snapshot that was never committed leaves rows
behind that nobody reads, and the next one under its number removes them.

The engine closes an epoch only when the one before is committed everywhere. While snapshot n is taken, none
before n - 1 can be asked for any more; rows that only those speak of are dropped, with one more in reserve.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


class ColdStore:
    """The slices of one lane in one SQLite file.

    Raises:
        sqlite3.OperationalError: the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._stored: dict[int, set[int]] = {}
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def write(self, seq: int, shelves: Mapping[int, Shelf]) -> int:
        """Store what changed since the last call (or ``read``) under ``seq``; returns the bytes written.

        A shelf that is not there any more leaves nothing.
        """
        rows = [row for number, shelf in shelves.items() for row in self._changes(seq, number, shelf)]
        for number in self._stored.keys() - shelves.keys():
            rows += [(number, k, seq, None, None) for k in self._stored.pop(number)]
        with _transaction(self._db):
            self._db.execute("DELETE FROM slices WHERE seq >= ?", (seq,))
            self._db.executemany("INSERT INTO slices VALUES (?, ?, ?, ?, ?)", rows)
            self._drop(seq - _STILL_NEEDED)
        return sum(len(data) for *_, data in rows if data)

    def _changes(self, seq: int, number: int, shelf: Shelf) -> Iterator[Row]:
        stored = self._stored.setdefault(number, set())
        if not shelf.changed and len(stored) == len(shelf.kept):
            return
        for k in sorted(shelf.changed & shelf.kept.keys()):
            data = shelf.dump(k)
            yield number, k, seq, _digest(data), data
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
        """Close the file."""
        self._db.close()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
