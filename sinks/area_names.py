"""What the areas of one part are called, by the numbers that its frames give them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinks.table_file import ValueFrame


class AreaNames:
    """Texts and kinds (index into ``KINDS``) by row; rows nobody has named have an empty text.

    >>> names = AreaNames()
    >>> names.learn([ValueFrame("air.aqi", 4, ["city"], None, 0, np.ones(1), np.zeros(1), np.ones(1),
    ...                         np.ones(1), 0, 0, np.array([2]))])
    >>> names.text(2), names.kind.tolist()
    ('city', [0, 0, 4])
    """

    def __init__(self) -> None:
        """No area."""
        self._text: NDArray[np.bytes_] = np.empty(0, "S1")
        self.kind: NDArray[np.uint8] = np.empty(0, np.uint8)

    def text(self, row: int) -> str:
        """The id of an area."""
        found: bytes = self._text[row]
        return found.decode()

    def learn(self, frames: Iterable[ValueFrame]) -> None:
        """Remember areas seen for the first time."""
        for frame in frames:
            if frame.row is None or not len(frame):
                continue
            self._ensure(int(frame.row.max()) + 1)
            unknown = np.flatnonzero(self._text[frame.row] == b"")
            if unknown.size:
                texts, row = frame.area[unknown], frame.row[unknown]
                if texts.dtype.itemsize > self._text.dtype.itemsize:
                    self._text = self._text.astype(texts.dtype)
                self._text[row] = texts
                self.kind[row] = np.broadcast_to(np.asarray(frame.kind), len(frame))[unknown]

    def _ensure(self, size: int) -> None:
        more = size - len(self._text)
        if more > 0:
            self._text = np.concatenate((self._text, np.zeros(more, self._text.dtype)))
            self.kind = np.concatenate((self.kind, np.zeros(more, np.uint8)))

    def state(self) -> dict[str, Any]:
        """Plain copied data."""
        return {"text": self._text.copy(), "kind": self.kind.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self._text, self.kind = state["text"].copy(), state["kind"].copy()
