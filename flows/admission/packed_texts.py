"""texts -> columns of 8-byte words, and back: short texts as numbers that numpy can compare.

A text of at most ``WIDTH`` bytes of UTF-8 is its length in bytes and its bytes in words, padded with zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.batches import Ints

Word = NDArray[np.uint64]

WIDTH = 32
"""Longest text that is packed, bytes."""

UNPACKED = -1
"""Length of a text that is too long."""

_WORD = 8
_ERRORS = "surrogatepass"
_SHIFT, _FACTOR = np.uint64(47), np.uint64(0xC6A4A7935BD1E995)
_POSITIVE = np.uint64((1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class PackedTexts:
    """n texts: ``length`` int8[n] bytes, and as ``words[k]`` uint64[n] the k-th eight bytes of all.

    A text that is too long has the length ``UNPACKED`` and zeros for words.
    """

    length: NDArray[np.int8]
    words: tuple[Word, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> PackedTexts:
        """Pack n texts.

        >>> PackedTexts.of(["ab", "温", "x" * 33]).length.tolist()
        [2, 3, -1]
        """
        joined = "".join(texts)
        encoded: Sequence[str | bytes] = texts
        if not joined.isascii():
            encoded = [text.encode(errors=_ERRORS) for text in texts]
        length = np.fromiter(map(len, encoded), np.int64, len(texts))
        data = np.frombuffer(joined.encode(errors=_ERRORS), np.uint8)
        long = length > WIDTH
        if long.any():
            data = data[np.repeat(~long, length)]
            length[long] = 0
        words = _padded(data, length).view("<u8").T
        length[long] = UNPACKED
        return cls(length.astype(np.int8), tuple(words))

    def texts(self) -> list[str]:
        """The texts, "" for those that were too long.

        >>> PackedTexts.of(["ab", "温"]).texts()
        ['ab', '温']
        """
        letters = np.ascontiguousarray(np.stack(self.words, axis=1), "<u8").view(np.uint8)
        size = np.maximum(self.length, 0).astype(np.int64)
        data = letters[np.arange(letters.shape[1]) < size[:, None]].tobytes()
        end = np.cumsum(size)
        spans = zip((end - size).tolist(), end.tolist(), strict=True)
        return [data[a:b].decode(errors=_ERRORS) for a, b in spans]

    def hashes(self) -> Ints:
        """63 bits of a hash of each text, int64[n], the same in every process.

        The mixing is that of MurmurHash64A (Austin Appleby, https://github.com/aappleby/smhasher, public
        domain) over whole words; the length tells apart what differs by zeros at the end alone.
        """
        mixed = self.length.astype(np.uint64) * _FACTOR
        for k, word in enumerate(self.words):
            part = word * _FACTOR
            part ^= part >> _SHIFT
            part *= _FACTOR
            mixed = np.where(self.length > k * _WORD, (mixed ^ part) * _FACTOR, mixed)
        mixed ^= mixed >> _SHIFT
        mixed *= _FACTOR
        mixed ^= mixed >> _SHIFT
        return (mixed & _POSITIVE).astype(np.int64)


def _padded(data: NDArray[np.uint8], length: Ints) -> NDArray[np.uint8]:
    """The bytes of n texts as rows of whole words."""
    longest = int(length.max(initial=0))
    room = _WORD * max(1, -(-longest // _WORD))
    letters = np.zeros((len(length), room), np.uint8)
    if longest * len(length) == len(data):
        letters[:, :longest] = data.reshape(len(length), longest)
    else:
        letters[np.arange(room) < length[:, None]] = data
    return letters
