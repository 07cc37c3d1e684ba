"""Timelines as plain columns for a snapshot, and back: dict of timelines ⇄ dict of arrays."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from alerts.timeline import Alert, Fact, Hold, Mark, Timeline

_INT = np.int64


def pack(timelines: Mapping[int, Timeline]) -> dict[str, Any]:
    """Integer tables ``hold``, ``mark``, ``fact``, ``alert`` (first column: row), and ``value`` of each fact.

    >>> one = Timeline()
    >>> _ = one.early(0, 1000, 2, 7.5)
    >>> columns = pack({3: one})
    >>> columns["hold"].tolist(), columns["value"].tolist(), unpack(columns)[3] == one
    ([[3, 2, 1000, 1000]], [7.5], True)
    """
    if not timelines:
        return _NONE
    lines = sorted(timelines.items())
    facts = [(row, fact) for row, line in lines for fact in line.facts]
    return {
        "hold": _table(4, ((row, *line.hold) for row, line in lines)),
        "mark": _table(5, ((row, end, *hold) for row, line in lines for end, hold in line.marks)),
        "fact": _table(5, ((row, f.after, f.level, f.first, f.last) for row, f in facts)),
        "value": np.array([fact.value for _, fact in facts], np.float64),
        "alert": _table(7, ((row, *_alert(a)) for row, line in lines for a in line.alerts.values())),
    }


def unpack(columns: Mapping[str, Any]) -> dict[int, Timeline]:
    """The timelines of ``pack``."""
    timelines = {row: Timeline(Hold(*hold)) for row, *hold in columns["hold"].tolist()}
    for row, end, *hold in columns["mark"].tolist():
        timelines[row].marks.append(Mark(end, Hold(*hold)))
    for fact, value in zip(columns["fact"].tolist(), columns["value"].tolist(), strict=True):
        row, after, level, first, last = fact
        timelines[row].facts.append(Fact(after, level, first, last, value))
    for row, start, level, seq, raised, early, retracted in columns["alert"].tolist():
        timelines[row].alerts[start] = Alert(start, level, seq, raised, bool(early), bool(retracted))
    return timelines


def _alert(alert: Alert) -> tuple[int, ...]:
    return alert.start, alert.level, alert.seq, alert.raised, alert.early, alert.retracted


def _table(width: int, records: Iterable[tuple[int, ...]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(list(records), _INT).reshape(-1, width)


_NONE: dict[str, Any] = {
    **{name: _table(width, ()) for name, width in (("hold", 4), ("mark", 5), ("fact", 5), ("alert", 7))},
    "value": np.empty(0, np.float64),
}
"""The columns of no timeline, one for all: most indicators have none, and a snapshot holds one thing once."""
