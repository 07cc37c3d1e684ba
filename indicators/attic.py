"""Where what is rarely asked for lies outside the memory: bytes put away, and got back as they were.

The engine knows no place of its own for it: whoever builds a shard may give it an attic.

>>> MemoryAttic().put(b"readings").get()
b'readings'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Stored(Protocol):
    """Something in an attic; what nobody holds any more is thrown away."""

    def get(self) -> bytes:
        """The bytes as they were put."""


class Attic(Protocol):
    """Takes bytes."""

    def put(self, data: bytes) -> Stored:
        """Put some away."""


@dataclass(frozen=True, slots=True)
class _Held:
    data: bytes

    def get(self) -> bytes:
        return self.data


class MemoryAttic:
    """An attic in memory, for tests and tools."""

    def put(self, data: bytes) -> Stored:
        """Keep the bytes."""
        return _Held(data)
