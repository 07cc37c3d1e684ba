"""Several sources as one: parts of one step of the engine go from one recovery point to the next together.

Sources of steps of their own do not: each measures the time since its own last recovery point, so they drift
apart by the delay with which each notices, and whoever is ahead waits for the others. With a recovery point
every second such a flow stood still for up to a second at each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.beat import Beat
from flows.records import Item

Parts = FixedPartitionedSource[Item, Any]


class JointSource(FixedPartitionedSource[Item, Any]):
    """The parts of some sources, in their order: that decides how the engine deals them to processes.

    With a ``beat``, they come to recovery points when those of other processes do.

    Raises:
        ValueError: two sources have a part of the same name.

    >>> from flows.control.no_control import NoControl
    >>> JointSource(NoControl()).list_parts()
    ['control']
    """

    def __init__(self, *sources: Parts, beat: Beat | None = None) -> None:
        self._beat = beat
        self._of: Mapping[str, Parts] = {name: source for source in sources for name in source.list_parts()}
        if len(self._of) != sum(len(source.list_parts()) for source in sources):
            raise ValueError(f"sources share names of parts: {[source.list_parts() for source in sources]}")

    def list_parts(self) -> list[str]:
        """The names of all parts."""
        return list(self._of)

    def build_part(
        self,
        step_id: str,
        for_part: str,
        resume_state: Any | None,  # noqa: ANN401 - the source's own
    ) -> StatefulSourcePartition[Item, Any]:
        """The part, as its source makes it."""
        part = self._of[for_part].build_part(step_id, for_part, resume_state)
        return part if self._beat is None else _OnBeat(part, self._beat)


@dataclass(frozen=True, slots=True)
class _OnBeat(StatefulSourcePartition[Item, Any]):
    """A part that reads nothing shortly before a beat."""

    part: StatefulSourcePartition[Item, Any]
    beat: Beat

    def next_batch(self) -> Iterable[Item]:
        return self.part.next_batch()

    def next_awake(self) -> datetime | None:
        return self.beat.awake(self.part.next_awake(), datetime.now(UTC))

    def snapshot(self) -> Any:  # noqa: ANN401 - the part's own
        return self.part.snapshot()

    def close(self) -> None:
        self.part.close()
