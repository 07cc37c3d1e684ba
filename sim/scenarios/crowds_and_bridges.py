"""Too many people, too much load."""

import numpy as np

from sim.scenarios.scenario import Scenario
from sim.scenarios.stage import Stage
from sim.script import Script

CROWD_PER_M2 = (2.3, 5.2, 8.0)
"""Density at the worst camera, weak, full and extreme: beyond 5 people are pressed (orange)."""

TRAIN_LOAD = (78.0, 112.0, 160.0)
"""Load of the fullest trains, %: blue begins at 70, orange at 100."""

VENUE_SHARE = (0.68, 0.95, 1.3)
"""Share of its capacity that is in a venue: blue begins at 0.6, orange at 0.9."""

BRIDGE_SHARE = (0.7, 0.95, 1.4)
"""Share of the design value a bridge moves by: blue begins at 0.6, orange at 0.9."""


def _crowd_surge(stage: Stage) -> Script:
    """A square fills, then the venue beside it and the trains there."""
    square = stage.anchor("crowd_density", "venue_headcount", "metro_load")
    cameras = stage.nearest(square, "crowd_density", 4, 1.0)
    venues = stage.nearest(square, "venue_headcount", 1, 4.0)
    trains = stage.nearest(square, "metro_load", 3, 4.0)
    density = stage.sized(*CROWD_PER_M2) * 0.8 ** np.arange(float(cameras.size))
    people = stage.reference("venue_capacity", venues) * stage.sized(*VENUE_SHARE)
    effects = [
        stage.effect("crowd_density", cameras, "atleast", density),
        stage.effect("venue_headcount", venues, "atleast", people),
        stage.effect("metro_load", trains, "atleast", stage.sized(*TRAIN_LOAD)),
    ]
    calls = stage.reports("ev_police_call", stage.beside(square, 4, 60.0), severity=3)
    parts = [stage.truth("density", ["crowd.density_max"], stage.cells(cameras), stage.level(3))]
    if venues.size:
        full = ["crowd.scenic_load_ratio"]
        parts.append(stage.truth("venue", full, stage.cells(venues), stage.level(3)))
    if trains.size and stage.trains_run:
        crowding = ["transit.metro_crowding"]
        parts.append(stage.truth("metro", crowding, stage.cells(trains), stage.level(3)))
    return Script(effects=effects, cases=calls, truth=parts)


def _bridge_overload(stage: Stage) -> Script:
    """A convoy too heavy stands on a bridge: girders sink, sections strain."""
    bridge = stage.anchor("bridge_deflection")
    sensors = stage.nearest(bridge, "bridge_deflection", 4, 0.5)
    share = stage.sized(*BRIDGE_SHARE)
    effects = [
        stage.effect(
            "bridge_deflection", sensors, "add", share * stage.reference("bridge_deflection_limit", sensors)
        ),
        stage.effect(
            "bridge_strain", sensors, "add", share * stage.reference("bridge_strain_limit", sensors)
        ),
    ]
    cells = stage.cells(sensors)
    both = ["bridge.deflection_ratio", "bridge.strain_ratio"]
    return Script(effects=effects, truth=[stage.truth("load", both, cells, stage.level(3))])


SCENARIOS = (
    Scenario(
        "bridge_overload",
        "桥梁超载",
        "Bridge overload",
        "超重车队滞留桥面，挠度与应变接近设计值。",
        "An overweight convoy on a bridge: displacement and strain near their design values.",
        90.0,
        ("bridge.deflection_ratio", "bridge.strain_ratio"),
        _bridge_overload,
        history_h=25.0,
        begin_hour=8.0,
    ),
    Scenario(
        "crowd_surge",
        "人群聚集",
        "Crowd surge",
        "广场人群密度急升，景区接近最大承载量，周边地铁拥挤。",
        "A square fills beyond comfort, the venue beside it nears its capacity, trains are packed.",
        120.0,
        ("crowd.density_max", "crowd.scenic_load_ratio", "transit.metro_crowding"),
        _crowd_surge,
        begin_hour=17.0,
    ),
)
"""The scenarios of this file."""
