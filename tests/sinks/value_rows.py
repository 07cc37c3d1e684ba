"""Frames and rows for the tests of the values table."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from hypothesis import strategies as st

from sinks.table_file import KINDS, STATUSES, ValueFrame


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One value, as plain Python."""

    indicator: str
    window_end: int
    kind: int
    area: str
    revision: int
    value: float | None
    level: int
    n: int
    coverage: float
    status: int

    def expected(self) -> dict[str, object]:
        """The row as the contract's table shows it."""
        return {
            "indicator": self.indicator,
            "area": self.area,
            "kind": KINDS[self.kind],
            "window_end": datetime.fromtimestamp(self.window_end / 1000, UTC),
            "value": self.value,
            "level": self.level,
            "n": self.n,
            "coverage": self.coverage,
            "revision": self.revision,
            "status": STATUSES[self.status],
        }


def rows(values: Iterable[int] = range(6)) -> st.SearchStrategy[list[Row]]:
    """Rows that differ in (indicator, window end, kind, area, revision), in any order."""
    row = st.builds(
        Row,
        indicator=st.sampled_from(["air.aqi", "gas.leak_lel_max", "traffic.congestion_index"]),
        window_end=st.sampled_from([0, 60_000, 1_720_000_000_000]),
        kind=st.integers(0, 4),
        area=st.sampled_from(["N49H1", "N49H10", "420106", "city", "武昌区"]),
        revision=st.integers(0, 3),
        value=st.sampled_from([None, *map(float, values)]),
        level=st.integers(0, 4),
        n=st.integers(0, 2**40),
        coverage=st.sampled_from([0.0, 0.25, 1.0]),
        status=st.integers(0, 2),
    )
    return st.lists(
        row, max_size=40, unique_by=lambda r: (r.indicator, r.window_end, r.kind, r.area, r.revision)
    )


def frame(batch: list[Row], *, as_bytes: bool = True) -> ValueFrame:
    """Rows of one indicator as a frame; the area as fixed-width bytes or as text."""
    return ValueFrame(
        indicator=batch[0].indicator,
        kind=np.array([r.kind for r in batch], np.uint8),
        names=np.array([r.area.encode() for r in batch]) if as_bytes else [r.area for r in batch],
        place=None,
        window_end=np.array([r.window_end for r in batch], np.int64),
        value=np.array([np.nan if r.value is None else r.value for r in batch]),
        level=np.array([r.level for r in batch], np.uint8),
        n=np.array([r.n for r in batch], np.int64),
        coverage=np.array([r.coverage for r in batch]),
        revision=np.array([r.revision for r in batch], np.int32),
        status=np.array([r.status for r in batch], np.uint8),
    )


def frames(table: list[Row]) -> list[ValueFrame]:
    """One frame for every run of rows with the same indicator; every other one with text areas."""
    runs: list[list[Row]] = []
    for row in table:
        if not runs or runs[-1][0].indicator != row.indicator:
            runs.append([])
        runs[-1].append(row)
    return [frame(run, as_bytes=i % 2 == 0) for i, run in enumerate(runs)]
