"""Closed windows as Parquet by hour: frames → segments → the files of their hours, the same over a crash.

    ValueFrame ─▶ segment (.open/areas-000007.arrows) ─ when an hour is over ─▶ date=…/hour=…/areas.parquet

A snapshot is ``(segment, its length)``: a part that goes on from one cuts the segment to that length, and
rows that come again are merged into files that may have them already. A segment is deleted when no recovery
point can name it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from sinks.arrow_values import Segment
from sinks.history_hours import HOUR, OPEN, chosen, forget, open_segment, put, rows_of, segments
from sinks.table_file import BATCH_ROWS, KINDS, ValueFrame, cut

Position = tuple[int, int]
"""Number of the segment being written, its length in bytes."""

NEVER = -(1 << 62)


class HistoryPart(StatefulSinkPartition[ValueFrame, Position]):
    """One part: frames in; segments, and files of hours, out."""

    def __init__(self, sink: History, name: str, resume: Position | None) -> None:
        self._sink, self._name = sink, name
        self._frames: list[ValueFrame] = []
        self._rows = 0
        self._segment: Segment | None = None
        self._hour = NEVER
        self._durable = resume
        self._take_up(resume)

    def _path(self, number: int) -> Path:
        return self._sink.folder / OPEN / f"{self._name}-{number:06d}.arrows"

    def _take_up(self, resume: Position | None) -> None:
        """Go on from a snapshot; without one, bring what an earlier run left into its files."""
        left = {int(path.stem[-6:]): path for path in segments(self._sink.folder, self._name)}
        if resume is None:
            put(self._sink.folder, self._name, rows_of(left.values(), torn=True))
            for path in left.values():
                path.unlink()
            self._number = 0
            return
        self._number, length = resume
        for number, path in left.items():
            # Nothing was in the last one yet if its length is 0.
            if number > self._number or (number == self._number and not length):
                path.unlink()
        path = self._path(self._number)
        cut(path, length)
        rows = rows_of([path] if path.exists() else [])
        if rows.height:
            self._hour = int(rows["window_end"].dt.epoch("ms").max()) // HOUR  # type: ignore[arg-type]
        # An Arrow stream cannot be appended to: its rows open a segment of their own.
        self._number += 1
        self._keep(rows)

    def write_batch(self, values: list[ValueFrame]) -> None:
        """Keep the rows; when the first of a new hour has come, bring older hours into their files."""
        for frame in values:
            kept = chosen(frame, self._sink.kinds) if len(frame) else None
            if kept is not None:
                self._frames.append(kept)
                self._rows += len(kept)
        newest = max((int(np.max(frame.window_end)) // HOUR for frame in self._frames), default=NEVER)
        if self._rows >= BATCH_ROWS:
            self._write()
        if self._hour == NEVER:
            self._hour = newest
        elif newest > self._hour:
            self._seal(newest)

    def _write(self) -> None:
        if self._frames:
            if self._segment is None:
                self._segment = open_segment(self._path(self._number))
            self._segment.write(self._frames)
        self._frames, self._rows = [], 0

    def _seal(self, hour: int) -> None:
        """Bring all rows of hours before ``hour`` into their files; the others go to a new segment."""
        self._write()
        rows = self._all()
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        place = pl.col("window_end").dt.epoch("ms") // HOUR
        older, kept = place < hour, place >= self._sink.first_kept(hour)
        put(self._sink.folder, self._name, rows.filter(older & kept))
        self._number, self._hour = self._number + 1, hour
        self._keep(rows.filter(~older))
        forget(self._sink.folder, self._sink.first_kept(hour))

    def _all(self) -> pl.DataFrame:
        path = self._path(self._number)
        return rows_of([path] if path.exists() else [])

    def _keep(self, rows: pl.DataFrame) -> None:
        """Put rows at the beginning of the segment."""
        self._frames = [
            _frame(str(name), group) for (name,), group in rows.group_by("indicator", maintain_order=True)
        ]
        self._write()

    def snapshot(self) -> Position:
        """Bring all rows to disk and say where they end; drop segments no recovery point can name."""
        self._write()
        length = self._segment.sync(durable=self._sink.durable) if self._segment else 0
        for path in segments(self._sink.folder, self._name):
            # The point before this one is safe by now, and is the oldest a start can go back to.
            if self._durable is not None and int(path.stem[-6:]) < self._durable[0]:
                path.unlink()
        self._durable = self._number, length
        return self._durable

    def close(self) -> None:
        """Bring all rows into their files; the segment stays for a start from the last snapshot."""
        self._write()
        put(self._sink.folder, self._name, self._all())
        if self._segment is not None:
            self._segment.close()


class History(FixedPartitionedSink[ValueFrame, Position]):
    """Sink of `ValueFrame` into the files of a history, keyed by text.

    Args:
        folder: where they are.
        parts: names of the parts; the same at every start of one recovery folder.
        kinds: kinds of areas that are kept.
        keep_hours: how many hours are kept, None for all.
        durable: with ``fsync`` at every snapshot; needless without recovery.
    """

    def __init__(
        self,
        folder: Path,
        parts: list[str],
        kinds: Sequence[str] = KINDS,
        keep_hours: int | None = None,
        *,
        durable: bool = True,
    ) -> None:
        self.folder = folder
        self.parts = parts
        self.kinds = [KINDS.index(kind) for kind in kinds]
        self.keep_hours = keep_hours
        self.durable = durable

    def first_kept(self, hour: int) -> int:
        """The first hour that is kept when ``hour`` has begun."""
        return NEVER if self.keep_hours is None else hour - self.keep_hours

    def list_parts(self) -> list[str]:
        """All parts: every process sees the same folder."""
        return self.parts

    def build_part(self, step_id: str, for_part: str, resume_state: Position | None) -> HistoryPart:
        """A new part, or one that goes on from its snapshot."""
        del step_id
        return HistoryPart(self, for_part, resume_state)


def _frame(indicator: str, rows: pl.DataFrame) -> ValueFrame:
    return ValueFrame(
        indicator=indicator,
        kind=rows["kind"].to_physical().cast(pl.UInt8).to_numpy(),
        names=rows["area"].to_list(),
        place=None,
        window_end=rows["window_end"].dt.epoch("ms").to_numpy(),
        value=rows["value"].fill_null(np.nan).to_numpy(),
        level=rows["level"].cast(pl.UInt8).to_numpy(),
        n=rows["n"].to_numpy(),
        coverage=rows["coverage"].fill_null(np.nan).to_numpy(),
        revision=rows["revision"].to_numpy(),
        status=rows["status"].to_physical().cast(pl.UInt8).to_numpy(),
    )
