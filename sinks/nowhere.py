"""A sink that keeps nothing, for a stream whose items go to taps alone."""

from typing import Any

from bytewax.outputs import DynamicSink, StatelessSinkPartition


class _Part(StatelessSinkPartition[Any]):
    def write_batch(self, items: list[Any]) -> None:
        pass


class Nowhere(DynamicSink[Any]):
    """Takes everything and keeps nothing."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Part:
        """The part of a process."""
        del step_id, worker_index, worker_count
        return _Part()
