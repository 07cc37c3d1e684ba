"""The control input of a run whose city does not change."""

from __future__ import annotations

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.records import Item


class _NoControl(StatefulSourcePartition[Item, None]):
    def next_batch(self) -> list[Item]:
        raise StopIteration

    def snapshot(self) -> None:
        return None


class NoControl(FixedPartitionedSource[Item, None]):
    """Ends at once."""

    def list_parts(self) -> list[str]:
        """One part."""
        return ["control"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _NoControl:
        """The part."""
        del step_id, for_part, resume_state
        return _NoControl()
