"""Crowds and health: cameras, counters, pharmacies, schools, the sewage laboratory.

Magnitudes are plausible, not measured; without scenarios they stay below the catalogue's levels.
"""

import math

import numpy as np
from numpy.typing import NDArray

from sim.device_class import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    DeviceClass,
    Scene,
    Signal,
    Siting,
    daily_reference,
    minutely,
)
from sim.working_days import WORKDAY

Floats = NDArray[np.float64]


def counted(mean: Floats, noise: Floats) -> Floats:
    """Return whole numbers about a mean, scattered nearly as a Poisson variable is.

    >>> counted(np.array([9.0, 0.0]), np.array([1.0, 2.0])).tolist()
    [12.0, 0.0]
    """
    whole: Floats = np.maximum(np.rint(mean + np.sqrt(mean) * np.clip(noise, -3.5, 3.5)), 0.0)
    return whole


def crowd_density(s: Scene) -> Floats:
    """People on a square metre; at 2 the pace falls."""
    present = 0.5 * s.driver("leisure") + 0.5 * s.driver("shop")
    return np.maximum(0.04 + (0.3 + 0.6 * s.trait) * present + 0.03 * s.noise, 0.0)


def venue_capacity(s: Scene) -> Floats:
    """Approved capacity of a sight, persons."""
    return np.rint(600.0 + 12_000.0 * s.trait**2)


def venue_headcount(s: Scene) -> Floats:
    """Persons in a sight."""
    share = 0.02 + (0.25 + 0.2 * s.another(1)) * s.driver("leisure")
    return np.rint(np.maximum(venue_capacity(s) * (share + 0.004 * s.noise), 0.0))


def mall_footfall(s: Scene) -> Floats:
    """Customers who came in during five minutes."""
    return counted((15.0 + 160.0 * s.trait) * s.driver("shop"), s.noise)


def otc_fever_sales(s: Scene) -> Floats:
    """Packs against fever and cough sold in an hour."""
    hour = s.driver("hour")
    is_open = (hour >= 8) & (hour < 22)
    return counted((1.0 + 4.0 * s.trait) * is_open * s.driver("illness"), s.noise)


def school_absence(s: Scene) -> Floats:
    """Pupils absent by illness, reported in the morning of a school day."""
    pupils = 400.0 + 1800.0 * s.trait
    ill = counted(0.004 * pupils * s.driver("illness"), s.noise)
    return np.where(s.driver("day") == WORKDAY, ill, np.nan)


def sewage_virus(s: Scene) -> Floats:
    """Viral RNA in sewage, copies/L: more than proportional to illness."""
    log = 4.3 + 0.3 * s.trait + 1.3 * np.log10(np.maximum(s.driver("illness"), 0.01)) + 0.05 * s.noise
    return 10.0**log


CLASSES = (
    DeviceClass(
        "crowd_camera",
        12,
        Siting.CENTRE,
        (Signal("crowd_density", MINUTE_S, 2, crowd_density, high=15.0),),
        group=3,
    ),
    DeviceClass(
        "people_counter",
        4,
        Siting.CENTRE,
        (
            daily_reference("venue_capacity", 0, venue_capacity),
            Signal("venue_headcount", 5 * MINUTE_S, 0, venue_headcount, high=500_000.0),
        ),
    ),
    DeviceClass(
        "people_counter_mall",
        4,
        Siting.CENTRE,
        (minutely("mall_footfall", 0, mall_footfall, 5 * MINUTE_S),),
        sensor_class="people_counter",
    ),
    DeviceClass("pharmacy_pos", 6, Siting.PEOPLE, (minutely("otc_fever_sales", 0, otc_fever_sales, HOUR_S),)),
    DeviceClass(
        "school_report",
        4,
        Siting.PEOPLE,
        (Signal("school_absence", DAY_S, 0, school_absence, at_hour=9.0),),
    ),
    DeviceClass(
        "sewage_lab",
        2,
        Siting.RIVER,
        (Signal("sewage_virus", DAY_S, 0, sewage_virus, high=math.inf, at_hour=10.0),),
    ),
)
"""The device classes of this file."""
