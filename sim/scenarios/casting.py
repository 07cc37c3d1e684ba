"""Scenarios as they are asked for (``gas_leak:start=90m,intensity=1.5``) → scripts for a city."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.city import City
from sim.event_types import HOUR, MINUTE
from sim.scenarios import SCENARIOS
from sim.scenarios.scenario import Scenario
from sim.scenarios.stage import Stage
from sim.script import Script

KEYS = ("start", "duration", "intensity", "place")
"""What may follow a scenario's name."""

INTENSITIES = (0.5, 3.0)
"""Least and greatest intensity."""

_UNITS = {"s": 1 / 60, "m": 1.0, "h": 60.0, "d": 1440.0}
_STREAM = 0x5CE7A


class ScenarioError(ValueError):
    """What was asked for is no scenario, or cannot be played in the city."""


@dataclass(frozen=True, slots=True)
class Request:
    """A scenario with its parameters.

    ``start_min`` and ``duration_min``: minutes after the city's beginning, and from then on. ``place``: code
    of a district, None for anywhere.
    """

    scenario: Scenario
    start_min: float
    duration_min: float
    intensity: float = 1.0
    place: str | None = None


def asked(text: str) -> Request:
    """Read ``NAME[:key=value,…]``; keys are :data:`KEYS`, times like ``90m``, ``2h``, ``8d`` or minutes.

    Raises:
        ScenarioError: no such scenario or key, or a value that cannot be.

    >>> asked("gas_leak:start=90m,duration=2h,intensity=1.5").duration_min
    120.0
    >>> asked("gas_leek")
    Traceback (most recent call last):
    sim.scenarios.casting.ScenarioError: there is no scenario 'gas_leek'; ...
    """
    name, _, rest = text.partition(":")
    scenario = SCENARIOS.get(name.strip())
    if scenario is None:
        raise ScenarioError(f"there is no scenario {name.strip()!r}; known: {', '.join(SCENARIOS)}")
    given = dict(_pair(name, part) for part in rest.split(",") if part.strip())
    return Request(
        scenario,
        _minutes("start", given["start"]) if "start" in given else scenario.start_min,
        _minutes("duration", given["duration"]) if "duration" in given else scenario.minutes,
        _intensity(given.get("intensity", "1")),
        None if given.get("place", "auto") == "auto" else given["place"],
    )


def _pair(name: str, part: str) -> tuple[str, str]:
    key, equals, value = (piece.strip() for piece in part.partition("="))
    if key not in KEYS or not equals or not value:
        raise ScenarioError(
            f"{name}: {part.strip()!r} is no parameter; write key=value with {', '.join(KEYS)}"
        )
    return key, value


def _minutes(key: str, text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not found or (key == "duration" and float(found[1]) == 0):
        raise ScenarioError(f"{key}={text} is no span of time; write it like 90m, 2h or 8d")
    return float(found[1]) * _UNITS[found[2] or "m"]


def _intensity(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    low, high = INTENSITIES
    if not low <= value <= high:
        raise ScenarioError(f"intensity={text}: it is a number from {low} to {high}, 1 is usual")
    return value


def cast(city: City, requests: Sequence[Request]) -> list[Script]:
    """Return the script of every scenario for a city (without scripts), in the order asked for.

    The same city and requests give the same scripts; a request's script does not depend on the others.

    Raises:
        ScenarioError: a scenario begins too late for the city, or there is no such district.
        NoPlaceError: the city lacks sensors for it.
    """
    seen: dict[str, int] = {}
    scripts = []
    for request in requests:
        name = request.scenario.name
        seen[name] = seen.get(name, 0) + 1
        scripts.append(request.scenario.plan(_stage(city, request, seen[name])))
    return scripts


def _stage(city: City, request: Request, number: int) -> Stage:
    scenario = request.scenario
    begin = city.start + round(request.start_min * MINUTE)
    end = begin + round(request.duration_min * MINUTE)
    if end > city.end:
        needed = (request.start_min + request.duration_min) / 60
        raise ScenarioError(
            f"{scenario.name} ends {needed:.1f} h after the beginning, the city lasts "
            f"{(city.end - city.start) / HOUR:.1f} h; use more hours, an earlier start or a shorter duration"
        )
    order = list(SCENARIOS).index(scenario.name)
    rng = np.random.default_rng((city.seed, _STREAM, order, number))
    event = f"{scenario.name}-{number}"
    return Stage(city, scenario.name, event, begin, end, request.intensity, _district(city, request), rng)


def _district(city: City, request: Request) -> int | None:
    if request.place is None:
        return None
    codes = city.regions.districts.code
    if request.place not in codes:
        raise ScenarioError(
            f"place={request.place} is no district of the city; use auto or one of {', '.join(codes)}"
        )
    return codes.index(request.place)
