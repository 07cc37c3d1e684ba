"""The notation of golden cases: a line of text → raw readings, or transitions of cases.

::

    sensor[*n][@cell][(east,north)] metric [every DUR] [until TIME]: values
    id[*n][@cell][(east,north)][#channel] type [sSEVERITY]: status TIME, status TIME ... [repeat 1d..28d]

Times are relative to the window's end. The last value lies there, or at ``until``; values stand one sampling
period apart, or ``every``. They are written as in the unit tests of Prometheus: ``5``; ``5x3`` is 5 and three
more; ``0+10x3`` is 0 10 20 30; ``_`` is a gap and ``_x3`` three. ``s*3`` stands for s1, s2, s3; ``repeat``
puts the same case that many days back instead. Metres are relative to one origin; the cell is A unless named.

>>> [r.value for r in readings("a rain_1m: 0+0.2x2 _ 1", 0, Metrics.load())]
[0.0, 0.2, 0.4, 1.0]
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from indicators.durations import DAY, MILLISECONDS
from indicators.functions import STATUSES
from indicators.metrics import Metrics

__all__ = [
    "CaseStep",
    "NotationError",
    "SeriesReading",
    "duration",
    "readings",
    "steps",
    "values",
]

Spot = tuple[float, float]
"""Metres east and north of the origin."""

_SERIES = re.compile(
    r"(?P<name>\w+)(\*(?P<copies>\d+))?(@(?P<cell>\w+))?(\((?P<spot>[^)]*)\))? (?P<what>\w+)"
    r"( every (?P<every>\w+))?( until (?P<until>-?\w+))?:(?P<values>.*)"
)
_CASE = re.compile(
    r"(?P<name>\w+)(\*(?P<copies>\d+))?(@(?P<cell>\w+))?(\((?P<spot>[^)]*)\))?(#(?P<channel>\w+))? "
    r"(?P<what>\w+)( s(?P<severity>[1-4]))?: (?P<steps>.*?)( repeat (?P<first>\d+)d\.\.(?P<last>\d+)d)?"
)
_NUMBER = r"-?\d+(?:\.\d+)?"
_VALUE = re.compile(
    rf"(?P<start>{_NUMBER})(?:(?P<step>[+-]\d+(?:\.\d+)?))?(?:x(?P<more>\d+))?|_(?:x(?P<gaps>\d+))?"
)
_MOST = 100_000
"""Values, copies or days of one line, and what they make together; more are a slip of the pen."""
_DIGITS = 9


class NotationError(ValueError):
    """A line that cannot be read: what was found, and how to write it.

    Attributes:
        path: the keys below the case's table that lead to the fault, () where the case itself is at fault.
    """

    path: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesReading:
    """One reading of a series line; ``ts`` in epoch ms; ``cell`` and ``spot`` None if not written."""

    sensor: str
    metric: str
    value: float
    ts: int
    cell: str | None = None
    spot: Spot | None = None


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One status of one case; ``ts`` in epoch ms; ``severity`` 0 where it is not given."""

    case: str
    event: str
    status: str
    ts: int
    cell: str | None = None
    spot: Spot | None = None
    severity: int = 0
    channel: str | None = None


def duration(text: str) -> int:
    """Milliseconds of a duration, which may have several parts and a sign.

    Raises:
        NotationError: it is none.

    >>> duration("-10m1s"), duration("2h30m")
    (-601000, 9000000)
    """
    parts = re.findall(r"(\d{1,9})([dhms])", text)
    if not parts or "".join(a + b for a, b in parts) != text.lstrip("-"):
        raise NotationError(f"no duration: {text!r}; write one like -2h30m")
    size = sum(int(number) * MILLISECONDS[unit] for number, unit in parts)
    return -size if text.startswith("-") else size


def values(text: str) -> list[float | None]:
    """The values of a series, None for a gap.

    Raises:
        NotationError: a word is no value.

    >>> values("5x2 0+10x3 _ 7 _x2")
    [5.0, 5.0, 5.0, 0.0, 10.0, 20.0, 30.0, None, 7.0, None, None]
    """
    found: list[float | None] = []
    for word in text.split():
        match = _VALUE.fullmatch(word)
        if match is None:
            raise NotationError(f"no value: {word!r}; write one like 5, 5x3, 0+10x3, _ or _x3")
        if match["start"] is None:
            found += [None] * _few(match["gaps"] or "1")
        else:
            start, step = float(match["start"]), float(match["step"] or 0)
            found += [round(start + step * i, 9) for i in range(_few(match["more"] or "0") + 1)]
    return found


def _few(text: str) -> int:
    number = int(text[:_DIGITS])  # a longer one is too many already
    _check_few(number)
    return number


def _check_few(number: int) -> None:
    if number > _MOST:
        raise NotationError(f"{number} at once; at most {_MOST} are allowed")


def readings(line: str, at: int, metrics: Metrics) -> list[SeriesReading]:
    """The readings of a series line, for a window that ends ``at`` (epoch ms).

    Raises:
        NotationError: the line cannot be read, or its metric is unknown.
    """
    match = _match(_SERIES, line, "a rain_1m every 1m until -5m: 0+0.2x3 _ 1")
    code = match["what"]
    if code not in metrics.index:
        raise NotationError(_unknown("metric", code, metrics.index))
    step = duration(match["every"]) if match["every"] else metrics[code].period_ms
    if step <= 0:
        raise NotationError(f"{code} comes at irregular times; write {code} every DURATION")
    last = at + (duration(match["until"]) if match["until"] else 0)
    written = list(enumerate(reversed(values(match["values"]))))
    spot = _spot(match["spot"])
    names = _names(match["name"], match["copies"])
    _check_few(len(names) * len(written))
    return [
        SeriesReading(sensor, code, value, last - back * step, match["cell"], spot)
        for sensor in names
        for back, value in reversed(written)
        if value is not None
    ]


def steps(line: str, at: int, metrics: Metrics) -> tuple[CaseStep, ...]:
    """The transitions of a line of cases, for a window that ends ``at`` (epoch ms).

    Raises:
        NotationError: the line cannot be read, or its event type or a status is unknown.

    >>> [(s.case, s.status) for s in steps("c*2 ev_gas_leak: reported -2h", 0, Metrics.load())]
    [('c1', 'reported'), ('c2', 'reported')]
    """
    match = _match(_CASE, line, "c*2 ev_gas_leak s3: reported -2h, closed -30m")
    if match["what"] not in metrics.event_index:
        raise NotationError(_unknown("event type", match["what"], metrics.event_index))
    days = list(range(_few(match["first"]), _few(match["last"]) + 1)) if match["first"] else [0]
    written = [_step(text) for text in match["steps"].split(",")]
    names = _names(match["name"], match["copies"])
    _check_few(len(names) * len(days) * len(written))
    return tuple(_steps(match, names, days, written, at))


def _steps(
    match: re.Match[str], names: list[str], days: list[int], written: list[tuple[str, int]], at: int
) -> Iterator[CaseStep]:
    spot, severity = _spot(match["spot"]), int(match["severity"] or 0)
    for name in names:
        for day in days:
            case = f"{name}-{day}d" if day else name
            for status, back in written:
                ts = at + back - day * DAY
                yield CaseStep(
                    case, match["what"], status, ts, match["cell"], spot, severity, match["channel"]
                )


def _step(text: str) -> tuple[str, int]:
    words = text.split()
    if len(words) != 2:
        raise NotationError(f"no transition: {text.strip()!r}; write a status and a time, as in reported -2h")
    status, when = words
    if status not in STATUSES:
        raise NotationError(_unknown("status", status, STATUSES))
    return status, duration(when)


def _match(pattern: re.Pattern[str], line: str, example: str) -> re.Match[str]:
    found = pattern.fullmatch(line.strip())
    if found is None:
        raise NotationError(f"cannot read {line!r}; write it like {example!r}")
    return found


def _names(name: str, copies: str | None) -> list[str]:
    return [f"{name}{i}" for i in range(1, _few(copies) + 1)] if copies else [name]


def _spot(text: str | None) -> Spot | None:
    if text is None:
        return None
    try:
        east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise NotationError(f"no place: ({text}); write metres east and north, as in (500,-20)") from None
    return east, north


def _unknown(what: str, found: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(found, list(known), n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"unknown {what} {found!r}{hint}"
