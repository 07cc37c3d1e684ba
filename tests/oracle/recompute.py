"""The oracle: every indicator recomputed from raw records, each by its own few lines.

``recompute(indicator, end, city, cells) -> Answer``; nothing incremental or merged, no code of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.oracle import formulas
from tests.oracle import formulas_cases as cases_
from tests.oracle import formulas_history as history
from tests.oracle import formulas_nature as nature
from tests.oracle import formulas_streets as streets
from tests.oracle.area import Area, Cells
from tests.oracle.case_sets import accepted_open, due, entered, opened
from tests.oracle.records import DAY, HOUR, MINUTE
from tests.oracle.rules import Rule, checked, rule
from tests.oracle.settled import Series, Settled

Count = Callable[[Area], int]


@dataclass(frozen=True, slots=True)
class Answer:
    """Value (None: no data), readings and cases behind it, coverage 0-1, level 0-4 (None: no data)."""

    value: float | None
    n: int
    coverage: float
    level: int | None


def ins(kinds: str, *statuses: str, window: int | None = None, without: str | None = None) -> Count:
    """Cases that entered a status."""
    return lambda a: len(entered(a, kinds.split(), *statuses, window=window, without=without))


def owed(kind: str, since: str, within: int | None = None) -> Count:
    """Cases due."""
    return lambda a: len(due(a, kind, since, within))


def both(*counts: Count) -> Count:
    """All of several sets, a case of two sets twice."""
    return lambda a: sum(count(a) for count in counts)


def open_(kinds: str, before: str | None = None) -> Count:
    """Open cases."""
    return lambda a: len(opened(a, kinds.split(), before))


def rate(name: str, kind: str, since: str, least: int = 10, status: str = "closed") -> tuple[str, Rule]:
    """A rule of cases that are due."""
    cases = owed(kind, since)
    value = cases_.ontime(kind, since, status)
    return rule(name, value, cases=cases, least=least, things=cases)


def ratio(
    name: str, value: Callable[[Area], formulas.Value], counted: Count, least: int = 10
) -> tuple[str, Rule]:
    """A rule that divides numbers of cases, and the cases it divides by."""
    return rule(name, value, cases=counted, least=least, things=counted)


def index(name: str, metric: str, window: int, *, held: bool) -> tuple[str, Rule]:
    """A rule of a sum against its usual one."""
    how = "held" if held else "window"
    return rule(name, history.index_of(metric, window, held=held), f"{metric}: {how}", share=True)


_GRID, _HOT = "ev_grid_case", "ev_hotline"
_FILED = both(ins(_GRID, "accepted"), ins(_GRID, "rejected"))
_CHECKED = both(ins(_GRID, "verified", "rework"))
_PROMPT = owed(_GRID, "accepted", 30 * MINUTE)
_FEEDBACK = both(ins(_HOT, "feedback_good"), ins(_HOT, "feedback_bad"))
_CALLS = "ev_police_call ev_fire_alarm ev_ems_call"
_FIRES = "ev_forest_smoke ev_satellite_hotspot"
_OEL = {"nh3_process": 20.0, "cl2_process": 1.0, "h2s_process": 10.0, "co_process": 20.0}
_ELECTRIC = {"residual_current": 500.0, "cable_temperature": 90.0}

RULES: Mapping[str, Rule] = dict((
    rule(
        "traffic.congestion_index", formulas.congestion_index,
        "road_speed: reached, road_freeflow_speed road_segment_length: held", share=True,
    ),
    rule(
        "traffic.congested_mileage_share", streets.congested_mileage_share,
        "road_speed: reached, road_class road_segment_length: held", share=True,
    ),
    rule(
        "traffic.incident_rate", formulas.incident_rate, zero="ev_traffic_accident ev_road_breakdown",
        cases=ins("ev_traffic_accident ev_road_breakdown", "reported"),
    ),
    rule(
        "parking.occupancy_rate", formulas.occupancy_rate, "parking_occupied parking_total: held", share=True
    ),
    rule(
        "road_facility.manhole_alarm_count", streets.manhole_alarm_count,
        "manhole_open manhole_tilt: reached", cases=open_("ev_manhole"), zero="ev_manhole",
    ),
    rule(
        "road_facility.streetlight_on_rate", streets.streetlight_on_rate,
        "streetlight_on_cmd: held, streetlight_power: reached", least=10,
        things=lambda a: len(streets.commanded(a)),
    ),
    rule(
        "environment_sanitation.bin_overflow_share", formulas.bin_overflow_share, "bin_fill: held",
        least=5, things=lambda a: len(a.held("bin_fill")), share=True,
    ),
    rule("environment_sanitation.odor_ratio", streets.odor_ratio, "nh3_ambient h2s_ambient: reached"),
    rule("noise.construction_exceedance", formulas.construction_exceedance, "site_noise_laeq: reached"),
    rule(
        "drainage.wwtp_effluent_ratio", streets.effluent_ratio,
        "effluent_cod effluent_nh3n effluent_tp effluent_tn: reached",
    ),
    ratio("grid_cases.filing_rate", cases_.filing_rate, _FILED),
    ratio("grid_cases.closure_rate", cases_.closure_rate, owed(_GRID, "accepted")),
    rate("grid_cases.ontime_closure_rate", _GRID, "accepted"),
    rule(
        "grid_cases.rework_rate", cases_.rework_rate, least=10, things=_CHECKED,
        cases=both(_CHECKED, ins(_GRID, "rework")),
    ),
    ratio(
        "grid_cases.dispatch_ontime_rate",
        cases_.ontime(_GRID, "accepted", "dispatched", 30 * MINUTE), _PROMPT,
    ),
    rule(
        "grid_cases.overdue_open_share", cases_.overdue_open_share,
        cases=lambda a: len(accepted_open(a, cases_.OVERDUE)), zero=" ".join(cases_.OVERDUE),
    ),
    ratio("grid_cases.loop_completeness", cases_.loop_completeness, ins(f"{_GRID} {_HOT}", "closed")),
    rule(
        "grid_cases.arrival_surge", history.surge(_GRID, _HOT), zero=f"{_GRID} {_HOT}",
        cases=ins(f"{_GRID} {_HOT}", "reported"),
    ),
    rule(
        "public_safety.dispute_rate", cases_.dispute_rate, cases=ins("ev_dispute", "reported"),
        zero="ev_dispute",
    ),
    rule("iot_health.online_rate", streets.online_rate, "device_heartbeat: window"),
    rule(
        "data_quality.timeliness_rate", streets.timeliness_rate,
        "ds_records_ontime ds_records_due: window", share=True,
    ),
    rule(
        "data_quality.accuracy_rate", formulas.accuracy_rate, "ds_records_correct ds_records_checked: window",
        share=True, cases=checked,
    ),
    rule(
        "data_quality.linkage_rate", streets.linkage_rate, "ds_catalog_linked ds_catalog_items: held",
        share=True,
    ),
    rule(
        "data_quality.exchange_rate", streets.exchange_rate,
        "ds_exchange_success ds_exchange_requests: window", share=True, least=20,
        things=lambda a: round(sum(a.pooled("ds_exchange_requests"))),
    ),
    rule("weather.rain_warning_level", formulas.rain_warning_level, "rain_1m: window"),
    rule("weather.rain_1h_max", formulas.rain_1h_max, "rain_1m: window"),
    rule("weather.gust_max", nature.gust_max, "wind_gust: reached"),
    rule(
        "weather.heat_tmax", nature.heat_tmax, "air_temperature: reached",
        yellow=nature.two_hot_days,
    ),
    rule("weather.visibility_min", nature.visibility_min, "visibility: reached"),
    rule(
        "weather.road_icing_level", nature.road_icing_level,
        "road_surface_temperature: held, rain_1m air_temperature: window",
    ),
    rule("drainage.ponding_depth_max", formulas.ponding_depth_max, "ponding_depth: reached"),
    rule(
        "drainage.pipe_surcharge_ratio", nature.pipe_surcharge_ratio,
        "pipe_level: reached, pipe_diameter: held",
    ),
    rule(
        "drainage.waterlogging_risk", formulas.waterlogging_risk,
        "rain_1m: window, ponding_depth pipe_level pipe_diameter: held",
        cases=ins("ev_waterlogging", "reported"),
    ),
    rule(
        "river_lake.flood_stage_index", nature.flood_stage_index,
        "river_level: reached, river_level_fortify river_level_warning river_level_guarantee: held",
    ),
    rule("gas.leak_lel_max", formulas.leak_lel_max, "gas_lel: reached", cases=open_("ev_gas_leak")),
    rule(
        "bridge.deflection_ratio", history.bridge_ratio("bridge_deflection"),
        "bridge_deflection: reached, bridge_deflection_limit: held",
    ),
    rule(
        "bridge.strain_ratio", history.bridge_ratio("bridge_strain"),
        "bridge_strain: reached, bridge_strain_limit: held",
    ),
    rule(
        "bridge.frequency_drop", nature.frequency_drop,
        "bridge_frequency: reached, bridge_frequency_base: held",
    ),
    rule("building.tilt_max", nature.highest_median("building_tilt"), "building_tilt: reached"),
    rule("building.settlement_rate", nature.settlement_rate, "ground_settlement: window"),
    rule("hazchem.toxic_oel_ratio", nature.worst_mean(_OEL), f"{' '.join(_OEL)}: reached"),
    rule(
        "hazchem.tank_limit_ratio", nature.tank_limit_ratio,
        "tank_level tank_pressure tank_temperature: reached, tank_pressure_high tank_temperature_high: held",
    ),
    rule(
        "fire_forest.forest_weather_index", nature.fire_weather,
        "air_temperature relative_humidity wind_speed: reached, rain_1m: window",
    ),
    rule(
        "fire_forest.hotspot_count", nature.hotspot_count, "thermal_spot_temperature: reached",
        cases=ins(_FIRES, "reported", without="rejected"), zero=_FIRES,
    ),
    rule("fire_forest.electrical_risk", nature.worst_mean(_ELECTRIC), f"{' '.join(_ELECTRIC)}: reached"),
    rule(
        "fire_forest.hydrant_pressure_min", nature.pressure_min("hydrant_pressure"),
        "hydrant_pressure: reached",
    ),
    rule("crowd.density_max", nature.density_max, "crowd_density: reached"),
    rule(
        "public_health.syndromic_c2", history.syndromic_c2, cases=ins("ev_fever_visit", "reported"),
        zero="ev_fever_visit",
    ),
    rule(
        "public_health.cluster_index_7d", cases_.cluster_index, zero="ev_ili_case ev_foodborne_case",
        cases=both(ins("ev_ili_case", "reported"), ins("ev_foodborne_case", "reported", window=3 * DAY)),
    ),
    rule(
        "public_health.multi_point_trigger", history.multi_point_trigger,
        "otc_fever_sales school_absence: window, sewage_virus: reached",
        cases=both(ins("ev_fever_visit", "reported"), ins("ev_lab_positive", "reported")), share=True,
        zero="ev_fever_visit ev_lab_positive",
    ),
    rule(
        "public_safety.response_time_p90", cases_.response_time_p90, least=5,
        things=lambda a: len(cases_.responses(a)),
        cases=both(ins(_CALLS, "arrived"), open_(_CALLS, before="arrived")),
    ),
    rule("water_supply.pressure_min", nature.pressure_min("tap_pressure"), "tap_pressure: reached"),
    rule(
        "water_supply.tap_quality_ratio", nature.tap_quality_ratio,
        "tap_turbidity tap_free_chlorine tap_ph: reached",
    ),
    rule("water_supply.night_flow_ratio", nature.night_flow_ratio, "dma_inflow: held", share=True),
    rule(
        "river_lake.surface_water_class", nature.surface_water_class,
        "water_do water_codmn water_nh3n water_tp: reached",
    ),
    rule("air.aqi", formulas.air_quality_index, f"{' '.join(formulas.BREAKS)}: reached", share=True),
    rule(
        "noise.functional_exceedance", streets.functional_exceedance,
        "noise_laeq: reached, noise_limit: held",
    ),
    rule(
        "weather.heat_index", nature.heat_index, "air_temperature relative_humidity: window", share=True
    ),
    rule(
        "hotline.demand_surge", history.surge(_HOT), cases=ins(_HOT, "reported"), zero=_HOT
    ),
    rate("hotline.ontime_closure_rate", _HOT, "reported"),
    ratio("hotline.satisfaction_rate", cases_.satisfaction_rate, _FEEDBACK),
    rule(
        "heat_power.voltage_violation_share", formulas.voltage_violation_share, "supply_voltage: window",
        share=True,
    ),
    rule(
        "heat_power.utility_outage_open", cases_.utility_outage_open, cases=open_("ev_utility_outage"),
        zero="ev_utility_outage",
    ),
    rule(
        "gas.user_pressure_violation", streets.gas_pressure_violation, "gas_user_pressure: window",
        share=True,
    ),
    rule(
        "transit.bus_punctuality", formulas.bus_punctuality, "bus_arrival_deviation: window", least=20,
        things=lambda a: len(a.pooled("bus_arrival_deviation")), share=True,
    ),
    rule("transit.metro_crowding", streets.metro_crowding, "metro_load: window"),
    rule(
        "elevator_special_equipment.entrapment_response", cases_.entrapment_response,
        cases=ins("ev_elevator_entrapment", "reported"), zero="ev_elevator_entrapment",
    ),
    rule(
        "crowd.scenic_load_ratio", streets.scenic_load_ratio,
        "venue_headcount: reached, venue_capacity: held",
    ),
    index("enterprise.power_index", "enterprise_power", HOUR, held=True),
    rule("enterprise.resumption_rate", history.resumption_rate, "enterprise_power: held"),
    index("enterprise.gas_use_index", "industrial_gas_flow", DAY, held=True),
    index("enterprise.water_use_index", "industrial_water_flow", DAY, held=True),
    rate("enterprise.appeal_ontime_rate", "ev_enterprise_appeal", "reported", 5),
    rate("enterprise.service_ontime_rate", "ev_gov_service", "accepted"),
    rule(
        "enterprise.market_churn", cases_.market_churn, zero="ev_market_open ev_market_close",
        cases=both(ins("ev_market_open", "closed"), ins("ev_market_close", "closed")),
    ),
    index("enterprise.footfall_index", "mall_footfall", HOUR, held=False),
    rule(
        "enterprise.emission_limit_ratio", history.emission_limit_ratio,
        "cems_so2 cems_nox cems_pm cems_valid_flag: reached,"
        "cems_so2_limit cems_nox_limit cems_pm_limit: held",
    ),
    rule(
        "enterprise.emission_transmission_rate", history.emission_transmission_rate,
        "cems_valid_flag: window",
    ),
    rate("enterprise.hazard_rectify_rate", "ev_safety_hazard", "reported", 5, status="verified"),
    index("logistics.truck_flow_index", "truck_passages", HOUR, held=False),
    rule(
        "logistics.cold_chain_excursion", streets.cold_chain_excursion,
        "cold_temperature cold_temperature_min cold_temperature_max: held", share=True,
    ),
    rule("energy.power_gap_ratio", history.power_gap_ratio, "grid_load grid_available: held", share=True),
    rule(
        "energy.transformer_overload_share", streets.transformer_overload_share,
        "transformer_load: reached", share=True, least=5,
        things=lambda a: len(a.within("transformer_load", len)),
    ),
    rule(
        "energy.ev_charger_utilization", streets.ev_charger_utilization,
        "ev_charger_occupied ev_charger_total: held", share=True,
    ),
))  # fmt: skip


def _coverage(rule: Rule, a: Area) -> float:
    shares = [1.0]
    for metric, late in rule.metrics.items():
        known = [s for s in a.series(metric) if s.known(a.end)]
        present = [s for s in known if _present(s, a, late)]
        shares += [len(present) / len(known)] if known else []
    return min(shares)


def _present(s: Series, a: Area, late: str) -> bool:
    if late == "held" and s.held(a.end) is not None:
        return True
    return bool(s.reached(a.end, a.window) if late == "reached" else s.inside(a.end, a.window))


def _level(rule: Rule, a: Area, value: float, coverage: float) -> int:
    if (rule.least and rule.things(a) < rule.least) or coverage < rule.min_coverage:
        return 0
    sign = -1.0 if rule.low_bad else 1.0
    reached = [formulas.not_below(sign * value, sign * bound) for bound in rule.raises]
    if rule.yellow is not None and not rule.yellow(a):
        reached[1] = False
    return max((level for level, hit in enumerate(reached, 1) if hit), default=0)


def recompute(indicator: str, end: int, city: Settled, cells: Cells | None = None) -> Answer:
    """One indicator of one area (None: the whole city) at one window end, from all its records up to then."""
    found = RULES[indicator]
    area = Area(city, cells, end, found.window)
    value = found.value(area)
    n = sum(len(area.pooled(metric)) for metric in found.metrics) + found.cases(area)
    coverage = _coverage(found, area)
    return Answer(value, n, coverage, None if value is None else _level(found, area, value, coverage))
