"""Power, works, cold stores, stacks, and the platform's own devices.

Magnitudes are plausible, not measured; without scenarios they stay below the catalogue's levels.
"""

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

Floats = NDArray[np.float64]

STACK_LIMITS = (35.0, 50.0, 10.0)
"""Permit limits of SO2, NOX and dust at an ultra-low emission stack, mg/m³."""


def supply_voltage(s: Scene) -> Floats:
    """Phase voltage at a home, V; 198 to 235.4 is allowed."""
    return 229.0 + 2.0 * s.trait - 10.0 * s.driver("demand") + 1.0 * s.noise


def enterprise_power(s: Scene) -> Floats:
    """Active power of a works, kW."""
    full = 60.0 + 1900.0 * s.trait**3
    return full * (0.5 + 0.5 * s.driver("work")) * (1 + 0.02 * s.noise)


def _capacity(s: Scene) -> Floats:
    return 20.0 + 80.0 * s.trait


def grid_available(s: Scene) -> Floats:
    """Supply capacity of an area, MW."""
    return _capacity(s)


def grid_load(s: Scene) -> Floats:
    """Electric load of an area, MW."""
    return _capacity(s) * s.driver("demand") * (0.85 + 0.1 * s.another(1)) * (1 + 0.01 * s.noise)


def transformer_load(s: Scene) -> Floats:
    """Load of a distribution transformer, %."""
    return np.maximum(6.0 + 62.0 * s.driver("demand") + 12.0 * (s.trait - 0.5) + 2.0 * s.noise, 0.0)


def industrial_gas_flow(s: Scene) -> Floats:
    """Gas use of a works, m³/h."""
    return (80.0 + 900.0 * s.trait**2) * (0.5 + 0.5 * s.driver("work")) * (1 + 0.02 * s.noise)


def cems_so2_limit(s: Scene) -> Floats:
    """Permit limit of SO2, mg/m³."""
    return np.full_like(s.trait, STACK_LIMITS[0])


def cems_nox_limit(s: Scene) -> Floats:
    """Permit limit of nitrogen oxides, mg/m³."""
    return np.full_like(s.trait, STACK_LIMITS[1])


def cems_pm_limit(s: Scene) -> Floats:
    """Permit limit of dust, mg/m³."""
    return np.full_like(s.trait, STACK_LIMITS[2])


def cems_so2(s: Scene) -> Floats:
    """SO2 of a stack, mg/m³."""
    return np.maximum(STACK_LIMITS[0] * (0.25 + 0.2 * s.trait + 0.03 * s.noise), 0.0)


def cems_nox(s: Scene) -> Floats:
    """Nitrogen oxides of a stack, mg/m³."""
    return np.maximum(STACK_LIMITS[1] * (0.4 + 0.15 * s.trait + 0.03 * s.noise), 0.0)


def cems_pm(s: Scene) -> Floats:
    """Dust of a stack, mg/m³."""
    return np.maximum(STACK_LIMITS[2] * (0.2 + 0.2 * s.trait + 0.03 * s.noise), 0.0)


def cems_valid_flag(s: Scene) -> Floats:
    """1: the hour's record is valid."""
    return np.ones_like(s.trait)


def _frozen(s: Scene) -> Floats:
    """1 for a freezer, 0 for a refrigerator."""
    return (s.trait < 0.4).astype(np.float64)


def cold_temperature_max(s: Scene) -> Floats:
    """Upper limit of a cold store, °C."""
    return np.where(_frozen(s) > 0, -15.0, 8.0)


def cold_temperature_min(s: Scene) -> Floats:
    """Lower limit of a cold store, °C."""
    return np.where(_frozen(s) > 0, -25.0, 0.0)


def cold_temperature(s: Scene) -> Floats:
    """Temperature of a cold store, °C."""
    return np.where(_frozen(s) > 0, -19.5, 4.0) + 1.2 * (s.another(1) - 0.5) + 0.3 * s.noise


def device_heartbeat(s: Scene) -> Floats:
    """1 whenever it is sent."""
    return np.ones_like(s.trait)


def _records(s: Scene) -> Floats:
    return np.rint(800.0 + 4000.0 * s.trait)


def _less(records: Floats, share: float, noise: Floats) -> Floats:
    """The records less about a share that failed."""
    return records - np.rint(records * share * np.minimum(np.abs(noise), 2.5))


def ds_records_due(s: Scene) -> Floats:
    """Records a department ought to deliver in the hour."""
    return _records(s)


def ds_records_ontime(s: Scene) -> Floats:
    """Records it delivered in time."""
    return _less(_records(s), 0.005, s.noise)


def ds_records_checked(s: Scene) -> Floats:
    """Records checked in the hour."""
    return _records(s)


def ds_records_correct(s: Scene) -> Floats:
    """Records that passed."""
    return _less(_records(s), 0.003, s.noise)


def ds_catalog_items(s: Scene) -> Floats:
    """Resources in a department's catalogue."""
    return np.rint(100.0 + 400.0 * s.another(1))


def ds_catalog_linked(s: Scene) -> Floats:
    """Resources that are linked to live data."""
    return _less(ds_catalog_items(s), 0.01, s.noise)


def ds_exchange_requests(s: Scene) -> Floats:
    """Requests for exchange in the hour."""
    return np.rint((200.0 + 500.0 * s.another(2)) * (0.4 + 0.6 * s.driver("work")))


def ds_exchange_success(s: Scene) -> Floats:
    """Requests that were fulfilled."""
    return _less(ds_exchange_requests(s), 0.003, s.noise)


CLASSES = (
    DeviceClass(
        "smart_meter",
        120,
        Siting.PEOPLE,
        (Signal("supply_voltage", 15 * MINUTE_S, 1, supply_voltage, high=500.0),),
        group=6,
    ),
    DeviceClass(
        "smart_meter_industry",
        18,
        Siting.INDUSTRY,
        (minutely("enterprise_power", 1, enterprise_power, 15 * MINUTE_S),),
        sensor_class="smart_meter",
        group=2,
    ),
    DeviceClass(
        "power_grid",
        4,
        Siting.EVEN,
        (
            minutely("grid_load", 2, grid_load, 5 * MINUTE_S),
            minutely("grid_available", 2, grid_available, 15 * MINUTE_S),
        ),
    ),
    DeviceClass(
        "power_grid_transformer",
        30,
        Siting.PEOPLE,
        (Signal("transformer_load", 15 * MINUTE_S, 1, transformer_load, high=300.0),),
        sensor_class="power_grid",
        group=6,
    ),
    DeviceClass(
        "gas_meter", 6, Siting.INDUSTRY, (minutely("industrial_gas_flow", 1, industrial_gas_flow, HOUR_S),)
    ),
    DeviceClass(
        "cems",
        3,
        Siting.INDUSTRY,
        (
            daily_reference("cems_so2_limit", 0, cems_so2_limit),
            daily_reference("cems_nox_limit", 0, cems_nox_limit),
            daily_reference("cems_pm_limit", 0, cems_pm_limit),
            minutely("cems_so2", 1, cems_so2, HOUR_S),
            minutely("cems_nox", 1, cems_nox, HOUR_S),
            minutely("cems_pm", 2, cems_pm, HOUR_S),
            Signal("cems_valid_flag", HOUR_S, 0, cems_valid_flag, high=1.0),
        ),
    ),
    DeviceClass(
        "cold_chain",
        14,
        Siting.INDUSTRY,
        (
            daily_reference("cold_temperature_max", 0, cold_temperature_max),
            daily_reference("cold_temperature_min", 0, cold_temperature_min),
            Signal("cold_temperature", 5 * MINUTE_S, 1, cold_temperature, low=-80.0, high=60.0),
        ),
        group=2,
    ),
    DeviceClass(
        "iot_gateway",
        30,
        Siting.PEOPLE,
        (Signal("device_heartbeat", 5 * MINUTE_S, 0, device_heartbeat, high=1.0),),
        group=3,
    ),
    DeviceClass(
        "data_exchange",
        2,
        Siting.CENTRE,
        (
            *(
                minutely(metric, 0, values, HOUR_S)
                for metric, values in (
                    ("ds_records_due", ds_records_due),
                    ("ds_records_ontime", ds_records_ontime),
                    ("ds_records_checked", ds_records_checked),
                    ("ds_records_correct", ds_records_correct),
                    ("ds_exchange_requests", ds_exchange_requests),
                    ("ds_exchange_success", ds_exchange_success),
                )
            ),
            Signal("ds_catalog_items", DAY_S, 0, ds_catalog_items, at_hour=1.0),
            Signal("ds_catalog_linked", DAY_S, 0, ds_catalog_linked, at_hour=1.0),
        ),
    ),
)
"""The device classes of this file."""
