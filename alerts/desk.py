"""Where an alert is filed: its theme, its district, whose work it is, and by when it has to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from alerts.routing import Routing
from alerts.rule_file import Subject
from alerts.service_levels import ServiceLevels
from alerts.transitions import Transition
from indicators.entry import Entry

District = Callable[[str, str], str]
"""(kind, id) of an area -> id of the district it lies in."""


@dataclass(frozen=True, slots=True)
class Papers:
    """What does not change about an alert: names, unit, place in the city, department."""

    subject: Subject
    name_zh: str
    name_en: str
    unit: str
    department: str


def _nowhere(kind: str, area: str) -> str:
    return area if kind in {"district", "city"} else ""


@dataclass(slots=True)
class Desk:
    """Files alerts.

    Args:
        entries: the catalogue's indicators; alerts of others are filed without names.
        routing: departments by theme and district.
        service_levels: times by level.
        district: where an area lies.
    """

    entries: Iterable[Entry] = ()
    routing: Routing = field(default_factory=Routing.load)
    service_levels: ServiceLevels = field(default_factory=ServiceLevels.load)
    district: District = _nowhere
    _entries: dict[str, Entry] = field(init=False, repr=False)
    _papers: dict[tuple[str, str], Papers] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._entries = {entry.id: entry for entry in self.entries}

    def papers(self, alert: Transition) -> Papers:
        """The papers of an alert; those of the same indicator and area are the same."""
        key = alert.indicator, alert.area
        if key not in self._papers:
            self._papers[key] = self._filed(alert)
        return self._papers[key]

    def _filed(self, alert: Transition) -> Papers:
        entry = self._entries.get(alert.indicator)
        theme, domain = (entry.theme, entry.domain) if entry else ("", "")
        subject = Subject(theme, domain, alert.indicator, self.district(alert.kind, alert.area), alert.kind)
        department = self.routing.department(subject, entry.department if entry else "")
        if entry is None:
            return Papers(subject, alert.indicator, alert.indicator, "", department)
        return Papers(subject, entry.name_zh, entry.name_en, entry.unit, department)

    def due(self, subject: Subject, level: int, since: int) -> int:
        """By when work that began at ``since`` (ms) on level 1 to 4 has to be done, ms."""
        return since + self.service_levels.allowed(subject, level)
