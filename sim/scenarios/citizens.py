"""Everybody calls at once."""

import numpy as np

from sim.scenarios.scenario import Scenario
from sim.scenarios.stage import Stage, cells_of, united
from sim.script import Script

CALLS = 50
"""Calls about one grievance within two hours."""


def _hotline_surge(stage: Stage) -> Script:
    """A housing estate without heating: its people call 12345, grid members file cases."""
    estate = stage.anchor("supply_voltage", "gas_user_pressure")
    houses = stage.beside(estate, 3, 60.0)
    calls = houses[stage.rng.integers(0, 3, round(CALLS * stage.intensity))]
    filed = houses[stage.rng.integers(0, 3, round(CALLS * stage.intensity / 4))]
    hotline = stage.reports("ev_hotline", calls, within=(0.02, 0.9))
    grid = stage.reports("ev_grid_case", filed, within=(0.1, 0.9))
    cells = cells_of(np.concatenate([calls, filed]))
    surge = ["hotline.demand_surge", "grid_cases.arrival_surge"]
    truth = [stage.truth("calls", surge, cells, stage.level(3))]
    return Script(cases=united(hotline, grid), truth=truth)


SCENARIOS = (
    Scenario(
        "hotline_surge",
        "热线诉求激增",
        "Hotline surge",
        "一个小区供暖中断，居民集中拨打12345，网格员同步上报。",
        "An estate without heating: its people call 12345 within two hours, grid members file cases.",
        120.0,
        ("hotline.demand_surge", "grid_cases.arrival_surge"),
        _hotline_surge,
        history_h=170.0,
        begin_hour=8.0,
    ),
)
"""The scenarios of this file."""
