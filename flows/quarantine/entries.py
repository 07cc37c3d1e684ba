"""What alerts of faulty sensors are filed under: names, and whose work it is, for each metric."""

from __future__ import annotations

from alerts.sensor_faults import INDICATOR
from flows.city import City
from flows.stages.sensor_readings import steps_of
from indicators.entry import Entry


def fault_entries(city: City) -> list[Entry]:
    """What the desk files alerts of faults under: an entry for each metric whose sensors are judged.

    The work is that of the department whose indicators read the metric, of several that of the first.
    """
    plan = city.beginning
    return [
        _entry(city, plan.metrics[code].name_zh, plan.metrics[code].name_en, code) for code in steps_of(city)
    ]


def _entry(city: City, zh: str, en: str, code: str) -> Entry:
    readers = city.beginning.using(code)
    return Entry(
        id=f"{INDICATOR}.{code}",
        name_zh=f"传感器故障：{zh}",
        name_en=f"Sensor fault: {en}",
        theme="urban_governance",
        domain="data_quality",
        unit="",
        window="1m",
        hop="1m",
        formula="",
        department=next((p.indicator.entry.department for p in readers), ""),
    )
