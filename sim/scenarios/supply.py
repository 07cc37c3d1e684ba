"""Power cut, and the sensors and clocks of an area that fail."""

import numpy as np

from sim.device_classes import CLASSES
from sim.faults import Fault, FaultPlan
from sim.scenarios.scenario import Scenario
from sim.scenarios.stage import Stage, cells_of
from sim.script import Script

SAG_V = (194.0, 186.0, 160.0)
"""Voltage at the edge of the cut area, weak, full and extreme: the tolerance ends at 198 V."""

AVAILABLE_SHARE = (0.34, 0.29, 0.1)
"""Share of the supply capacity left, likewise; the load never falls below 0.35 of it."""

SKEWED_SHARE = 0.005
"""Greatest share of a city's devices whose clocks are wrong, each of a class that sends one metric.

Were they many, or did one send five metrics at once, a stretch of six records would have its majority ahead,
and the engine would take their time for the true one (R6).
"""

CLOCK_HOURS = 3.0
"""How far clocks are off: more than an hour behind is too late, minutes ahead are in the future (R4, R6)."""


def _power_cut(stage: Stage) -> Script:
    """A feeder is lost: dead meters, sagging ones around, gateways silent, supply short, people report."""
    feeder = stage.anchor("supply_voltage", "device_heartbeat", "grid_load")
    meters = stage.nearest(feeder, "supply_voltage", 10, 3.0)
    dead, sagging = meters[:3], meters[3:] if meters.size > 3 else meters[-1:]
    station = stage.nearest(feeder, "grid_load", 1, 500.0)
    zone = stage.city.devices.street[station]
    stations = stage.whole_city("grid_load")
    stations = stations[stage.city.devices.street[stations] == zone]
    effects = [
        stage.effect("supply_voltage", dead, "set", 0.0, ramp_min=0),
        stage.effect("supply_voltage", sagging, "set", stage.sized(*SAG_V), ramp_min=0),
        stage.effect("grid_available", stations, "scale", stage.sized(*AVAILABLE_SHARE), ramp_min=0),
    ]
    gateways = stage.nearest(feeder, "device_heartbeat", 3, 3.0)
    silence = FaultPlan.of(Fault.SILENCE, gateways, begin=stage.begin, end=stage.end)
    places = stage.beside(feeder, 3, 50.0)
    cases = stage.reports("ev_utility_outage", places, within=(0.02, 0.3), severity=3, lasting=True)
    parts = [
        stage.truth("voltage", ["heat_power.voltage_violation_share"], stage.cells(sagging), stage.level(4)),
        stage.truth("outage", ["heat_power.utility_outage_open"], cells_of(places), stage.level(2)),
        stage.truth("gap", ["energy.power_gap_ratio"], stage.cells(stations), stage.level(2)),
    ]
    if gateways.size:
        parts.append(stage.truth("gateways", ["iot_health.online_rate"], stage.cells(gateways), 4))
    return Script(effects=effects, cases=cases, faults=silence, truth=parts)


def _sensor_outage(stage: Stage) -> Script:
    """An area falls silent: all its gateways, and most of the sensors behind them."""
    centre, devices = _area(stage)
    gateways = stage.sending(devices, "device_heartbeat")
    others = np.setdiff1d(devices, gateways)
    others = others[stage.rng.random(others.size) < 0.7]
    silent = np.union1d(np.append(gateways, centre), others)
    plan = FaultPlan.of(Fault.SILENCE, silent, begin=stage.begin, end=stage.end)
    offline = stage.truth(
        "offline", ["iot_health.online_rate"], stage.cells(np.union1d(gateways, [centre])), 4
    )
    return Script(faults=plan, truth=[offline])


def _clock_skew(stage: Stage) -> Script:
    """The time server of an area is wrong: what it stamps is rejected, data reach the platform late."""
    centre, devices = _area(stage)
    gateways = stage.nearest(centre, "device_heartbeat", 3, 1.2)
    exchanges = stage.alike(stage.nearest(centre, "ds_records_ontime", 1, 500.0), "ds_records_ontime")
    late = stage.effect("ds_records_ontime", exchanges, "scale", stage.sized(0.5, 0.3, 0.0), ramp_min=0)
    sign = 1.0 if stage.rng.random() < 0.5 else -1.0
    size = sign * CLOCK_HOURS * max(stage.intensity, 0.5) * 3_600_000
    # The exchange that counts what comes late is not in the area.
    others = np.setdiff1d(devices, np.union1d(exchanges, gateways))
    most = round(SKEWED_SHARE * len(stage.city.devices))
    single = np.array([sum(not s.reference for s in c.signals) == 1 for c in CLASSES])
    others = stage.rng.permutation(others[single[stage.city.devices.cls[others]]])
    skewed = np.union1d(gateways, others[: max(most - gateways.size, 0)])
    plan = FaultPlan.of(Fault.CLOCK, skewed, begin=stage.begin, end=stage.end, size=size)
    parts = [
        stage.truth("offline", ["iot_health.online_rate"], stage.cells(gateways), 4),
        stage.truth("late", ["data_quality.timeliness_rate"], stage.cells(exchanges), 1),
    ]
    return Script(effects=[late], faults=plan, truth=parts)


def _area(stage: Stage) -> tuple[int, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """A gateway, and the devices within 1.2 km of it."""
    centre = stage.anchor("device_heartbeat")
    return centre, stage.around(centre, 1.2 * max(stage.intensity, 0.5))


SCENARIOS = (
    Scenario(
        "power_cut",
        "大面积停电",
        "Power cut",
        "馈线跳闸：部分表计失电、周边电压越下限、网关离线、供电缺口、居民报修。",
        "A feeder is lost: dead meters, low voltage around them, silent gateways, short supply, reports.",
        120.0,
        (
            "heat_power.voltage_violation_share",
            "heat_power.utility_outage_open",
            "energy.power_gap_ratio",
            "iot_health.online_rate",
        ),
        _power_cut,
    ),
    Scenario(
        "sensor_outage",
        "感知设备离线",
        "Sensor outage",
        "一片区域的网关和大部分传感器停止上报。",
        "The gateways and most sensors of an area fall silent.",
        120.0,
        ("iot_health.online_rate",),
        _sensor_outage,
    ),
    Scenario(
        "clock_skew",
        "时钟偏移",
        "Clock skew",
        "一片区域授时错误，快或慢三小时，数据被拒收，汇聚不及时。",
        "The clocks of an area are three hours ahead or behind: its data are rejected, collection is late.",
        150.0,
        ("iot_health.online_rate", "data_quality.timeliness_rate"),
        _clock_skew,
    ),
)
"""The scenarios of this file."""
