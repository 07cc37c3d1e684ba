"""A cluster → messages: partitions that are named, from offsets that are named, without surprises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import methodcaller
from typing import Any, Self

from sinks.kafka_link import Consumer, Error, Hearing, Partition, ask, consumer, kind_of, partitions
from sinks.kafka_types import KafkaSettings, Message, Option, Place, Trouble

_FIXED: dict[str, Option] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # An offset that is not there is a decision of ours, never a silent jump.
    "auto.offset.reset": "error",
}

_ERROR = methodcaller("error")


class KafkaReader:
    """Reads the partitions it is told to, from the offsets it is told; belongs to no group's distribution.

    Attributes:
        ended: where a partition was seen to end, by the broker's word; the offset after the last.
        troubles: what was met since this was last emptied.
    """

    def __init__(
        self, settings: KafkaSettings, group: str = "yiwang", more: Mapping[str, Option] | None = None
    ) -> None:
        self._settings = settings
        self._hearing = Hearing()
        self._consumer: Consumer = consumer(
            settings, {**(more or {}), **_FIXED, "group.id": group}, self._heard
        )
        self.ended: dict[Place, int] = {}
        self.troubles: list[Trouble] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _heard(self, error: Error) -> None:
        self._hearing(error)
        self.troubles.append(Trouble(kind_of(error), None, error.str()))

    def assign(self, offsets: Mapping[Place, int]) -> None:
        """Read these partitions from these offsets, and no others."""
        self._consumer.assign(partitions(offsets))

    def add(self, offsets: Mapping[Place, int]) -> None:
        """Read these partitions too."""
        self._consumer.incremental_assign(partitions(offsets))

    def drop(self, places: Sequence[Place]) -> None:
        """Read these partitions no longer."""
        self._consumer.incremental_unassign([Partition(*place) for place in places])

    def pause(self, places: Sequence[Place]) -> None:
        """Fetch nothing from these partitions until `resume`."""
        self._consumer.pause([Partition(*place) for place in places])

    def resume(self, places: Sequence[Place]) -> None:
        """Fetch from these partitions again."""
        self._consumer.resume([Partition(*place) for place in places])

    def read(self, number: int, seconds: float = 0.0) -> list[Message]:
        """Up to ``number`` messages, in the order of each partition; what is none goes to `troubles`."""
        found = self._consumer.consume(number, seconds)
        if [error for error in map(_ERROR, found) if error is not None]:
            self._note([one for one in found if one.error() is not None])
            found = [one for one in found if one.error() is None]
        return found  # type: ignore[return-value]  # the library types headers more widely

    def _note(self, events: Sequence[Any]) -> None:
        for event in events:
            topic, partition, error = event.topic(), event.partition(), event.error()
            place = None if topic is None or partition is None else (topic, partition)
            if kind_of(error) == "end" and place is not None:
                self.ended[place] = event.offset()
            else:
                self.troubles.append(Trouble(kind_of(error), place, error.str()))

    def range(self, place: Place, *, cached: bool = False) -> tuple[int, int]:
        """The first offset that is there, and the one after the last.

        ``cached``: as the last fetch found them, without asking (-1001 where none has).

        Raises:
            KafkaAwayError: the broker did not answer in time.
            KafkaRefusedError: there is no such partition, or no right to read it.
        """
        asked = partial(
            self._consumer.get_watermark_offsets,
            Partition(*place),
            timeout=self._settings.timeout,
            cached=cached,
        )
        found: tuple[int, int] = self._ask(f"the offsets of {place[0]} [{place[1]}]", asked)
        return found

    def positions(self, places: Sequence[Place]) -> dict[Place, int]:
        """The offset after what was read last, in each partition; -1001 before anything was."""
        found = self._consumer.position([Partition(*place) for place in places])
        return {(one.topic, one.partition): one.offset for one in found}

    def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell the group where we are, for those who watch lag; nobody waits for the answer."""
        self._consumer.commit(offsets=partitions(offsets), asynchronous=True)

    def commit_now(self, offsets: Mapping[Place, int]) -> None:
        """Tell the group where we are, and wait until the broker has it."""
        asked = partial(self._consumer.commit, offsets=partitions(offsets), asynchronous=False)
        self._ask("a commit", asked)

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """Where the group was told to be; -1001 where it was told nothing."""
        wanted = [Partition(*place) for place in places]
        asked = partial(self._consumer.committed, wanted, timeout=self._settings.timeout)
        found = self._ask("committed offsets", asked)
        return {(one.topic, one.partition): one.offset for one in found}

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _ask(self, what: str, asked: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the library answers
        return ask(self._settings, what, self._hearing, asked)
