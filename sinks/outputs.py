"""What the parts wrote -> the files of a replay: sorted, each fact once, equal content as equal bytes."""

import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sinks.arrow_values import Labels, merge
from sinks.table_file import KINDS, PARTS, STATUSES

Record = dict[str, Any]
Key = tuple[Any, ...]


class _Alert(msgspec.Struct):
    """What the order of alerts needs of one."""

    decided_ts: int
    indicator: str
    kind: str
    area: str
    alert_id: str
    seq: int


class _Anomaly(msgspec.Struct):
    """What the order of anomalies needs of a line of one."""

    window_end: int
    indicator: str
    kind: str
    area: str
    anomaly_id: str
    seq: int


class _Fault(msgspec.Struct):
    """What the order of faults of sensors needs of a line of one."""

    decided_ts: int
    sensor: str
    metric: str
    fault_id: str


class _Incident(msgspec.Struct):
    """What the order of incidents needs of one."""

    incident_id: str
    seq: int
    raised_ts: int


_DECODE = msgspec.json.Decoder(Record).decode
_DECODE_ALERT = msgspec.json.Decoder(_Alert).decode
_DECODE_ANOMALY = msgspec.json.Decoder(_Anomaly).decode
_DECODE_FAULT = msgspec.json.Decoder(_Fault).decode
_DECODE_INCIDENT = msgspec.json.Decoder(_Incident).decode
_KIND_ORDER = {kind: i for i, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Totals:
    """What `finalise` wrote.

    Attributes:
        rows: rows of ``indicators.parquet``.
        revisions: further revisions of these rows.
        windows: distinct pairs of indicator and window end.
        alerts: lines of ``alerts.jsonl``.
        incidents: lines of ``incidents.jsonl``.
        anomalies: lines of ``anomalies.jsonl``.
        sensor_faults: lines of ``sensor_faults.jsonl``.
        rejects: lines of ``rejects.jsonl``.
        bad_transitions: those of them that are feedback which its incident refused.
    """

    rows: int
    revisions: int
    windows: int
    alerts: int
    incidents: int
    anomalies: int
    sensor_faults: int
    rejects: int
    bad_transitions: int


def prepare(out: Path, *, resume: bool) -> None:
    """Make the output folder; unless resuming, throw away what an earlier run left in its parts.

    Call it once, before any process opens its sinks.

    Raises:
        NotADirectoryError: ``out`` is a file.
    """
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file, but the outputs need a folder; give another --out")
    if not resume:
        shutil.rmtree(out / PARTS, ignore_errors=True)
    (out / PARTS).mkdir(parents=True, exist_ok=True)


def finalise(out: Path, *, all_revisions: bool = False, keep_parts: bool = False) -> Totals:
    """Turn the parts of a finished run into the files of the contract.

    ``indicators.parquet`` has the last revision of every (indicator, area, window end), in the order
    (indicator, window end, kind, area); ``revisions.parquet``, if asked for, has all of them.
    ``alerts.jsonl`` is in the order (decided_ts, indicator, kind, area, alert_id, seq), ``incidents.jsonl``
    has the last state of every incident in the order (raised_ts, incident_id), ``rejects.jsonl`` is in the
    order (source, partition, offset, index), ``anomalies.jsonl``, where values were scored, in the order
    (window_end, indicator, kind, area, anomaly_id, seq), ``sensor_faults.jsonl``, where sensors were judged,
    in the order (decided_ts, sensor, metric, fault_id). Each file appears whole or not at all.

    Args:
        out: the output folder.
        all_revisions: write ``revisions.parquet`` too; without it an old one is removed.
        keep_parts: leave the parts where they are, as a run with recovery must: a later start resumes them.
    """
    parts = out / PARTS
    revisions = out / "revisions.parquet"
    if not all_revisions:
        revisions.unlink(missing_ok=True)
    # The table is work for Arrow, the lines are work for Python: neither waits for the other.
    with ThreadPoolExecutor(1) as pool:
        table = pool.submit(
            merge,
            sorted(parts.glob("values-*.arrows")),
            out / "indicators.parquet",
            revisions if all_revisions else None,
            Labels(KINDS, STATUSES),
        )
        alerts = _write(out / "alerts.jsonl", _alerts(_lines(parts, "alerts")))
        incidents = _write(out / "incidents.jsonl", _latest_incidents(_lines(parts, "incidents")))
        anomalies = _write_anomalies(out)
        faults = _write_faults(out)
        refused = _rejects(_lines(parts, "rejects"))
        rejects = _write(out / "rejects.jsonl", refused)
        values = table.result()
    totals = Totals(
        rows=values.rows,
        revisions=values.revisions,
        windows=values.windows,
        alerts=alerts,
        incidents=incidents,
        anomalies=anomalies,
        sensor_faults=faults,
        rejects=rejects,
        bad_transitions=sum(b'"reason":"bad_transition"' in line for line in refused),
    )
    if not keep_parts:
        shutil.rmtree(parts)
    return totals


def _lines(parts: Path, name: str) -> Iterator[bytes]:
    for path in sorted(parts.glob(f"{name}-*.jsonl")):
        with path.open("rb") as file:
            yield from file


def _alerts(lines: Iterable[bytes]) -> list[bytes]:
    """Different lines in order; a transition written twice is one."""
    return [line for _, line in sorted((_alert_key(_DECODE_ALERT(line)), line) for line in set(lines))]


def _write_anomalies(out: Path) -> int:
    """The file of a run that scored; none of any other run stays there."""
    path, parts = out / "anomalies.jsonl", out / PARTS
    if not any(parts.glob("anomalies-*.jsonl")):
        path.unlink(missing_ok=True)
        return 0
    found = ((_DECODE_ANOMALY(line), line) for line in set(_lines(parts, "anomalies")))
    return _write(path, [line for _, line in sorted((_anomaly_key(one), line) for one, line in found)])


def _write_faults(out: Path) -> int:
    """The file of a run that judged sensors; none of any other run stays there."""
    path, parts = out / "sensor_faults.jsonl", out / PARTS
    if not any(parts.glob("sensor_faults-*.jsonl")):
        path.unlink(missing_ok=True)
        return 0
    found = ((_DECODE_FAULT(line), line) for line in set(_lines(parts, "sensor_faults")))
    ordered = sorted((one.decided_ts, one.sensor, one.metric, one.fault_id, line) for one, line in found)
    return _write(path, [line for *_, line in ordered])


def _anomaly_key(one: _Anomaly) -> Key:
    kind = _KIND_ORDER.get(one.kind, len(KINDS))
    return one.window_end, one.indicator, kind, one.area, one.anomaly_id, one.seq


def _alert_key(alert: _Alert) -> Key:
    kind = _KIND_ORDER.get(alert.kind, len(KINDS))
    return alert.decided_ts, alert.indicator, kind, alert.area, alert.alert_id, alert.seq


def _latest_incidents(lines: Iterable[bytes]) -> list[bytes]:
    """The line with the highest ``seq`` of every incident."""
    states: dict[str, tuple[int, int, bytes]] = {}
    for line in lines:
        state = _DECODE_INCIDENT(line)
        known = states.get(state.incident_id)
        if known is None or state.seq >= known[1]:
            states[state.incident_id] = (state.raised_ts, state.seq, line)
    order = sorted(states, key=lambda name: (states[name][0], name))
    return [states[name][2] for name in order]


def _rejects(lines: Iterable[bytes]) -> list[bytes]:
    """One line for every place a record can come from."""
    places = {_place(_DECODE(line)): line for line in lines}
    return [places[place] for place in sorted(places)]


def _place(reject: Record) -> Key:
    return reject["source"], reject["partition"], reject["offset"], reject["index"]


def _write(path: Path, lines: list[bytes]) -> int:
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.writelines(lines)
    draft.replace(path)
    return len(lines)
