"""The CSV of one series: texts → times and values, and what was found → CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.detect.series import ScoredRows
from indicators.detector_kinds import Kind

_MISSING = ("", "nan", "null", "none", "na", "n/a", "-")
"""Texts, in lower case, that stand for no value."""

_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S%.f", "%Y/%m/%d %H:%M", "%Y-%m-%d")


class TableError(ValueError):
    """A CSV that is not a series: what is wrong, what was found, what to do."""


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """A series as it lies in a file.

    ``texts`` the columns timestamp and value as they were written; ``local`` datetime64[ms] on the local
    clock; ``values`` float64, NaN where missing; ``unread`` how many values are neither numbers nor missing.
    """

    texts: pl.DataFrame
    local: NDArray[np.datetime64]
    values: NDArray[np.float64]
    unread: int

    def __len__(self) -> int:
        return self.values.size

    @property
    def stamps(self) -> NDArray[np.int64]:
        """Local times as ms since 1970-01-01 on the local clock."""
        return self.local.astype(np.int64)


def read_series(path: Path, time: str, column: str, tz: str) -> RecordedSeries:
    """Read two columns of a CSV.

    Times are ISO 8601; without a zone they are local, with one they are turned to ``tz``.

    Raises:
        TableError: the file is no CSV, lacks a column, has no rows, or a row without a time.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        raise TableError(f"{path} cannot be read as CSV with a header: {error}") from error
    for name in (time, column):
        if name not in table.columns:
            raise TableError(
                f"{path} has no column {name!r} but {', '.join(table.columns)}; name one of them"
            )
    columns = {"timestamp": pl.col(time), "value": pl.col(column)}
    texts = table.select(**{name: one.fill_null("").str.strip_chars() for name, one in columns.items()})
    local = _times(texts["timestamp"], tz, path)
    lower = texts["value"].str.to_lowercase()
    numbers = lower.cast(pl.Float64, strict=False)
    unread = int((numbers.is_null() & ~lower.is_in(_MISSING)).sum())
    values = numbers.fill_null(np.nan).to_numpy()
    return RecordedSeries(texts, local, np.where(np.isfinite(values), values, np.nan), unread)


def _times(texts: pl.Series, tz: str, path: Path) -> NDArray[np.datetime64]:
    naive = pl.coalesce(
        pl.col("timestamp")
        .str.replace("T", " ", literal=True)
        .str.to_datetime(f, time_unit="ms", strict=False)
        for f in _FORMATS
    )
    zoned = (
        pl.col("timestamp")
        .str.replace("T", " ", literal=True)
        .str.replace("Z", "+00:00", literal=True)
        .str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", time_unit="ms", strict=False, time_zone="UTC")
        .dt.convert_time_zone(tz)
        .dt.replace_time_zone(None)
    )
    times = pl.DataFrame(texts).select(pl.coalesce(naive, zoned)).to_series()
    if times.is_empty():
        raise TableError(f"{path} has a header and no rows; there is nothing to detect")
    if times.null_count():
        row = int(times.is_null().arg_max() or 0)
        raise TableError(
            f"{path}, line {row + 2}: {texts[row]!r} is no time; write it like 2026-03-02 08:05:00"
            " (local) or 2026-03-02T08:05:00+08:00"
        )
    return times.to_numpy()


def written(series: RecordedSeries, scores: ScoredRows) -> pl.DataFrame:
    """The rows as they are written: timestamp, value, score, p, kind."""
    names = np.array([kind.name.lower() for kind in Kind])
    return series.texts.with_columns(
        score=pl.Series(scores.score).round(6),
        p=pl.Series(scores.probability).round_sig_figs(6),
        kind=pl.Series(names[scores.kind], dtype=pl.String),
    )
