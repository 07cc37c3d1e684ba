"""Move a data set to another city: places → the same shape in metres around another centre.

The centre of a data set is the median of its longitudes and of its latitudes, so that a wrong place far away
does not move it. Distances to the centre and directions from it are kept (azimuthal equidistant projection),
all other distances within 0.1 % up to 450 km.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from geo.projection import from_metres, to_metres

Float64s = npt.NDArray[np.float64]

CITIES = {"wuhan": (114.305, 30.593)}
"""Name → longitude and latitude of the centre, WGS84 degrees."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Where the centre is to lie, WGS84 degrees."""

    lon: float
    lat: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shift of a city's name or of ``LON,LAT``.

        Raises:
            ValueError: it is neither.

        >>> Shift.parse("wuhan"), Shift.parse("116.4,39.9").lat
        (Shift(lon=114.305, lat=30.593), 39.9)
        >>> Shift.parse("Paris")
        Traceback (most recent call last):
        ValueError: found 'Paris'; give wuhan, or LON,LAT in degrees such as 114.305,30.593
        """
        if text in CITIES:
            return cls(*CITIES[text])
        try:
            lon, lat = map(float, text.split(","))
        except ValueError:
            lon = lat = math.nan
        if not (abs(lon) <= 180 and abs(lat) < 88):
            known = ", ".join(CITIES)
            raise ValueError(f"found {text!r}; give {known}, or LON,LAT in degrees such as 114.305,30.593")
        return cls(lon, lat)

    def move(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Float64s, Float64s]:
        """WGS84 degrees of places after the move: float64 [n] each, NaN stays NaN.

        >>> lon, lat = Shift(114.305, 30.593).move([-71.06, -71.05, -71.04], [42.35, 42.36, 42.37])
        >>> lon.round(6).tolist()[1], lat.round(6).tolist()[1]
        (114.305, 30.593)
        """
        x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
        placed = np.isfinite(x) & np.isfinite(y)
        if not placed.any():
            return x, y
        centre = float(np.median(x[placed])), float(np.median(y[placed]))
        east, north = to_metres(*centre)(x[placed], y[placed])
        out = np.full((2, len(x)), np.nan)
        out[:, placed] = from_metres(self.lon, self.lat)(east, north)
        return out[0], out[1]

    def place(self, east: npt.ArrayLike, north: npt.ArrayLike) -> tuple[Float64s, Float64s]:
        """WGS84 degrees of places given in metres of a local system: float64 [n] each, finite.

        >>> lon, lat = Shift(114.305, 30.593).place([0.0, 500.0, 1000.0], [0.0, 0.0, 0.0])
        >>> float(lon[1]), float(lat[1])
        (114.305, 30.593)
        """
        x, y = np.asarray(east, dtype=np.float64), np.asarray(north, dtype=np.float64)
        return from_metres(self.lon, self.lat)(x - np.median(x), y - np.median(y))


WUHAN = Shift(*CITIES["wuhan"])
"""Where data sets without a place of their own are put unless told otherwise."""
