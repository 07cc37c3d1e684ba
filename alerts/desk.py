"""Where an alert is filed: its theme, its district, whose work it is, and by when it has to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from alerts.routing import Routing
from alerts.rule_file import Subject
from alerts.service_levels import ServiceLevels
from alerts.transitions import Transition
from indicators.entry import Entry

Districts = Callable[[str, list[str]], list[str]]
"""(kind, ids) of areas -> ids of the districts they lie in."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What does not change about an alert: names, unit, place, department, times by level in ms."""

    subject: Subject
    name_zh: str
    name_en: str
    unit: str
    department: str
    times: tuple[int, int, int, int]

    def due(self, level: int, since: int) -> int:
        """By when work that began at ``since`` (ms) on level 1 to 4 has to be done, ms."""
        return since + self.times[level - 1]


def _nowhere(kind: str, areas: list[str]) -> list[str]:
    return areas if kind in {"district", "city"} else [""] * len(areas)


@dataclass(slots=True)
class Desk:
    """Files alerts.

    Args:
        entries: the catalogue's indicators; alerts of others are filed without names.
        routing: departments by theme and district.
        service_levels: times by level.
        districts: where areas lie.
    """

    entries: Iterable[Entry] = ()
    routing: Routing = field(default_factory=Routing.load)
    service_levels: ServiceLevels = field(default_factory=ServiceLevels.load)
    districts: Districts = _nowhere
    _entries: dict[str, Entry] = field(init=False, repr=False)
    _papers: dict[tuple[str, str], Papers] = field(default_factory=dict, init=False, repr=False)
    _district: dict[tuple[str, str], str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._entries = {entry.id: entry for entry in self.entries}

    def renewed(self, entries: Iterable[Entry], districts: Districts) -> Desk:
        """A desk for another catalogue, which still knows the indicators that are no more."""
        known = {**self._entries, **{entry.id: entry for entry in entries}}
        return Desk(list(known.values()), self.routing, self.service_levels, districts)

    def look_up(self, alerts: Iterable[Transition]) -> None:
        """Find the districts of many alerts at once, which is cheaper than one by one."""
        unknown: dict[str, list[str]] = {}
        for kind, area in dict.fromkeys((one.kind, one.area) for one in alerts):
            if (kind, area) not in self._district:
                unknown.setdefault(kind, []).append(area)
        for kind, areas in unknown.items():
            for area, district in zip(areas, self.districts(kind, areas), strict=True):
                self._district[kind, area] = district

    def papers(self, alert: Transition) -> Papers:
        """The papers of an alert; those of the same indicator, area and owner are the same.

        An alert with an owner is its work, whatever the routing says of others.
        """
        key = alert.indicator, alert.area
        if key not in self._papers:
            self._papers[key] = self._filed(alert)
        papers = self._papers[key]
        return replace(papers, department=alert.owner) if alert.owner else papers

    def _filed(self, alert: Transition) -> Papers:
        entry = self._entries.get(alert.indicator)
        theme, domain = (entry.theme, entry.domain) if entry else ("", "")
        place = alert.kind, alert.area
        if place not in self._district:
            self.look_up([alert])
        district = self._district[place]
        subject = Subject(theme, domain, alert.indicator, district, alert.kind)
        department = self.routing.department(subject, entry.department if entry else "")
        times = self.service_levels.times(subject)
        if entry is None:
            return Papers(subject, alert.indicator, alert.indicator, "", department, times)
        return Papers(subject, entry.name_zh, entry.name_en, entry.unit, department, times)
