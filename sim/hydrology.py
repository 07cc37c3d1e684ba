"""What follows from weather and people: standing water, sewers, the river, sight, traffic, electric load."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.climate import year_share

Grid = NDArray[np.float32]
Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

DRAIN_MM_PER_MIN = 0.3
"""What the streets' gullies swallow, 18 mm/h: above a fresh breeze of a shower, far below a rainstorm."""

EMPTYING_MIN = 40.0
"""Time constant of the sewers: what has fallen leaves them by a factor e in this time."""

RIVER_MIN = 24 * 60.0
"""Time constant of the city's own runoff in the river."""


def derived(base: Mapping[str, Grid], hour: Floats, times: Int64s, step_ms: int) -> dict[str, Grid]:
    """Return the derived fields, float32 [steps, zones], of base fields of that shape."""
    minutes = step_ms / 60_000
    rain = base["rain"].astype(np.float64)
    standing, sewer, runoff = _reservoirs(rain, minutes)
    congestion = _congestion(base, rain, standing)
    fields = {
        "rain_sum": np.cumsum(rain, axis=0) * minutes,
        "standing": standing,
        "sewer": sewer,
        "river": _season_stage(times)[:, None] + base["upstream"] + 0.004 * runoff,
        "visibility": _visibility(base, rain),
        "congestion": congestion,
        "demand": _demand(base, hour),
    }
    return {name: field.astype(np.float32) for name, field in fields.items()}


def _reservoirs(rain: Floats, minutes: float) -> tuple[Floats, Floats, Floats]:
    """Water in the streets, in the sewers and on its way to the river, mm, step by step over time."""
    stores = np.zeros((3, *rain.shape))
    street, sewer, river = np.zeros((3, rain.shape[1]))
    keep_sewer, keep_river = np.exp(-minutes / EMPTYING_MIN), np.exp(-minutes / RIVER_MIN)
    for i, falling in enumerate(rain):
        street = np.maximum(street + (falling - DRAIN_MM_PER_MIN) * minutes, 0.0)
        sewer = sewer * keep_sewer + falling * minutes
        river = river * keep_river + falling * minutes
        stores[0, i], stores[1, i], stores[2, i] = street, sewer, river
    return stores[0], stores[1], stores[2]


def _season_stage(times: Int64s) -> Floats:
    """Stage at Hankou in m: about 15 in winter, 22.5 in July; 25.00 is the fortification stage."""
    stage: Floats = 18.5 - 4.0 * np.cos(2 * np.pi * (year_share(times) - 0.05))
    return stage


def _visibility(base: Mapping[str, Grid], rain: Floats) -> Floats:
    haze = np.exp(-np.maximum(base["humidity"] - 70.0, 0.0) / 45.0) * np.exp(-base["pollution"] / 250.0)
    sight: Floats = np.maximum(16_000.0 * haze / (1 + 2.0 * rain), 40.0)
    return sight


def _congestion(base: Mapping[str, Grid], rain: Floats, standing: Floats) -> Floats:
    wet = 0.5 * (1 - np.exp(-standing / 15.0)) + 0.15 * np.minimum(rain, 1.0)
    return np.clip(0.42 * base["travel"].astype(np.float64) + wet, 0.0, 1.0)


def _demand(base: Mapping[str, Grid], hour: Floats) -> Floats:
    evening = np.exp(-(((hour - 20.0) / 2.5) ** 2))[:, None]
    discomfort = np.abs(base["temperature"].astype(np.float64) - 19.0)
    load = 0.42 + 0.14 * base["work"] + 0.06 * base["shop"] + 0.07 * evening + 0.008 * discomfort
    return np.clip(load, 0.2, 0.97)
