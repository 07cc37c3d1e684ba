"""Chinese map coordinates: arrays of (lon, lat) in one datum → arrays in another, whole columns at a time.

"wgs84": everything inside is this. "cgcs2000": the national datum of 2008, equal to WGS84 within a few
centimetres (1e-6 degree), so passed through. "gcj02": the shifted coordinates of Chinese maps (Amap,
Tencent). "bd09": Baidu's further shift of GCJ-02.

The shift has no official formula; the constants are those of the widely used reconstruction on the Krasovsky
1940 ellipsoid (for example the open-source eviltransform and coordtransform). Forward it is that formula
exactly; the inverse is found by iteration, to 1e-9 degree. Outside China's bounding box GCJ-02 is WGS84.
"""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Float64s = npt.NDArray[np.float64]
CRS = Literal["wgs84", "gcj02", "bd09", "cgcs2000"]
SYSTEMS: tuple[str, ...] = get_args(CRS)

_SEMI_MAJOR = 6_378_245.0
_ECCENTRICITY_SQUARED = 0.00669342162296594323
# West, east, south, north of the box in which maps are shifted.
_BOX = (72.004, 137.8347, 0.8293, 55.8271)
_BAIDU_TURN = np.pi * 3000.0 / 180.0
# The shift changes by less than 2 % of a step: from 1e-2 degree four rounds win seven digits.
_ROUNDS = 4


def to_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike, crs: str) -> tuple[Float64s, Float64s]:
    """WGS84 degrees of coordinates given in `crs`.

    Takes and gives float64 arrays of one shape; NaN stays NaN. Raises ValueError for a name not in `SYSTEMS`.

    >>> lon, lat = to_wgs84([114.30544], [30.59258], "gcj02")
    >>> round(float(lon[0]), 5), round(float(lat[0]), 5)
    (114.3, 30.595)
    """
    _check(crs)
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if crs == "bd09":
        x, y = _baidu_to_gcj(x, y)
    if crs in {"bd09", "gcj02"}:
        x, y = _gcj_to_wgs(x, y)
    return x, y


def from_wgs84(lon: npt.ArrayLike, lat: npt.ArrayLike, crs: str) -> tuple[Float64s, Float64s]:
    """Coordinates in `crs` of WGS84 degrees: the exact opposite of `to_wgs84`.

    >>> lon, lat = from_wgs84([114.3, 2.35], [30.595, 48.86], "gcj02")
    >>> lon.round(5).tolist(), lat.round(5).tolist()
    ([114.30544, 2.35], [30.59258, 48.86])
    """
    _check(crs)
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if crs in {"bd09", "gcj02"}:
        x, y = _wgs_to_gcj(x, y)
    if crs == "bd09":
        x, y = _gcj_to_baidu(x, y)
    return x, y


def _check(crs: str) -> None:
    if crs not in SYSTEMS:
        msg = f"crs must be one of {', '.join(SYSTEMS)}, found {crs!r}"
        raise ValueError(msg)


def _in_box(lon: Float64s, lat: Float64s) -> npt.NDArray[np.bool_]:
    west, east, south, north = _BOX
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _shift(lon: Float64s, lat: Float64s) -> tuple[Float64s, Float64s]:
    """Degrees that GCJ-02 adds at WGS84 points, wherever they lie."""
    x, y = lon - 105.0, lat - 35.0
    ripple = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    up = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + ripple
    up += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    up += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    across = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + ripple
    across += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    across += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    radians = np.deg2rad(lat)
    flat = 1.0 - _ECCENTRICITY_SQUARED * np.sin(radians) ** 2
    meridian = _SEMI_MAJOR * (1.0 - _ECCENTRICITY_SQUARED) / (flat * np.sqrt(flat))
    parallel = _SEMI_MAJOR / np.sqrt(flat) * np.cos(radians)
    return np.rad2deg(across / parallel), np.rad2deg(up / meridian)


def _wgs_to_gcj(lon: Float64s, lat: Float64s) -> tuple[Float64s, Float64s]:
    east, north = _shift(lon, lat)
    shifted = _in_box(lon, lat)
    return np.where(shifted, lon + east, lon), np.where(shifted, lat + north, lat)


def _gcj_to_wgs(lon: Float64s, lat: Float64s) -> tuple[Float64s, Float64s]:
    x, y = lon, lat
    for _ in range(_ROUNDS):
        east, north = _shift(x, y)
        x, y = lon - east, lat - north
    shifted = _in_box(lon, lat)
    return np.where(shifted, x, lon), np.where(shifted, y, lat)


def _gcj_to_baidu(lon: Float64s, lat: Float64s) -> tuple[Float64s, Float64s]:
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * _BAIDU_TURN)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * _BAIDU_TURN)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _baidu_to_gcj(lon: Float64s, lat: Float64s) -> tuple[Float64s, Float64s]:
    x, y = lon - 0.0065, lat - 0.006
    for _ in range(_ROUNDS):
        east, north = _gcj_to_baidu(x, y)
        x, y = x + (lon - east), y + (lat - north)
    return x, y
