"""What a score compares: ``truth.jsonl`` → events, ``alerts.jsonl`` or ``incidents.jsonl`` → alerts raised.

Times are epoch ms. An alert is one ``alert_id`` that was raised, an incident one ``incident_id``; that it
later escalated, was cleared or retracted changes nothing: it was raised, and somebody was called.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import polars as pl

Kind = Literal["cell", "community", "street", "district", "city"]

ALERT_COLUMNS = {
    "id": pl.String,
    "indicator": pl.String,
    "kind": pl.String,
    "area": pl.String,
    "raised": pl.Int64,
    "known": pl.Int64,
}
"""Columns of alerts: ``raised`` is the window end of the first raise, ``known`` the event time at which the
engine could decide it; later than ``raised`` where a late record brought it."""

Progress = Callable[[int], None]
"""Called with bytes read since the last call."""

_TOLD_EVERY = 10_000
_Record = TypeVar("_Record")


class ScoreFileError(ValueError):
    """A file that cannot be scored; the message names the file, the line and what to do."""


class TruthEvent(msgspec.Struct, frozen=True):
    """One event that did happen: a line of ``truth.jsonl`` (C-2.6), times in epoch ms.

    Attributes:
        indicators: any of these may find it.
        cells: codes of the grid cells it happened in.
        level: 0 to 4, the level it should reach; not needed to be found.
    """

    event_id: str
    scenario: str
    indicators: tuple[str, ...]
    cells: tuple[str, ...]
    start: int
    end: int
    level: int = 0


class _TruthLine(msgspec.Struct):
    event_id: str
    scenario: str
    indicators: tuple[str, ...]
    cells: tuple[str, ...]
    start: int | str
    end: int | str
    level: int = 0


class _AlertLine(msgspec.Struct):
    alert_id: str
    transition: str
    indicator: str
    area: str
    kind: Kind
    window_end: int
    decided_ts: int | None = None


class _IncidentLine(msgspec.Struct):
    incident_id: str
    indicator: str
    area: str
    kind: Kind
    raised_ts: int


class _AnyLine(msgspec.Struct):
    incident_id: str | None = None
    alert_id: str | None = None


def read_truth(path: Path) -> tuple[TruthEvent, ...]:
    r"""The events of a truth file, sorted by start, then id; times may be epoch ms or RFC 3339 with a zone.

    Raises:
        ScoreFileError: a line is no event, names no indicator or cell, ends before it starts, or has the id
            of another one.
        OSError: the file cannot be read.

    >>> import tempfile
    >>> line = ('{"event_id":"e1","scenario":"gas_leak","indicators":["gas.leak_lel_max"],'
    ...     '"cells":["N50H0513600"],"start":0,"end":"1970-01-01T08:01:00+08:00","level":3}\n')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "truth.jsonl").write_text(line)
    ...     read_truth(Path(folder) / "truth.jsonl")[0].end
    60000
    """
    seen: dict[str, TruthEvent] = {}
    for number, line in _lines(path, lambda _: None):
        where = f"{path} line {number}"
        event = _event(_decoded(line, _TRUTH, where, "an event of truth.jsonl"), where)
        if event.event_id in seen:
            raise ScoreFileError(
                f"{where}: event_id {event.event_id!r} occurs twice; give each event its own"
            )
        seen[event.event_id] = event
    return tuple(sorted(seen.values(), key=lambda event: (event.start, event.event_id)))


def _event(line: _TruthLine, where: str) -> TruthEvent:
    start, end = _epoch(line.start, where, "start"), _epoch(line.end, where, "end")
    if end < start:
        raise ScoreFileError(f"{where}: end {line.end!r} is before start {line.start!r}; swap them")
    for key, names in (("indicators", line.indicators), ("cells", line.cells)):
        if not names:
            raise ScoreFileError(f"{where}: {key} is empty, so nothing could ever find the event; name one")
    return TruthEvent(line.event_id, line.scenario, line.indicators, line.cells, start, end, line.level)


def _epoch(time: int | str, where: str, key: str) -> int:
    if isinstance(time, int):
        return time
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ScoreFileError(
            f"{where}: {key} is {time!r}; write epoch milliseconds, or a time with its zone such as"
            " 2024-07-03T16:00:00+08:00"
        )
    return round(moment.timestamp() * 1000)


def read_alerts(path: Path, progress: Progress = lambda _: None) -> pl.DataFrame:
    r"""What was raised, once each: columns of `ALERT_COLUMNS`, sorted by raised, then id.

    The file is ``alerts.jsonl`` (transitions; ``raised`` ones count) or ``incidents.jsonl``; its first line
    tells which. An id that was raised again, say after a retraction, counts once, from its first time on.

    Raises:
        ScoreFileError: a line is neither.
        OSError: the file cannot be read.

    >>> import tempfile
    >>> line = ('{"alert_id":"a1","transition":"raised","indicator":"air.aqi","area":"city","kind":"city",'
    ...     '"window_end":60000,"decided_ts":60000}\n')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "alerts.jsonl").write_text(line * 2)
    ...     read_alerts(Path(folder) / "alerts.jsonl").rows()
    [('a1', 'air.aqi', 'city', 'city', 60000, 60000)]
    """
    lines = _lines(path, progress)
    rows = [row for row in _raised(lines, path) if row is not None]
    table = pl.DataFrame(rows, schema=ALERT_COLUMNS, orient="row")
    return (
        table.sort("raised", "known", "id")
        .unique("id", keep="first", maintain_order=True)
        .sort("raised", "id")
    )


_Row = tuple[str, str, str, str, int, int]


def _raised(lines: Iterator[tuple[int, bytes]], path: Path) -> Iterator[_Row | None]:
    of_incident: bool | None = None
    for number, line in lines:
        where = f"{path} line {number}"
        if of_incident is None:
            of_incident = _is_incident(_decoded(line, _ANY, where, _EXPECTED), where)
        if of_incident:
            incident = _decoded(line, _INCIDENT, where, "an incident of incidents.jsonl")
            raised = incident.raised_ts
            yield incident.incident_id, incident.indicator, incident.kind, incident.area, raised, raised
        else:
            alert = _decoded(line, _ALERT, where, "a transition of alerts.jsonl")
            known = alert.window_end if alert.decided_ts is None else alert.decided_ts
            row = alert.alert_id, alert.indicator, alert.kind, alert.area, alert.window_end, known
            yield row if alert.transition == "raised" else None


def _is_incident(line: _AnyLine, where: str) -> bool:
    if line.incident_id is None and line.alert_id is None:
        raise ScoreFileError(f"{where}: has neither alert_id nor incident_id; give {_EXPECTED}")
    return line.incident_id is not None


def _lines(path: Path, progress: Progress) -> Iterator[tuple[int, bytes]]:
    """Number and text of each line that is not blank."""
    untold = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            untold += len(line)
            if number % _TOLD_EVERY == 0:
                progress(untold)
                untold = 0
            if line.strip():
                yield number, line
    progress(untold)


def _decoded(line: bytes, decoder: msgspec.json.Decoder[_Record], where: str, expected: str) -> _Record:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ScoreFileError(f"{where}: is not {expected}: {error}") from error


_EXPECTED = "the alerts.jsonl or incidents.jsonl of a replay"
_TRUTH = msgspec.json.Decoder(_TruthLine)
_ALERT = msgspec.json.Decoder(_AlertLine)
_INCIDENT = msgspec.json.Decoder(_IncidentLine)
_ANY = msgspec.json.Decoder(_AnyLine)
