"""Incidents for the tests of the dispatch queue, and a queue filled with them."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.desk import Desk
from alerts.incident import Incident
from alerts.incidents import Act, IncidentBook
from alerts.life_cycle import Action
from alerts.transitions import Change, RawTransition, Transition, publish
from indicators.catalogue import Catalogue
from sinks.dispatch_sink import IncidentContent
from sinks.redis_keys import Keys
from sinks.redis_link import RedisLink

NOW = 1_790_000_000_000
ENTRIES = [indicator.entry for indicator in Catalogue.load().indicators]


def a_book() -> IncidentBook:
    """An empty book on a desk that knows the catalogue."""
    return IncidentBook(desk=Desk(ENTRIES))


def moved(
    number: int, seq: int = 1, level: int = 2, previous: int = 0, district: str = "420106"
) -> Transition:
    """Change ``seq`` of alert ``number`` of a district."""
    change: Change = (
        "raised" if seq == 1 else "escalated" if level > previous else "eased" if level else "cleared"
    )
    at = NOW + 1_000 * number + 60_000 * (seq - 1)
    start = NOW + 1_000 * number
    raw = RawTransition("gas.leak_lel_max", 0, start, seq, change, level, previous, 12.5, 10.0, at, at)
    return publish(raw, district, "district", None, "5f3c")


def acted(book: IncidentBook, incident: str, *actions: Action, at: int = NOW + 500_000) -> list[Incident]:
    """The incident after each of some actions of one department."""
    found = [book.act(Act(incident, action, "武昌消防", at + i)) for i, action in enumerate(actions)]
    return [one for one in found if one is not None]


def fill(
    url: str, transitions: Sequence[Transition], content: IncidentContent | None = None
) -> list[Incident]:
    """Bring the incidents of some transitions into Redis; returns them."""
    incidents = a_book().take(transitions)
    send(url, incidents, content)
    return incidents


def send(url: str, incidents: Sequence[Incident], content: IncidentContent | None = None) -> None:
    """Bring changes of incidents into Redis."""
    content = content or IncidentContent(Keys())
    with RedisLink(url, content.scripts) as link:
        link.send(content.commands(link, [list(incidents)]))
