"""The demo's departments: they take tickets from the queue, work on them and report back.

take ─ acknowledge ─ arrive ─ resolve ─▶ another actor verifies, or sends it back ─ close
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from alerts.life_cycle import Action
from sinks.dispatch_client import DispatchClient, Entry

CREWS = ("城管处置组", "水务抢险组", "交管勤务组", "应急联动组")
"""Names of those who take tickets; a real department has its own programs in their place."""

SUPERVISOR = "督查专员"
"""Who verifies: never the one who did the work."""

_SECONDS: dict[Action, float] = {
    "acknowledge": 1.5,
    "arrive": 3.0,
    "resolve": 5.0,
    "verify": 2.5,
    "reject": 2.5,
    "close": 1.0,
}
"""How long each step takes, about, at sixty times the pace of a city."""

_NEXT: dict[Action, Action] = {
    "acknowledge": "arrive",
    "arrive": "resolve",
    "resolve": "verify",
    "verify": "close",
    "reject": "resolve",
}
_AT_ONCE = 6
_SENT_BACK = 0.12
_TOLD = 200


@dataclass(frozen=True, slots=True)
class Deed:
    """Something done: when (epoch ms of the city), by whom, about which ticket."""

    ts: int
    actor: str
    action: Action | str
    entry: Entry


@dataclass(slots=True)
class _Work:
    entry: Entry
    step: Action
    due: float


@dataclass(slots=True)
class Crew:
    """One crew: its client and what it has in hand."""

    client: DispatchClient
    hands: list[_Work] = field(default_factory=list)


@dataclass(slots=True)
class Departments:
    """All crews and their supervisor; ``clock`` tells the city's time, epoch ms."""

    url: str
    clock: Callable[[], int]
    seed: int = 1
    done: Counter[str] = field(default_factory=Counter)
    deeds: deque[Deed] = field(default_factory=lambda: deque(maxlen=_TOLD))
    crews: list[Crew] = field(init=False)
    _supervisor: DispatchClient = field(init=False)
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Everybody at their desk, nothing in hand."""
        self._dice = random.Random(self.seed)  # noqa: S311 - a play, no secret
        self.crews = [Crew(DispatchClient(self.url, name, clock=self.clock)) for name in CREWS]
        self._supervisor = DispatchClient(self.url, SUPERVISOR, clock=self.clock)

    def close(self) -> None:
        """Go home; what was not finished stays in the queue."""
        for crew in self.crews:
            crew.client.close()
        self._supervisor.close()

    def work(self, now: float) -> None:
        """Do what is due at ``now``, seconds of any steady clock, and take more where hands are free."""
        for crew in self.crews:
            for work in [one for one in crew.hands if one.due <= now]:
                self._step(crew, work, now)
            free = _AT_ONCE - len(crew.hands)
            for entry in crew.client.take(count=free) if free else []:
                self._receive(crew, entry, now)

    def _receive(self, crew: Crew, entry: Entry, now: float) -> None:
        """Begin to work on a ticket, or lay aside what is in hand already: an alert that rose again."""
        busy = {work.entry.incident_id for other in self.crews for work in other.hands}
        closed = crew.client.incident(entry.incident_id).get("status") == "closed"
        if closed or entry.incident_id in busy:
            crew.client.ack(entry, report=False)
            return
        self._note(crew.client.taker, "dispatch", entry)
        crew.hands.append(_Work(entry, "acknowledge", now + self._takes("acknowledge")))

    def _step(self, crew: Crew, work: _Work, now: float) -> None:
        actor, step = crew.client, work.step
        if step == "acknowledge":
            actor.ack(work.entry)
        else:
            actor = self._supervisor if step in {"verify", "reject", "close"} else actor
            actor.act(step, work.entry.incident_id)
        self._note(actor.taker, step, work.entry)
        following = _NEXT.get(step)
        if following is None:
            crew.hands.remove(work)
            return
        if following == "verify" and self._dice.random() < _SENT_BACK:
            following = "reject"
        work.step, work.due = following, now + self._takes(following)

    def _takes(self, step: Action) -> float:
        return _SECONDS[step] * self._dice.uniform(0.6, 1.6)

    def _note(self, actor: str, action: Action, entry: Entry) -> None:
        self.done[action] += 1
        self.deeds.append(Deed(self.clock(), actor, action, entry))
