"""Weather of the city: a mild, damp climate with the seasons of Wuhan, in closed form.

Monthly mean temperatures follow the climate normals of Wuhan (about 4 °C in January, 29 °C in July) and the
Yangtze at Hankou its yearly swing (about 15 m in winter, 23 m in summer), both rounded. Days of drizzle or
showers are drawn by seed and date alone, so that a day has the same weather in every run of a seed.
Without scenarios nothing here reaches a warning signal except the heat of summer.
"""

import numpy as np
from numpy.typing import NDArray

from sim.regions import CENTRE, DEGREE_KM, Level

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

DAY_MS = 86_400_000

MONTHLY_MEAN = (4.0, 6.5, 10.5, 17.0, 22.0, 25.8, 29.0, 28.3, 23.8, 18.0, 11.8, 6.0)
"""Mean temperature of January to December, °C, in the middle of each month."""

STORM_KM_PER_HOUR = 40.0
"""How fast showers drift from west to east."""


def weather(seed: int, streets: Level, times: Int64s, hour: Floats) -> dict[str, Floats]:
    """Return rain, temperature, humidity, wind, pollution, upstream and illness, float64 [steps, zones].

    ``times`` int64 [steps] are ms, ``hour`` float64 [steps] the local hour of the day.
    """
    urban = np.exp(-streets.km_to_centre / 15.0)
    rain = _rain(seed, streets, times)
    slow = _slow(seed, times)
    sun = np.cos((hour - 15.0) / 12.0 * np.pi)[:, None]
    clear = np.exp(-rain / 0.05)
    season = _season(times)[:, None]
    temperature = season + slow[:, :1] + (2.6 * sun) * (0.6 + 0.4 * clear) + 0.8 * (urban - 0.5)
    humidity = 83.0 - 8.0 * sun * clear + 2.5 * slow[:, 1:2] + 8.0 * (1 - clear) - 2.0 * urban
    wind = 1.7 + 0.5 * sun + 0.3 * slow[:, 2:3] - 0.3 * urban + 3.0 * rain
    rush = np.exp(-(((hour - 8.5) / 2.5) ** 2)) + np.exp(-(((hour - 20.0) / 3.0) ** 2))
    pollution = (27.0 + 4.0 * slow[:, 3:4] + 6.0 * rush[:, None] + 6.0 * urban) * (0.6 + 0.4 * clear)
    flat = np.zeros_like(rain)
    return {
        "rain": rain,
        "temperature": temperature,
        "humidity": np.clip(humidity, 20.0, 100.0),
        "wind": np.maximum(wind, 0.2),
        "pollution": np.maximum(pollution, 4.0),
        "upstream": flat,
        "illness": flat + 1.0,
    }


def year_share(times: Int64s) -> Floats:
    """How far the year has gone, 0 to 1, of moments in ms.

    >>> year_share(np.array([1_767_312_000_000])).round(3).tolist()
    [0.003]
    """
    share: Floats = np.mod(times / DAY_MS / 365.2425 - 0.00135, 1.0)
    return share


def _season(times: Int64s) -> Floats:
    months = np.arange(-1, 13) / 12 + 1 / 24
    means = np.array([MONTHLY_MEAN[-1], *MONTHLY_MEAN, MONTHLY_MEAN[0]])
    season: Floats = np.interp(year_share(times), months, means)
    return season


def _slow(seed: int, times: Int64s) -> Floats:
    """Four independent swings of some days, each about within ±1.5, [steps, 4]."""
    rng = np.random.default_rng([seed, 101])
    days = times[:, None, None] / DAY_MS
    period = np.array([3.7, 5.3, 8.9])
    turn = rng.random((4, 3)) * 2 * np.pi
    swings: Floats = (0.5 * np.sin(2 * np.pi * days / period + turn)).sum(axis=2)
    return swings


def _rain(seed: int, streets: Level, times: Int64s) -> Floats:
    """Rain rate, mm/min: nearly every day has one spell of it, light in winter, showers in summer.

    Spells begin in the middle of the day (of UTC), so that two dry days on end are rare: with them the fire
    weather of a mild week would reach its first level.
    """
    rain = np.zeros((len(times), len(streets)))
    late = (streets.center[:, 0] - CENTRE[0]) * DEGREE_KM[0] / STORM_KM_PER_HOUR * 3_600_000
    for day in range(int(times[0]) // DAY_MS - 1, int(times[-1]) // DAY_MS + 1):
        rng = np.random.default_rng([seed, 102, day])
        warmth = 0.5 - 0.5 * np.cos(2 * np.pi * year_share(np.array([day * DAY_MS]))[0])
        wet, begins, lasts, strength = rng.random(4)
        hours = 2.0 + 5.0 * lasts - 3.0 * warmth * lasts
        peak = (0.008 + 0.012 * strength) * (1 + 8.0 * warmth * strength) * (wet < 0.97)
        spread = 0.75 + 0.5 * rng.random(len(streets))
        begin = day * DAY_MS + (0.2 + 0.6 * begins) * DAY_MS
        near = slice(*np.searchsorted(times, [begin - 3 * 3_600_000, begin + (hours + 3) * 3_600_000]))
        phase = np.clip((times[near, None] - begin - late) / (hours * 3_600_000), 0.0, 1.0)
        rain[near] += peak * spread * np.sin(np.pi * phase) ** 2
    return rain
