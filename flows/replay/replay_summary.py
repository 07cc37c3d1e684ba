"""What a replay says of itself in the end: its counts, figures and costs → ``summary.json`` (C-2.5)."""

from __future__ import annotations

import json
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from flows.recovery.snapshots import COSTS
from flows.replay.profile import SECONDS
from sinks.outputs import finalise
from sinks.table_file import PARTS


class Summary(msgspec.Struct, kw_only=True):
    """``summary.json`` (C-2.5)."""

    received: int = 0
    accepted: int = 0
    rejected: dict[str, int] = {}
    duplicates: int = 0
    late: int = 0
    revisions: int = 0
    readings: int = 0
    events: int = 0
    feedback: int = 0
    windows: int = 0
    alerts: int = 0
    anomalies: int = 0
    sensor_faults: int = 0
    seconds: float = 0.0
    decode_seconds: float = 0.0
    readings_per_second: float = 0.0
    peak_rss_mb: float = 0.0
    watermark: int = -1
    catalogue_hash: str = ""
    changes: int = 0
    refused_changes: int = 0
    snapshots: int = 0
    snapshot_bytes: int = 0
    snapshot_cold_bytes: int = 0
    snapshot_pause_median: float = 0.0
    snapshot_pause_max: float = 0.0
    profile: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What only the run knows.

    Attributes:
        begin: when it began, seconds since 1970.
        others_mb: peak memory of its other processes together, MB.
        catalogue_hash: of the catalogue with which it began.
        changes, refused: changes of the catalogue that were made, and sets that were refused.
    """

    begin: float
    others_mb: float
    catalogue_hash: str
    changes: int
    refused: int


def refuse(totals: dict[str, Any], bad_transitions: int) -> None:
    """Count feedback that its incident refused, which the door had accepted, among the rejects."""
    if bad_transitions:
        totals["accepted"] -= bad_transitions
        totals["feedback"] -= bad_transitions
        totals["rejected"]["bad_transition"] = bad_transitions


def written(out: Path, run: RunFigures, *, all_revisions: bool, keep_parts: bool) -> Summary:
    """Put the files of a replay together, and write its summary beside them."""
    totals = json.loads((out / PARTS / "totals.json").read_text())
    begin = totals.pop("started", run.begin)
    found = finalise(out, all_revisions=all_revisions, keep_parts=keep_parts)
    seconds = time.time() - begin
    refuse(totals, found.bad_transitions)
    summary = Summary(
        **totals,
        revisions=found.revisions,
        windows=found.windows,
        alerts=found.alerts,
        anomalies=found.anomalies,
        sensor_faults=found.sensor_faults,
        seconds=seconds,
        readings_per_second=totals["readings"] / seconds if seconds else 0.0,
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 + run.others_mb,
        catalogue_hash=run.catalogue_hash,
        changes=run.changes,
        refused_changes=run.refused,
        **COSTS.summary(),  # type: ignore[arg-type]
        profile={part: round(s, 4) for part, s in sorted(SECONDS.items())},
    )
    (out / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2))
    return summary
