"""Which values are told again: a plain model in dicts says the same as the arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.table_file import ValueFrame
from sinks.value_memory import AGAIN_MS, ValueMemory

Row = tuple[int, int, int, float, int, int, float, int]
"""(area, window end in minutes, revision, value, level, n, coverage, status)"""

VALUES = st.sampled_from([0.0, 1.0, 1.0000001, 1.00001, -2.5, math.nan, 123456.4, 123456.6])
ROWS = st.tuples(
    st.integers(0, 5),
    st.integers(0, 40),
    st.integers(0, 2),
    VALUES,
    st.integers(0, 4),
    st.integers(0, 9),
    st.sampled_from([0.5, 1.0, math.nan]),
    st.integers(0, 1),
)
BATCHES = st.lists(st.tuples(st.sampled_from(["a.one", "b.two"]), st.lists(ROWS, max_size=6)), max_size=12)


def frame(indicator: str, rows: Sequence[Row]) -> ValueFrame:
    columns = list(zip(*rows, strict=True)) or [()] * 8
    area, end, revision, value, level, n, coverage, status = (np.array(c) for c in columns)
    return ValueFrame(
        indicator,
        0,
        [f"N{i}" for i in area.tolist()],
        None,
        end.astype(np.int64) * 60_000,
        value.astype(float),
        level.astype(np.uint8),
        n.astype(np.int64),
        coverage.astype(float),
        revision.astype(np.int32),
        status.astype(np.uint8),
        area.astype(np.int64),
    )


class Model:
    """The same in dicts, row by row."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, int], Row] = {}
        self.told: dict[tuple[str, int], int] = {}

    def take(self, indicator: str, rows: Sequence[Row]) -> set[int]:
        last: dict[int, Row] = {}
        for row in rows:
            known = last.get(row[0])
            if known is None or (row[1], row[2]) >= (known[1], known[2]):
                last[row[0]] = row
        return {row[0] for row in last.values() if self._due((indicator, row[0]), row)}

    def _due(self, key: tuple[str, int], row: Row) -> bool:
        old = self.newest.get(key)
        if old is not None and (row[1], row[2]) < (old[1], old[2]):
            return False
        self.newest[key] = row
        shown = self.shown(row)
        if old is None or shown != self.shown(old) or (row[1] - self.told[key]) * 60_000 >= AGAIN_MS:
            self.told[key] = row[1]
            return True
        return False

    @staticmethod
    def shown(row: Row) -> tuple[object, ...]:
        _, _, revision, value, level, _, coverage, status = row
        return f"{value:.6g}", level, status, f"{coverage:.6g}", revision


@given(BATCHES)
def test_the_arrays_tell_what_the_model_tells(batches: list[tuple[str, list[Row]]]) -> None:
    memory, model = ValueMemory(), Model()
    for indicator, found_rows in batches:
        # Of equal windows and revisions in one batch nobody says which is later.
        rows = list({(r[0], r[1], r[2]): r for r in found_rows}.values())
        told = memory.take([frame(indicator, rows)])
        rows_told = told[indicator]["row"].tolist() if told else []
        assert sorted(rows_told) == sorted(model.take(indicator, rows))
    found = {
        (name, int(r["row"])): (int(r["window_end"]) // 60_000, f"{r['value']:.6g}", int(r["n"]))
        for name, records in memory.all().items()
        for r in records
    }
    assert found == {key: (row[1], f"{row[3]:.6g}", row[5]) for key, row in model.newest.items()}


@given(BATCHES, st.integers(0, 12))
def test_a_restored_memory_tells_what_the_old_one_would(
    batches: list[tuple[str, list[Row]]], cut: int
) -> None:
    memory = ValueMemory()
    for indicator, rows in batches[:cut]:
        memory.take([frame(indicator, rows)])
    restored = ValueMemory(memory.state())
    for indicator, rows in batches[cut:]:
        one, other = (m.take([frame(indicator, rows)]) for m in (memory, restored))
        assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in other.items()}


def test_frames_of_nobody_knows_which_areas_are_refused() -> None:
    none, zero = np.zeros(1, np.int64), np.zeros(1)
    anonymous = ValueFrame("x", 0, ["a"], None, 0, zero, none.astype(np.uint8), none, zero, 0, 0)
    with pytest.raises(ValueError, match="does not number"):
        ValueMemory().take([anonymous])
