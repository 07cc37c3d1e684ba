"""The life of an incident (C-2.6): (status, action of governance) → status, none for an illegal action.

    raised → dispatched → acknowledged → arrived → resolved → verified → closed

Steps may be skipped forwards. Backwards there are two ways: ``reject`` (before closed) and ``reopen``.
Whoever does what was done already, moves nothing: two departments may acknowledge the same incident.

>>> after("raised", "arrive"), after("resolved", "acknowledge"), after("closed", "note")
('arrived', None, None)
"""

from typing import Literal, get_args

Status = Literal["raised", "dispatched", "acknowledged", "arrived", "resolved", "verified", "closed"]
"""How far the work on an incident has come."""

Action = Literal[
    "dispatch", "acknowledge", "arrive", "resolve", "verify", "reject", "reopen", "close", "note"
]
"""What governance reports back."""

STATUSES: tuple[Status, ...] = get_args(Status)
ACTIONS: tuple[Action, ...] = get_args(Action)

RETURNS: frozenset[str] = frozenset({"reject", "reopen"})
"""The actions that send an incident back to the queue."""

_LEADS_TO: dict[str, Status] = {
    "dispatch": "dispatched",
    "acknowledge": "acknowledged",
    "arrive": "arrived",
    "resolve": "resolved",
    "verify": "verified",
    "close": "closed",
}


def after(status: Status, action: Action) -> Status | None:
    """The status that an action leads to, None where the action is illegal.

    ``reject`` sends work back: what was resolved or verified has to be done again (返工, dispatched); what
    was not yet done goes back to those who hand out work (退回, raised). ``reopen`` begins anew. A ``note``
    moves nothing. After ``closed`` everything but ``reopen`` is illegal.

    >>> after("verified", "reject"), after("arrived", "reject"), after("closed", "reopen")
    ('dispatched', 'raised', 'raised')
    """
    if action == "reopen":
        return "raised"
    if status == "closed":
        return None
    if action == "note":
        return status
    if action == "reject":
        return "dispatched" if status in {"resolved", "verified"} else "raised"
    target = _LEADS_TO[action]
    return target if STATUSES.index(target) >= STATUSES.index(status) else None
