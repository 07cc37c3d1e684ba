"""A file that grows: lines appended to it are records that arrive now.

Only plain ``.jsonl`` files are followed; others are read once, to their end. A file that is not there yet is
waited for. R5 needs to know of each whether it was read to its end, and since when nothing has come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.batches import FINAL
from flows.decoding.line_files import Position
from flows.decoding.provenance import Admitted
from flows.decoding.record_files import Block, RecordFile
from flows.inputs import Door, Input, InputFile, Records
from flows.pieces import BEFORE
from flows.wire import Kind


class GrowingRecords:
    r"""The records of a followed file; like `RecordFile`, but None from ``read`` only means: none now.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "readings.jsonl")
    >>> records = GrowingRecords(path, "readings")
    >>> records.read(9) is None, path.write_bytes(b"{}\n{"), len(records.read(9)), records.read(9) is None
    (True, 4, 1, True)
    >>> records.close()
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path, self.kind = path, kind
        self._file: RecordFile | None = None
        self._start: Position = (0, 0, 0)

    def read(self, n: int) -> Block | None:
        """The next records, at most n.

        Raises:
            ValueError: the file was replaced or cut: what was read of it is no longer there.
        """
        if self._file is None and not self._open():
            return None
        block = self._file.read(n) if self._file else None
        if block is None:
            self._check()
        return block

    def _open(self) -> bool:
        if not self.path.exists():
            return False
        self._file = RecordFile(self.path, self.kind, follow=True)
        self._inode = self.path.stat().st_ino
        self._file.seek(self._start)
        return True

    def _check(self) -> None:
        found = self.path.stat() if self.path.exists() else None
        if found is None or found.st_ino != self._inode or found.st_size < self.bytes_read:
            what = "is gone" if found is None else "was replaced or cut"
            raise ValueError(
                f"{self.path} {what}, but a followed file may only grow; "
                f"leave it in place and name the next file beside it in the configuration "
                f"(docs/operations.md: to rotate)"
            )

    @property
    def bytes_read(self) -> int:
        """How much of the file has been read."""
        return self._file.bytes_read if self._file else 0

    def position(self) -> Position:
        """Where the next record is."""
        return self._file.position() if self._file else self._start

    def seek(self, position: Position) -> None:
        """Go to a position, as soon as the file is there."""
        self._start = position
        if self._file is not None:
            self._file.seek(position)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class GrowingFile(InputFile):
    """A followed file and its door.

    Attributes:
        silent: nothing has come for so long that it holds nobody up (R5).
        caught_up: the last attempt to read found no record.
        heard: when the last record came, seconds of ``wall``.
        heard_at: greatest event time of all inputs at that time, ms.
        begun: running maximum after its first records, ms.
    """

    def __init__(
        self,
        source: Input,
        number: int,
        door: Door,
        state: dict[str, Any] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Begin at the start of the file, or where ``state()`` was taken."""
        self.follows = source.path.suffix == ".jsonl"
        super().__init__(source, number, door, state)
        self._wall = wall
        self.silent = self.caught_up = False
        self.heard, self.heard_at, self.begun = wall(), BEFORE, BEFORE

    def _opened(self) -> Records:
        return GrowingRecords(self._path, self.kind) if self.follows else super()._opened()

    def _arrival(self) -> int:
        return int(self._wall() * 1000)

    def next(self, count: int, *, decode_only: bool = False) -> Admitted[Any] | None:
        """Judge the next records; None if there are none now."""
        if not self.follows:
            return super().next(count, decode_only=decode_only)
        block = self._read(count)
        self.caught_up = block is None
        return None if block is None else self._admit(block)

    def return_to(self, clock: int, ceiling: int | None) -> None:
        """Before reading on: what was closed without an input that was silent stays closed.

        Its records take effect after ``clock``, the flow's; whether they are late is for the input's own
        maximum to say (R4). ``ceiling`` is the latest time a record may have now (R6), None where its
        witnesses decide.
        """
        self.door.clock.ceiling = ceiling
        if clock not in {BEFORE, FINAL}:
            self.door.clock.floor = clock

    def listen(self, now: float, greatest: int) -> None:
        """Records have come."""
        self.silent = False
        self.heard, self.heard_at = now, greatest
        if self.begun == BEFORE:
            self.begun = self.clock
