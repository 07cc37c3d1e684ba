"""What a live engine says when it has stopped: the counts of all doors of all parts and processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from flows.live.run_source import LivePart
from flows.redis.feedback import RedisFeedbackPart, add_feedback
from flows.replay.replay_summary import refuse

_SUMS = ("received", "accepted", "duplicates", "late", "held", "readings", "events", "feedback")


class RunSummary(msgspec.Struct, kw_only=True):
    """What ``yiwang run`` says when it has stopped; counts as in ``summary.json`` (C-2.5)."""

    received: int = 0
    accepted: int = 0
    rejected: dict[str, int] = msgspec.field(default_factory=dict)
    duplicates: int = 0
    late: int = 0
    held: int = 0
    readings: int = 0
    events: int = 0
    feedback: int = 0
    watermark: int = -1
    seconds: float = 0.0


def summary_of(
    parts: Iterable[LivePart], heard: Iterable[RedisFeedbackPart], refused: int, seconds: float
) -> RunSummary:
    """The counts of one process; ``refused``: feedback that its incident refused."""
    found = RunSummary(seconds=round(seconds, 3))
    for part in parts:
        totals = part.totals() | {"held": sum(file.tally.held for file in part.files)}
        found = together(found, _summary(totals))
    totals = msgspec.structs.asdict(found)
    for feedback in heard:
        add_feedback(totals, feedback.tally)
    refuse(totals, refused)
    return _summary(totals)


def together(one: RunSummary, other: RunSummary) -> RunSummary:
    """The counts of two.

    >>> found = together(RunSummary(late=1, rejected={"too_late": 1}), RunSummary(rejected={"too_late": 2}))
    >>> found.late, found.rejected
    (1, {'too_late': 3})
    """
    rejected = dict(one.rejected)
    for reason, count in other.rejected.items():
        rejected[reason] = rejected.get(reason, 0) + count
    return RunSummary(
        **{name: getattr(one, name) + getattr(other, name) for name in _SUMS},
        rejected=rejected,
        watermark=max(one.watermark, other.watermark),
        seconds=max(one.seconds, other.seconds),
    )


def _summary(totals: dict[str, Any]) -> RunSummary:
    return RunSummary(**{name: totals[name] for name in RunSummary.__struct_fields__ if name in totals})
