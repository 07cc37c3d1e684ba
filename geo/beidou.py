"""BeiDou grid location codes: (lon, lat, level) → int64 codes, and back.

Source: GB/T 39409-2020, *BeiDou grid location code*, levels 1 (6° × 4°) to 10 (1/2048″). A coordinate is
rounded to 1e-9 degree and every index is an integer division, so a point has the same code on every machine.

Codes of one level are numbers from 0 on that sort like their texts. The level is not part of the code: it
travels beside it. -1 stands for "no code" everywhere.

A cell is closed on its side towards the equator and Greenwich. The antimeridian itself (lon = ±180° exactly)
falls, by the same arithmetic, into a column "00" without width.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from geo.code_levels import (
    ACROSS,
    COARSEST,
    COLUMN_DEGREES,
    COLUMNS,
    COUNT,
    FINEST,
    LEVELS,
    ROW_DEGREES,
    ROWS,
    UP,
    Int64s,
    check,
    checked,
    count,
    indexes,
    length,
)
from geo.code_text import parse, parse_each, text, text_bytes

__all__ = [
    "COARSEST",
    "FINEST",
    "LATITUDE_LIMIT",
    "Bounds",
    "bounds",
    "center",
    "code",
    "count",
    "encode",
    "length",
    "neighbours",
    "parent",
    "parse",
    "parse_each",
    "text",
    "text_bytes",
]

Float64s = npt.NDArray[np.float64]

LATITUDE_LIMIT = 88.0
"""Degrees; the standard codes the polar caps differently, and no city lies there."""

_NANO = 1_000_000_000
_TURN = 360 * _NANO
# Beyond this many degrees a float64 can no longer hold 1e-9 of one.
_LONGITUDE_LIMIT = 2.0**53 / _NANO
# Rows that fit the processor's cache together with their intermediates.
_CHUNK = 16_384


def encode(lon: npt.ArrayLike, lat: npt.ArrayLike, level: int) -> Int64s:
    """Codes of WGS84 points.

    `lon`, `lat`: degrees, any equal shape, flattened to [n]; longitudes of any turn are wrapped to [-180,
    180). Returns int64 [n]; -1 where a coordinate is not finite or |lat| ≥ 88°. Raises ValueError for a level
    outside 1..10.

    >>> text(encode([116.3126027778], [39.9931611111], 5), 5)
    ['N50J47539B8']
    """
    check(level)
    lons = np.atleast_1d(np.asarray(lon, dtype=np.float64)).ravel()
    lats = np.atleast_1d(np.asarray(lat, dtype=np.float64)).ravel()
    if len(lons) != len(lats):
        msg = f"lon and lat must have equal lengths, found {len(lons)} and {len(lats)}"
        raise ValueError(msg)
    out = np.empty(len(lons), dtype=np.int64)
    for start in range(0, len(out), _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = _encode(lons[part], lats[part], level)
    return out


def _encode(lon: Float64s, lat: Float64s, level: int) -> Int64s:
    fine = (np.abs(lon) < _LONGITUDE_LIMIT) & (np.abs(lat) < LATITUDE_LIMIT)
    x = np.rint(np.where(fine, lon, 0.0) * _NANO).astype(np.int64)
    y = np.rint(np.where(fine, lat, 0.0) * _NANO).astype(np.int64)
    if x.size and (x.min() < -_TURN // 2 or x.max() >= _TURN // 2):
        x = (x + _TURN // 2) % _TURN - _TURN // 2
    column, inside = _peel(np.abs(x) * ACROSS[level] // (COLUMN_DEGREES * _NANO), level, lon=True)
    row, above = _peel(np.abs(y) * UP[level] // (ROW_DEGREES * _NANO), level, lon=False)
    column = np.where(x >= 0, 31 + column, 30 - column)
    row += np.where(y >= 0, 0, COLUMNS * ROWS)
    codes: Int64s = (column * ROWS + row) * (COUNT[level] // COUNT[1]) + inside + above
    codes[~fine | (np.abs(y) >= int(LATITUDE_LIMIT) * _NANO)] = -1
    return codes


def _peel(index: Int64s, level: int, *, lon: bool) -> tuple[Int64s, Int64s]:
    """An axis' index at `level` → its index at level 1, and what its finer digits add to the code."""
    added = np.zeros_like(index)
    place = 1
    for step in reversed(LEVELS[2 : level + 1]):
        parts, weight = (step.lons, step.lon_weight) if lon else (step.lats, step.lat_weight)
        coarser = index // parts
        added += (index - coarser * parts) * (weight * place)
        index, place = coarser, place * step.radix
    return index, added


def code(lon: float, lat: float, level: int = 5) -> str:
    """Text of the code of one WGS84 point.

    Raises ValueError where `encode` gives -1.

    >>> code(116.3126027778, 39.9931611111, 10)
    'N50J47539B8255346152'
    """
    found = encode([lon], [lat], level)
    if found[0] < 0:
        msg = f"no code at lon {lon}, lat {lat}: coordinates are degrees in WGS84, and |lat| must be below 88"
        raise ValueError(msg)
    return text(found, level)[0]


class Bounds(NamedTuple):
    """Edges of cells: float64 [n] degrees; NaN for -1."""

    west: Float64s
    south: Float64s
    east: Float64s
    north: Float64s


def bounds(codes: npt.ArrayLike, level: int) -> Bounds:
    """Edges of the cells of `codes` (int64 [n]) of one level.

    Raises ValueError for codes beyond the level's range.

    >>> [round(float(edge[0]), 6) for edge in bounds(encode([114.3], [30.6], 5), 5)]
    [114.3, 30.6, 114.301111, 30.601111]
    """
    valid = checked(codes, level)
    east, x, north, y = indexes(np.maximum(valid, 0), level)
    across, up = ACROSS[level], UP[level]
    lons = np.minimum(np.stack([x, x + 1]) * (COLUMN_DEGREES / across), 180.0)
    lats = np.stack([y, y + 1]) * (ROW_DEGREES / up)
    lons = np.where(east, lons, -lons[::-1])
    lats = np.where(north, lats, -lats[::-1])
    lons[:, valid < 0] = np.nan
    lats[:, valid < 0] = np.nan
    return Bounds(lons[0], lats[0], lons[1], lats[1])


def center(codes: npt.ArrayLike, level: int) -> tuple[Float64s, Float64s]:
    """Centres of cells: (lon, lat), float64 [n] degrees, WGS84; NaN for -1.

    >>> lon, lat = center(encode([114.3], [30.6], 5), 5)
    >>> round(float(lon[0]), 6), round(float(lat[0]), 6)
    (114.300556, 30.600556)
    """
    edges = bounds(codes, level)
    return (edges.west + edges.east) / 2, (edges.south + edges.north) / 2


def parent(codes: npt.ArrayLike, level: int, to_level: int) -> Int64s:
    """Codes of `to_level` (≤ `level`) holding the cells `codes` of `level`; -1 stays -1.

    >>> text(parent(encode([114.3], [30.6], 5), 5, 4), 4)
    ['N50H05136']
    """
    check(to_level, finest=level)
    held: Int64s = checked(codes, level) // (COUNT[level] // COUNT[to_level])
    return held


def neighbours(codes: npt.ArrayLike, level: int) -> Int64s:
    """The eight cells around each cell: int64 [n, 8], clockwise from north; -1 past 88° of latitude.

    Found by coding points one cell away, so they are right across columns, the equator, Greenwich and the
    date line.

    >>> text(neighbours(encode([0.0], [0.0], 5), 5)[0, [2, 4, 6]], 5)
    ['N31A0000010', 'S31A0000000', 'N30A0000000']
    """
    lon, lat = center(codes, level)
    across, up = COLUMN_DEGREES / ACROSS[level], ROW_DEGREES / UP[level]
    around = [encode(lon + dx * across, lat + dy * up, level) for dx, dy in _COMPASS]
    return np.stack(around, axis=1)


_COMPASS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
