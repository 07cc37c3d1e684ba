"""Where records say that they are, as they say it -> longitude and latitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.admission.roll import wgs84
from flows.batches import Floats, Ints
from indicators.points import nanodegrees


@dataclass(frozen=True, slots=True)
class Spots:
    """Coordinates of n records: float64 degrees or NaN, and positions in ``CRS_NAMES``."""

    lon: Floats
    lat: Floats
    crs: NDArray[np.uint8]

    def at(self, rows: Ints) -> tuple[Ints, Ints]:
        """Longitude and latitude of some records in 1e-9 degree of WGS84, NOWHERE where they say none."""
        lon, lat = wgs84(self.lon[rows], self.lat[rows], self.crs[rows])
        return nanodegrees(lon), nanodegrees(lat)
