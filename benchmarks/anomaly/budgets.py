"""Does the budget of false alarms hold? 28 days of a simulated city without faults: every alarm is false."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.anomaly.city_series import CitySeries
from indicators.detector import Detector
from indicators.detector_tail import alarm
from indicators.hour_of_week import HourOfWeek
from sim.city import City

BUDGETS = (1.0, 3.0, 10.0, 30.0, 100.0)

HEADER = ("budget per 1,000 series and day", "alarms", "allowed", "share of the budget", "most on a day")


@dataclass(frozen=True, slots=True)
class Spent:
    """Alarms by day, int64 [days], with a budget, and how many days of series were watched."""

    budget: float
    by_day: np.ndarray
    series_days: float

    @property
    def share(self) -> float:
        """Alarms, as a share of those allowed."""
        return float(self.by_day.sum() / (self.budget / 1000 * self.series_days))


def spent(sensors: int, days: int = 28, seed: int = 5) -> list[Spent]:
    """Watch a city; series count from when they may alarm, those that hardly send never."""
    city = City(seed=seed, sensors=sensors, hours=days * 24.0)
    series = CitySeries.of(city)
    detector, clock = Detector(len(series)), HourOfWeek(city.tz)
    rests = {budget: np.full(len(series), 255, np.uint8) for budget in BUDGETS}
    alarms = {budget: np.zeros(days, np.int64) for budget in BUDGETS}
    watched = 0.0
    for tick, (ts, values) in enumerate(series.ticks(city)):
        verdicts = detector.update(values, clock.at(ts - 1))
        state, to = detector.state, detector.settings
        watched += ((state.age >= 576) & (state.count >= to.alarming)).sum() / 288
        kept = state.rest
        for budget, rest in rests.items():
            # Only the calm since the last alarm depends on the budget.
            state.rest = rest
            alarms[budget][tick // 288] += alarm(state, verdicts.probability, budget, to).sum()
        state.rest = kept
    return [Spent(budget, alarms[budget], watched) for budget in BUDGETS]


def rows(found: list[Spent]) -> Iterator[tuple[str, ...]]:
    """A row of each budget."""
    for one in found:
        allowed = one.budget / 1000 * one.series_days
        share = f"{one.share:.2f}"
        yield (f"{one.budget:g}", str(one.by_day.sum()), f"{allowed:.0f}", share, str(one.by_day.max()))
