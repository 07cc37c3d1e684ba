"""Roads, parking, buses, metro, freight: devices and what they measure.

Magnitudes are plausible, not measured; without scenarios they stay below the catalogue's levels.
"""

import numpy as np
from numpy.typing import NDArray

from sim.device_class import (
    HOUR_S,
    MINUTE_S,
    DeviceClass,
    Scene,
    Signal,
    Siting,
    daily_reference,
    minutely,
)

Floats = NDArray[np.float64]

FREE_FLOW = np.array([80.0, 60.0, 50.0, 40.0])
"""Free-flow speed of road classes 1 to 4 (expressway, arterial, collector, local), km/h."""


def _class(s: Scene) -> NDArray[np.intp]:
    """Position of the road's class in :data:`FREE_FLOW`: few expressways, many local roads."""
    return np.searchsorted(np.array([0.08, 0.35, 0.65]), s.trait, side="right")


def road_class(s: Scene) -> Floats:
    """Class of the road, 1 to 4."""
    return _class(s).astype(np.float64) + 1.0


def road_freeflow_speed(s: Scene) -> Floats:
    """Free-flow speed, km/h."""
    return FREE_FLOW[_class(s)] * (0.9 + 0.2 * s.another(1))


def road_segment_length(s: Scene) -> Floats:
    """Length of the segment, km."""
    return 0.2 + 1.8 * s.another(2) ** 2


def road_speed(s: Scene) -> Floats:
    """Mean speed: free flow less what congestion takes, km/h."""
    share = 0.97 - (0.45 + 0.15 * s.another(3)) * s.driver("congestion") + 0.025 * s.noise
    return road_freeflow_speed(s) * np.clip(share, 0.08, 1.15)


def parking_total(s: Scene) -> Floats:
    """Spaces of the car park."""
    return np.floor(60 + 640 * s.trait**2)


def parking_occupied(s: Scene) -> Floats:
    """Taken spaces: of a home, an office or a shop by the device's trait."""
    kind = s.another(1)
    taken = np.where(kind < 0.4, s.driver("home"), np.where(kind < 0.75, s.driver("work"), s.driver("shop")))
    share = 0.18 + 0.50 * taken + 0.08 * s.another(2) + 0.01 * s.noise
    return np.floor(parking_total(s) * np.clip(share, 0.0, 1.0))


def truck_passages(s: Scene) -> Floats:
    """Lorries in five minutes at a checkpoint: day and night, fewer at the peaks of commuting."""
    mean = (6.0 + 24.0 * s.trait) * (0.55 + 0.45 * s.driver("work") - 0.15 * s.driver("travel"))
    return np.maximum(np.rint(mean + np.sqrt(mean) * s.noise), 0.0)


def bus_arrival_deviation(s: Scene) -> Floats:
    """Arrival less schedule, s; no buses between half past eleven and half past five."""
    hour = s.driver("hour")
    late = 35.0 + 420.0 * np.maximum(s.driver("congestion") - 0.40, 0.0) + 34.0 * s.noise
    return np.where((hour >= 5.5) & (hour < 23.5), np.clip(late, -600.0, 5400.0), np.nan)


def metro_load(s: Scene) -> Floats:
    """Load of a train, %; no trains at night."""
    hour = s.driver("hour")
    load = 4.0 + (34.0 + 16.0 * s.trait) * s.driver("travel") + 2.5 * s.noise
    return np.where((hour >= 6.0) & (hour < 23.5), np.maximum(load, 0.0), np.nan)


def ev_charger_total(s: Scene) -> Floats:
    """Connectors of a charging station."""
    return np.floor(6 + 30 * s.trait**2)


def ev_charger_occupied(s: Scene) -> Floats:
    """Taken connectors: at home in the evening, at work by day."""
    taken = 0.12 + 0.20 * s.driver("work") + 0.18 * s.driver("shop") + 0.05 * s.noise
    return np.floor(ev_charger_total(s) * np.clip(taken, 0.0, 0.6))


CLASSES = (
    DeviceClass(
        "traffic_detector",
        70,
        Siting.ROADS,
        (
            daily_reference("road_freeflow_speed", 1, road_freeflow_speed),
            daily_reference("road_segment_length", 3, road_segment_length),
            daily_reference("road_class", 0, road_class),
            minutely("road_speed", 1, road_speed),
        ),
        group=2,
    ),
    DeviceClass(
        "parking_gate",
        30,
        Siting.PEOPLE,
        (
            Signal("parking_total", HOUR_S, 0, parking_total, low=1.0, reference=True),
            minutely("parking_occupied", 0, parking_occupied),
        ),
    ),
    DeviceClass(
        "anpr_camera", 8, Siting.ROADS, (minutely("truck_passages", 0, truck_passages, 5 * MINUTE_S),)
    ),
    DeviceClass(
        "bus_avl",
        20,
        Siting.ROADS,
        (
            Signal(
                "bus_arrival_deviation", 3 * MINUTE_S, 0, bus_arrival_deviation, low=-3600.0, irregular=True
            ),
        ),
        group=2,
    ),
    DeviceClass("metro", 4, Siting.CENTRE, (minutely("metro_load", 1, metro_load),), group=2),
    DeviceClass(
        "ev_charger",
        12,
        Siting.PEOPLE,
        (
            Signal("ev_charger_total", HOUR_S, 0, ev_charger_total, low=1.0, reference=True),
            minutely("ev_charger_occupied", 0, ev_charger_occupied, 5 * MINUTE_S),
        ),
    ),
)
"""The device classes of this file."""
