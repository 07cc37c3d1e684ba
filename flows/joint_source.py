"""Several sources as one: parts of one step of the engine go from one recovery point to the next together.

Sources of steps of their own do not: each measures the time since its own last recovery point, so they drift
apart by the delay with which each notices, and whoever is ahead waits for the others. With a recovery point
every second such a flow stood still for up to a second at each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.records import Item

Parts = FixedPartitionedSource[Item, Any]


class JointSource(FixedPartitionedSource[Item, Any]):
    """The parts of some sources, in their order: that decides how the engine deals them to processes.

    Raises:
        ValueError: two sources have a part of the same name.

    >>> from flows.control.no_control import NoControl
    >>> JointSource(NoControl()).list_parts()
    ['control']
    """

    def __init__(self, *sources: Parts) -> None:
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
        return self._of[for_part].build_part(step_id, for_part, resume_state)
