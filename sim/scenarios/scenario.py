"""A scenario: names, parameters, what it must be found by, and its plan (stage → script)."""

from collections.abc import Callable
from dataclasses import dataclass

from sim.scenarios.stage import Stage
from sim.script import Script


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something that happens in a city.

    ``minutes`` is how long it lasts unless asked otherwise, ``history_h`` how many hours of the city must lie
    before it so that all of ``indicators`` have their baselines, ``aftermath_h`` how many should follow.
    ``begin_hour``: local hour at which a city made for it alone best begins.
    """

    name: str
    name_zh: str
    name_en: str
    text_zh: str
    text_en: str
    minutes: float
    indicators: tuple[str, ...]
    plan: Callable[[Stage], Script]
    history_h: float = 0.0
    aftermath_h: float = 1.0
    begin_hour: float = 9.0

    @property
    def start_min(self) -> float:
        """Minutes after the city's beginning at which it begins unless asked otherwise."""
        return 60.0 * (self.history_h + 1.0)

    @property
    def hours(self) -> float:
        """Hours a city needs for it."""
        return self.history_h + 1.0 + self.minutes / 60.0 + self.aftermath_h
