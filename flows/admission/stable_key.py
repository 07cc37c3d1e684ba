"""Text ids -> 63-bit keys that are the same in every process and every run."""

from __future__ import annotations

from hashlib import blake2b


def stable_key(text: str) -> int:
    """The first 63 bits of blake2b of the UTF-8 text, 0 to 2**63 - 1, so that it fits an int64 column.

    >>> stable_key("s-1") == stable_key("s-1"), stable_key("s-1") == stable_key("s-2")
    (True, False)
    """
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1
