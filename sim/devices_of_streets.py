"""Streets and squares: lids, lamps, bins, smells, noise, hydrants.

Magnitudes are plausible, not measured; without scenarios they stay below the catalogue's levels.
"""

import numpy as np
from numpy.typing import NDArray

from sim.device_class import HOUR_S, MINUTE_S, DeviceClass, Scene, Signal, Siting, minutely

Floats = NDArray[np.float64]

NIGHT_LIMITS = np.array([45.0, 50.0, 55.0])
"""Night limits of functional zones 1, 2 and 3 or 4a, dB(A) (GB 3096-2008); by day 10 to 15 dB more."""

DAY_LIMITS = np.array([55.0, 60.0, 65.0])


def manhole_open(s: Scene) -> Floats:
    """0: the lid lies where it should."""
    return np.zeros_like(s.trait)


def manhole_tilt(s: Scene) -> Floats:
    """Tilt of the lid, degrees."""
    return 0.4 + 2.2 * s.trait + 0.15 * np.abs(s.noise)


def streetlight_on_cmd(s: Scene) -> Floats:
    """1 from dusk to dawn."""
    hour = s.driver("hour")
    return ((hour >= 18.5) | (hour < 6.25)).astype(np.float64)


def streetlight_power(s: Scene) -> Floats:
    """Power of a lamp, W: a little while it is off."""
    full = 70.0 + 180.0 * np.floor(3 * s.trait) / 2
    return np.where(streetlight_on_cmd(s) > 0, full * (1 + 0.02 * s.noise), 0.6 + 0.1 * np.abs(s.noise))


def bin_fill(s: Scene) -> Floats:
    """Fill level, %: emptied once a day in the small hours."""
    since = np.mod(s.driver("hour") - 4.0 - 2.0 * s.another(1), 24.0)
    return 6.0 + (40.0 + 30.0 * s.trait) * since / 24.0 + 0.6 * np.abs(s.noise)


def nh3_ambient(s: Scene) -> Floats:
    """Ammonia at the boundary of a transfer station, mg/m³; GB 14554 allows 1.5."""
    return np.maximum(0.15 + 0.25 * s.trait + 0.05 * s.driver("sun") + 0.03 * s.noise, 0.0)


def h2s_ambient(s: Scene) -> Floats:
    """Hydrogen sulphide at the boundary, mg/m³; GB 14554 allows 0.06."""
    return np.maximum(0.006 + 0.010 * s.trait + 0.002 * s.driver("sun") + 0.002 * s.noise, 0.0)


def _zone(s: Scene) -> NDArray[np.intp]:
    return (s.trait * 3).astype(np.intp)


def noise_limit(s: Scene) -> Floats:
    """Limit of the functional zone at this hour, dB(A): day is 06:00 to 22:00."""
    hour = s.driver("hour")
    by_day = (hour >= 6) & (hour < 22)
    return np.where(by_day, DAY_LIMITS[_zone(s)], NIGHT_LIMITS[_zone(s)])


def noise_laeq(s: Scene) -> Floats:
    """Level of a minute, dB(A): loud between seven and eight in the evening, quiet well before the night."""
    hour = s.driver("hour")
    lively = np.clip((hour - 6.5) / 0.7, 0.0, 1.0) * np.clip((20.4 - hour) / 0.7, 0.0, 1.0)
    return NIGHT_LIMITS[_zone(s)] - 5.0 + 7.0 * lively + 1.2 * s.noise


def site_noise_laeq(s: Scene) -> Floats:
    """Level at the boundary of a building site, dB(A): GB 12523 allows 70 by day, 55 by night."""
    hour = s.driver("hour")
    at_work = np.clip((hour - 7.0) / 0.3, 0.0, 1.0) * np.clip((20.0 - hour) / 0.3, 0.0, 1.0)
    return 45.0 + 4.0 * s.trait + 14.0 * at_work + 1.6 * s.noise


def hydrant_pressure(s: Scene) -> Floats:
    """Pressure at a hydrant, MPa; GB 55036 wants 0.14 standing."""
    return 0.26 + 0.08 * s.trait - 0.03 * s.driver("travel") + 0.004 * s.noise


CLASSES = (
    DeviceClass(
        "manhole",
        110,
        Siting.ROADS,
        (
            Signal("manhole_open", 10 * MINUTE_S, 0, manhole_open, high=1.0),
            Signal("manhole_tilt", 10 * MINUTE_S, 1, manhole_tilt, high=180.0),
        ),
        group=3,
    ),
    DeviceClass(
        "streetlight",
        170,
        Siting.ROADS,
        (
            minutely("streetlight_power", 1, streetlight_power, 15 * MINUTE_S),
            Signal("streetlight_on_cmd", 15 * MINUTE_S, 0, streetlight_on_cmd, high=1.0),
        ),
        group=12,
    ),
    DeviceClass(
        "bin_level",
        60,
        Siting.PEOPLE,
        (Signal("bin_fill", 15 * MINUTE_S, 1, bin_fill, high=100.0),),
        group=6,
    ),
    DeviceClass(
        "odor",
        5,
        Siting.PEOPLE,
        (
            minutely("nh3_ambient", 3, nh3_ambient, 5 * MINUTE_S),
            minutely("h2s_ambient", 4, h2s_ambient, 5 * MINUTE_S),
        ),
    ),
    DeviceClass(
        "noise",
        14,
        Siting.PEOPLE,
        (
            Signal("noise_limit", HOUR_S, 0, noise_limit, reference=True),
            Signal("noise_laeq", MINUTE_S, 1, noise_laeq, low=20.0, high=140.0),
        ),
    ),
    DeviceClass(
        "noise_site",
        10,
        Siting.ROADS,
        (Signal("site_noise_laeq", MINUTE_S, 1, site_noise_laeq, low=20.0, high=140.0),),
        sensor_class="noise",
    ),
    DeviceClass(
        "hydrant", 40, Siting.ROADS, (minutely("hydrant_pressure", 3, hydrant_pressure, 15 * MINUTE_S),)
    ),
)
"""The device classes of this file."""
