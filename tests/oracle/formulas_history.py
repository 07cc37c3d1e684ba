"""Indicators that look into the past by hand: every earlier window is computed anew from the records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from statistics import fmean, median, stdev

from tests.oracle.area import Area
from tests.oracle.case_sets import entered
from tests.oracle.formulas import Value, greatest, not_below, quantile
from tests.oracle.records import DAY, HOUR, LOCAL, MINUTE
from tests.oracle.settled import Series

WEEK = 7 * DAY


def reports(*kinds: str) -> Callable[[Area], Value]:
    """Cases reported; unknown where the window begins before the records do."""

    def value(a: Area) -> Value:
        return len(entered(a, kinds, "reported")) if a.end - a.window >= a.city.records.since else None

    return value


def earlier(value: Callable[[Area], Value], a: Area, days: Iterable[int]) -> list[float]:
    """The values of the same window on some days before, where they are known."""
    found = (value(a.at(a.end - day * DAY)) for day in days)
    return [v for v in found if v is not None]


def robust_z(now: Value, past: list[float], floor: Value = None) -> Value:
    """Distance from the median of at least seven days in robust deviations."""
    if now is None or len(past) < 7:
        return None
    middle = median(past)
    spread = 1.4826 * median(abs(v - middle) for v in past)
    return (now - middle) / max(spread, math.sqrt(middle + 1) if floor is None else floor)


def surge(*kinds: str) -> Callable[[Area], Value]:
    """Reports of an hour against those of the same hour on 28 days."""
    count = reports(*kinds)
    return lambda a: robust_z(len(entered(a, kinds, "reported")), earlier(count, a, range(1, 29)))


def syndromic_c2(a: Area) -> Value:
    """EARS C2: fever visits of a day against days 3 to 9 before."""
    past = earlier(reports("ev_fever_visit"), a, range(3, 10))
    if len(past) < 7:
        return None
    return (len(entered(a, "ev_fever_visit", "reported")) - fmean(past)) / max(stdev(past), 0.5)


def multi_point_trigger(a: Area) -> Value:
    """Channels of an epidemic that are far above their past."""

    def total(metric: str) -> Callable[[Area], Value]:
        return lambda at: math.fsum(values) if (values := at.pooled(metric)) else None

    def virus(at: Area) -> Value:
        most = greatest(at.each("sewage_virus", max).values())
        return None if most is None else math.log10(1 + most)

    channels: list[tuple[Callable[[Area], Value], Value, Value]] = [
        (reports(kind), float(len(entered(a, kind, "reported"))), None)
        for kind in ("ev_fever_visit", "ev_lab_positive")
    ]
    channels += [(total(m), total(m)(a), None) for m in ("otc_fever_sales", "school_absence")]
    channels += [(virus, virus(a), 0.3)]
    scores = [robust_z(now, earlier(value, a, range(1, 29)), floor) for value, now, floor in channels]
    known = [not_below(z, 3.0) for z in scores if z is not None]
    return float(sum(known)) if known else None


def whole(end: int, step: int) -> int:
    """The last whole step since local midnight."""
    return (end + LOCAL) // step * step - LOCAL


def usual(s: Series, end: int, value: Callable[[Series, int], Value]) -> Value:
    """The median of at least two of the four weeks before, at the last whole hour."""
    found = [value(s, whole(end, HOUR) - week * WEEK) for week in range(1, 5)]
    known = [v for v in found if v is not None]
    return median(known) if len(known) >= 2 else None


def index_of(metric: str, window: int, *, held: bool) -> Callable[[Area], Value]:
    """Means held, or sums, of the window against what is usual, over the sensors that have both."""

    def one(s: Series, end: int) -> Value:
        if held:
            return s.mean_held(end, window)
        values = s.inside(end, window)
        return math.fsum(values) if values else None

    def value(a: Area) -> Value:
        pairs = [(one(s, a.end), usual(s, a.end, one)) for s in a.series(metric)]
        both = [(now, base) for now, base in pairs if now is not None and base is not None]
        total = sum(base for _, base in both)
        return 100 * sum(now for now, _ in both) / total if total else None

    return value


def running(s: Series, end: int, q: float, days: int, need: int) -> Value:
    """A quantile of the hourly means of so many days up to the last whole hour."""
    last = whole(end, HOUR)
    hours = (s.inside(last - back * HOUR, HOUR) for back in range(days * 24))
    means = [math.fsum(v) / len(v) for v in hours if v]
    return quantile(means, q) if len(means) >= need else None


def bridge_ratio(metric: str) -> Callable[[Area], Value]:
    """Greatest distance from the datum against the limit, of a bridge."""

    def value(a: Area) -> Value:
        limits, found = a.held(f"{metric}_limit"), []
        for s, values in a.reached(metric):
            datum = running(s, a.end, 0.5, 7, 24)
            if datum is not None and s.sensor in limits:
                found.append(max(max(values) - datum, datum - min(values)) / limits[s.sensor])
        return max(found, default=None)

    return value


def resumption_rate(a: Area) -> Value:
    """Enterprises that draw at least 30 % of their usual high."""
    usually = {s.sensor: running(s, a.end, 0.9, 28, 7 * 24) for s in a.series("enterprise_power")}
    high = {s: v for s, v in usually.items() if v is not None and v > 0 and not not_below(0.0, v)}
    now = a.held_means("enterprise_power")
    working = [s for s, v in high.items() if s in now and not_below(now[s], 0.3 * v)]
    return 100 * len(working) / len(high) if high else None


def power_gap_ratio(a: Area) -> Value:
    """Greatest lack of power of a quarter hour against the greatest load."""
    gaps, loads = [], []
    for back in range(a.window // (15 * MINUTE)):
        at = a.at(a.end - back * 15 * MINUTE, 15 * MINUTE)
        load, available = at.held_means("grid_load").values(), at.held_means("grid_available").values()
        loads += [math.fsum(load)] if load else []
        gaps += [math.fsum(load) - math.fsum(available)] if load and available else []
    if not gaps or not max(loads):
        return None
    return 100 * max(0.0, *gaps) / max(loads)


def emission_limit_ratio(a: Area) -> Value:
    """Worst stack of valid hours against its own limits."""
    valid = {s for s, v in a.each("cems_valid_flag", min).items() if abs(v - 1) <= 1e-9}
    found = []
    for gas in ("so2", "nox", "pm"):
        limits = a.held(f"cems_{gas}_limit")
        means = a.each(f"cems_{gas}", fmean)
        found += [v / limits[s] for s, v in means.items() if s in limits and s in valid]
    return max(found, default=None)


def emission_transmission_rate(a: Area) -> Value:
    """Valid hours of those that the stacks heard of in 7 days should have had."""
    series = [s for s in a.series("cems_valid_flag") if s.heard(a.end)]
    stacks = [s for s in series if s.latest(a.end, 7 * DAY - 1) is not None]
    return 100 * sum(a.pooled("cems_valid_flag")) / (24 * len(stacks)) if stacks else None
