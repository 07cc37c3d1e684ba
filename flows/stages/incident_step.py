"""Incidents of the city: transitions and feedback in, incidents and refused feedback out.

Transitions take effect as they come. An action waits until nothing that belongs before it can come any more
from its own sender, and, while its incident is not known, until every lane has come past its time: then
there is no such incident. So neither batches nor processes nor the interleaving of files decide what is
legal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alerts.desk import Desk, Districts
from alerts.incident import Incident
from alerts.incidents import IncidentBook
from alerts.routing import Routing
from alerts.service_levels import ServiceLevels
from alerts.transitions import Transition
from flows.batches import FINAL, Rejected
from flows.city import City
from flows.control.change import Change
from flows.control.editions import Editions
from flows.pieces import BEFORE, Clock, Clocks, FeedbackPiece, Filed, Moves
from flows.wire import Reason
from geo.areas import AreaKind
from indicators.entry import Entry

CLOCKS_DIFFER = 300_000
"""A person's clock may be this far behind the engine's, ms: as much as a sensor's may be ahead (R6)."""

FORGET_AFTER = 7 * 86_400_000
"""An incident that is over is forgotten after this many ms of event time."""

_HOUR = 3_600_000


@dataclass(slots=True)
class Handled:
    """What the incident step has to say."""

    transitions: list[Transition] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    rejects: list[Rejected] = field(default_factory=list)


class IncidentStep:
    """The logic of the incident step, free of the engine."""

    def __init__(self, desk: Desk, lanes: Iterable[str]) -> None:
        """No incident; ``lanes`` are all senders of transitions."""
        self._desk = desk
        self._book = IncidentBook(desk=desk)
        self.editions: Editions | None = None
        self._changes: dict[int, Change] = {}
        self._clocks = Clocks(lanes)
        self._spoken: dict[str, Clock] = {}
        self._waiting: list[Filed] = []
        self._trimmed = BEFORE

    def take(self, pieces: Iterable[Moves | FeedbackPiece]) -> Handled:
        """Take pieces in order of arrival."""
        out = Handled()
        for piece in pieces:
            if isinstance(piece, Moves):
                self._clocks.hear(piece.sender, piece.clock)
                if piece.change is not None:
                    self._become(piece.change)
                out.transitions += piece.transitions
                out.incidents += self._book.take(piece.transitions, piece.edition)
            else:
                self._spoken[piece.sender] = piece.clock
                self._waiting += self._arrived(piece)
        if self._waiting:
            self._act(out)
        self._forget()
        return out

    def _become(self, change: Change) -> None:
        """Know the indicators of another edition, once whichever sender first came to it."""
        if change.number not in self._changes and self.editions is not None:
            self._changes[change.number] = change
            city = self.editions.city(change)
            before = self._book.desk(change.number - 1)
            self._book.hire(change.number, before.renewed(entries_of(city), districts_of(city)))

    def _arrived(self, piece: FeedbackPiece) -> list[Filed]:
        """Its actions; live ones, whose clock need not be that of the records, are not before now."""
        come = self._clocks.least.watermark
        if not piece.live or come == FINAL:
            return piece.acts
        return [replace(one, effective=max(one.effective, come)) for one in piece.acts]

    def _act(self, out: Handled) -> None:
        come = self._clocks.least.watermark
        kept = []
        for filed in sorted(self._waiting, key=lambda one: one.order):
            opened = self._book.opened(filed.act.incident_id)
            until = filed.effective + CLOCKS_DIFFER
            if filed.effective > self._spoken[filed.sender].watermark or (opened is None and come < until):
                kept.append(filed)
                continue
            changed = None
            if opened is not None and opened <= until:
                changed = self._book.act(filed.act)
            if changed is None:
                out.rejects.append(replace(filed.origin, reason=Reason.BAD_TRANSITION.value))
            else:
                out.incidents.append(changed)
        self._waiting = kept

    def _forget(self) -> None:
        come = self._clocks.least.watermark
        if come not in {BEFORE, FINAL} and come - self._trimmed >= _HOUR:
            self._trimmed = come
            self._book.trim(come - FORGET_AFTER)

    def state(self) -> dict[str, Any]:
        """Everything as plain data and frozen records."""
        return {
            "version": 1,
            "book": self._book.state(),
            "clocks": {name: (c.maximum, c.limit) for name, c in self._clocks.by_sender.items()},
            "spoken": dict(self._spoken),
            "waiting": list(self._waiting),
            "trimmed": self._trimmed,
            "changes": list(self._changes.values()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a ``state()``."""
        self._book = IncidentBook(state["book"], self._desk)
        for change in state["changes"]:
            self._become(change)
        for name, (maximum, limit) in state["clocks"].items():
            if name in self._clocks.by_sender:
                self._clocks.hear(name, Clock(maximum, limit))
        self._spoken, self._waiting = dict(state["spoken"]), list(state["waiting"])
        self._trimmed = state["trimmed"]


def desk_of(
    city: City, routing: Path | None = None, sla: Path | None = None, more: Iterable[Entry] = ()
) -> Desk:
    """The desk of a city, by the tables given or those shipped; ``more`` is filed besides its indicators.

    Raises:
        ValueError: a table cannot be used. OSError: it cannot be read.
    """
    return Desk(
        [*entries_of(city), *more], Routing.load(routing), ServiceLevels.load(sla), districts_of(city)
    )


def entries_of(city: City) -> list[Entry]:
    """The indicators in force, as they are written."""
    return [indicator.entry for indicator in city.plan.catalogue.indicators]


def districts_of(city: City) -> Districts:
    """Where the areas of a city lie."""
    return lambda kind, areas: city.areas.districts(AreaKind.of(kind), areas)
