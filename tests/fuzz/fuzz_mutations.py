"""Bytes → other bytes, from a seeded generator: the same seed gives the same inputs on every machine.

Texts are changed by bytes, by the words of their language, and by pieces of each other, so that many
inputs come past the first check of what reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

MOST = 1 << 16
"""Longest input that mutation makes, in bytes."""

NUMBERS = (
    b"0",
    b"-1",
    b"1e308",
    b"1e309",
    b"-0.0",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"1" * 400,
    b"9" * 5_000,
    b"0.1e-400",
    b"NaN",
    b"Infinity",
    b"-9223372036854775809",
)
"""Numbers at which types end."""

ODD = (
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "你好".encode(),
    b"\xe2\x80\xa8",
    b"\\ud800",
    b"\\u0000",
    b"\r\n",
    b"\x1c",
    b"\x85",
    b"\xc2\x85",
    "\N{RIGHT-TO-LEFT OVERRIDE}".encode(),
    "①".encode(),
    b"\xe2\x80\x8b",
)
"""Characters that libraries disagree about."""


class Mutator:
    """Makes inputs out of seeds.

    Args:
        seed: what the inputs follow from.
        words: pieces of the language, put in anywhere.

    >>> one, two = (Mutator(7, [b"ts"]).of([b'{"ts":1}', b"[]"]) for _ in range(2))
    >>> one == two
    True
    """

    def __init__(self, seed: int | str, words: Sequence[bytes] = ()) -> None:
        self.random = Random(seed)  # noqa: S311 - inputs of a test that must come again
        self._words = (*words, *NUMBERS, *ODD)
        self._ways: tuple[Callable[[bytearray, Sequence[bytes]], None], ...] = (
            self._flip,
            self._flip,
            self._put,
            self._put,
            self._cut,
            self._double,
            self._splice,
            self._number,
            self._swap,
            self._nest,
        )

    def of(self, seeds: Sequence[bytes]) -> bytes:
        """One input: a seed, changed one to six times; now and then the seed itself or nothing like it."""
        random = self.random
        if random.random() < 0.01:
            return random.randbytes(random.randrange(64))
        text = bytearray(random.choice(seeds))
        for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 4, 6))):
            random.choice(self._ways)(text, seeds)
        return bytes(text[:MOST])

    def _at(self, text: bytearray) -> int:
        return self.random.randrange(len(text) + 1)

    def _span(self, text: bytearray) -> tuple[int, int]:
        begin = self._at(text)
        return begin, min(len(text), begin + self.random.choice((1, 1, 2, 4, 8, 16, 64, 256)))

    def _flip(self, text: bytearray, _: Sequence[bytes]) -> None:
        if text:
            text[self.random.randrange(len(text))] = self.random.randrange(256)

    def _put(self, text: bytearray, _: Sequence[bytes]) -> None:
        at = self._at(text)
        text[at:at] = self.random.choice(self._words)

    def _cut(self, text: bytearray, _: Sequence[bytes]) -> None:
        begin, end = self._span(text)
        del text[begin:end]

    def _double(self, text: bytearray, _: Sequence[bytes]) -> None:
        begin, end = self._span(text)
        text[end:end] = text[begin:end] * self.random.choice((1, 1, 1, 2, 30))

    def _splice(self, text: bytearray, seeds: Sequence[bytes]) -> None:
        other = bytearray(self.random.choice(seeds))
        begin, end = self._span(other)
        at, until = self._span(text)
        text[at:until] = other[begin:end]

    def _number(self, text: bytearray, _: Sequence[bytes]) -> None:
        """Replace a run of digits."""
        at = self._at(text)
        while at < len(text) and not 48 <= text[at] <= 57:
            at += 1
        end = at
        while end < len(text) and (48 <= text[end] <= 57 or text[end] == 46):
            end += 1
        text[at:end] = self.random.choice(NUMBERS)

    def _swap(self, text: bytearray, _: Sequence[bytes]) -> None:
        """Replace a word between quotes, commas, brackets or blanks by a word of the language."""
        at = self._at(text)
        end = at
        while end < len(text) and text[end] not in b'",:;=()[]{} \n':
            end += 1
        text[at:end] = self.random.choice(self._words)

    def _nest(self, text: bytearray, _: Sequence[bytes]) -> None:
        opened, closed = self.random.choice(
            ((b"[", b"]"), (b"{", b"}"), (b"(", b")"), (b'{"a":', b"}"), (b"-", b""))
        )
        times = self.random.choice((1, 2, 40, 300, 3_000))
        begin, end = self._span(text)
        text[end:end] = closed * times
        text[begin:begin] = opened * times
