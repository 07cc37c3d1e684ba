"""Random cities with every metric and every type of case, on ground with areas of all kinds, and a past.

``any_recipe()`` draws what a city is made from; the same recipe is the same city, record by record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

from tests.oracle.cities import MIDNIGHT, SECOND, Arrival, City, Faults, arrivals_of, series, with_absurd
from tests.oracle.city_cases import KINDS, Town, cases
from tests.oracle.city_models import WHOLE, Draw, Model
from tests.oracle.recompute import RULES
from tests.oracle.records import DAY, HOUR, MINUTE, Listed, Reading, Records
from tests.oracle.rules import specified
from tests.oracle.settled import metric_rows
from tests.oracle.whole_places import CELLS, PLACES, STREET_OF, beside
from tests.oracle.wire_files import Wire

OFFSETS = (-40.0, -10.0, 0.0, 5.0, 9.0, 30.0)
"""Metres from the middle of a cell: within 20 m of each other, or not."""


@dataclass(frozen=True, slots=True)
class WholeRecipe:
    """What a city is made from; ``days`` of history of cases, ``each`` things of every kind.

    ``part`` says which indicators it is made for: ``present`` or ``past``.
    """

    part: str
    seed: int
    start: int
    hours: int
    days: int
    faults: Faults
    each: int

    def city(self) -> City:
        """The same city for the same recipe."""
        r = Random(self.seed)  # noqa: S311 (not for secrets)
        first = MIDNIGHT + 2 * DAY + self.start * MINUTE
        return _city(r, (first, first + self.hours * HOUR), self)


LONG = 13 * HOUR
"""From which length of windows on an indicator belongs to the past."""


def part_of(indicator: str) -> str:
    """``past`` where days of records are needed, else ``present``."""
    looks_back = any(
        f in specified()[indicator]["formula"] for f in ("robust_z", "zscore", "same_hour", "running")
    )
    return "past" if looks_back or RULES[indicator].window > LONG else "present"


def indicators_of(part: str) -> list[str]:
    """The indicators that cities of a part are made for."""
    return [name for name in RULES if part_of(name) == part]


def any_recipe(r: Random, part: str) -> WholeRecipe:
    """A city of two or three hours that cross 06:00, 12:00 or 22:00 local time, after up to 29 days."""
    return WholeRecipe(
        part=part,
        seed=r.getrandbits(32),
        start=r.choice([4, 11, 20]) * 60 + r.randint(0, 59),
        hours=r.choice([2, 3]),
        days=r.choice([5, 9, 12, 29]),
        faults=Faults(
            gap=r.choice([0.0, 0.15, 0.5]),
            late=r.choice([0.0, 0.05, 0.3]),
            too_late=r.choice([0.0, 0.02]),
            twice=r.choice([0.0, 0.05]),
            corrected=r.choice([0.0, 0.05]),
            out_of_range=r.choice([0.0, 0.05]),
            absurd=r.randint(0, 2),
        ),
        each=r.choice([1, 2]),
    )


def spot(r: Random, cell: str) -> tuple[float, float]:
    """A place in a cell, degrees."""
    return beside(cell, r.choice(OFFSETS), r.choice(OFFSETS))


def _city(r: Random, life: tuple[int, int], recipe: WholeRecipe) -> City:
    first, last = life
    listed: list[Listed] = []
    past: list[Arrival] = []
    now: list[Arrival] = []
    inputs = {code for name in indicators_of(recipe.part) for code in specified()[name]["inputs"].split(";")}
    for name, whole in WHOLE.items():
        model = _only(whole, inputs, recipe.part)
        for i in range(recipe.each if model.metrics else 0):
            row = _thing(r, f"{name}-{'x' * r.randint(0, 1)}{i}", model)
            listed += [row] if row.period or model.placed or r.random() < 0.5 else []
            for metric, value in model.metrics.items():
                past += _past(r, row, metric, value, model, life)
                now += arrivals_of(r, series(r, row, metric, value, life), recipe.faults, last)
    listed.append(Listed("silent", r.choice(CELLS), "gas_lel"))
    listed.append(Listed("gone", r.choice(CELLS), "gas_lel", retired=True))
    pulse = (Reading("pulse", "ponding_depth", 0.01, ts, CELLS[0]) for ts in range(first, last + 1, MINUTE))
    now = sorted([*now, *(Arrival(p.ts, -1, p) for p in pulse)])
    arrivals = [*sorted(past), *with_absurd(r, now, recipe.faults.absurd)]
    days = recipe.days if recipe.part == "past" else 0
    transitions = cases(r, Town(CELLS, spot, life, days), recipe.each, {*KINDS} & inputs)
    counted = tuple(a.reading for a in arrivals if a.fate in {"", "twice", "out_of_range"})
    fates = [a.fate for a in arrivals]
    first_taken = next(a.reading.ts for a in arrivals if a.fate in {"", "twice"})
    since = min(first_taken, transitions[0].ts) - 10 * SECOND
    return City(
        wire=Wire(PLACES, tuple(a.reading for a in arrivals), transitions, tuple(listed)),
        records=Records(counted, transitions, tuple(listed), STREET_OF, since),
        first=first,
        last=max([*(a.ts for a in counted), *(t.ts for t in transitions)]),
        duplicates=fates.count("twice"),
        rejected={f: fates.count(f) for f in ("too_late", "out_of_range", "future_time") if f in fates},
    )


def _only(model: Model, inputs: set[str], part: str) -> Model:
    """What of a kind of thing a part needs: its metrics, and no more of its past than that."""
    metrics = {code: value for code, value in model.metrics.items() if code in inputs}
    past = tuple(p for p in model.past if part == "past" or (p.back <= LONG and p.days == (0,)))
    return replace(model, metrics=metrics, past=past)


def _thing(r: Random, name: str, model: Model) -> Listed:
    single = next(iter(model.metrics)) if len(model.metrics) == 1 else None
    period = r.choice(model.periods) * MINUTE if model.periods and r.random() < model.own else None
    cell = r.choice(CELLS)
    place = spot(r, cell) if model.placed else None
    return Listed(name, cell, single if r.random() < 0.5 else None, period, place=place)


def _past(
    r: Random, row: Listed, metric: str, value: Draw, model: Model, life: tuple[int, int]
) -> Iterable[Arrival]:
    """What a thing sent before the city's hours: all of it in time."""
    first, last = life
    if metric_rows()[metric].reference:
        return
    stamps: set[int] = set()
    phase = r.randrange(MINUTE)
    for past in model.past:
        for day in past.days:
            stop = (last if day else first) - day * DAY
            stamps |= set(range(first - day * DAY - past.back + phase, stop, past.step))
    for ts in sorted(stamps):
        reading = Reading(row.sensor, metric, value(r), ts, row.cell)
        yield Arrival(ts + r.randrange(9 * SECOND), r.getrandbits(30), reading)
