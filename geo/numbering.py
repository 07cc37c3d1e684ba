"""Texts of codes → int64 numbers that stay the same whatever else a file holds, and in whatever order."""

from hashlib import blake2b

_DIGITS = 17
_HASH_BITS = 58


def number(text: str) -> int:
    """The number of a code, below 2**59: its value where it is 1 to 17 digits, else a hash above these.

    Two codes may get one number ("01" and "1", or by a freak of the hash): files that hold both are refused.

    >>> number("420106001001001"), number("a") == number("a") > 10**17, number("a") < 2**59
    (420106001001001, True, True)
    """
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS:
        return int(text)
    hashed = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
    return 1 << _HASH_BITS | hashed >> (64 - _HASH_BITS)


def clashes(texts: list[str]) -> list[tuple[str, str]]:
    """Pairs of places in the list whose codes have one number, as (earlier, later) texts.

    >>> clashes(["1", "2", "01"])
    [('1', '01')]
    """
    seen: dict[int, str] = {}
    found = []
    for text in texts:
        earlier = seen.setdefault(number(text), text)
        if earlier is not text:
            found.append((earlier, text))
    return found
