"""What becomes of cases: (types, times and places of the reports) → one record per status transition.

    reported ─┬▶ accepted ─▶ dispatched ─▶ arrived ─▶ handled ─▶ verified ─▶ closed ─▶ feedback
              └▶ rejected    └▶ returned ─▶ dispatched  └▶ rework ─▶ handled

A case is a row of slots; which of them it passes and when is drawn for all cases at once.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sim.event_types import EVENT_TYPES, Course, EventType

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SCHEMA = {
    "event_id": pl.String,
    "type": pl.String,
    "status": pl.String,
    "ts": pl.Int64,
    "lon": pl.Float64,
    "lat": pl.Float64,
    "severity": pl.Int64,
    "channel": pl.String,
    "department": pl.String,
}
"""Columns of a table of case records: the wire format of events."""

CODES = tuple(EVENT_TYPES)
"""The types in the order of their numbers."""

SLOTS = (
    "reported",
    "accepted",
    "rejected",
    "dispatched",
    "returned",
    "dispatched",
    "arrived",
    "handled",
    "rework",
    "handled",
    "verified",
    "closed",
    "feedback",
)
REPORTED, ACCEPTED, REJECTED, DISPATCHED, RETURNED, AGAIN = range(6)
VERIFIED, CLOSED, FEEDBACK = range(10, 13)
REWORK, REDONE = 8, 9

_WEIGHTS = np.array([0, 0, 0, 0, 0.08, 0.06, 0.25, 0.45, 0.12, 0.25, 0.12, 0.06, 0])
"""How the time after dispatching is shared among the slots passed."""

_RESCUE_WEIGHTS = np.array([0, 0, 0, 0, 0, 0, 0, 0.8, 0, 0, 0, 0.2, 0])
"""The same for the time after arrival."""

_ON_TIME = (0.10, 0.88)
"""Least and greatest share of the deadline a case takes that is closed in time."""


@dataclass(frozen=True, slots=True)
class NewCases:
    """Cases as they are reported: arrays [n].

    ``kind`` int64 position in :data:`CODES`; ``reported`` int64 ms; ``lon``, ``lat`` WGS84 degrees;
    ``severity`` int64 1 to 4. ``prefix`` begins their identifiers. ``closes`` int64 ms: when they are closed,
    for all; None: by the course of their types. ``certain``: none is rejected. ``channel``: who reports them
    all; "" draws it by their types.
    """

    kind: Ints
    reported: Ints
    lon: Floats
    lat: Floats
    severity: Ints
    prefix: str = ""
    closes: Ints | None = None
    certain: bool = False
    channel: str = ""


@dataclass(frozen=True, slots=True)
class _Draws:
    """What chance decides of every case."""

    present: Flags
    fraction: Floats
    slow_dispatch: Flags
    slow_arrival: Flags
    good: Flags


def case_records(rng: np.random.Generator, cases: NewCases, end: int) -> pl.DataFrame:
    """Return the transitions of ``cases`` before ``end`` (ms), columns of :data:`SCHEMA`, by ts and event_id.

    Coordinates, severity, channel and department stand in a case's first record only (else null).

    >>> zero, one = np.array([0]), np.array([1])
    >>> cases = NewCases(zero, zero, np.array([114.3]), np.array([30.6]), severity=one, prefix="x-")
    >>> rows = case_records(np.random.default_rng(1), cases, 10**9)
    >>> rows["status"].to_list()[:3], rows["event_id"][0], rows["lon"].to_list()[:2]
    (['reported', 'accepted', 'dispatched'], 'x-grid-case-000000', [114.3, None])
    """
    draws = _draws(rng, cases)
    ts = cases.reported[:, None] + _offsets(rng, cases, draws)
    if cases.closes is not None:
        ts = _stretched(ts, draws.present, cases.reported, cases.closes)
    row, slot = np.nonzero(draws.present & (ts < end))
    opinion = np.where(draws.good[row], "feedback_good", "feedback_bad")
    status = np.where(slot == FEEDBACK, opinion, np.array(SLOTS)[slot])
    frame = pl.DataFrame(
        {
            "event_id": _identifiers(cases).gather(row),
            "type": pl.Series(CODES).gather(cases.kind[row]),
            "status": pl.Series(status.astype(object), dtype=pl.String),
            "ts": ts[row, slot],
            **_first_record(rng, cases, row, slot == draws.present.argmax(axis=1)[row]),
        },
        schema=SCHEMA,
    )
    return frame.sort("ts", "event_id", maintain_order=True)


def _column(values: list[float]) -> Floats:
    return np.array(values, np.float64)


def _courses() -> list[Course]:
    return [t.course for t in EVENT_TYPES.values()]


def _base_slots(kind: EventType) -> list[bool]:
    passed = [slot in kind.course.steps for slot in SLOTS]
    passed[REJECTED] = passed[RETURNED] = passed[AGAIN] = passed[REWORK] = passed[REDONE] = False
    return passed


def _draws(rng: np.random.Generator, cases: NewCases) -> _Draws:
    kind, n = cases.kind, cases.kind.size

    def happens(name: str) -> Flags:
        share = _column([getattr(c.chances, name) for c in _courses()])[kind]
        return rng.random(n) < share

    present = np.array([_base_slots(t) for t in EVENT_TYPES.values()])[kind]
    returned = happens("returned") & present[:, DISPATCHED]
    present[:, RETURNED] = present[:, AGAIN] = returned
    rework = happens("rework") & present[:, VERIFIED]
    present[:, REWORK] = present[:, REDONE] = rework
    present[:, VERIFIED] &= ~happens("skipped")
    present[:, FEEDBACK] &= happens("feedback")
    rejected = happens("rejected") & present[:, ACCEPTED] & (not cases.certain)
    present[rejected, ACCEPTED:] = False
    present[rejected, REJECTED] = True
    low, high = _ON_TIME
    in_time = low + (high - low) * rng.beta(2.2, 2.8, n)
    fraction = np.where(happens("overdue"), 1.05 + 0.8 * rng.random(n), in_time)
    return _Draws(present, fraction, happens("slow_dispatch"), happens("slow_arrival"), ~happens("bad"))


def _lognormal(rng: np.random.Generator, median: Floats, sigma: float, times: float) -> Floats:
    """Draws around ``median``, none above ``times`` it."""
    drawn: Floats = median * np.minimum(np.exp(sigma * rng.standard_normal(median.size)), times)
    return drawn


def _offsets(rng: np.random.Generator, cases: NewCases, draws: _Draws) -> Ints:
    """Return the time from report to every slot, int64 [n, slots] in ms, whole seconds, rising."""
    accept, dispatch, rest = _desk_minutes(rng, cases, draws)
    arrive, clear = _rescue_minutes(rng, cases, draws)
    rescue = np.array([c.rescue for c in _courses()])[cases.kind]
    accept = np.where(rescue, 0.06 * arrive, accept)
    dispatch = np.where(rescue, 0.14 * arrive, dispatch) * draws.present[:, DISPATCHED]
    begin = np.where(rescue, arrive, accept + dispatch)
    rest = np.where(rescue, clear, rest)
    minutes = begin[:, None] + rest[:, None] * _progress(rng, draws.present, rescue)
    minutes[:, REPORTED] = 0
    minutes[:, ACCEPTED] = accept
    minutes[:, REJECTED] = 2 * accept
    minutes[:, DISPATCHED] = accept + dispatch
    minutes[rescue, RETURNED] = 0.3 * arrive[rescue]
    minutes[rescue, AGAIN] = 0.4 * arrive[rescue]
    minutes[:, FEEDBACK] = minutes[:, CLOSED] + 30 + 2800 * rng.random(cases.kind.size)
    alone = draws.present.sum(axis=1) == 1
    minutes[alone & ~draws.present[:, REJECTED]] = 0
    seconds = np.rint(60 * minutes).astype(np.int64) + np.where(alone[:, None], 0, np.arange(len(SLOTS)))
    return 1000 * seconds


def _desk_minutes(rng: np.random.Generator, cases: NewCases, draws: _Draws) -> tuple[Floats, Floats, Floats]:
    """Return minutes to acceptance, from there to dispatching, and from there to closing."""
    courses, kind = _courses(), cases.kind
    total = 60 * _column([c.limit_h for c in courses])[kind] * 0.5 ** (cases.severity - 1) * draws.fraction
    accept = _lognormal(rng, _column([c.accept_min for c in courses])[kind], 0.4, 3.0)
    dispatch = _lognormal(rng, _column([c.dispatch_min for c in courses])[kind], 0.35, 2.0)
    hurry = np.minimum(1.0, 0.4 * total / (accept + dispatch))
    slow = draws.slow_dispatch & (total > 240)
    dispatch = np.where(slow, 35 + 60 * rng.random(kind.size), np.minimum(dispatch, 27) * hurry)
    return accept * hurry, dispatch, total - accept * hurry - dispatch


def _rescue_minutes(rng: np.random.Generator, cases: NewCases, draws: _Draws) -> tuple[Floats, Floats]:
    """Return minutes from report to arrival and from there to closing."""
    courses, kind = _courses(), cases.kind
    arrive = _lognormal(rng, _column([c.arrive_min for c in courses])[kind], 0.25, 2.0)
    late = _column([c.target_min for c in courses])[kind] * (1.05 + 0.5 * rng.random(kind.size))
    clear = _lognormal(rng, _column([c.clear_min for c in courses])[kind], 0.4, 4.0)
    return np.where(draws.slow_arrival, late, arrive), clear


def _progress(rng: np.random.Generator, present: Flags, rescue: Flags) -> Floats:
    """Return how much of the time after the first steps has passed at every slot, [n, slots], 0 to 1."""
    weight = np.where(rescue[:, None], _RESCUE_WEIGHTS, _WEIGHTS) * present
    weight = weight * np.exp(0.3 * rng.standard_normal(weight.shape))
    passed = np.cumsum(weight, axis=1)
    share: Floats = passed / np.maximum(passed[:, -1:], 1e-9)
    return share


def _stretched(ts: Ints, present: Flags, reported: Ints, closes: Ints) -> Ints:
    """Return the times with all slots after the report moved in proportion, closing at ``closes``."""
    took = np.where(present[:, CLOSED], ts[:, CLOSED] - reported, 1)
    scale = (closes - reported) / took
    moved = reported[:, None] + np.rint((ts - reported[:, None]) * scale[:, None]).astype(np.int64)
    moved[:, FEEDBACK] = ts[:, FEEDBACK] - ts[:, CLOSED] + moved[:, CLOSED]
    return moved


def _identifiers(cases: NewCases) -> pl.Series:
    shorts = pl.Series([cases.prefix + t.short + "-" for t in EVENT_TYPES.values()]).gather(cases.kind)
    numbers = pl.Series(np.arange(cases.kind.size)).cast(pl.String).str.zfill(6)
    return shorts + numbers


def _channels(rng: np.random.Generator, cases: NewCases) -> pl.Series:
    """Return the channel of every case, drawn by its type's shares unless it is given."""
    kind = cases.kind
    if cases.channel:
        return pl.Series([cases.channel]).gather(np.zeros(kind.size, np.int64))
    widest = max(len(t.channels) for t in EVENT_TYPES.values())
    padded = [t.channels + t.channels[-1:] * (widest - len(t.channels)) for t in EVENT_TYPES.values()]
    bounds = np.cumsum([[share for _, share in row] for row in padded], axis=1)[:, :-1]
    chosen = (rng.random(kind.size)[:, None] >= bounds[kind]).sum(axis=1)
    return pl.Series([name for row in padded for name, _ in row]).gather(kind * widest + chosen)


def _first_record(rng: np.random.Generator, cases: NewCases, row: Ints, first: Flags) -> dict[str, pl.Series]:
    kind = cases.kind
    columns = {
        "lon": pl.Series(cases.lon.round(6)[row]),
        "lat": pl.Series(cases.lat.round(6)[row]),
        "severity": pl.Series(cases.severity[row]),
        "channel": _channels(rng, cases).gather(row),
        "department": pl.Series([t.department for t in EVENT_TYPES.values()]).gather(kind[row]),
    }
    keep = pl.Series(first)
    return {
        name: column.zip_with(keep, pl.Series([None], dtype=column.dtype)) for name, column in columns.items()
    }
