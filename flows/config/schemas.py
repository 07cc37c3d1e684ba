"""The types of records and results → JSON Schemas (2020-12), one file each, as ``docs/schemas`` has them.

>>> sorted(schemas())
['alert', 'anomaly', 'event', 'feedback', 'incident', 'reading', 'reject', 'sensor_fault']
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from alerts.anomalies import Anomaly
from alerts.incident import Incident
from alerts.sensor_faults import SensorFault
from alerts.transitions import Transition
from flows.wire import Reason, json_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class RejectLine(msgspec.Struct):
    """A refused record: where it came from (key: source, partition, offset, index), why, and its bytes."""

    source: str
    partition: int
    offset: int
    index: int
    reason: Reason
    raw_base64: str
    ts_received: int


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by the name of its record."""
    return {
        "reading": json_schema("readings"),
        "event": json_schema("events"),
        "feedback": json_schema("feedback"),
        "alert": _schema(Transition),
        "anomaly": _schema(Anomaly),
        "incident": _schema(Incident),
        "reject": _schema(RejectLine),
        "sensor_fault": _schema(SensorFault),
    }


def write(folder: Path) -> None:
    """Write ``NAME.schema.json`` for each, into a folder made if need be.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder))
    ...     len(list(Path(folder).glob("*.schema.json")))
    8
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        text = json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
        (folder / f"{name}.schema.json").write_text(text, encoding="utf-8")


def _schema(record: type[msgspec.Struct]) -> dict[str, Any]:
    (schema,), definitions = msgspec.json.schema_components([record], ref_template="#/$defs/{name}")
    name = schema["$ref"].rsplit("/", 1)[1]
    rest = {key: value for key, value in definitions.items() if key != name}
    return {"$schema": DIALECT, **definitions[name], **({"$defs": rest} if rest else {})}
