"""Gas, bridges, buildings, chemicals, fire: devices that watch for danger.

Magnitudes are plausible, not measured; without scenarios they stay below the catalogue's levels.
"""

import numpy as np
from numpy.typing import NDArray

from sim.device_class import HOUR_S, MINUTE_S, DeviceClass, Scene, Signal, Siting, daily_reference, minutely

Floats = NDArray[np.float64]


def gas_lel(s: Scene) -> Floats:
    """Combustible gas, % of the lower explosive limit."""
    return np.maximum(0.4 + 0.5 * s.trait + 0.15 * s.noise, 0.0)


def gas_user_pressure(s: Scene) -> Floats:
    """Low-pressure gas at a user, kPa; 2.0 nominal."""
    return 2.05 + 0.12 * s.trait - 0.08 * s.driver("home") + 0.03 * s.noise


def bridge_deflection_limit(s: Scene) -> Floats:
    """Design displacement, mm."""
    return np.rint(40.0 + 200.0 * s.trait)


def bridge_deflection(s: Scene) -> Floats:
    """Displacement of the girder, mm: traffic presses, the sun lifts."""
    share = 0.16 * s.driver("travel") - 0.04 * s.driver("sun") + 0.02 * s.noise
    return bridge_deflection_limit(s) * share


def bridge_strain_limit(s: Scene) -> Floats:
    """Design strain, 1e-6."""
    return np.rint(200.0 + 300.0 * s.another(1))


def bridge_strain(s: Scene) -> Floats:
    """Strain of a key section, 1e-6."""
    share = 0.18 * s.driver("travel") + 0.04 * s.driver("sun") + 0.02 * s.noise
    return bridge_strain_limit(s) * share


def bridge_frequency_base(s: Scene) -> Floats:
    """Baseline of the first modal frequency, Hz."""
    return np.round(0.3 + 2.2 * s.another(2), 3)


def bridge_frequency(s: Scene) -> Floats:
    """First modal frequency, Hz."""
    return bridge_frequency_base(s) * (1 - 0.002 * s.driver("sun") + 0.001 * s.noise)


def building_tilt(s: Scene) -> Floats:
    """Tilt of a building, per mille."""
    return np.maximum(0.2 + 1.0 * s.trait + 0.01 * s.noise, 0.0)


def ground_settlement(s: Scene) -> Floats:
    """Settlement since the instrument was set, mm: a hundredth of a millimetre a day."""
    days = s.ts / 86_400_000 - 20_000
    return 4.0 + 12.0 * s.trait + 0.005 * days + 0.03 * s.noise


def nh3_process(s: Scene) -> Floats:
    """Ammonia in a process area, mg/m³; the occupational limit is 20, of the next ones 1, 10, 20."""
    return np.maximum(0.5 + 0.6 * s.trait + 0.1 * s.noise, 0.0)


def cl2_process(s: Scene) -> Floats:
    """Chlorine in a process area, mg/m³."""
    return np.maximum(0.02 + 0.02 * s.another(1) + 0.005 * s.noise, 0.0)


def h2s_process(s: Scene) -> Floats:
    """Hydrogen sulphide in a process area, mg/m³."""
    return np.maximum(0.2 + 0.3 * s.another(2) + 0.05 * s.noise, 0.0)


def co_process(s: Scene) -> Floats:
    """Carbon monoxide in a process area, mg/m³."""
    return np.maximum(0.8 + 0.8 * s.another(3) + 0.15 * s.noise, 0.0)


def tank_level(s: Scene) -> Floats:
    """Level of a tank, % of full: filled and drawn over some days."""
    turns = s.ts / 86_400_000 / (1.5 + 3.0 * s.another(1)) + s.trait
    return 50.0 + 18.0 * np.sin(2 * np.pi * turns) + 0.1 * s.noise


def tank_pressure_high(s: Scene) -> Floats:
    """High limit of the gauge pressure, kPa."""
    return np.rint(200.0 + 1400.0 * s.trait)


def tank_pressure(s: Scene) -> Floats:
    """Gauge pressure, kPa."""
    return tank_pressure_high(s) * (0.5 + 0.06 * s.driver("sun") + 0.004 * s.noise)


def tank_temperature_high(s: Scene) -> Floats:
    """High limit of the temperature, °C."""
    return 50.0 + np.rint(20.0 * s.another(2))


def tank_temperature(s: Scene) -> Floats:
    """Temperature, °C: near the air's."""
    return 4.0 + 0.8 * s.driver("temperature") + 1.5 * s.driver("sun") + 0.1 * s.noise


def thermal_spot_temperature(s: Scene) -> Floats:
    """Hottest spot a thermal camera sees, °C."""
    return s.driver("temperature") + 9.0 + 8.0 * s.driver("sun") + 6.0 * s.trait + 0.5 * s.noise


def residual_current(s: Scene) -> Floats:
    """Residual current of a circuit, mA; 300 to 500 is the alarm."""
    return 30.0 + 70.0 * s.trait + 15.0 * s.driver("demand") + 3.0 * s.noise


def cable_temperature(s: Scene) -> Floats:
    """Temperature of a cable, °C."""
    return 11.0 + 0.45 * s.driver("temperature") + 7.0 * s.driver("demand") + 3.0 * s.trait + 0.2 * s.noise


CLASSES = (
    DeviceClass(
        "gas_detector",
        60,
        Siting.PEOPLE,
        (Signal("gas_lel", 5 * MINUTE_S, 1, gas_lel, high=100.0),),
        group=2,
    ),
    DeviceClass(
        "gas_network",
        20,
        Siting.PEOPLE,
        (Signal("gas_user_pressure", 15 * MINUTE_S, 2, gas_user_pressure, high=20.0),),
        group=4,
    ),
    DeviceClass(
        "bridge_shm",
        8,
        Siting.RIVER,
        (
            daily_reference("bridge_deflection_limit", 0, bridge_deflection_limit),
            daily_reference("bridge_strain_limit", 0, bridge_strain_limit),
            daily_reference("bridge_frequency_base", 3, bridge_frequency_base),
            Signal("bridge_deflection", MINUTE_S, 1, bridge_deflection, low=-3000.0, high=3000.0),
            Signal("bridge_strain", MINUTE_S, 1, bridge_strain, low=-5000.0, high=5000.0),
            Signal("bridge_frequency", HOUR_S, 3, bridge_frequency, low=0.02, high=50.0),
        ),
        group=4,
    ),
    DeviceClass("tilt", 18, Siting.PEOPLE, (Signal("building_tilt", HOUR_S, 2, building_tilt, high=500.0),)),
    DeviceClass(
        "settlement",
        14,
        Siting.ROADS,
        (Signal("ground_settlement", HOUR_S, 2, ground_settlement, low=-500.0, high=3000.0),),
        group=2,
    ),
    DeviceClass(
        "toxic_detector",
        12,
        Siting.INDUSTRY,
        (
            Signal("nh3_process", MINUTE_S, 2, nh3_process, high=1000.0),
            Signal("cl2_process", MINUTE_S, 3, cl2_process, high=200.0),
            Signal("h2s_process", MINUTE_S, 2, h2s_process, high=1000.0),
            Signal("co_process", MINUTE_S, 2, co_process, high=5000.0),
        ),
        group=3,
    ),
    DeviceClass(
        "tank",
        8,
        Siting.INDUSTRY,
        (
            daily_reference("tank_pressure_high", 0, tank_pressure_high),
            daily_reference("tank_temperature_high", 0, tank_temperature_high),
            Signal("tank_level", MINUTE_S, 1, tank_level, high=110.0),
            Signal("tank_pressure", MINUTE_S, 1, tank_pressure, low=-20.0, high=5000.0),
            Signal("tank_temperature", MINUTE_S, 1, tank_temperature, low=-200.0, high=400.0),
        ),
        group=3,
    ),
    DeviceClass(
        "thermal_camera",
        5,
        Siting.HILLS,
        (Signal("thermal_spot_temperature", MINUTE_S, 1, thermal_spot_temperature, low=-40.0, high=1200.0),),
    ),
    DeviceClass(
        "electrical_fire",
        60,
        Siting.PEOPLE,
        (
            minutely("residual_current", 0, residual_current),
            Signal("cable_temperature", MINUTE_S, 1, cable_temperature, low=-40.0, high=300.0),
        ),
        group=3,
    ),
)
"""The device classes of this file."""
