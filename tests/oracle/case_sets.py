"""Sets of cases of an area, as the language of formulas has them, found case by case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.oracle.area import Area
from tests.oracle.settled import Case

Dated = list[tuple[Case, float]]
"""Cases with their deadlines."""


def of_kinds(a: Area, kinds: str | Sequence[str]) -> Iterable[Case]:
    """Cases of some types that lie in the area and have a place by the window's end."""
    names = (kinds,) if isinstance(kinds, str) else kinds
    return (c for kind in names for c in a.cases(kind) if c.placed(a.end))


def entered(
    a: Area,
    kinds: str | Sequence[str],
    *statuses: str,
    window: int | None = None,
    without: str | None = None,
) -> list[Case]:
    """Cases with a transition into a status inside the window; not those with ``without`` by now."""
    begin = a.end - (window or a.window)
    found = (c for c in of_kinds(a, kinds) if any(c.entered(s, begin, a.end) for s in statuses))
    return [c for c in found if without is None or c.first(without, a.end) is None]


def opened(a: Area, kinds: str | Sequence[str], before: str | None = None) -> list[Case]:
    """Cases that are neither rejected nor closed, or have come to ``before``."""
    found = (c for c in of_kinds(a, kinds) if c.is_open(a.end))
    return [c for c in found if before is None or c.first(before, a.end) is None]


def accepted_open(a: Area, kinds: Sequence[str]) -> Dated:
    """Open cases accepted inside the window, with their deadlines."""
    found = ((c, c.first("accepted", a.end), c.deadline(a.end)) for c in opened(a, kinds))
    return [(c, d) for c, ts, d in found if ts is not None and d is not None and ts > a.end - a.window]


def due(a: Area, kind: str, since: str, within: int | None = None) -> Dated:
    """Cases, not rejected, whose deadline lies inside the window."""
    dated = (
        (c, c.deadline(a.end, since, within)) for c in of_kinds(a, kind) if c.first("rejected", a.end) is None
    )
    return [(c, d) for c, d in dated if d is not None and a.end - a.window < d <= a.end]


def took(c: Case, start: str, stop: str, end: int) -> float | None:
    """Seconds from one status to another, to the closing, or to now."""
    begin = c.first(start, end)
    if begin is None:
        return None
    stops = (
        next((t.ts for t in c.by(end) if t.status == s and t.ts >= begin), None) for s in (stop, "closed")
    )
    return (next((ts for ts in stops if ts is not None), end) - begin) / 1000


def in_order(c: Case, statuses: Sequence[str], end: int) -> bool:
    """Whether the statuses were entered one after the other, other ones between or not."""
    at = -(10**18)
    for status in statuses:
        later = [t.ts for t in c.by(end) if t.status == status and t.ts >= at]
        if not later:
            return False
        at = min(later)
    return True
