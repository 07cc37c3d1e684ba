"""What stands in a city that needs every metric: things, the values they send, and since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.oracle.records import DAY, HOUR, MINUTE

Draw = Callable[[Random], float]


@dataclass(frozen=True, slots=True)
class Past:
    """Readings before the city's own hours: every ``step`` for ``back`` ms, so many days earlier too."""

    step: int
    back: int
    days: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of thing: metric -> values; own periods (minutes) a registry may give it; its past.

    ``placed``: the registry says to the metre where it stands, since distances count. ``own``: how likely the
    registry gives a period.
    """

    metrics: dict[str, Draw]
    periods: tuple[int, ...] = ()
    past: tuple[Past, ...] = ()
    placed: bool = False
    own: float = 0.4


def between(low: float, high: float, digits: int = 2) -> Draw:
    """Any value of a range."""
    return lambda r: round(r.uniform(low, high), digits)


def one_of(*values: float) -> Draw:
    """One of some values."""
    return lambda r: r.choice(values)


def mixed(*draws: Draw) -> Draw:
    """One of several ways to draw."""
    return lambda r: r.choice(draws)(r)


HOURLY = (Past(HOUR, DAY + HOUR),)
WEEKLY = (7, 14, 21, 28)

STREETS = {
    "road": Model(
        {
            "road_speed": mixed(between(0, 90), one_of(0, 2, 3, 10, 15, 20)),
            "road_freeflow_speed": between(40, 80),
            "road_segment_length": between(0.1, 3, 7),
            "road_class": one_of(1, 2, 3, 4),
        },
        (2, 10),
    ),
    "lot": Model({"parking_occupied": between(0, 150, 0), "parking_total": one_of(50, 100, 120)}, (3,)),
    "cover": Model(
        {"manhole_open": one_of(0, 0, 1), "manhole_tilt": mixed(between(0, 30), one_of(15, 14.999999))},
        (5,),
        placed=True,
    ),
    "lamp": Model(
        {
            "streetlight_power": mixed(between(0, 90), one_of(5, 4.999999)),
            "streetlight_on_cmd": one_of(0, 1, 1),
        }
    ),
    "bin": Model({"bin_fill": mixed(between(0, 100), one_of(90, 89.999999))}, (5, 20)),
    "smell": Model({"nh3_ambient": between(0, 4), "h2s_ambient": between(0, 0.2, 4)}),
    "noise": Model({"site_noise_laeq": between(50, 90, 1)}, (3, 5)),
    "zone": Model({"noise_laeq": between(40, 80, 1), "noise_limit": one_of(50, 55, 60, 70)}, (5,)),
    "bus": Model({"bus_arrival_deviation": mixed(between(-120, 300, 0), one_of(-60, 180))}),
    "metro": Model({"metro_load": between(20, 140, 1)}, (5,)),
    "trucks": Model(
        {"truck_passages": mixed(between(0, 60, 0), one_of(0))}, (), (Past(10 * MINUTE, 90 * MINUTE, WEEKLY),)
    ),
    "crowd": Model({"crowd_density": between(0, 7)}, (2,)),
    "venue": Model({"venue_headcount": between(0, 12_000, 0), "venue_capacity": one_of(5_000, 10_000)}),
}

NATURE = {
    "gauge": Model(
        {"rain_1m": mixed(one_of(0, 0, 0.1, 0.3), between(0, 2, 1))},
        (5, 15, 15),
        (Past(9 * HOUR, 3 * DAY), Past(15 * MINUTE, 13 * HOUR)),
        own=0.8,
    ),
    "sky": Model(
        {
            "air_temperature": mixed(between(-8, 42, 1), one_of(35, 25, 20)),
            "relative_humidity": mixed(between(10, 100, 0), one_of(65, 45, 25, 40)),
            "wind_speed": between(0, 20, 1),
            "wind_gust": mixed(between(0, 30, 1), between(30, 60, 1)),
            "visibility": between(20, 3_000, 0),
        },
        (10,),
        (Past(5 * HOUR, 3 * DAY),),
    ),
    "surface": Model({"road_surface_temperature": mixed(between(-6, 5, 1), one_of(0, 2, -2))}, (10,)),
    "pond": Model({"ponding_depth": between(0, 0.5)}, (2, 4)),
    "pipe": Model({"pipe_level": between(0, 1.5), "pipe_diameter": one_of(0.8, 1, 1.2)}, (10,)),
    "river": Model(
        {
            "river_level": mixed(between(22, 32), one_of(25, 27.3, 29.73)),
            "river_level_fortify": one_of(25),
            "river_level_warning": one_of(27.3, 27.3, 24),
            "river_level_guarantee": one_of(29.73),
        },
        (20,),
    ),
    "water": Model(
        {
            "water_do": mixed(between(0, 9), one_of(2, 3, 5, 6, 7.5)),
            "water_codmn": mixed(between(1, 20), one_of(2, 4, 6, 10, 15)),
            "water_nh3n": mixed(between(0, 3), one_of(0.15, 0.5, 1, 8, 15.5)),
            "water_tp": mixed(between(0, 0.6), one_of(0.1, 0.2)),
        },
        (),
        (Past(4 * HOUR, DAY),),
    ),
    "plant": Model(
        {
            "effluent_cod": between(10, 90),
            "effluent_nh3n": between(0, 9),
            "effluent_tp": between(0, 1),
            "effluent_tn": between(3, 25),
        },
        (),
        (Past(2 * HOUR, DAY),),
    ),
    "air": Model(
        {
            "pm25": between(0, 160, 1),
            "pm10": between(0, 260, 1),
            "so2": mixed(between(0, 500), between(700, 900)),
            "no2": between(0, 220),
            "o3": between(0, 350),
            "co": between(0, 12, 3),
        },
        (15,),
    ),
}

LIFELINES = {
    "gas": Model({"gas_lel": mixed(between(0, 4), between(0, 60))}, (1, 10)),
    "stove": Model({"gas_user_pressure": mixed(between(1, 4), one_of(1.5, 3.0))}, (5,)),
    "meter": Model({"supply_voltage": mixed(between(190, 240, 1), one_of(0, 19.9, 20, 198, 235.4))}, (5,)),
    "tap": Model(
        {
            "tap_pressure": between(0.05, 0.5, 3),
            "tap_turbidity": between(0, 2),
            "tap_free_chlorine": mixed(between(0, 3), one_of(0, 0.05)),
            "tap_ph": mixed(between(5.5, 9), one_of(6.5, 8.5)),
        },
        (15,),
    ),
    "dma": Model({"dma_inflow": between(20, 200, 1)}, (), (Past(15 * MINUTE, 29 * HOUR),)),
    "hydrant": Model({"hydrant_pressure": between(0.02, 0.4, 3)}),
    "bridge": Model(
        {
            "bridge_deflection": between(-40, 60, 1),
            "bridge_deflection_limit": one_of(50, 80),
            "bridge_strain": between(-300, 500, 0),
            "bridge_strain_limit": one_of(400, 600),
        },
        (5,),
        (Past(HOUR, 40 * HOUR),),
    ),
    "tower": Model(
        {"bridge_frequency": between(2.5, 3.5, 3), "bridge_frequency_base": one_of(3.0, 3.3)}, (), HOURLY
    ),
    "house": Model({"building_tilt": between(0, 25), "ground_settlement": between(0, 30)}, (), HOURLY),
    "works": Model(
        {
            "nh3_process": between(0, 60),
            "cl2_process": between(0, 3),
            "h2s_process": between(0, 30),
            "co_process": between(0, 60),
        },
        (2,),
    ),
    "tank": Model(
        {
            "tank_level": between(40, 105),
            "tank_pressure": between(50, 200),
            "tank_pressure_high": one_of(150, 180),
            "tank_temperature": between(0, 90),
            "tank_temperature_high": one_of(60, 80),
        },
        (2,),
    ),
    "camera": Model({"thermal_spot_temperature": mixed(between(0, 250), one_of(150))}, (5,), placed=True),
    "cabinet": Model({"residual_current": between(0, 900), "cable_temperature": between(10, 120)}, (2,)),
    "heart": Model({"device_heartbeat": one_of(1)}, (), (Past(DAY, 4 * DAY),)),
}

BUSINESS = {
    "mill": Model(
        {"enterprise_power": mixed(between(0, 300), one_of(0, 1))},
        (),
        (Past(HOUR, 180 * HOUR), Past(15 * MINUTE, 2 * HOUR, (14, 21))),
    ),
    "kiln": Model(
        {"industrial_gas_flow": between(0, 900), "industrial_water_flow": between(0, 90)},
        (),
        (Past(2 * HOUR, DAY), Past(2 * HOUR, 26 * HOUR, (7, 14, 28))),
    ),
    "mall": Model({"mall_footfall": between(0, 400, 0)}, (), (Past(10 * MINUTE, 90 * MINUTE, WEEKLY),)),
    "stack": Model(
        {
            "cems_so2": between(0, 60),
            "cems_so2_limit": one_of(35, 50),
            "cems_nox": between(0, 80),
            "cems_nox_limit": one_of(50),
            "cems_pm": between(0, 15),
            "cems_pm_limit": one_of(10),
            "cems_valid_flag": one_of(1, 1, 1, 0),
        },
        (),
        HOURLY,
    ),
    "fridge": Model(
        {
            "cold_temperature": mixed(between(-5, 12, 1), one_of(1, 9)),
            "cold_temperature_max": one_of(8, 5),
            "cold_temperature_min": one_of(2, 0),
        },
        (15,),
    ),
    "grid": Model({"grid_load": between(50, 400), "grid_available": between(50, 400)}),
    "transformer": Model({"transformer_load": mixed(between(60, 120), one_of(80))}, (5,)),
    "charger": Model({"ev_charger_occupied": between(0, 12, 0), "ev_charger_total": one_of(8, 12)}),
    "ledger": Model(
        {
            "ds_records_checked": one_of(20, 50),
            "ds_records_correct": one_of(15, 20),
            "ds_records_due": one_of(40, 50),
            "ds_records_ontime": one_of(30, 39, 60),
            "ds_catalog_items": one_of(100, 120),
            "ds_catalog_linked": one_of(60, 99),
            "ds_exchange_requests": one_of(10, 30),
            "ds_exchange_success": one_of(7, 10),
        },
        (),
        (Past(3 * HOUR, DAY),),
    ),
    "pharmacy": Model({"otc_fever_sales": between(0, 90, 0)}, (), (Past(5 * HOUR, 29 * DAY),)),
    "school": Model({"school_absence": between(0, 40, 0)}, (), (Past(DAY, 12 * DAY),)),
    "sewer": Model({"sewage_virus": between(0, 9_000, 0)}, (), (Past(DAY, 12 * DAY),)),
}

WHOLE = {**STREETS, **NATURE, **LIFELINES, **BUSINESS}
"""Kinds of things that send, together, all metrics of the catalogue."""
