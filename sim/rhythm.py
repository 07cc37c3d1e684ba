"""Where people are: shares of the most there ever are, by hour, by kind of day, by zone."""

import numpy as np
from numpy.typing import NDArray

from sim.regions import Level

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

HOURS = (0.0, 2.0, 5.0, 6.5, 8.0, 9.5, 12.0, 13.5, 16.0, 17.5, 18.5, 20.0, 21.5, 23.0, 24.0)
"""Local hours at which the tables below stand."""

PROFILES = {
    # name: workday, weekend, public holiday
    "home": (
        (1.0, 1.0, 0.99, 0.92, 0.6, 0.38, 0.36, 0.37, 0.36, 0.42, 0.55, 0.78, 0.9, 0.98, 1.0),
        (1.0, 1.0, 1.0, 0.97, 0.88, 0.72, 0.62, 0.6, 0.56, 0.56, 0.6, 0.7, 0.85, 0.97, 1.0),
        (1.0, 1.0, 1.0, 0.98, 0.88, 0.66, 0.54, 0.5, 0.48, 0.52, 0.58, 0.68, 0.82, 0.96, 1.0),
    ),
    "work": (
        (0.08, 0.06, 0.06, 0.12, 0.55, 0.98, 0.85, 0.95, 1.0, 0.85, 0.5, 0.25, 0.16, 0.1, 0.08),
        (0.07, 0.06, 0.06, 0.09, 0.2, 0.34, 0.33, 0.34, 0.35, 0.3, 0.22, 0.15, 0.11, 0.08, 0.07),
        (0.06, 0.05, 0.05, 0.06, 0.12, 0.2, 0.2, 0.2, 0.2, 0.18, 0.14, 0.11, 0.08, 0.07, 0.06),
    ),
    "travel": (
        (0.06, 0.03, 0.05, 0.4, 1.0, 0.5, 0.42, 0.42, 0.5, 0.85, 0.95, 0.5, 0.35, 0.14, 0.06),
        (0.08, 0.04, 0.05, 0.18, 0.38, 0.52, 0.55, 0.52, 0.56, 0.6, 0.58, 0.48, 0.4, 0.18, 0.08),
        (0.09, 0.05, 0.06, 0.2, 0.45, 0.62, 0.6, 0.58, 0.62, 0.66, 0.62, 0.5, 0.42, 0.2, 0.09),
    ),
    "shop": (
        (0.02, 0.01, 0.01, 0.04, 0.12, 0.26, 0.46, 0.4, 0.36, 0.48, 0.62, 0.66, 0.36, 0.06, 0.02),
        (0.02, 0.01, 0.01, 0.04, 0.14, 0.48, 0.76, 0.78, 0.85, 0.82, 0.86, 0.82, 0.46, 0.08, 0.02),
        (0.02, 0.01, 0.01, 0.04, 0.16, 0.55, 0.85, 0.88, 0.95, 0.92, 0.96, 0.9, 0.5, 0.1, 0.02),
    ),
    "leisure": (
        (0.02, 0.01, 0.03, 0.12, 0.16, 0.24, 0.26, 0.28, 0.3, 0.24, 0.24, 0.26, 0.14, 0.04, 0.02),
        (0.02, 0.01, 0.03, 0.14, 0.3, 0.62, 0.72, 0.78, 0.78, 0.55, 0.4, 0.36, 0.18, 0.05, 0.02),
        (0.02, 0.01, 0.03, 0.16, 0.4, 0.8, 0.92, 0.98, 0.95, 0.7, 0.5, 0.42, 0.2, 0.06, 0.02),
    ),
}
"""Shares at :data:`HOURS` for the kinds of days of ``working_days``; plausible, not measured."""

FIRST_COMMUTER_HOURS = 0.3
"""How much earlier the day begins in the outskirts, in hours."""


def people(streets: Level, hour: Floats, day: Int64s) -> dict[str, Floats]:
    """Return home, work, travel, shop and leisure, float64 [steps, zones].

    ``hour`` float64 [steps] is the local hour, ``day`` int64 [steps] the kind of the day.

    >>> from sim.regions import Regions
    >>> fields = people(Regions.wuhan().streets, np.array([3.0, 8.0]), np.array([0, 0]))
    >>> fields["travel"][:, 0].round(1).tolist()
    [0.0, 1.0]
    """
    outskirts = 1.0 - np.exp(-streets.km_to_centre / 20.0)
    local = np.mod(hour[:, None] + FIRST_COMMUTER_HOURS * outskirts, 24.0)
    fields = {}
    for name, profiles in PROFILES.items():
        by_kind = np.stack([np.interp(local, HOURS, profile) for profile in profiles])
        fields[name] = np.take_along_axis(by_kind, day[None, :, None], axis=0)[0]
    return fields
