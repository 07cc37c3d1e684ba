"""The engine's own hash, computed anew: lanes must fall evenly on 1, 2, 4 and 8 processes."""

from __future__ import annotations

import pytest

from flows.lane_names import MOST_LANES, lane_names

_MASK = (1 << 64) - 1


def _rotated(x: int, by: int) -> int:
    return ((x << by) | (x >> (64 - by))) & _MASK


def _round(v: list[int]) -> None:
    v[0] = (v[0] + v[1]) & _MASK
    v[1] = _rotated(v[1], 13) ^ v[0]
    v[0] = _rotated(v[0], 32)
    v[2] = (v[2] + v[3]) & _MASK
    v[3] = _rotated(v[3], 16) ^ v[2]
    v[0] = (v[0] + v[3]) & _MASK
    v[3] = _rotated(v[3], 21) ^ v[0]
    v[2] = (v[2] + v[1]) & _MASK
    v[1] = _rotated(v[1], 17) ^ v[2]
    v[2] = _rotated(v[2], 32)


def sip_hash_1_3(data: bytes) -> int:
    """SipHash-1-3 with a zero key, as the engine's hasher computes it (Aumasson and Bernstein 2012)."""
    v = [0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573]
    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        _round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(3):
        _round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@pytest.mark.parametrize("kind", ["shard", "cases"])
def test_every_lane_is_sent_to_the_worker_of_its_number(kind: str) -> None:
    names = lane_names(kind, MOST_LANES)
    assert [sip_hash_1_3(name.encode() + b"\xff") % MOST_LANES for name in names] == list(range(MOST_LANES))


def test_a_number_of_lanes_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="found 65; give another"):
        lane_names("shard", 65)
