"""The areas above the cells in order of appearance: (kind, uid) → row, and what each is called."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flows.batches import FINAL, Ints
from flows.city import City
from flows.pieces import BEFORE
from geo.areas import AreaKind
from indicators.key_table import KeyTable

CITY_UID = 0


class AreaRows:
    """Areas in order of appearance: row -> (kind, uid), the district each lies in, its text id.

    ``birth`` is the instant from which an area has rows whatever the data, FINAL for none.
    """

    def __init__(self, city: City) -> None:
        self._city = city
        self._number = KeyTable(np.int8, np.int64)
        self.kind = np.empty(0, np.int64)
        self.uid = np.empty(0, np.int64)
        self.district = np.empty(0, np.int64)
        self.birth = np.empty(0, np.int64)
        self._text = np.empty(0, "S1")
        self.rows(np.array([AreaKind.CITY]), np.array([CITY_UID]), np.array([-1]))
        self.birth[0] = BEFORE
        self.born(dict.fromkeys(city.areas.known_districts().tolist(), BEFORE))

    def rows(self, kind: Ints, uid: Ints, district: Ints) -> Ints:
        """The row of each area; new ones are added."""
        rows, known = self._number.number(kind, uid), len(self.kind)
        fresh = len(self._number) - known
        if fresh:
            new = np.flatnonzero(rows >= known)[::-1]
            first = np.empty(fresh, np.int64)
            first[rows[new] - known] = new  # of several rows the last assigned: the first
            self.kind = np.concatenate((self.kind, kind[first]))
            self.uid = np.concatenate((self.uid, uid[first]))
            self.district = np.concatenate((self.district, district[first]))
            self.birth = np.concatenate((self.birth, np.full(fresh, FINAL)))
            self._name(fresh)
        return rows

    def born(self, births: dict[int, int]) -> None:
        """Districts that have rows from an instant on (R13)."""
        if births:
            uid = np.array(list(births), np.int64)
            rows = self.rows(np.full(len(uid), int(AreaKind.DISTRICT)), uid, uid)
            np.minimum.at(self.birth, rows, np.array(list(births.values()), np.int64))

    def _name(self, count: int) -> None:
        kind, uid = self.kind[-count:], self.uid[-count:]
        texts = np.empty(count, object)
        for k in np.unique(kind).tolist():
            own = kind == k
            texts[own] = self._city.areas.ids(AreaKind(k), uid[own])
        self._text = np.concatenate((self._text, np.array([text.encode() for text in texts])))

    def describe(self, rows: Ints) -> tuple[NDArray[np.uint8], NDArray[np.bytes_]]:
        """Kind and text id of each row."""
        return self.kind[rows].astype(np.uint8), self._text[rows]

    def placed(self, rows: Ints) -> tuple[NDArray[np.uint8], NDArray[np.bytes_], NDArray[np.bytes_]]:
        """Kind and text id of each row, and the text id of the district it lies in."""
        kind, text = self.describe(rows)
        texts = self._city.areas.ids(AreaKind.DISTRICT, self.district[rows])
        return kind, text, np.array([one.encode() for one in texts] or [b""])[: len(rows)]
