"""A recording that fills histories before the records a replay is about: computed, but not published.

--warm DIR ─▶ its readings and events are read first ─▶ windows that end before the other records begin
leave no row, alert or incident
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alerts.anomalies import Anomaly
from alerts.incident import Incident
from alerts.sensor_faults import SensorFault
from alerts.transitions import Transition
from flows.batches import FINAL
from flows.decoding.record_files import SUFFIXES, RecordFile, decode
from flows.inputs import Input
from flows.pieces import BEFORE
from flows.wire import Kind
from sinks.table_file import ValueFrame

_FIRST = 1_000
"""Records of a file among which its earliest is looked for: more than any disorder shuffles."""

_PER_ROW = (
    *("kind", "window_end", "value", "level", "n", "coverage"),
    *("revision", "status", "row", "score", "low", "high", "sure"),
)


def recording(folder: Path | None, kind: Kind) -> list[Path]:
    """The files of one kind in the folder of a recording, by name.

    Raises:
        ValueError: there is no such folder, or it holds neither readings nor events.
    """
    if folder is None:
        return []
    if not folder.is_dir():
        raise ValueError(f"--warm: {folder} is no folder; name the folder of a recording")
    found = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    if not any(path.name.startswith(("readings", "events")) for path in found):
        raise ValueError(
            f"--warm: {folder} holds no recording; files in it are named readings* or events* and end in "
            f"{', '.join(SUFFIXES)}"
        )
    return [path for path in found if path.name.startswith(kind)]


def first_time(inputs: Iterable[Input]) -> int:
    """When records begin: the earliest time among the first of every file, ms; FINAL where there is none."""
    return min((_first_of(one) for one in inputs if one.kind != "feedback"), default=FINAL)


def _first_of(one: Input) -> int:
    with RecordFile(one.path, one.kind) as file:
        block = file.read(_FIRST)
    if block is None or one.kind == "feedback":
        return FINAL
    return int(decode(block, one.kind)[0].ts.min(initial=FINAL))


def shown_frame(frame: ValueFrame, after: int) -> ValueFrame | None:
    """The rows of windows that end after an instant; None where there are none.

    >>> frame = ValueFrame("air.aqi", 4, ["city"], np.zeros(2, np.int64), np.array([10, 20]),
    ...                    np.array([1.0, 2.0]), np.array([0, 1]), np.array([9, 8]), np.ones(2), 0, 0)
    >>> shown_frame(frame, 10).value.tolist(), shown_frame(frame, 20), shown_frame(frame, 5) is frame
    ([2.0], None, True)
    """
    if after == BEFORE or not len(frame):
        return frame
    return _rows(frame, np.broadcast_to(np.asarray(frame.window_end) > after, len(frame)))


def hidden_frame(frame: ValueFrame, after: int) -> ValueFrame | None:
    """The other rows, those of windows that end at an instant or before; None where there are none."""
    if after == BEFORE or not len(frame):
        return None
    return _rows(frame, np.broadcast_to(np.asarray(frame.window_end) <= after, len(frame)))


def _rows(frame: ValueFrame, keep: NDArray[np.bool_]) -> ValueFrame | None:
    if keep.all():
        return frame
    if not keep.any():
        return None
    columns = {name: getattr(frame, name) for name in _PER_ROW}
    parts = {name: column[keep] for name, column in columns.items() if np.ndim(column)}
    if frame.place is None:
        return replace(frame, names=frame.area[keep], **parts)
    return replace(frame, place=frame.place[keep], **parts)


def shown_transitions(found: list[Transition], after: int) -> list[Transition]:
    """The transitions of windows that end after an instant."""
    return [one for one in found if one.window_end > after]


def shown_incidents(found: list[Incident], after: int) -> list[Incident]:
    """The incidents that changed after an instant."""
    return [one for one in found if one.changed_ts > after]


def shown_faults(found: list[SensorFault], after: int) -> list[SensorFault]:
    """What is told of faults that were decided after an instant."""
    return [one for one in found if one.decided_ts > after]


def shown_anomalies(found: list[Anomaly], after: int) -> list[Anomaly]:
    """What is told of windows that end after an instant."""
    return [one for one in found if one.window_end > after]
