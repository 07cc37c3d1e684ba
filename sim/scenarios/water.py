"""Water where it should not be, and none where it should: rainstorm, river flood, burst main."""

import numpy as np

from sim.scenarios.scenario import Scenario
from sim.scenarios.stage import Stage, cells_of
from sim.script import Script

STORM_MM_PER_MIN = 1.3
"""Peak rate of the rainstorm: 78 mm/h, between the orange and the red level of hourly rain."""

STORM_KM = 14.0
"""Width of the storm's bell."""

BUSY = 0.4
"""Share of people on the way from which on wet roads jam."""

FLOOD_INDEX_M = 27.75
"""Stage the flood reaches, m at Hankou: 0.45 m above the warning stage, level 2 of the flood stage index."""


def _rainstorm(stage: Stage) -> Script:
    """Rain alone is changed; standing water, sewers, traffic and reports follow from it."""
    centre = stage.anchor("ponding_depth", "rain_1m", "pipe_level")
    weights = stage.zone_weights(centre, STORM_KM)
    peak = STORM_MM_PER_MIN * stage.intensity
    change = stage.change("rain", weights, "add", (0.0, 0.0), (0.25, peak), (0.75, peak), (1.0, 0.0))
    hourly = 60.0 * peak * weights[stage.city.devices.street]

    def wet(metric: str, least_mm: float) -> tuple[str, ...]:
        devices = stage.whole_city(metric)
        return stage.cells(devices[hourly[devices] >= least_mm])

    # Water has to gather before it can be seen.
    later = 15.0 + stage.minutes / 16.0
    warning = ["weather.rain_warning_level"]
    parts = [
        stage.truth("rain", ["weather.rain_1h_max"], wet("rain_1m", 12.0), stage.level(3)),
        # Sums over six and twelve hours are known later than the rain.
        stage.truth("warning", warning, wet("rain_1m", 12.0), stage.level(3), after_min=120.0),
        stage.truth(
            "ponding",
            ["drainage.ponding_depth_max"],
            wet("ponding_depth", 18.0),
            stage.level(2),
            delay_min=later,
        ),
        stage.truth(
            "sewers",
            ["drainage.pipe_surcharge_ratio"],
            wet("pipe_level", 12.0),
            stage.level(2),
            delay_min=later,
        ),
        stage.truth(
            "risk", ["drainage.waterlogging_risk"], wet("rain_1m", 30.0), stage.level(2), delay_min=later
        ),
    ]
    if stage.mean("travel") >= BUSY:
        slow = ["traffic.congestion_index", "transit.bus_punctuality"]
        roads = sorted({*wet("road_speed", 12.0), *wet("bus_arrival_deviation", 12.0)})
        parts.append(stage.truth("traffic", slow, roads, 1, delay_min=later))
    return Script(driver_changes=[change], truth=parts)


def _river_flood(stage: Stage) -> Script:
    """A wave from upstream: all gauges rise together, hold, and fall after the end."""
    gauges = stage.whole_city("river_level")
    zones = np.ones(len(stage.city.regions.streets))
    moments = np.linspace(stage.begin, stage.end, 9).astype(np.int64)
    now = stage.city.base_drivers.at("river", moments, np.zeros(9, np.int64)).max()
    rise = FLOOD_INDEX_M + 0.5 * (stage.intensity - 1.0) - now
    wave = stage.change("upstream", zones, "add", (0.0, 0.0), (0.5, rise), (1.0, rise))
    stages = ["river_lake.flood_stage_index"]
    return Script(
        driver_changes=[wave], truth=[stage.truth("stage", stages, stage.cells(gauges), stage.level(2))]
    )


def _water_main_burst(stage: Stage) -> Script:
    """Pressure falls, water turns turbid, hydrants run dry, people report."""
    burst = stage.anchor("tap_pressure", "hydrant_pressure", "dma_inflow")
    taps = stage.nearest(burst, "tap_pressure", 4, 2.0)
    hydrants = stage.nearest(burst, "hydrant_pressure", 4, 3.0)
    meters = stage.nearest(burst, "dma_inflow", 1, 5.0)
    pressure = stage.sized(0.15, 0.095, 0.03)
    effects = [
        stage.effect("tap_pressure", taps, "set", pressure),
        stage.effect("tap_turbidity", taps[:2], "set", stage.sized(0.9, 2.0, 6.0)),
        stage.effect("hydrant_pressure", hydrants, "set", stage.sized(0.13, 0.095, 0.03)),
        stage.effect("dma_inflow", meters, "scale", 1.0 + 0.8 * stage.intensity),
    ]
    places = stage.beside(burst, 3, 40.0)
    cases = stage.reports("ev_utility_outage", places, severity=3, lasting=True)
    parts = [
        stage.truth("pressure", ["water_supply.pressure_min"], stage.cells(taps), stage.level(3)),
        stage.truth("quality", ["water_supply.tap_quality_ratio"], stage.cells(taps[:2]), stage.level(3)),
        stage.truth("outage", ["heat_power.utility_outage_open"], cells_of(places), stage.level(2)),
    ]
    if hydrants.size:
        dry = ["fire_forest.hydrant_pressure_min"]
        parts.append(stage.truth("hydrants", dry, stage.cells(hydrants), stage.level(3)))
    return Script(effects=effects, cases=cases, truth=parts)


SCENARIOS = (
    Scenario(
        "rainstorm",
        "暴雨内涝",
        "Rainstorm",
        "一场暴雨笼罩城区数小时：小时雨量、道路积水、管网充满、内涝风险依次升高。",
        "Heavy rain over part of the city for hours: gauges, then standing water, sewers, composite risk.",
        180.0,
        (
            "weather.rain_1h_max",
            "weather.rain_warning_level",
            "drainage.ponding_depth_max",
            "drainage.pipe_surcharge_ratio",
            "drainage.waterlogging_risk",
            "traffic.congestion_index",
            "transit.bus_punctuality",
        ),
        _rainstorm,
    ),
    Scenario(
        "river_flood",
        "江河洪水",
        "River flood",
        "上游洪峰到来，江河水位越过警戒水位。",
        "A flood wave from upstream lifts the river above its warning stage.",
        360.0,
        ("river_lake.flood_stage_index",),
        _river_flood,
    ),
    Scenario(
        "water_main_burst",
        "供水主管爆管",
        "Water main burst",
        "供水主管破裂：水压骤降、水质浑浊、消火栓失压、居民报修。",
        "A main breaks: low pressure, turbid water, hydrants without pressure, outages reported.",
        150.0,
        (
            "water_supply.pressure_min",
            "water_supply.tap_quality_ratio",
            "fire_forest.hydrant_pressure_min",
            "heat_power.utility_outage_open",
        ),
        _water_main_burst,
    ),
)
"""The scenarios of this file."""
