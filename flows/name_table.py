"""texts -> numbers in the order of their first appearance, whole batches at a time.

A dictionary holds the truth. Beside it lies a hash table in numpy arrays, of short ASCII names: it serves a
batch in a few dozen array operations, where a dictionary waits for memory several times per text. What it
cannot serve (long texts, other alphabets, new names, small batches) falls to the dictionary.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from flows.batches import Ints

Words = list[NDArray[np.uint64]]
"""The k-th eight bytes of n texts, for k = 0, 1, ..."""

WIDTH = 32
"""Longest name in the numpy table, bytes."""

_WORD = 8
_SMALL = 256
_NONE = -1


class NameTable:
    """Numbers texts 0, 1, 2, ... as they first come.

    >>> table = NameTable(["b"])
    >>> table.numbers(["a", "b", "a"]).tolist(), table.names
    ([1, 0, 1], ['b', 'a'])
    """

    __slots__ = (
        "_covered",
        "_factors",
        "_known",
        "_length",
        "_missed",
        "_shift",
        "_slots",
        "_words",
        "names",
    )

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names: list[str] = list(names)
        self._known = {name: number for number, name in enumerate(self.names)}
        # Random, so that nobody can choose ids that collide; no result depends on them.
        self._factors = [np.uint64(secrets.randbits(64) | 1) for _ in range(WIDTH // _WORD)]
        self._build()

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: str) -> int:
        """The number of a text, a new one if it is new."""
        number = self._known.setdefault(name, len(self.names))
        if number == len(self.names):
            self.names.append(name)
        return number

    def numbers(self, texts: list[str]) -> Ints:
        """The numbers of n texts, int64[n]; new texts are numbered in their order."""
        packed = _packed(texts) if len(texts) >= _SMALL else None
        if packed is None:
            found = np.fromiter(map(self._known.get, texts, repeat(_NONE)), np.int64, len(texts))
        else:
            found = self._probe(*packed)
        missed = np.flatnonzero(found == _NONE).tolist()
        for row in missed:
            found[row] = self.number(texts[row])
        self._missed += len(missed)
        if packed is not None and self._missed > len(self.names) > self._covered:
            self._build()
        return found

    def _probe(self, words: Words, length: NDArray[np.int8]) -> Ints:
        """Numbers of n packed texts, -1 for those not in the table."""
        found = np.full(len(length), _NONE)
        slot, rows = self._first_slot(words), np.arange(len(length))
        while len(rows):
            number = self._slots[slot]
            equal = self._length[number] == length
            for own, word in zip(self._words, words, strict=False):
                equal &= own[number] == word
            taken = number != _NONE
            equal &= taken
            found[rows[equal]] = number[equal]
            going = np.flatnonzero(taken & ~equal)
            rows, words, length = rows[going], [word[going] for word in words], length[going]
            slot = (slot[going] + 1) & (len(self._slots) - 1)
        return found

    def _first_slot(self, words: Words) -> Ints:
        """Where to look first: the high bits of a multilinear hash, the same for more words of zeros."""
        mixed = words[0] * self._factors[0]
        for word, factor in zip(words[1:], self._factors[1:], strict=False):
            mixed += word * factor
        slot: Ints = (mixed >> self._shift).astype(np.int64)
        return slot

    def _build(self) -> None:
        """Build the numpy table of all names known now, at most half full."""
        self._covered, self._missed = len(self.names), 0
        bits = max(10, (2 * len(self.names)).bit_length())
        self._shift, self._slots = np.uint64(64 - bits), np.full(1 << bits, _NONE, np.int32)
        self._words = [np.zeros(max(len(self.names), 1), np.uint64) for _ in self._factors]
        self._length = np.full(max(len(self.names), 1), _NONE, np.int8)
        fits = [n for n, name in enumerate(self.names) if len(name) <= WIDTH and name.isascii()]
        packed = _packed([self.names[n] for n in fits]) if fits else None
        if packed is None:
            return
        words, length = packed
        number = np.array(fits, np.int64)
        for k, word in enumerate(words):
            self._words[k][number] = word
        self._length[number] = length
        slot = self._first_slot(words)
        while len(number):
            free = self._slots[slot] == _NONE
            self._slots[slot[free]] = number[free]
            # Of several names at one free slot the last assigned has it; the others move on.
            going = self._slots[slot] != number
            number, slot = number[going], (slot[going] + 1) & (len(self._slots) - 1)


def _packed(texts: list[str]) -> tuple[Words, NDArray[np.int8]] | None:
    """Short ASCII texts as columns of 8-byte words padded with zeros, and their lengths; None for others."""
    joined = "".join(texts)
    length = np.fromiter(map(len, texts), np.int64, len(texts))
    longest = int(length.max())
    if longest > WIDTH or not joined.isascii():
        return None
    room = _WORD * max(1, -(-longest // _WORD))
    letters, data = np.zeros((len(texts), room), np.uint8), np.frombuffer(joined.encode(), np.uint8)
    if longest * len(texts) == len(data):
        letters[:, :longest] = data.reshape(len(texts), longest)
    else:
        letters[np.arange(room) < length[:, None]] = data
    return list(letters.view(np.uint64).T), length.astype(np.int8)
