"""texts -> numbers in the order of their first appearance, whole batches at a time.

Short texts lie packed in a hash table of numpy columns, some 35 bytes each; the few that are longer fall to a
dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from flows.admission.packed_texts import UNPACKED, PackedTexts
from flows.admission.stable_key import stable_key
from flows.batches import Ints
from indicators.key_table import KeyTable

_UNKNOWN = (1 << 64) - 1


class NameTable:
    """Numbers texts 0, 1, 2, ... as they first come.

    >>> table = NameTable(["b"])
    >>> table.numbers(["a", "b", "a"]).tolist(), table.texts()
    ([1, 0, 1], ['b', 'a'])
    """

    __slots__ = ("_keys", "_long")

    def __init__(self, names: Sequence[str] = ()) -> None:
        # A text that is not packed has its number among the long ones in place of its first word.
        self._keys = KeyTable(np.int8, np.uint64)
        self._long: dict[str, int] = {}
        self.numbers(names)

    def __len__(self) -> int:
        return len(self._keys)

    def numbers(self, texts: Sequence[str]) -> Ints:
        """The numbers of n texts, int64[n]; new texts are numbered in their order."""
        packed = PackedTexts.of(texts)
        for row in np.flatnonzero(packed.length == UNPACKED).tolist():
            packed.words[0][row] = self._long.setdefault(texts[row], len(self._long))
        return self._keys.number(*self._fitted(packed))

    def find(self, other: NameTable, numbers: Ints) -> Ints:
        """The numbers here of the texts that have ``numbers`` in another table, -1 for those unknown here."""
        return self._keys.find(*self._translated(other, numbers, lambda text: self._long.get(text, _UNKNOWN)))

    def adopt(self, other: NameTable, numbers: Ints) -> Ints:
        """The same, but new texts are numbered."""
        long = self._long
        return self._keys.number(
            *self._translated(other, numbers, lambda text: long.setdefault(text, len(long)))
        )

    def texts(self, numbers: Ints | None = None) -> list[str]:
        """The texts of these numbers, of all in their order if none are given."""
        packed = self._packed(np.arange(len(self)) if numbers is None else numbers)
        texts = packed.texts()
        long = list(self._long)
        for row in np.flatnonzero(packed.length == UNPACKED).tolist():
            texts[row] = long[int(packed.words[0][row])]
        return texts

    def keys(self, numbers: Ints) -> Ints:
        """A 63-bit key of each of these texts, int64[n], the same in every process and every run."""
        packed = self._packed(numbers)
        keys = packed.hashes()
        long = list(self._long)
        for row in np.flatnonzero(packed.length == UNPACKED).tolist():
            keys[row] = stable_key(long[int(packed.words[0][row])])
        return keys

    def _packed(self, numbers: Ints) -> PackedTexts:
        length, *words = (column[numbers] for column in self._keys.columns())
        return PackedTexts(length, tuple(words))

    def _translated(
        self, other: NameTable, numbers: Ints, long: Callable[[str], int]
    ) -> tuple[NDArray[Any], ...]:
        packed, theirs = other._packed(numbers), list(other._long)
        for row in np.flatnonzero(packed.length == UNPACKED).tolist():
            packed.words[0][row] = long(theirs[int(packed.words[0][row])])
        return self._fitted(packed)

    def _fitted(self, packed: PackedTexts) -> tuple[NDArray[Any], ...]:
        """The columns of keys as the table has them: as many words as the longest text so far."""
        missing = len(packed.words) + 1 - self._keys.width
        for _ in range(missing):
            self._keys.widen(np.uint64)
        zeros = np.zeros(len(packed.length), np.uint64)
        return packed.length, *packed.words, *([zeros] * -missing)

    def state(self) -> dict[str, Any]:
        """Plain copy."""
        length, *words = (column.copy() for column in self._keys.columns())
        return {"length": length, "words": words, "long": list(self._long)}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Self:
        """The table of ``state()``."""
        table = cls()
        table._long = {text: number for number, text in enumerate(state["long"])}
        table._keys.put(*table._fitted(PackedTexts(state["length"], tuple(state["words"]))))
        return table


@dataclass(frozen=True, slots=True)
class CodedTexts:
    """A column of n texts: ``codes`` int32[n] into ``names``.

    >>> CodedTexts.of(["b", "a", "b"]).codes.tolist()
    [0, 1, 0]
    """

    codes: NDArray[np.int32]
    names: NameTable

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """The column of these texts."""
        names = NameTable()
        return cls(names.numbers(texts).astype(np.int32), names)

    def __len__(self) -> int:
        return len(self.codes)

    def to_list(self) -> list[str]:
        """The n texts."""
        values = self.names.texts()
        return [values[code] for code in self.codes.tolist()]
