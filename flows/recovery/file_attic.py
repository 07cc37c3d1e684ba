"""An attic in temporary files: what is got from it is rarely asked for, and never needed after a crash.

The files have no name and go with the process, or when nothing in them is held any more.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path

FILE_BYTES = 64_000_000


class _File:
    """An open file without a name, closed when nobody holds it any more."""

    def __init__(self, folder: Path) -> None:
        self.number, name = tempfile.mkstemp(prefix="past-", dir=folder)
        os.unlink(name)  # noqa: PTH108 - a name from `tempfile`
        self.size = 0
        weakref.finalize(self, os.close, self.number)

    def append(self, data: bytes) -> None:
        written = 0
        while written < len(data):
            written += os.pwrite(self.number, data[written:], self.size + written)
        self.size += len(data)


@dataclass(frozen=True, slots=True)
class _Place:
    file: _File
    at: int
    size: int

    def get(self) -> bytes:
        """The bytes as they were put.

        Raises:
            OSError: the file cannot be read.
        """
        data = os.pread(self.file.number, self.size, self.at)
        if len(data) != self.size:
            raise OSError(f"the temporary file of past readings ends {self.size - len(data)} bytes too soon")
        return data


@dataclass(slots=True)
class FileAttic:
    """Bytes in files of about 64 MB in a folder, which is made if need be."""

    folder: Path
    _file: _File | None = field(default=None, init=False)

    def put(self, data: bytes) -> _Place:
        """Put some away.

        Raises:
            OSError: the file cannot be written; the disk is full, say.
        """
        if self._file is None or self._file.size >= FILE_BYTES:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = _File(self.folder)
        place = _Place(self._file, self._file.size, len(data))
        self._file.append(data)
        return place
