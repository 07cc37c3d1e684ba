"""Drains and mains: underpasses, sewers, sewage works, the drinking water network.

Magnitudes are plausible, not measured; without scenarios they stay below the catalogue's levels.
"""

import numpy as np
from numpy.typing import NDArray

from sim.device_class import HOUR_S, MINUTE_S, DeviceClass, Scene, Signal, Siting, daily_reference, minutely

Floats = NDArray[np.float64]

PIPE_DIAMETERS = np.array([0.6, 0.8, 1.0, 1.2, 1.5, 2.0])
"""Diameters of sewers, m."""


def ponding_depth(s: Scene) -> Floats:
    """Water in an underpass, m: some collect it from far around."""
    return np.maximum(s.driver("standing") * (0.003 + 0.009 * s.trait**2) + 0.0015 * s.noise, 0.0)


def pipe_diameter(s: Scene) -> Floats:
    """Diameter of the sewer, m."""
    diameter: Floats = PIPE_DIAMETERS[(s.trait * PIPE_DIAMETERS.size).astype(np.intp)]
    return diameter


def pipe_level(s: Scene) -> Floats:
    """Level above the invert, m: a third full of what people use, above the crown in a storm."""
    fill = 0.20 + 0.08 * s.another(1) + 0.10 * s.driver("travel") + 0.008 * s.noise
    storm = s.driver("sewer") * (0.016 + 0.014 * s.another(2))
    return pipe_diameter(s) * np.clip(fill + storm, 0.02, 2.6)


def effluent_cod(s: Scene) -> Floats:
    """COD of a works' effluent, mg/L; class 1A allows 50."""
    return 18.0 + 8.0 * s.trait + 1.0 * s.noise


def effluent_nh3n(s: Scene) -> Floats:
    """NH3-N of the effluent, mg/L; class 1A allows 5."""
    return np.maximum(0.6 + 1.0 * s.another(1) + 0.1 * s.noise, 0.0)


def effluent_tp(s: Scene) -> Floats:
    """TP of the effluent, mg/L; class 1A allows 0.5."""
    return np.maximum(0.16 + 0.12 * s.another(2) + 0.01 * s.noise, 0.0)


def effluent_tn(s: Scene) -> Floats:
    """TN of the effluent, mg/L; class 1A allows 15."""
    return 7.5 + 2.5 * s.another(3) + 0.3 * s.noise


def tap_pressure(s: Scene) -> Floats:
    """Pressure in the network, MPa."""
    return 0.28 + 0.06 * s.trait - 0.05 * s.driver("travel") + 0.003 * s.noise


def tap_turbidity(s: Scene) -> Floats:
    """Turbidity, NTU."""
    return np.maximum(0.12 + 0.12 * s.another(1) + 0.015 * s.noise, 0.0)


def tap_free_chlorine(s: Scene) -> Floats:
    """Free chlorine, mg/L."""
    return np.maximum(0.30 + 0.25 * s.another(2) + 0.015 * s.noise, 0.0)


def tap_ph(s: Scene) -> Floats:
    """Acidity."""
    return 7.4 + 0.3 * s.another(3) + 0.02 * s.noise


def dma_inflow(s: Scene) -> Floats:
    """Inflow of a metered district, m³/h: little is used at night."""
    use = 0.10 + 0.55 * s.driver("travel") + 0.35 * s.driver("shop")
    return (150.0 + 700.0 * s.trait) * use * (1 + 0.02 * s.noise)


def industrial_water_flow(s: Scene) -> Floats:
    """Use of a works, m³/h."""
    return (20.0 + 180.0 * s.trait**2) * (0.45 + 0.55 * s.driver("work")) * (1 + 0.02 * s.noise)


CLASSES = (
    DeviceClass(
        "ponding_gauge", 14, Siting.ROADS, (Signal("ponding_depth", MINUTE_S, 3, ponding_depth, high=6.0),)
    ),
    DeviceClass(
        "sewer_level",
        30,
        Siting.ROADS,
        (
            daily_reference("pipe_diameter", 1, pipe_diameter),
            Signal("pipe_level", 5 * MINUTE_S, 3, pipe_level, high=20.0),
        ),
        group=2,
    ),
    DeviceClass(
        "wastewater",
        2,
        Siting.RIVER,
        tuple(
            Signal(metric, 2 * HOUR_S, decimals, values)
            for metric, decimals, values in (
                ("effluent_cod", 1, effluent_cod),
                ("effluent_nh3n", 3, effluent_nh3n),
                ("effluent_tp", 3, effluent_tp),
                ("effluent_tn", 2, effluent_tn),
            )
        ),
    ),
    DeviceClass(
        "water_network",
        30,
        Siting.PEOPLE,
        (
            minutely("tap_pressure", 3, tap_pressure, 5 * MINUTE_S),
            minutely("tap_turbidity", 3, tap_turbidity, 5 * MINUTE_S),
            minutely("tap_free_chlorine", 3, tap_free_chlorine, 5 * MINUTE_S),
            Signal("tap_ph", 5 * MINUTE_S, 2, tap_ph, high=14.0),
        ),
    ),
    DeviceClass("water_meter", 10, Siting.PEOPLE, (minutely("dma_inflow", 1, dma_inflow, 15 * MINUTE_S),)),
    DeviceClass(
        "water_meter_industry",
        6,
        Siting.INDUSTRY,
        (minutely("industrial_water_flow", 1, industrial_water_flow, HOUR_S),),
        sensor_class="water_meter",
    ),
)
"""The device classes of this file."""
