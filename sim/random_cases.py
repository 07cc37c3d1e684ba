"""Random cases with whole life cycles: one record per status transition, in arrival order."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.weather import MINUTE, Storm

STATUSES = ("reported", "accepted", "dispatched", "arrived", "handled", "verified", "closed", "feedback_good")
"""The path of a case that meets no obstacle."""


@dataclass(frozen=True, slots=True)
class CaseType:
    """A type of case: its share, minutes from report to closing (median), who reports, who is in charge.

    ``by_storm``: reports follow the rain instead of the clock.
    """

    code: str
    share: float
    minutes: float
    channel: str
    department: str
    by_storm: bool = False


CASE_TYPES = (
    CaseType("ev_grid_case", 0.50, 150.0, "grid_member", "市城管执法委"),
    CaseType("ev_traffic_accident", 0.18, 45.0, "122", "市公安局交通管理局"),
    CaseType("ev_road_breakdown", 0.15, 35.0, "122", "市公安局交通管理局"),
    CaseType("ev_waterlogging", 0.12, 90.0, "12345", "市水务局", by_storm=True),
    CaseType("ev_gas_leak", 0.05, 40.0, "utility", "市燃气集团"),
)

SCHEMA = {
    "event_id": pl.String,
    "type": pl.String,
    "status": pl.String,
    "ts": pl.Int64,
    "lon": pl.Float64,
    "lat": pl.Float64,
    "severity": pl.Int64,
    "channel": pl.String,
    "department": pl.String,
}


def random_cases(
    rng: np.random.Generator,
    places: NDArray[np.float64],
    span: tuple[int, int],
    cases: int,
    storm: Storm,
) -> pl.DataFrame:
    """Return the transitions of ``cases`` cases within ``span`` (ms), columns of :data:`SCHEMA`.

    ``places`` (n, 2) are lon and lat to choose from. Coordinates, severity, channel and department stand in
    a case's first record only (else null). Rows are sorted by ts, then event_id.

    >>> storm = Storm(start=0, lon=114.3, minutes=60.0, peak=1.0)
    >>> rows = random_cases(np.random.default_rng(1), np.array([[114.3, 30.6]]), (0, 7_200_000), 50, storm)
    >>> rows["event_id"].n_unique(), rows["status"][0]
    (50, 'reported')
    """
    shares = np.array([t.share for t in CASE_TYPES])
    kind = rng.choice(len(CASE_TYPES), size=cases, p=shares / shares.sum())
    where = places[rng.integers(0, len(places), cases)] + rng.normal(0.0, 0.0005, (cases, 2))
    reported = _report_times(rng, kind, span, storm)
    ts = _transitions(rng, kind, reported)
    last = _last_status(rng, kind)
    row, step = np.nonzero((np.arange(len(STATUSES)) <= last[:, None]) & (ts < span[1]))
    rejected = (last == 1) & (rng.random(cases) < 0.8)
    frame = pl.DataFrame(
        {
            "event_id": pl.Series("n", row).cast(pl.String).str.zfill(6).str.replace("^", "case-"),
            "type": pl.Series([t.code for t in CASE_TYPES]).gather(kind[row]),
            "status": _status_names(step, rejected[row]),
            "ts": ts[row, step],
            **_first_record(rng, where, kind, row, first=step == 0),
        },
        schema=SCHEMA,
    )
    return frame.sort("ts", "event_id", maintain_order=True)


def _report_times(
    rng: np.random.Generator,
    kind: NDArray[np.int64],
    span: tuple[int, int],
    storm: Storm,
) -> NDArray[np.int64]:
    uniform = rng.random(kind.size)
    plain = span[0] + uniform * (span[1] - span[0])
    peak = storm.start + (0.4 + 0.5 * uniform) * storm.minutes * MINUTE
    by_storm = np.array([t.by_storm for t in CASE_TYPES])[kind] & (storm.peak > 0)
    times = np.where(by_storm, np.clip(peak, span[0], span[1] - 1), plain)
    return times.astype(np.int64)


def _transitions(
    rng: np.random.Generator, kind: NDArray[np.int64], reported: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the time of every status of every case, (cases, statuses), rising, in whole seconds apart."""
    shares = np.array([0.03, 0.05, 0.20, 0.45, 0.15, 0.12, 0.30])
    median_ms = np.array([t.minutes for t in CASE_TYPES])[kind] * MINUTE
    steps = shares * median_ms[:, None] * np.exp(rng.normal(0.0, 0.5, (kind.size, shares.size)))
    later = np.cumsum(np.floor(steps / 1000) * 1000 + 1000, axis=1).astype(np.int64)
    return np.concatenate([reported[:, None], reported[:, None] + later], axis=1)


def _last_status(rng: np.random.Generator, kind: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how far along :data:`STATUSES` each case goes when time allows: most to the end or to closed."""
    ends = np.array([1, 3, len(STATUSES) - 2, len(STATUSES) - 1])
    return ends[np.searchsorted(np.array([0.06, 0.10, 0.65]), rng.random(kind.size), side="right")]


def _status_names(step: NDArray[np.int64], rejected: NDArray[np.bool_]) -> pl.Series:
    names = pl.Series([*STATUSES, "rejected"])
    return names.gather(np.where(rejected & (step == 1), len(STATUSES), step))


def _first_record(
    rng: np.random.Generator,
    where: NDArray[np.float64],
    kind: NDArray[np.int64],
    row: NDArray[np.int64],
    *,
    first: NDArray[np.bool_],
) -> dict[str, pl.Series]:
    severity = rng.choice(np.arange(1, 5), size=kind.size, p=[0.35, 0.3, 0.2, 0.15])
    columns = {
        "lon": pl.Series(where[row, 0].round(6)),
        "lat": pl.Series(where[row, 1].round(6)),
        "severity": pl.Series(severity[row]),
        "channel": pl.Series([t.channel for t in CASE_TYPES]).gather(kind[row]),
        "department": pl.Series([t.department for t in CASE_TYPES]).gather(kind[row]),
    }
    keep = pl.Series(first)
    return {
        name: column.zip_with(keep, pl.Series([None], dtype=column.dtype)) for name, column in columns.items()
    }
