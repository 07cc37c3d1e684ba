"""Lines of a JSON-lines file, plain or compressed, in blocks; a stored position is returned to exactly.

A line ends in LF or CRLF, the last one may lack it; blank lines and a byte order mark are no records.
A line longer than ``flows.wire.MAX_MESSAGE`` is never held whole: its beginning is kept and marked.
"""

import gzip
import zlib
from itertools import filterfalse
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from flows.wire import MAX_MESSAGE

LINE_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
"""Endings of the files of lines."""

KEPT_OF_A_CUT_LINE = 4096
"""How much of a line that is too large is kept as evidence, in bytes."""

Position = tuple[int, int, int]
"""Where a line starts in the (decompressed) text, records to skip from there, number of the record."""

_CHUNK = 1 << 20
_COMPRESSED_CHUNK = 1 << 14
_MARK = b"\xef\xbb\xbf"
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)


class _Text(Protocol):
    def read(self, size: int, /) -> bytes: ...


class LineReader:
    """Reads the lines of one file; errors as for ``flows.decoding.record_files.RecordFile``.

    With ``follow`` the file may grow: a line counts when its end is there, and later reads go on.
    """

    def __init__(self, path: Path, *, follow: bool = False) -> None:
        self._path = path
        self._follow = follow
        self._file: BinaryIO = path.open("rb", buffering=0)
        self._restart(0)
        self._record = 0

    def read(self, n: int) -> tuple[list[bytes], tuple[int, ...]] | None:
        """Return the next n lines (fewer at the end) and which of them are cut; None at the end."""
        lines: list[bytes] = []
        cut: list[int] = []
        while len(lines) < n:
            if self._taken == len(self._lines):
                if not self._fill():
                    break
                continue
            if self._first_is_cut and self._taken == 0:
                cut.append(len(lines))
            found = self._lines[self._taken : self._taken + n - len(lines)]
            self._taken += len(found)
            lines += found
        self._record += len(lines)
        return (lines, tuple(cut)) if lines else None

    def position(self) -> Position:
        """Return where the next line is."""
        if self._taken == len(self._lines):
            return self._end, 0, self._record
        return self._start, self._taken, self._record

    def seek(self, position: Position) -> None:
        """Go to a position: by offset in a plain file, by reading up to it in a compressed one."""
        offset, skip, record = position
        self._restart(offset)
        if skip:
            self.read(skip)
        self._record = record

    def bytes_read(self) -> int:
        """Return how much of the file, as it lies on the disk, has been read."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _restart(self, offset: int) -> None:
        self._start = self._end = offset
        self._lines: list[bytes] = []
        self._first_is_cut = False
        self._taken = 0
        self._tail = b""
        plain = self._path.suffix == ".jsonl"
        self._file.seek(offset if plain else 0)
        self._text = _text(self._file, self._path.suffix)
        left = 0 if plain else offset
        while left and (skipped := self._chunk(min(left, _CHUNK))):
            left -= len(skipped)

    def _fill(self) -> bool:
        """Buffer the next lines; False at the end of the file."""
        self._start, self._taken, self._first_is_cut = self._end, 0, False
        text = self._tail
        while b"\n" not in text:
            chunk = self._chunk(_CHUNK)
            text += chunk
            if not chunk:
                break
            if len(text) > MAX_MESSAGE and b"\n" not in chunk:
                return self._fill_cut(text)
        if self._follow and b"\n" not in text:
            self._lines, self._tail = [], text
            return False
        lines = text.split(b"\n")
        self._tail = lines.pop() if len(lines) > 1 else b""
        self._end = self._start + len(text) - len(self._tail)
        if self._start == 0:
            lines[0] = lines[0].removeprefix(_MARK)
        beginning = [lines.pop(0)[:KEPT_OF_A_CUT_LINE]] if len(lines[0]) > MAX_MESSAGE else []
        self._lines, self._first_is_cut = beginning + _records(lines, has_cr=b"\r" in text), bool(beginning)
        return bool(text)

    def _fill_cut(self, text: bytes) -> bool:
        """Pass over the rest of a line of which ``text`` is more than may be held."""
        self._end = self._start + len(text)
        beginning, self._tail = text[:KEPT_OF_A_CUT_LINE], b""
        while chunk := self._chunk(_CHUNK):
            line, newline, self._tail = chunk.partition(b"\n")
            self._end += len(line) + len(newline)
            if newline:
                break
        self._lines, self._first_is_cut = [beginning], True
        return True

    def _chunk(self, size: int) -> bytes:
        try:
            return self._text.read(size)
        except _DAMAGED as error:
            raise ValueError(
                f"{self._path} is damaged behind record {self._record} ({error}); compress it again"
            ) from error


def _records(lines: list[bytes], *, has_cr: bool) -> list[bytes]:
    if has_cr:
        lines = [line.removesuffix(b"\r") for line in lines]
    return list(filterfalse(bytes.isspace, filter(None, lines)))


def _text(file: BinaryIO, suffix: str) -> _Text:
    if suffix == ".gz":
        return gzip.GzipFile(fileobj=file)
    return _Zstandard(file) if suffix == ".zst" else file


class _Zstandard:
    """Text of a Zstandard file of any number of frames; unlike the library's reader it notices a lost end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._started = False
        self._ready = b""

    def read(self, size: int) -> bytes:
        while not self._ready:
            packed = self._file.read(_COMPRESSED_CHUNK)
            if not packed:
                if self._started:
                    raise EOFError("the last frame has no end")
                return b""
            self._ready = self._unpacked(packed)
        text, self._ready = self._ready[:size], self._ready[size:]
        return text

    def _unpacked(self, packed: bytes) -> bytes:
        text = b""
        while packed:
            text += self._frame.decompress(packed)
            self._started = not self._frame.eof
            packed = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
        return text
