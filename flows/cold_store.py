"""Closed slices on disk: immutable, checksummed blobs per lane, durable before the snapshot that names them.

A blob holds the slices of one metric that changed between two snapshots. A snapshot names a sequence
number; the slices it speaks of are those of all blobs up to it, a later blob's slice replacing an earlier
one's. So a snapshot that was never committed leaves blobs behind that nobody reads.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indicators.slices import Slice, SliceRing

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blobs (
    seq INTEGER NOT NULL, metric INTEGER NOT NULL, newest INTEGER NOT NULL,
    digest BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (seq, metric)
) WITHOUT ROWID
"""


class ColdStoreError(OSError):
    """A blob is not what was written."""


class ColdStore:
    """The blobs of one lane in one SQLite file."""

    def __init__(self, path: Path) -> None:
        """Open or create the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(_SCHEMA)

    def write(self, seq: int, rings: list[SliceRing]) -> int:
        """Store the slices changed since the last call under ``seq``; returns the bytes written."""
        written = 0
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("DELETE FROM blobs WHERE seq >= ?", (seq,))
        for metric, ring in enumerate(rings):
            changed = sorted(k for k in ring.changed if k in ring.slices)
            ring.changed.clear()
            if changed:
                data = _pack(changed, ring)
                written += len(data)
                row = (seq, metric, changed[-1], _digest(data), data)
                self._db.execute("INSERT INTO blobs VALUES (?, ?, ?, ?, ?)", row)
        self._db.execute("COMMIT")
        return written

    def read(self, seq: int, rings: list[SliceRing]) -> None:
        """Fill rings with the slices of all blobs up to ``seq``.

        Raises:
            ColdStoreError: a blob's checksum is wrong.
        """
        rows = self._db.execute(
            "SELECT seq, metric, digest, data FROM blobs WHERE seq <= ? ORDER BY seq, metric", (seq,)
        )
        for number, metric, digest, data in rows:
            if _digest(data) != digest:
                raise ColdStoreError(
                    f"{self._path}: blob {number} of metric {metric} is damaged; restore the folder from a "
                    f"backup, or start without --recovery"
                )
            for k, part in _unpack(data, rings[metric]):
                rings[metric].slices[k] = part

    def forget(self, before: dict[int, int], seq: int) -> None:
        """Drop blobs older than ``seq`` whose newest slice of a metric is ``before`` it."""
        self._db.execute("BEGIN IMMEDIATE")
        for metric, k in before.items():
            self._db.execute("DELETE FROM blobs WHERE metric = ? AND newest <= ? AND seq < ?", (metric, k, seq))
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def _pack(numbers: list[int], ring: SliceRing) -> bytes:
    parts = [ring.slices[k] for k in numbers]
    header = np.array([len(numbers), *numbers, *(len(p.series) for p in parts)], np.int64)
    series = np.concatenate([p.series for p in parts]).astype(np.int32)
    ts = np.concatenate([p.ts for p in parts])
    value = np.concatenate([p.value for p in parts])
    return header.tobytes() + series.tobytes() + ts.tobytes() + value.tobytes()


def _unpack(data: bytes, ring: SliceRing) -> Iterator[tuple[int, Slice]]:
    del ring
    count = int(np.frombuffer(data, np.int64, 1)[0])
    header = np.frombuffer(data, np.int64, 1 + 2 * count)
    numbers, sizes = header[1 : 1 + count], header[1 + count :]
    total, at = int(sizes.sum()), header.nbytes
    series: NDArray[np.int64] = np.frombuffer(data, np.int32, total, at).astype(np.int64)
    ts = np.frombuffer(data, np.int64, total, at + 4 * total).copy()
    value = np.frombuffer(data, np.int64, total, at + 12 * total).copy()
    stops = np.cumsum(sizes)
    for k, begin, end in zip(numbers.tolist(), (stops - sizes).tolist(), stops.tolist(), strict=True):
        yield k, Slice.sorted(series[begin:end], ts[begin:end], value[begin:end])
