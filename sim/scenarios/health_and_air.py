"""What spreads: illness, and bad air."""

import numpy as np

from sim.scenarios.scenario import Scenario
from sim.scenarios.stage import Stage, cells_of, united
from sim.script import Script

ILL_IN_SCHOOL = 13
"""Cases in one school within a day: ten in a week count as a cluster."""

SMOG_UG_M3 = 190.0
"""PM2.5 added everywhere: with the usual 30, AQI between 201 and 300."""


def _epidemic_cluster(stage: Stage) -> Script:
    """A school's outbreak, a full fever clinic, positive tests; medicines and absences follow the illness."""
    school = stage.anchor("school_absence", "otc_fever_sales", "sewage_virus")
    home = stage.beside(school, 1, 0.0)
    pupils = np.repeat(home, round(ILL_IN_SCHOOL * stage.intensity), axis=0)
    ill = stage.reports("ev_ili_case", pupils, within=(0.02, 0.4), channel="school")
    clinic = np.repeat(home, round(60 * stage.intensity * stage.minutes / 1440), axis=0)
    fever = stage.reports("ev_fever_visit", clinic, within=(0.0, 0.9))
    tests = stage.reports("ev_lab_positive", clinic[: len(clinic) // 3], within=(0.1, 0.9))
    weights = stage.zone_weights(school, 3.0)
    sick = 1.0 + 3.0 * stage.intensity
    illness = stage.change("illness", weights, "scale", (0.0, 1.0), (0.1, sick), (1.0, sick))
    cells = cells_of(home)
    truth = [
        stage.truth("cluster", ["public_health.cluster_index_7d"], cells, stage.level(2)),
        stage.truth("fever", ["public_health.syndromic_c2"], cells, stage.level(2)),
        stage.truth("channels", ["public_health.multi_point_trigger"], cells, 1),
    ]
    return Script(driver_changes=[illness], cases=united(ill, fever, tests), truth=truth)


def _air_episode(stage: Stage) -> Script:
    """Stagnant air over the whole city."""
    zones = np.ones(len(stage.city.regions.streets))
    smog = SMOG_UG_M3 * stage.intensity
    change = stage.change("pollution", zones, "add", (0.0, 0.0), (0.2, smog), (0.8, smog), (1.0, 0.0))
    stations = stage.cells(stage.whole_city("pm25"))
    return Script(driver_changes=[change], truth=[stage.truth("aqi", ["air.aqi"], stations, stage.level(3))])


SCENARIOS = (
    Scenario(
        "epidemic_cluster",
        "聚集性疫情",
        "Epidemic cluster",
        "一所学校出现聚集性病例，发热门诊就诊、检测阳性、药品销售和缺课同步上升。",
        "Cases gather in a school; fever visits, positive tests, medicine sales and absences rise with them.",
        2160.0,
        (
            "public_health.cluster_index_7d",
            "public_health.syndromic_c2",
            "public_health.multi_point_trigger",
        ),
        _epidemic_cluster,
        history_h=240.0,
    ),
    Scenario(
        "air_episode",
        "空气污染过程",
        "Air pollution episode",
        "静稳天气，全市细颗粒物升至重度污染。",
        "Stagnant air: fine particles rise to heavy pollution all over the city.",
        360.0,
        ("air.aqi",),
        _air_episode,
    ),
)
"""The scenarios of this file."""
