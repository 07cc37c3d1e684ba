"""How long what must be kept of a metric: the uses formulas make of it -> readings, and sums beyond them.

Single readings are kept as long as a window may need them or a record may change them. Sums, extremes and
last readings of a more distant past (histories, offsets, windows a late case may change) are kept by coarse
closed steps (FORMULAS.md sections 4.5 and 5.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from indicators.durations import DAY, MILLISECONDS
from indicators.expression import (
    Aggregate,
    Apply,
    Const,
    Despike,
    Kind,
    Metric,
    Node,
    Reduce,
    children,
    walk,
)
from indicators.tiers import COVERED, INTEGRAL, LAST, LAST_TS, Channel

HOUR = MILLISECONDS["h"]
WEEK = 7 * DAY

_READINGS = frozenset({"leq", "harmonic_mean", "median", "percentile", "time_outside", "lowest_mean"})
_HELD = frozenset({"twm", "observed"})
_CHANNELS: dict[str, tuple[Channel, ...]] = {
    "sum": ("sum",),
    "mean": ("sum",),
    "slope": ("sum",),
    "total": ("sum",),
    "average": ("sum",),
    "running_percentile": ("sum",),
    "min": ("min",),
    "lowest": ("min",),
    "max": ("max",),
    "highest": ("max",),
    "twm": (INTEGRAL, COVERED),
    "observed": (INTEGRAL, COVERED),
    "last": (LAST_TS, LAST),
    "seen": (LAST_TS, LAST),
}
_REACHING = frozenset({"mean", "min", "max"})
_LAST: tuple[Channel, ...] = (LAST_TS, LAST)

_WORTHWHILE = 6 * HOUR
"""Sums are kept apart from readings where they must last that much longer."""
_CLOSED_AFTER = 2 * HOUR
"""How much longer readings stay than a record may be late, so that no step is closed too early."""


@dataclass(frozen=True, slots=True)
class Use:
    """A need of a metric's past before a window's end.

    ``reach`` is how far back in ms; ``readings`` whether single readings are needed, else ``channels`` of
    steps that divide ``grain``.
    """

    reach: int
    readings: bool
    channels: tuple[Channel, ...]
    grain: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a node stands: how far its window is moved back, the window's length and its ends' spacing.

    ``past`` is true inside a function of history.
    """

    window: int
    grain: int
    back: int = 0
    past: bool = False

    def moved(self, back: int, grain: int, window: int | None = None) -> Scope:
        """The scope of a function's argument that is evaluated up to ``back`` ms earlier."""
        grain = math.gcd(self.grain, grain)
        return Scope(window or self.window, grain, self.back + back, past=window is None)


def uses(node: Node, code: str, scope: Scope) -> Iterator[Use]:
    """What a formula's node needs of a metric."""
    match node:
        case Aggregate():
            yield from _of_aggregate(node, code, scope)
        case Reduce(args=(Metric() as metric,)) if metric.code == code:
            channels = _CHANNELS.get(node.fn, ())
            yield _windowed(scope, scope.window, channels, readings=node.fn == "quantile")
        case Reduce(args=(Apply() as flag,)) if flag.kind is Kind.READINGS and _tests(flag, code):
            yield _windowed(scope, scope.window, (("known", flag), ("true", flag)))
        case Apply(fn="running_percentile", args=(Metric() as metric,)) if metric.code == code:
            _, span, step, _ = node.params
            inner = scope.moved(int(step), int(step))
            yield _windowed(inner, int(span), _CHANNELS["running_percentile"])
        case Apply(fn=fn) if fn in _INSIDE:
            yield from uses(node.args[0], code, _INSIDE[fn](node, scope))
        case _:
            for child in children(node):
                yield from uses(child, code, scope)


_INSIDE = {
    "robust_z": lambda n, s: s.moved(int(n.params[0]) * DAY, DAY),
    "zscore": lambda n, s: s.moved(int(n.params[0] + n.params[1]) * DAY, DAY),
    "same_hour": lambda n, s: s.moved(int(n.params[0]) * WEEK + HOUR, HOUR),
    "streak": lambda n, s: s.moved(int(n.params[0] * (n.params[1] - 1)), int(n.params[0])),
    "peak": lambda n, s: s.moved(max(s.window - int(n.params[0]), 0), int(n.params[0]), int(n.params[0])),
}


def _windowed(scope: Scope, window: int, channels: tuple[Channel, ...], *, readings: bool = False) -> Use:
    return Use(scope.back + window, readings, channels, math.gcd(scope.grain, window))


def _tests(flag: Node, code: str) -> bool:
    return any(isinstance(n, Metric) and n.code == code for n in walk(flag))


def _of_aggregate(node: Aggregate, code: str, scope: Scope) -> Iterator[Use]:
    for limit in node.params:
        yield from uses(limit, code, scope)
    if not _tests(node.source, code) and not (isinstance(node.source, Despike) and node.source.code == code):
        return
    if node.fn == "lowest_mean":
        begin, end = (int(p.value) for p in node.params if isinstance(p, Const))
        yield Use(scope.back + DAY + HOUR + (end - begin) % DAY, True, (), HOUR)  # noqa: FBT003
        return
    window = node.window or scope.window
    stepped = node.fn == "slope" and not math.isnan(step_of(node))
    raw = node.fn in _READINGS or (node.fn == "slope" and not stepped) or isinstance(node.source, Despike)
    raw = raw or (node.fn in _HELD and not scope.past)
    grain = math.gcd(scope.grain, node.offset, int(step_of(node)) if stepped else 0)
    moved = Scope(window, grain, scope.back + node.offset, scope.past)
    yield _windowed(moved, 0 if node.fn == "last" else window, _channels(node), readings=raw)


def step_of(node: Aggregate) -> float:
    """The step of a ``slope`` in ms, NaN for none.

    >>> step_of(Aggregate("mean", Metric("rain_1m")))
    nan
    """
    step = node.params[1] if node.fn == "slope" else None
    return step.value if isinstance(step, Const) else math.nan


def _channels(node: Aggregate) -> tuple[Channel, ...]:
    if isinstance(node.source, Apply):
        return (("known", node.source), ("true", node.source))
    own = _CHANNELS.get(node.fn, ())
    return own + _LAST if node.fn in _REACHING else own


@dataclass(frozen=True, slots=True)
class Retention:
    """What to keep of a metric: readings for ``raw`` ms, for ``kept`` ms steps of ``grain`` ms.

    Steps have ``channels``; without channels there are none, and readings are kept for ``kept`` ms.
    """

    kept: int
    raw: int
    grain: int
    channels: tuple[Channel, ...]

    @classmethod
    def of(cls, found: list[Use], slice_ms: int, late: int) -> Retention:
        """The least that serves some uses, in slices of ``slice_ms``, for records up to ``late`` ms late."""
        kept = max([late, *(u.reach for u in found)])
        raw = max([late + _CLOSED_AFTER, *(u.reach for u in found if u.readings)])
        if kept - raw < _WORTHWHILE or kept < 2 * raw:
            return cls(kept, kept, 0, ())
        beyond = [u for u in found if not u.readings and u.reach > raw]
        grain = math.gcd(HOUR, *(u.grain for u in beyond))
        channels = dict.fromkeys(channel for u in beyond for channel in ("count", *u.channels))
        return cls(kept, raw, max(grain, slice_ms), tuple(channels))
