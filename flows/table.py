"""Columns that grow by rows: {name: dtype} -> numpy arrays with room to spare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

_ROOM = 64


class Table:
    """Named columns of equal length; appending a row costs constant time on average.

    >>> table = Table({"cell": np.int64, "metric": np.int16})
    >>> table.append(cell=7, metric=1), table.append(cell=8, metric=2)
    (0, 1)
    >>> table["cell"].tolist(), len(table)
    ([7, 8], 2)
    """

    __slots__ = ("_columns", "_length")

    def __init__(self, dtypes: Mapping[str, DTypeLike]) -> None:
        self._columns: dict[str, NDArray[Any]] = {k: np.zeros(_ROOM, dtype) for k, dtype in dtypes.items()}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The column as a writable view; it is outdated once a row is appended."""
        return self._columns[name][: self._length]

    def append(self, **row: int) -> int:
        """Add a row that names every column; returns its number."""
        if self._length == len(next(iter(self._columns.values()))):
            self._columns = {k: np.concatenate((c, np.zeros_like(c))) for k, c in self._columns.items()}
        for name, column in self._columns.items():
            column[self._length] = row[name]
        self._length += 1
        return self._length - 1

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the columns."""
        return {name: self[name].copy() for name in self._columns}

    @classmethod
    def restore(cls, dtypes: Mapping[str, DTypeLike], state: Mapping[str, NDArray[Any]]) -> Self:
        """The table of ``state()``."""
        table = cls(dtypes)
        table._length = len(next(iter(state.values())))
        spare = np.zeros(_ROOM, np.int8)
        table._columns = {k: np.concatenate((state[k], spare.astype(dtype))) for k, dtype in dtypes.items()}
        return table
