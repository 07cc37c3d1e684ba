"""Gas, poison, fire: one place, minutes that count."""

import numpy as np

from sim.scenarios.scenario import Scenario
from sim.scenarios.stage import Stage, cells_of, united
from sim.script import Script

LEAK_LEL = 35.0
"""%LEL at the nearest detector: between the orange (25) and the red (50) level."""

CHLORINE_MG_M3 = 1.5
"""Chlorine at the nearest detector, one and a half times its limit of 1 mg/m³ (GBZ 2.1)."""

BURNING_C = 260.0
"""Hottest spot a thermal camera sees in a fire; 150 °C counts as one."""


def _gas_leak(stage: Stage) -> Script:
    """The nearest detector sees most; somebody smells it and calls."""
    leak = stage.anchor("gas_lel", "gas_user_pressure")
    detectors = stage.nearest(leak, "gas_lel", 3, 0.3)
    share = 0.5 ** np.arange(float(detectors.size))
    users = stage.nearest(leak, "gas_user_pressure", 3, 1.5)
    effects = [
        stage.effect(
            "gas_lel", detectors, "add", np.minimum(LEAK_LEL * stage.intensity * share, 95.0), ramp_min=5
        ),
        stage.effect("gas_user_pressure", users, "set", stage.sized(1.4, 1.2, 0.4), ramp_min=5),
    ]
    places = stage.beside(leak, 2, 15.0)
    calls = stage.reports("ev_gas_leak", places, within=(0.05, 0.3), severity=3, lasting=True)
    cells = sorted({*stage.cells(detectors), *cells_of(places)})
    parts = [stage.truth("gas", ["gas.leak_lel_max"], cells, stage.level(3))]
    if users.size:
        low = ["gas.user_pressure_violation"]
        parts.append(stage.truth("pressure", low, stage.cells(users), stage.level(4)))
    return Script(effects=effects, cases=calls, truth=parts)


def _toxic_release(stage: Stage) -> Script:
    """Chlorine drifts over the detectors of a plant; the fire brigade is called."""
    source = stage.anchor("cl2_process")
    detectors = stage.nearest(source, "cl2_process", 4, 0.5)
    share = 0.6 ** np.arange(float(detectors.size))
    gas = stage.effect("cl2_process", detectors, "add", CHLORINE_MG_M3 * stage.intensity * share, ramp_min=5)
    calls = stage.reports("ev_fire_alarm", stage.beside(source, 2, 30.0), within=(0.1, 0.4), severity=4)
    toxic = stage.truth("gas", ["hazchem.toxic_oel_ratio"], stage.cells(detectors), stage.level(3))
    return Script(effects=[gas], cases=calls, truth=[toxic])


def _forest_fire(stage: Stage) -> Script:
    """Hot, dry wind; then smoke, a hot spot in a camera, a satellite's hot pixel, calls to 119."""
    camera = stage.anchor("thermal_spot_temperature", "relative_humidity")
    weather = stage.nearest(camera, "relative_humidity", 1, 500.0)
    weights = np.maximum(stage.zone_weights(camera, 8.0), stage.zone_weights(int(weather[0]), 8.0))
    dry = (0.0, 0.0), (0.1, 1.0), (0.9, 1.0), (1.0, 0.0)
    changes = [
        stage.change("humidity", weights, "set", *((at, 84.0 - 64.0 * size) for at, size in dry[1:3])),
        stage.change("wind", weights, "add", *((at, 9.0 * stage.intensity * size) for at, size in dry)),
        stage.change(
            "temperature", weights, "add", *((at, 12.0 * stage.intensity * size) for at, size in dry)
        ),
    ]
    cameras = stage.nearest(camera, "thermal_spot_temperature", 2, 1.0)
    hot = stage.effect("thermal_spot_temperature", cameras, "atleast", BURNING_C * stage.intensity**0.25)
    fires = stage.fires(camera, max(round(3 * stage.intensity), 1))
    smoke = stage.reports("ev_forest_smoke", fires, within=(0.1, 0.3), severity=3, lasting=True)
    pixel = stage.reports("ev_satellite_hotspot", fires[:1], within=(0.3, 0.5), severity=3, lasting=True)
    spots = sorted({*stage.cells(cameras), *cells_of(fires)})
    windy = stage.whole_city("relative_humidity")
    windy = windy[weights[stage.city.devices.street[windy]] > 0.5]
    truth = [
        stage.truth("fire", ["fire_forest.hotspot_count"], spots, 1),
        stage.truth("weather", ["fire_forest.forest_weather_index"], stage.cells(windy), stage.level(2)),
    ]
    return Script(driver_changes=changes, effects=[hot], cases=united(smoke, pixel), truth=truth)


SCENARIOS = (
    Scenario(
        "gas_leak",
        "燃气泄漏",
        "Gas leak",
        "中低压燃气管道泄漏：邻近空间可燃气体浓度上升，用户压力下降，居民报警。",
        "A gas pipe leaks: combustible gas in the spaces beside it, low pressure at users, calls.",
        60.0,
        ("gas.leak_lel_max", "gas.user_pressure_violation"),
        _gas_leak,
    ),
    Scenario(
        "toxic_release",
        "有毒气体泄漏",
        "Toxic release",
        "化工装置氯气泄漏，厂区探测器超过职业接触限值。",
        "Chlorine escapes from a plant; its detectors exceed the occupational limit.",
        45.0,
        ("hazchem.toxic_oel_ratio",),
        _toxic_release,
    ),
    Scenario(
        "forest_fire",
        "森林火灾",
        "Forest fire",
        "高温干燥大风天气下林区起火：烟火识别、热成像、卫星热点先后报警。",
        "Fire in the hills in hot, dry wind: smoke, a hot spot in a thermal camera, a satellite's hot pixel.",
        180.0,
        ("fire_forest.hotspot_count", "fire_forest.forest_weather_index"),
        _forest_fire,
    ),
)
"""The scenarios of this file."""
