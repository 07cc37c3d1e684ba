"""Indicators of streets, facilities, devices and data by hand: ``Area -> value | None``."""

from __future__ import annotations

from tests.oracle.area import Area
from tests.oracle.case_sets import opened
from tests.oracle.formulas import Value, energy_mean, greatest, mean, not_below, percent, quantile
from tests.oracle.places import Point, apart
from tests.oracle.records import DAY, MINUTE
from tests.oracle.settled import Series

SEVERE = {1: 20.0, 2: 15.0}


def harmonic(values: list[float]) -> float:
    """Harmonic mean of speeds, none below 1."""
    return len(values) / sum(1 / max(v, 1.0) for v in values)


def congested_mileage_share(a: Area) -> Value:
    """Share of the length of segments no faster than in a severe jam of their class."""
    classes, lengths = a.held("road_class"), a.held("road_segment_length")
    speeds = a.each("road_speed", harmonic)
    known = [s for s in speeds if s in classes and s in lengths]
    slow = [s for s in known if not_below(SEVERE.get(round(classes[s]), 10.0), speeds[s])]
    total = sum(lengths[s] for s in known)
    return 100 * sum(lengths[s] for s in slow) / total if total else None


def open_covers(a: Area) -> list[Series]:
    """The sensors of covers that were open or tilted."""
    found = {s.sensor: s for s, v in a.reached("manhole_open") if abs(max(v) - 1) <= 1e-9}
    found |= {s.sensor: s for s, v in a.reached("manhole_tilt") if not_below(max(v), 15.0)}
    return list(found.values())


def manhole_alarm_count(a: Area) -> Value:
    """Alarming covers, and open reports with no such cover within 20 m."""
    bad = open_covers(a)
    sensors = [Point(s.cell, s.place) for s in bad]
    reports = [Point(c.cell or "", c.place) for c in opened(a, "ev_manhole")]
    return len(bad) + apart(reports, sensors, 20.0)


def commanded(a: Area) -> set[str]:
    """Lamps that are to burn."""
    return {s for s, v in a.held("streetlight_on_cmd").items() if abs(v - 1) <= 1e-9}


def streetlight_on_rate(a: Area) -> Value:
    """Share of the lamps that are to burn and take 5 W or more."""
    power = a.each("streetlight_power", mean)
    return percent([s in power and not_below(power[s], 5.0) for s in commanded(a)])


def odor_ratio(a: Area) -> Value:
    """Worst mean of ammonia or hydrogen sulphide against its limit."""
    limits = {"nh3_ambient": 1.5, "h2s_ambient": 0.06}
    return greatest(v / limit for m, limit in limits.items() for v in a.each(m, mean).values())


def effluent_ratio(a: Area) -> Value:
    """Worst daily mean of a treatment plant's outflow against class 1A."""
    limits = {"effluent_cod": 50.0, "effluent_nh3n": 5.0, "effluent_tp": 0.5, "effluent_tn": 15.0}
    return greatest(v / limit for m, limit in limits.items() for v in a.each(m, mean).values())


def online_rate(a: Area) -> Value:
    """Share of the devices heard of in 7 days that were heard of now."""
    seen = [
        s for s in a.series("device_heartbeat") if s.heard(a.end) and s.latest(a.end, 7 * DAY - 1) is not None
    ]
    return percent([bool(s.inside(a.end, a.window)) for s in seen])


def timeliness_rate(a: Area) -> Value:
    """Records in time of those due."""
    ontime, due = a.pooled("ds_records_ontime"), a.pooled("ds_records_due")
    return min(100 * sum(ontime) / sum(due), 100.0) if ontime and sum(due) else None


def linkage_rate(a: Area) -> Value:
    """Linked resources of all in the directories."""
    linked, items = a.held("ds_catalog_linked").values(), a.held("ds_catalog_items").values()
    return 100 * sum(linked) / sum(items) if linked and sum(items) else None


def exchange_rate(a: Area) -> Value:
    """Requests that succeeded."""
    done, asked = a.pooled("ds_exchange_success"), a.pooled("ds_exchange_requests")
    return 100 * sum(done) / sum(asked) if done and sum(asked) else None


def functional_exceedance(a: Area) -> Value:
    """95th percentile over stations of the energy mean above the limit there."""
    limits = a.held("noise_limit")
    above = [
        energy_mean(values) - limits[s.sensor]
        for s, values in a.reached("noise_laeq")
        if s.sensor in limits and len(s.inside(a.end, a.window)) * s.period >= 45 * MINUTE
    ]
    return quantile(above, 0.95) if above else None


def metro_crowding(a: Area) -> Value:
    """95th percentile of all load factors."""
    loads = a.pooled("metro_load")
    return quantile(loads, 0.95) if loads else None


def ev_charger_utilization(a: Area) -> Value:
    """Occupied connectors of all, where both are known."""
    total = a.held("ev_charger_total")
    used = {s: v for s, v in a.held_means("ev_charger_occupied").items() if s in total}
    guns = sum(total[s] for s in used)
    return 100 * sum(used.values()) / guns if guns else None


def scenic_load_ratio(a: Area) -> Value:
    """Fullest venue."""
    capacity = a.held("venue_capacity")
    return greatest(
        100 * v / capacity[s] for s, v in a.each("venue_headcount", mean).items() if s in capacity
    )


def gas_pressure_violation(a: Area) -> Value:
    """Share of the readings outside 1.5 to 3 kPa."""
    return percent([not (not_below(v, 1.5) and not_below(3.0, v)) for v in a.pooled("gas_user_pressure")])


def transformer_overload_share(a: Area) -> Value:
    """Share of the transformers with six readings, none below 80 %."""
    loads = a.within("transformer_load", min)
    counts = a.within("transformer_load", len)
    return percent([counts[s] >= 6 and not_below(v, 80.0) for s, v in loads.items()])


def cold_chain_excursion(a: Area) -> Value:
    """Share of the observed time outside the limits by more than a degree."""
    low, high = a.held("cold_temperature_min"), a.held("cold_temperature_max")
    outside = observed = 0.0
    for s in a.series("cold_temperature"):
        for span, value in s.steps(a.end, a.window):
            observed += span
            outside += span * (
                (s.sensor in low and value < low[s.sensor] - 1)
                or (s.sensor in high and value > high[s.sensor] + 1)
            )
    return 100 * outside / observed if observed else None
