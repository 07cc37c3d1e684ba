"""Faults of single sensors: what a judge of sensors says, as others read it: since when, until when, why.

>>> len(fault_id("tap-1", "tap_pressure", "N49E0B26714", 0))
17
"""

from hashlib import blake2b
from typing import Literal

import msgspec

FaultName = Literal["stuck", "silent", "spike", "drift", "noise"]
"""What is wrong with a sensor."""

FaultStep = Literal["raised", "cleared", "retracted"]
"""What became of a fault: it began, it is over, it was none."""

INDICATOR = "data_quality.sensor_fault"
"""What the ids of the alerts of faults begin with; the code of the metric follows."""


class SensorFault(msgspec.Struct, frozen=True):
    """One line of ``sensor_faults.jsonl``; times are event time, epoch ms.

    Attributes:
        fault_id: the same in all lines of a fault, see `fault_id`.
        seq: 0 for ``raised``, 1 for what became of it.
        transition: what became of it.
        sensor: id of the sensor.
        metric: what it measures.
        cell: where it stands.
        fault: what is wrong.
        name_zh: that in Chinese.
        name_en: that in English.
        since: readings after it do not count, or would not if there were any.
        until: readings after it count again; null while the fault lasts.
        quarantined: whether readings are kept apart from the indicators.
        decided_ts: when this was known.
        neighbours: other sensors of the metric in the same tile.
        calm: sensors of the tile that ought to have moved too and did not.
        rule: the declared rule that counted; null for none.
        measure: of stuck and silent sensors hours, of spikes how many, of noise steps in usual ones, of drift
            standard deviations; six digits, null where there is nothing to tell.
        incident_id: the incident opened for it.
        department: whose sensor it is and whose work the incident, if the registry names one; else empty.
        along: metrics of the same sensor that are kept apart with it, because they are read together.
        catalogue_hash: of the catalogue the run began with.
    """

    fault_id: str
    seq: int
    transition: FaultStep
    sensor: str
    metric: str
    cell: str
    fault: FaultName
    name_zh: str
    name_en: str
    since: int
    until: int | None
    quarantined: bool
    decided_ts: int
    neighbours: int
    calm: int
    rule: str | None
    measure: float | None
    incident_id: str
    department: str
    along: tuple[str, ...]
    catalogue_hash: str


def fault_id(sensor: str, metric: str, cell: str, decided: int) -> str:
    """``F`` and 16 hex digits of blake2b (8 bytes) over ``sensor|metric|cell|when it was decided in ms``."""
    return "F" + blake2b(f"{sensor}|{metric}|{cell}|{decided}".encode(), digest_size=8).hexdigest()
