"""Columns that grow by rows: {name: dtype} -> numpy arrays with room to spare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from flows.batches import Ints

_LEAST = 64
_GROWTH = 1.5


class Table:
    """Named columns of equal length; appending a row costs constant time on average.

    >>> table = Table({"cell": np.int64, "metric": np.int16})
    >>> table.extend(2, cell=[7, 8], metric=1).tolist()
    [0, 1]
    >>> table["cell"].tolist(), len(table)
    ([7, 8], 2)
    """

    __slots__ = ("_columns", "_length")

    def __init__(self, dtypes: Mapping[str, DTypeLike]) -> None:
        self._columns: dict[str, NDArray[Any]] = {k: np.zeros(_LEAST, dtype) for k, dtype in dtypes.items()}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The column as a writable view; it is outdated once rows are added."""
        return self._columns[name][: self._length]

    def extend(self, count: int, **columns: ArrayLike) -> Ints:
        """Add rows, naming every column (one value: for all rows); returns their numbers, int64[count]."""
        begin, self._length = self._length, self._length + count
        for name, column in self._columns.items():
            if self._length > len(column):
                room = max(self._length, int(_GROWTH * len(column)))
                self._columns[name] = np.zeros(room, column.dtype)
                self._columns[name][:begin] = column[:begin]
            self._columns[name][begin : self._length] = columns[name]
        return np.arange(begin, self._length)

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of the columns."""
        return {name: self[name].copy() for name in self._columns}

    @classmethod
    def restore(cls, dtypes: Mapping[str, DTypeLike], state: Mapping[str, NDArray[Any]]) -> Self:
        """The table of ``state()``."""
        table = cls(dtypes)
        table.extend(len(next(iter(state.values()))), **state)
        return table
