"""Indicator values: frames of columns -> Arrow segments under ``.parts``, exactly once over a crash.

A part keeps the frames it is given as they are and turns them into one Arrow record batch when there are
enough rows. Its snapshot is ``(segments, bytes of the last segment)``: a resumed part cuts the last
segment to that length, deletes later ones and starts a new one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition
from numpy.typing import NDArray

from sinks.arrow_values import Segment

PARTS = ".parts"
"""Folder inside the output folder that holds what the parts wrote."""

KINDS = ("cell", "community", "street", "district", "city")
STATUSES = ("ok", "no_data", "warming_up")

BATCH_ROWS = 1 << 16
"""Rows of one record batch, about 4 MB of columns."""

Position = tuple[int, int]
"""Number of segments, bytes of the last one."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """News of the catalogue between frames: the indicators without values from now on, and what is in force.

    Attributes:
        indicators: ids.
        version: of the catalogue in force.
        hash: of the catalogue in force.
    """

    indicators: tuple[str, ...]
    version: str
    hash: str

    def frame(self) -> "ValueFrame":
        """A frame without rows that carries the news.

        >>> len(Withdrawn(("air.aqi",), "1.0", "5f3c").frame())
        0
        """
        none, whole = np.empty(0), np.empty(0, np.int64)
        rows = np.empty(0, np.uint8)
        return ValueFrame("", 0, [], whole, whole, none, rows, whole, none, 0, 0, whole, self)


@dataclass(frozen=True, slots=True)
class ValueFrame:
    """Values of one indicator, n rows; a scalar stands for n equal rows.

    Attributes:
        indicator: id of the indicator.
        kind: uint8[n], index into `KINDS`.
        names: ids of areas, text or fixed-width UTF-8 bytes.
        place: int64[n], the row's id as a position in ``names``; None: the ids of the rows are ``names``.
        window_end: int64[n], epoch milliseconds.
        value: float64[n], NaN for none.
        level: uint8[n], 0 to 4.
        n: int64[n], readings behind the value.
        coverage: float64[n], 0 to 1, NaN for none.
        revision: int32[n], 0 for the first value of a window.
        status: uint8[n], index into `STATUSES`.
        row: int64[n], number of the area within its part, the same for all time and indicators; None where
            nobody numbers them.
        news: what a frame without rows tells.
        score: float64[n], how unusual a value is, 0 to 1, NaN where it was not scored; None: nobody scores.
        low: float64[n], lower end of the band it was expected in, NaN for none; None as of ``score``.
        high: float64[n], the upper end.
        sure: bool[n], whether enough stands behind a value for a level; None: nobody says.

    >>> frame = ValueFrame("air.aqi", 4, np.array([b"city"]), np.array([0, 0]), np.array([0, 3_600_000]),
    ...                    np.array([57.0, 58.0]), np.array([1, 1]), np.array([9, 8]), np.ones(2), 0, 0)
    >>> len(frame), frame.area.tolist()
    (2, [b'city', b'city'])
    """

    indicator: str
    kind: NDArray[np.uint8] | int
    names: NDArray[np.bytes_] | list[str]
    place: NDArray[np.int64] | None
    window_end: NDArray[np.int64] | int
    value: NDArray[np.float64]
    level: NDArray[np.uint8]
    n: NDArray[np.int64]
    coverage: NDArray[np.float64]
    revision: NDArray[np.int32] | int
    status: NDArray[np.uint8] | int
    row: NDArray[np.int64] | None = None
    news: Withdrawn | None = None
    score: NDArray[np.float64] | None = None
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    sure: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.value)

    @property
    def area(self) -> NDArray[np.bytes_]:
        """The id of the area of every row as fixed-width UTF-8 bytes."""
        return self.area_at(slice(None))

    def area_at(self, rows: NDArray[np.int64] | slice) -> NDArray[np.bytes_]:
        """The same of some rows."""
        names = self.names
        if isinstance(names, list):
            names = np.array([name.encode() for name in names])
        return names[rows if self.place is None else self.place[rows]]


class ValuePart(StatefulSinkPartition[ValueFrame, Position]):
    """One part: frames in, segments ``values-NAME-0000.arrows`` out."""

    def __init__(self, folder: Path, name: str, resume: Position | None, *, durable: bool) -> None:
        self._stem = folder / f"values-{name}"
        self._durable = durable
        self._frames: list[ValueFrame] = []
        self._rows = 0
        self._segment: Segment | None = None
        self._count, self._length = resume or (0, 0)
        folder.mkdir(parents=True, exist_ok=True)
        self._rewind()

    def _path(self, index: int) -> Path:
        return self._stem.with_name(f"{self._stem.name}-{index:04d}.arrows")

    def _rewind(self) -> None:
        for path in self._stem.parent.glob(f"{self._stem.name}-[0-9][0-9][0-9][0-9].arrows"):
            if int(path.stem[-4:]) >= self._count:
                path.unlink()
        if self._count:
            cut(self._path(self._count - 1), self._length)

    def write_batch(self, values: list[ValueFrame]) -> None:
        """Keep frames; write a record batch when there are enough rows."""
        self._frames += values
        self._rows += sum(map(len, values))
        if self._rows >= BATCH_ROWS:
            self._write()

    def _write(self) -> None:
        frames = [f for f in self._frames if len(f)]
        if frames:
            if self._segment is None:
                self._segment = Segment(self._path(self._count))
                self._count += 1
            self._segment.write(frames)
        self._frames, self._rows = [], 0

    def snapshot(self) -> Position:
        """Bring all rows to disk and say where they end."""
        self._write()
        if self._segment is not None:
            self._length = self._segment.sync(durable=self._durable)
        return self._count, self._length

    def close(self) -> None:
        """Write what is left."""
        self._write()
        if self._segment is not None:
            self._segment.close()


class ValueTable(FixedPartitionedSink[ValueFrame, Position]):
    """Sink of `ValueFrame` into ``out/.parts``, keyed by text.

    Exactly once with recovery: the parts are cut to their snapshots. Rows with the same key stay in order.

    Args:
        out: the output folder.
        parts: names of the parts; the same at every start of one recovery folder.
        durable: with ``fsync`` at every snapshot; needless without recovery.
    """

    def __init__(self, out: Path, parts: list[str], *, durable: bool = True) -> None:
        self._folder = out / PARTS
        self._parts = parts
        self._durable = durable

    def list_parts(self) -> list[str]:
        """All parts: every process sees the same folder."""
        return self._parts

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> ValuePart:
        """A new part, or one that goes on from its snapshot."""
        del step_id
        return ValuePart(self._folder, for_part, resume_state, durable=self._durable)


def cut(path: Path, length: int) -> None:
    """Cut a file to ``length`` bytes.

    Raises:
        FileNotFoundError: the file is gone or shorter, so rows that recovery counts as written are lost.
    """
    found = path.stat().st_size if path.exists() else 0
    if found < length:
        raise FileNotFoundError(
            f"{path}: recovery expects at least {length} bytes, found {found}: the output folder is not "
            "the one this recovery folder belongs to; give the same --out again, or begin a new --recovery"
        )
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(length)
