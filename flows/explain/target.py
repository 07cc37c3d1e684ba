"""What is to be explained: ``INDICATOR@AREA@TIME`` → indicator, area and window end."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from flows.city import City
from geo.area_kinds import AreaKind
from indicators.latest import NEVER
from indicators.plan import IndicatorPlan


@dataclass(frozen=True, slots=True)
class Target:
    """One value: an indicator (its place in the plan), an area (kind, uid, id), the window's end in ms.

    ``since`` is the flow's first watermark, known once it has run.
    """

    index: int
    kind: AreaKind
    uid: int
    area: str
    at: int
    since: int = NEVER

    def plan(self, city: City) -> IndicatorPlan:
        """The indicator's plan."""
        return city.plan.indicators[self.index]

    def member_kind(self, city: City) -> AreaKind:
        """Whose values make up the value: the area's own kind, or that of the areas it is the worst of."""
        indicator = self.plan(city).indicator
        lowest = AreaKind.of(indicator.lowest)
        return lowest if indicator.merge == "max" and lowest < self.kind else self.kind


def targets_of(texts: Sequence[str], city: City) -> tuple[Target, ...]:
    """The targets that are asked for.

    Raises:
        ValueError: a text is not of this form, or names what is not there; says what would be right.
    """
    return tuple(_target(text, city) for text in texts)


def _target(text: str, city: City) -> Target:
    parts = text.split("@")
    if len(parts) != 3 or not all(parts):
        raise ValueError(
            f"--explain: found {text!r}; write INDICATOR@AREA@TIME, as in air.aqi@city@{_EXAMPLE}"
        )
    name, area, time = parts
    ids = [i.id for i in city.plan.catalogue.indicators]
    if name not in ids:
        near = difflib.get_close_matches(name, ids, n=1)
        hint = f"did you mean {near[0]}?" if near else "yiwang catalogue list shows all"
        raise ValueError(f"--explain: there is no indicator {name!r}; {hint}")
    indicator = city.plan.catalogue.indicators[ids.index(name)]
    kind, uid = _area(area, city)
    if kind < AreaKind.of(indicator.lowest):
        raise ValueError(
            f"--explain: {name} has values from the {indicator.lowest} on; {area} is a {kind.label}"
        )
    at = _time(time, city)
    ends = city.calendar.ends(at - indicator.hop_ms, at + indicator.hop_ms, indicator.hop_ms).tolist()
    if at not in ends:
        near_ends = " or ".join(local(end, city) for end in ends)
        raise ValueError(f"--explain: no window of {name} ends at {local(at, city)}; take {near_ends}")
    return Target(ids.index(name), kind, uid, area, at)


_EXAMPLE = "2024-07-03T10:00"


def _area(area: str, city: City) -> tuple[AreaKind, int]:
    if area == city.areas.city["id"]:
        return AreaKind.CITY, int(city.areas.uids(AreaKind.CITY, [area])[0])
    for kind in (AreaKind.DISTRICT, AreaKind.STREET, AreaKind.COMMUNITY, AreaKind.CELL):
        try:
            uids = city.areas.uids(kind, [area])
            # Codes of another length may be understood too, but are not written so.
            if city.areas.ids(kind, uids) == [area]:
                return kind, int(uids[0])
        except ValueError:
            continue
    known = [info["id"] for info in city.areas.info()]
    near = difflib.get_close_matches(area, known, n=3) or known[:3]
    raise ValueError(f"--explain: {area!r} is no area or cell here; there are {', '.join(near)}, ...")


def _time(text: str, city: City) -> int:
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--explain: no time: {text!r}; write one like {_EXAMPLE}") from None
    zoned = found if found.tzinfo else found.replace(tzinfo=ZoneInfo(city.calendar.tz))
    return int(zoned.timestamp() * 1000)


def local(at: int, city: City) -> str:
    """An instant on the city's clock, ``2024-07-03T10:00:00+08:00``."""
    return datetime.fromtimestamp(at / 1000, ZoneInfo(city.calendar.tz)).isoformat()
