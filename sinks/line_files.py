"""Records as JSON lines under ``.parts``: record -> one line, exactly once over a crash.

Each part appends to one file; its snapshot is the length of that file in bytes, to which a resumed part
cuts it back.
"""

import base64
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from sinks.table_file import PARTS, cut

BATCH_LINES = 1 << 13
"""Lines written at a time, about 2 MB."""

Encode = Callable[[Any], bytes]
"""Record -> JSON without a line end."""


class Refused(Protocol):
    """What a reject line tells: where the record came from, why it was refused, and its bytes."""

    @property
    def source(self) -> str:
        """Name of the input."""

    @property
    def partition(self) -> int:
        """Its partition."""

    @property
    def offset(self) -> int:
        """Place of the message in the partition."""

    @property
    def index(self) -> int:
        """Place of the record in the message."""

    @property
    def reason(self) -> str:
        """Reason of the wire contract."""

    @property
    def raw(self) -> bytes:
        """The record as it came."""

    @property
    def ts_received(self) -> int:
        """Epoch milliseconds."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """CloudEvents attributes of the message, if it had any."""


def plain_line(record: object) -> bytes:
    """A dataclass, msgspec Struct or mapping as JSON; NaN becomes null.

    >>> plain_line({"area": "city", "value": float("nan")})
    b'{"area":"city","value":null}'
    """
    return msgspec.json.encode(record)


def reject_line(record: Refused) -> bytes:
    """One line of ``rejects.jsonl``, as the contract has it; the raw bytes in base 64."""
    return msgspec.json.encode(
        {
            "source": record.source,
            "partition": record.partition,
            "offset": record.offset,
            "index": record.index,
            "reason": str(record.reason),
            "raw_base64": base64.b64encode(record.raw).decode(),
            "ts_received": record.ts_received,
        }
    )


class LinePart(StatefulSinkPartition[Sequence[Any], int]):
    """One part: batches of records in, lines of one file out."""

    def __init__(self, path: Path, encode: Encode, resume: int | None, *, durable: bool) -> None:
        self._encode = encode
        self._durable = durable
        path.parent.mkdir(parents=True, exist_ok=True)
        cut(path, resume or 0)
        self._file = path.open("ab")
        self._lines: list[bytes] = []

    def write_batch(self, values: list[Sequence[Any]]) -> None:
        """Keep the lines of all batches; write them when there are enough."""
        encode = self._encode
        self._lines += [encode(record) + b"\n" for records in values for record in records]
        if len(self._lines) >= BATCH_LINES:
            self._write()

    def _write(self) -> None:
        # NB: nothing stays in the file's own buffer, which an abandoned part would write out when collected.
        self._file.write(b"".join(self._lines))
        self._file.flush()
        self._lines = []

    def snapshot(self) -> int:
        """Bring all lines to disk; the length of the file."""
        self._write()
        if self._durable:
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Write what is left."""
        self._write()
        self._file.close()


class LineFiles(FixedPartitionedSink[Sequence[Any], int]):
    """Sink of batches (sequences) of records into ``out/.parts/NAME-PART.jsonl``, keyed by text.

    Exactly once with recovery: the parts are cut to their snapshots.

    Args:
        out: the output folder.
        name: what the lines are: ``alerts``, ``incidents`` or ``rejects``.
        parts: names of the parts; the same at every start of one recovery folder.
        encode: record -> JSON, e.g. `plain_line` or `reject_line`.
        durable: with ``fsync`` at every snapshot; needless without recovery.
        whole: write ``out/NAME.jsonl`` itself, as a live engine does that never finishes; for a single part.
    """

    def __init__(  # noqa: PLR0913 - what the parts share, given once
        self,
        out: Path,
        name: str,
        parts: list[str],
        encode: Encode,
        *,
        durable: bool = True,
        whole: bool = False,
    ) -> None:
        self._stem = (out if whole else out / PARTS) / name
        self._whole = whole
        self._parts = parts
        self._encode = encode
        self._durable = durable

    def list_parts(self) -> list[str]:
        """All parts: every process sees the same folder."""
        return self._parts

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> LinePart:
        """A new part, or one that goes on from its snapshot."""
        del step_id
        part = "" if self._whole else f"-{for_part}"
        path = self._stem.with_name(f"{self._stem.name}{part}.jsonl")
        return LinePart(path, self._encode, resume_state, durable=self._durable)
