"""A history → the rows of one indicator and area, also those whose hour is not over.

>>> import tempfile
>>> read(Path(tempfile.mkdtemp()), "air.aqi", "city").height
0
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from sinks.history_hours import HOUR, KEY, empty, hours, latest, rows_of, segments


def newest(folder: Path, indicator: str, area: str) -> int | None:
    """The last window end (ms) of an indicator and area, None if there is none."""
    own = _open_rows(folder, indicator, area)["window_end"]
    found = [int(end.timestamp() * 1000) for end in own.sort().tail(1).to_list()]
    for _, path in reversed(hours(folder)):
        rows = _filed([path], indicator, area)
        if rows.height:
            found.append(int(rows["window_end"].dt.epoch("ms").to_numpy().max()))
            break
    return max(found, default=None)


def read(
    folder: Path, indicator: str, area: str, since_ms: int | None = None, until_ms: int | None = None
) -> pl.DataFrame:
    """Rows with ``since_ms`` < window end <= ``until_ms``, in order of time, each in its last revision.

    Columns are those of ``indicators.parquet`` without ``indicator`` and ``area``.
    """
    first = None if since_ms is None else since_ms // HOUR
    last = None if until_ms is None else until_ms // HOUR
    paths = [
        path
        for hour, path in hours(folder)
        if (first is None or hour >= first) and (last is None or hour <= last)
    ]
    rows = latest(pl.concat([_filed(paths, indicator, area), _open_rows(folder, indicator, area)]))
    end = pl.col("window_end").dt.epoch("ms")
    if since_ms is not None:
        rows = rows.filter(end > since_ms)
    if until_ms is not None:
        rows = rows.filter(end <= until_ms)
    return rows.sort("window_end").drop("indicator", "area")


def whole(folder: Path) -> pl.DataFrame:
    """All rows of a history by time, each in its last revision; columns of ``indicators.parquet``."""
    filed = _scan([path for _, path in hours(folder)])
    closed = empty() if filed is None else filed.collect()
    return latest(pl.concat([closed, rows_of(segments(folder), torn=True)])).sort("window_end")


def areas(folder: Path, indicator: str) -> list[str]:
    """Areas with values of an indicator in the newest hour that has any."""
    for _, path in reversed(hours(folder)):
        rows = _scan([path])
        if rows is not None:
            names = rows.filter(indicator=indicator).select(pl.col("area").unique().sort()).collect()["area"]
            if len(names):
                return names.to_list()
    return rows_of(segments(folder), torn=True).filter(indicator=indicator)["area"].unique().sort().to_list()


def _scan(paths: list[Path]) -> pl.LazyFrame | None:
    files = sorted(file for path in paths for file in path.glob("*.parquet"))
    if not files:
        return None
    return pl.scan_parquet(files, hive_partitioning=False).select(
        pl.col(name).cast(kind) for name, kind in empty().schema.items()
    )


def _filed(paths: list[Path], indicator: str, area: str) -> pl.DataFrame:
    rows = _scan(paths)
    return empty() if rows is None else rows.filter(indicator=indicator, area=area).collect()


def _open_rows(folder: Path, indicator: str, area: str) -> pl.DataFrame:
    return rows_of(segments(folder), torn=True).filter(indicator=indicator, area=area)


COLUMNS = tuple(name for name in empty().columns if name not in {KEY[0], KEY[3]})
"""Columns that `read` gives."""
