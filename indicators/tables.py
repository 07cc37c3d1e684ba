"""Tables of the standards as functions: air quality, felt heat, water class, forest fire weather.

Every function takes float64 arrays (or numbers) that broadcast, and gives a float64 array; NaN is unknown.

>>> aqi(75.0, *[np.nan] * 5).tolist()
100.0
"""

import numpy as np

from indicators.tolerance import Array, Number, bounds_exceeded, bounds_reached, ceil_tolerant, finite, le, lt

_IAQI = (0, 50, 100, 150, 200, 300, 400, 500)

_AQI_POINTS: dict[str, tuple[float, ...]] = {
    "pm25": (0, 35, 75, 115, 150, 250, 350, 500),
    "pm10": (0, 50, 150, 250, 350, 420, 500, 600),
    "so2": (0, 150, 500, 650, 800),
    "no2": (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    "o3": (0, 160, 200, 300, 400, 800, 1000, 1200),
    "co": (0, 5, 10, 35, 60, 90, 120, 150),
}
"""HJ 633-2012 table 1: concentrations at the individual indexes 0 to 500, particles by the 24 h columns,
gases by the 1 h columns; ug/m3, CO mg/m3. The SO2 column ends at 200."""

_POINTS = {code: np.array(points, dtype=np.float64) for code, points in _AQI_POINTS.items()}
_INDEXES = {code: np.array(_IAQI[: len(points)], dtype=np.float64) for code, points in _AQI_POINTS.items()}

_OXYGEN = np.array([2.0, 3.0, 5.0, 6.0, 7.5])
_WATER_BOUNDS = (
    np.array([2.0, 4.0, 6.0, 10.0, 15.0]),
    np.array([0.15, 0.5, 1.0, 1.5, 2.0]),
    np.array([0.02, 0.1, 0.2, 0.3, 0.4]),
)
"""GB 3838-2002 table 1, mg/L: upper bounds of classes I to V for CODMn, NH3-N and TP (river column)."""

_FIRE_HEAT = np.array([5.0, 10.0, 15.0, 20.0, 25.0])
_FIRE_HUMIDITY = np.array([25.0, 35.0, 45.0, 55.0, 65.0])
_BEAUFORT = np.array([0.3, 1.6, 3.4, 5.5, 8.0, 10.8, 13.9, 17.2])
"""LY/T 1172-95: class bounds of degC, % and, for wind forces 1 to 8, m/s."""


def aqi(  # noqa: PLR0913, PLR0917 - the six pollutants of the standard
    pm25: Number, pm10: Number, so2: Number, no2: Number, o3: Number, co: Number
) -> Array:
    """Air quality index of HJ 633-2012: the greatest individual index, each rounded up; missing ones skipped.

    Concentrations in ug/m3, CO in mg/m3. Above the last point 500; SO2 over one hour gives at most 200.

    >>> aqi(75.4, np.nan, 2000.0, np.nan, np.nan, np.nan).tolist()
    200.0
    """
    worst: Number = np.nan
    for code, value in zip(_POINTS, (pm25, pm10, so2, no2, o3, co), strict=True):
        worst = np.fmax(worst, np.interp(value, _POINTS[code], _INDEXES[code]))
    return ceil_tolerant(worst)


@np.errstate(all="ignore")
def heat_index(temperature: Number, humidity: Number) -> Array:
    """Felt temperature in degC from degC and relative humidity in %, by the US National Weather Service.

    Rothfusz regression from 80 degF and 40 % on, else the service's simple formula. NaN if either is NaN.

    >>> heat_index(35.0, 60.0).round(6).tolist()
    45.050171
    """
    t, r = np.multiply(temperature, 1.8) + 32.0, humidity
    simple = 0.5 * (t + 61.0 + (t - 68.0) * 1.2 + r * 0.094)
    regression = (
        -42.379
        + 2.04901523 * t
        + 10.14333127 * r
        - 0.22475541 * t * r
        - 6.83783e-3 * t * t
        - 5.481717e-2 * r * r
        + 1.22874e-3 * t * t * r
        + 8.5282e-4 * t * r * r
        - 1.99e-6 * t * t * r * r
    )
    return finite((np.where(le(80.0, t) & le(40.0, r), regression, simple) - 32.0) / 1.8)


def water_class(do: Number, codmn: Number, nh3n: Number, tp: Number) -> Array:
    """Surface-water class by GB 3838-2002: 1 to 5, 6 for worse than V, 7 for black and odorous; all in mg/L.

    The worst single factor counts and missing ones are skipped; a bound belongs to the better class. Black
    and odorous (guideline for urban black-odorous waters): DO < 0.2, or NH3-N > 15, or DO < 2 with NH3-N > 8.

    >>> water_class(np.array([7.5, 1.9]), np.nan, np.array([0.16, 8.1]), np.nan).tolist()
    [2.0, 7.0]
    """
    worst = 6.0 - bounds_reached(do, _OXYGEN)
    for value, bounds in zip((codmn, nh3n, tp), _WATER_BOUNDS, strict=True):
        worst = np.fmax(worst, 1.0 + bounds_exceeded(value, bounds))
    black = lt(do, 0.2) | lt(15.0, nh3n) | (lt(do, 2.0) & lt(8.0, nh3n))
    return np.where(black, 7.0, worst)


@np.errstate(all="ignore")
def fire_weather(tmax: Number, rhmin: Number, dry_days: Number, wind: Number, phenology: Number) -> Array:
    """Forest fire weather index HTZ = A + B + C + D - E of LY/T 1172-95.

    Highest temperature in degC and lowest humidity in % (NaN if either is NaN), days without rain, wind in
    m/s and the phenology correction in points (each 0 if NaN).

    >>> fire_weather(28.0, 30.0, 10.0, 5.5, np.nan).tolist()
    106.0
    """
    heat = 4.0 * bounds_exceeded(tmax, _FIRE_HEAT)
    dryness = 4.0 * (5.0 - bounds_reached(rhmin, _FIRE_HUMIDITY))
    drought = np.fmin(5.0 * np.fmax(dry_days, 0.0), 50.0)
    force = np.fmax(5.0 * bounds_reached(wind, _BEAUFORT), 0.0)
    return finite(heat + dryness + drought + force - np.where(np.isnan(phenology), 0.0, phenology))
