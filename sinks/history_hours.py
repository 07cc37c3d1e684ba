"""The files of a history: one Parquet file for each hour and part, ``date=2024-07-03/hour=08/areas.parquet``.

The hour (UTC) is that of the window's end. A row is there once, in its last revision: writing rows again
changes nothing, so a crash between writing and remembering that it was done does no harm.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from sinks.arrow_values import Segment, batches
from sinks.digits import significant
from sinks.table_file import KINDS, STATUSES, ValueFrame

HOUR = 3_600_000
OPEN = ".open"
"""Folder of the segments with rows that are not in an hour's file yet."""

KEY = ("indicator", "window_end", "kind", "area")
"""Columns that name a row, in the order of the files."""

_KIND = pl.Enum(KINDS)
_STATUS = pl.Enum(STATUSES)


def hour_file(folder: Path, hour: int, part: str) -> Path:
    """The file of an hour (hours since 1970) and part.

    >>> str(hour_file(Path("h"), 19_907 * 24 + 8, "areas"))
    'h/date=2024-07-03/hour=08/areas.parquet'
    """
    begin = datetime.fromtimestamp(hour * 3600, UTC)
    return folder / f"date={begin:%Y-%m-%d}" / f"hour={begin:%H}" / f"{part}.parquet"


def hours(folder: Path) -> list[tuple[int, Path]]:
    """Hours that are there, oldest first, with their folders."""
    found = []
    for path in folder.glob("date=????-??-??/hour=??"):
        begin = datetime.strptime(f"{path.parent.name[5:]} {path.name[5:]}", "%Y-%m-%d %H").replace(
            tzinfo=UTC
        )
        found.append((int(begin.timestamp()) // 3600, path))
    return sorted(found)


def rows_of(segments: Iterable[Path], *, torn: bool = False) -> pl.DataFrame:
    """The rows of segments as they are in the files, in no order.

    ``torn``: a segment may be being written, or its writer may have died; what is there whole counts.
    """
    frames = [pl.DataFrame(batch) for path in segments for batch in batches(path, torn=torn)]
    if not frames:
        return empty()
    frames = [frame.with_columns(pl.col("indicator", "area").cast(pl.String)) for frame in frames]
    rows = pl.concat(frames)
    return rows.select(
        "indicator",
        "area",
        kind=_named(KINDS, "kind", _KIND),
        window_end=pl.col("window_end").cast(pl.Datetime("ms", "UTC")),
        value=_rounded(rows["value"]),
        level=pl.col("level").cast(pl.Int8),
        n=pl.col("n"),
        coverage=_rounded(rows["coverage"]),
        revision=pl.col("revision"),
        status=_named(STATUSES, "status", _STATUS),
    )


def empty() -> pl.DataFrame:
    """No rows, with the columns of the files."""
    return pl.DataFrame(
        schema={
            "indicator": pl.String,
            "area": pl.String,
            "kind": _KIND,
            "window_end": pl.Datetime("ms", "UTC"),
            "value": pl.Float64,
            "level": pl.Int8,
            "n": pl.Int64,
            "coverage": pl.Float64,
            "revision": pl.Int32,
            "status": _STATUS,
        }
    )


def latest(rows: pl.DataFrame) -> pl.DataFrame:
    """Each row once, in its last revision (of equal ones the last), in the order of the files."""
    return rows.sort(*KEY, "revision", maintain_order=True).unique(KEY, keep="last", maintain_order=True)


def put(folder: Path, part: str, rows: pl.DataFrame) -> None:
    """Merge rows into the files of their hours; on the disk when this returns."""
    if rows.is_empty():
        return
    by_hour = rows.with_columns(hour=pl.col("window_end").dt.epoch("ms") // HOUR)
    for (hour,), group in by_hour.partition_by("hour", as_dict=True, include_key=False).items():
        path = hour_file(folder, int(hour), part)
        known = pl.read_parquet(path, hive_partitioning=False) if path.exists() else empty()
        _write(path, latest(pl.concat([_plain(known), group])))


def _plain(known: pl.DataFrame) -> pl.DataFrame:
    return known.select(pl.col(name).cast(kind) for name, kind in empty().schema.items())


def _write(path: Path, rows: pl.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    text = rows.with_columns(pl.col("kind", "status").cast(pl.String))
    text.write_parquet(draft, compression="zstd", statistics=True)
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def forget(folder: Path, before_hour: int) -> None:
    """Remove hours that are older."""
    for hour, path in hours(folder):
        if hour < before_hour:
            shutil.rmtree(path, ignore_errors=True)
            if not any(path.parent.glob("hour=*")):
                shutil.rmtree(path.parent, ignore_errors=True)


def segments(folder: Path, part: str = "*") -> Iterator[Path]:
    """Segments of a part, oldest first."""
    yield from sorted((folder / OPEN).glob(f"{part}-[0-9][0-9][0-9][0-9][0-9][0-9].arrows"))


def open_segment(path: Path) -> Segment:
    """A new segment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return Segment(path)


def chosen(frame: ValueFrame, kinds: Sequence[int]) -> ValueFrame | None:
    """The rows of a frame of some kinds of areas."""
    if not np.ndim(frame.kind):
        return frame if frame.kind in kinds else None
    keep = np.flatnonzero(np.isin(frame.kind, kinds))
    if not len(keep):
        return None
    if len(keep) == len(frame):
        return frame
    columns = {name: getattr(frame, name) for name in _COLUMNS}
    rows = {name: column[keep] if np.ndim(column) else column for name, column in columns.items()}
    place = keep if frame.place is None else frame.place[keep]
    return ValueFrame(indicator=frame.indicator, names=frame.names, place=place, **rows)


_COLUMNS = ("kind", "window_end", "value", "level", "n", "coverage", "revision", "status")


def _named(names: Sequence[str], column: str, kind: pl.Enum) -> pl.Expr:
    return pl.col(column).replace_strict(list(range(len(names))), list(names), return_dtype=kind)


def _rounded(column: pl.Series) -> pl.Series:
    return pl.Series(column.name, significant(column.to_numpy()), nan_to_null=True)
