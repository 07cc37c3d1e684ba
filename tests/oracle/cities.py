"""Random cities: a few streets, every sensor the fifteen indicators need, and all that goes wrong on the way.

``recipes()`` draws what a city is made from; the same recipe is the same city, record by record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import strategies as st

from tests.oracle.records import DAY, HOUR, MINUTE, Listed, Reading, Records, Transition, grid_code
from tests.oracle.settled import metric_rows
from tests.oracle.wire_files import Wire

SECOND = 1000
MIDNIGHT = 1_719_936_000_000
"""2024-07-03 00:00 local time."""

CORNERS = (
    (114 + 20 / 60, 30 + 35 / 60),
    (114 + 22 / 60, 30 + 36 / 60),
    (114 + 33 / 60, 30 + 35 / 60),
)
"""South-western corners of three streets (1' squares); the first two share a district (15' by 10')."""

PLACES = {
    grid_code(lon, lat): (lon, lat)
    for lon, lat in ((x + (4 * i + 2) / 3600, y + 2 / 3600) for x, y in CORNERS for i in (3, 9))
}
CELLS = tuple(PLACES)

Draw = Callable[[Random], float]


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of sensor: metric -> values, and the own periods (minutes) a registry may give it."""

    metrics: dict[str, Draw]
    periods: tuple[int, ...] = ()


def _between(low: float, high: float, digits: int = 2) -> Draw:
    return lambda r: round(r.uniform(low, high), digits)


def _one_of(*values: float) -> Draw:
    return lambda r: r.choice(values)


def _mixed(*draws: Draw) -> Draw:
    return lambda r: r.choice(draws)(r)


MODELS = {
    "road": Model(
        {
            "road_speed": _mixed(_between(0, 90), _one_of(0, 2, 3)),
            "road_freeflow_speed": _between(40, 80),
            "road_segment_length": _between(0.1, 3, 7),
        },
        (2, 10),
    ),
    "lot": Model({"parking_occupied": _between(0, 150, 0), "parking_total": _one_of(50, 100, 120)}, (3,)),
    "bin": Model({"bin_fill": _mixed(_between(0, 100), _one_of(90, 89.999999))}, (5, 20)),
    "noise": Model({"site_noise_laeq": _between(50, 90, 1)}, (3, 5)),
    "gauge": Model({"rain_1m": _mixed(_one_of(0, 0.1, 0.3), _between(0, 2, 1))}, (5,)),
    "pond": Model({"ponding_depth": _between(0, 0.5)}, (2, 4)),
    "pipe": Model({"pipe_level": _between(0, 1.5), "pipe_diameter": _one_of(0.8, 1, 1.2)}, (10,)),
    "gas": Model({"gas_lel": _mixed(_between(0, 4), _between(0, 60))}, (1, 10)),
    "air": Model(
        {
            "pm25": _between(0, 160, 1),
            "pm10": _between(0, 260, 1),
            "so2": _mixed(_between(0, 500), _between(700, 900)),
            "no2": _between(0, 220),
            "o3": _between(0, 350),
            "co": _between(0, 12, 3),
        },
        (15,),
    ),
    "meter": Model({"supply_voltage": _mixed(_between(190, 240, 1), _one_of(0, 19.9, 20, 198, 235.4))}, (5,)),
    "bus": Model({"bus_arrival_deviation": _mixed(_between(-120, 300, 0), _one_of(-60, 180))}),
    "ledger": Model({"ds_records_checked": _one_of(20, 50), "ds_records_correct": _one_of(15, 20)}),
}


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each misfortune of a reading is."""

    gap: float
    late: float
    too_late: float
    twice: float
    corrected: float
    out_of_range: float
    absurd: int


@dataclass(slots=True)
class City:
    """A city as drawn: its wire, the records that must count, and how often each refusal must occur."""

    wire: Wire
    records: Records
    first: int
    last: int
    duplicates: int
    rejected: dict[str, int]


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """A reading on its way; ``fate`` is "" for one that counts."""

    when: int
    order: int
    reading: Reading = field(compare=False)
    fate: str = field(compare=False, default="")


FAULTS = st.builds(
    Faults,
    gap=st.sampled_from([0.0, 0.15, 0.5]),
    late=st.sampled_from([0.0, 0.05, 0.3]),
    too_late=st.sampled_from([0.0, 0.02]),
    twice=st.sampled_from([0.0, 0.05]),
    corrected=st.sampled_from([0.0, 0.05]),
    out_of_range=st.sampled_from([0.0, 0.05]),
    absurd=st.integers(0, 2),
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a city is made from; small enough to be read when a test fails."""

    seed: int
    start: int
    hours: int
    faults: Faults
    each: int

    def city(self) -> City:
        """The same city for the same recipe."""
        r = Random(self.seed)  # noqa: S311 (not for secrets)
        first = MIDNIGHT + self.start * MINUTE
        return city(r, first, first + self.hours * HOUR, self.faults, self.each)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Cities of two to four hours that cross 06:00 or 22:00 local time."""
    return Recipe(
        seed=draw(st.integers(0, 2**32 - 1)),
        start=draw(st.sampled_from([4, 20])) * 60 + draw(st.integers(0, 59)),
        hours=draw(st.sampled_from([2, 3, 4])),
        faults=draw(FAULTS),
        each=draw(st.sampled_from([1, 2])),
    )


def city(r: Random, first: int, last: int, faults: Faults, each: int) -> City:
    """A city with ``each`` sensors of every model, living from ``first`` to ``last``."""
    listed: list[Listed] = []
    arrivals: list[Arrival] = []
    for name, model in MODELS.items():
        for i in range(each):
            row = _sensor(r, f"{name}-{'x' * r.randint(0, 1)}{i}", model)
            listed += [row] if row.period or r.random() < 0.5 else []
            for metric, value in model.metrics.items():
                arrivals += arrivals_of(r, series(r, row, metric, value, (first, last)), faults, last)
    listed.append(Listed("silent", r.choice(CELLS), "gas_lel"))
    listed.append(Listed("gone", r.choice(CELLS), "gas_lel", retired=True))
    pulse = (Reading("pulse", "ponding_depth", 0.01, ts, CELLS[0]) for ts in range(first, last + 1, MINUTE))
    arrivals = sorted([*arrivals, *(Arrival(p.ts, -1, p) for p in pulse)])
    arrivals = with_absurd(r, arrivals, faults.absurd)
    return _as_city(arrivals, tuple(_transitions(r, first, last)), tuple(listed), first)


def _as_city(
    arrivals: list[Arrival], transitions: tuple[Transition, ...], listed: tuple[Listed, ...], first: int
) -> City:
    counted = tuple(a.reading for a in arrivals if a.fate in {"", "twice", "out_of_range"})
    fates = [a.fate for a in arrivals]
    first_taken = next(a.reading.ts for a in arrivals if a.fate in {"", "twice"})
    since = min(first_taken, transitions[0].ts) - 10 * SECOND
    return City(
        wire=Wire(PLACES, tuple(a.reading for a in arrivals), transitions, listed),
        records=Records(counted, transitions, listed, {cell: cell[:9] for cell in CELLS}, since),
        first=first,
        last=max([*(r.ts for r in counted), *(t.ts for t in transitions)]),
        duplicates=fates.count("twice"),
        rejected={f: fates.count(f) for f in ("too_late", "out_of_range", "future_time") if f in fates},
    )


def _sensor(r: Random, name: str, model: Model) -> Listed:
    single = next(iter(model.metrics)) if len(model.metrics) == 1 else None
    period = r.choice(model.periods) * MINUTE if model.periods and r.random() < 0.4 else None
    return Listed(name, r.choice(CELLS), single if r.random() < 0.5 else None, period)


def series(r: Random, row: Listed, metric: str, value: Draw, life: tuple[int, int]) -> list[Reading]:
    """The readings as measured: on the sampling grid, half of the series off its full minutes."""
    known = metric_rows()[metric]
    step = row.period if row.period and not known.reference else known.period or 4 * MINUTE
    phase = r.randrange(step) if r.random() < 0.5 else 0
    outage = r.randint(*life)
    times = range(life[0] + 1 + (phase - life[0] - 1) % step, life[1] + 1, step)
    if known.period >= 24 * HOUR:
        times = range(life[0] + 1 + r.randrange(HOUR), life[1] + 1, 2 * HOUR)
    elif not known.period:
        times = range(life[0] + 1 + phase, life[1] + 1, step)
    kept = [ts for ts in times if not outage <= ts < outage + r.choice([0, 4 * step])]
    return [Reading(row.sensor, metric, value(r), ts, row.cell) for ts in kept]


def arrivals_of(r: Random, readings: Iterable[Reading], faults: Faults, last: int) -> Iterable[Arrival]:
    for reading in readings:
        known = metric_rows()[reading.metric]
        if r.random() < faults.gap and not known.reference:
            continue
        when = reading.ts + r.randrange(9 * SECOND)
        if r.random() < faults.out_of_range:
            wrong = replace(reading, value=known.high * 2 + 1)
            yield Arrival(when, r.getrandbits(32), wrong, "out_of_range")
            continue
        chance = r.random()
        if chance < faults.late:
            when += r.randrange(15 * SECOND, (150 if known.period >= 24 * HOUR else 50) * MINUTE)
            yield Arrival(when, r.getrandbits(32), reading)
        elif chance < faults.late + faults.too_late and known.period < 4 * HOUR and when + 80 * MINUTE < last:
            yield Arrival(when + 75 * MINUTE, r.getrandbits(32), reading, "too_late")
        else:
            yield Arrival(when, r.getrandbits(32), reading)
            yield from _again(r, reading, when, faults)


def _again(r: Random, reading: Reading, when: int, faults: Faults) -> Iterable[Arrival]:
    """The same reading a second time, or another value for the same time."""
    after = when + r.randrange(1, 2 * MINUTE)
    chance = r.random()
    if chance < faults.twice:
        yield Arrival(after, r.getrandbits(32), reading, "twice")
    elif chance < faults.twice + faults.corrected:
        step = -1 if reading.value >= metric_rows()[reading.metric].low + 1 else 1
        yield Arrival(after, r.getrandbits(32), replace(reading, value=reading.value + step))


def with_absurd(r: Random, arrivals: list[Arrival], count: int) -> list[Arrival]:
    found = list(arrivals)
    for i in range(count):
        # At least five further records follow, so that the stamp is judged by them.
        at = len(arrivals) * (i + 1) // (count + 1)
        one = found[at]
        ahead = replace(one.reading, ts=one.reading.ts + r.randrange(6 * HOUR, 400 * DAY))
        found.insert(at, Arrival(one.when, one.order, ahead, "future_time"))
    return found


CHAINS = (
    ("reported",),
    ("reported", "rejected"),
    ("reported", "reported", "accepted"),
    ("reported", "accepted", "closed"),
    ("reported", "accepted", "dispatched", "arrived", "handled", "closed"),
    ("accepted", "closed"),
    ("reported", "accepted", "rejected"),
    ("reported", "accepted"),
)
KINDS = ("ev_traffic_accident", "ev_road_breakdown", "ev_waterlogging", "ev_gas_leak", "ev_grid_case")


def _transitions(r: Random, first: int, last: int) -> Iterable[Transition]:
    """Events in order of arrival; a case of no interest every 4 min keeps the file's clock going."""
    arrivals = [
        (ts, 0, Transition(f"pulse-{ts}", "ev_market_open", "reported", ts, CELLS[-1]))
        for ts in range(first, last + 1, 4 * MINUTE)
    ]
    for kind in KINDS:
        for i in range(r.randint(3, 8) * (3 if kind == "ev_grid_case" else 1)):
            for t in _case(r, f"{kind}-{i}", kind, first, last):
                late = r.randrange(3 * HOUR) if r.random() < 0.2 else 0
                # Not before the file's clock is trusted, which takes five records (R6).
                when = (t.ts if t.ts >= first else first + HOUR // 2) + r.randrange(9 * SECOND) + late
                arrivals.append((when, r.getrandbits(32), t))
                if r.random() < 0.1:
                    arrivals.append((when + r.randrange(MINUTE), r.getrandbits(32), t))
    yield from (t for _, _, t in sorted(arrivals, key=lambda a: a[:2]))


def _case(r: Random, name: str, kind: str, first: int, last: int) -> Iterable[Transition]:
    grid = kind == "ev_grid_case"
    old = 26 * HOUR if grid else HOUR
    ts = r.randrange(first - (old if r.random() < 0.6 else 0), last - HOUR)
    grave = grid and r.random() < 0.7
    for i, status in enumerate(r.choice(CHAINS[3:] if grid else CHAINS)):
        if ts > last:
            return
        severity = r.choice([3, 4]) if grave and r.random() < 0.6 else None
        cell = r.choice(CELLS) if i == 0 or r.random() < 0.3 else None
        yield Transition(name, kind, status, ts, cell, severity)
        ts += r.choice([r.randrange(1, 10 * MINUTE), r.randrange(1, 3 * HOUR), 3 * HOUR])
